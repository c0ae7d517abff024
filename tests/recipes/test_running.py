"""A recipe does what the library does, and says how it ended."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.ndimage import gaussian_filter

from napari_ptycho import io, networks, prepare, recipes, samples
from napari_ptycho.assess import frc, plane_of
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions
from napari_ptycho.engines import DmOptions, LsqmlOptions, RpieOptions, reconstruct
from napari_ptycho.engines.denoising import denoise_reconstruction
from napari_ptycho.errors import OptionsError
from napari_ptycho.io.layout import Layout
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction
from napari_ptycho.networks import FinetuneOptions, PredictOptions, TrainOptions
from napari_ptycho.prepare.detector import DetectorOptions
from napari_ptycho.prepare.start import Optics
from napari_ptycho.recipes import (
    AssessOptions,
    BinningOptions,
    DenoiseStep,
    NetworkStep,
    OutputOptions,
    Recipe,
    Source,
    Start,
    Task,
    read_report,
    report_path,
    run_task,
)
from napari_ptycho.recipes.steps import Work, assess

CHAIN = (DmOptions(epochs=5), LsqmlOptions(epochs=5))
PLAIN = AssessOptions(frc=False)
FAR_OFF = "[[stage]]\nengine = 'dm'\n[scan.detector]\ncentre = 'given'\ncentre_y = 500"


def never():
    return False


def ran(recipe, scan, output, **fields):
    """Run a recipe that ends well; return its report, its result, and what it told."""
    told = []
    task = Task(recipes.dumps(recipe), str(scan), str(output), "cpu", **fields)
    report = run_task(task, told.append, never)
    assert (report.state, report.message) == ("done", "")
    return report, io.read_reconstruction(output), told


@pytest.fixture(scope="module")
def network(scan_file, tmp_path_factory):
    """The file of a network that knows a little of the scan."""
    scan = io.read_scan(scan_file)
    known = run_to_end(reconstruct(scan, RpieOptions(epochs=5), device="cpu"))
    pairs = networks.pairs_of([(scan, known)], validation=0.25)
    trained = run_to_end(networks.train(pairs, TrainOptions.of("ptynet-s", epochs=1), None, "cpu"))
    path = tmp_path_factory.mktemp("network") / "net.safetensors"
    networks.save(trained.network, path)
    return path


def test_a_chain_equals_the_librarys_bit_by_bit(scan_file, tmp_path):
    recipe = Recipe("DM, then LSQ-ML", stages=CHAIN)
    report, result, told = ran(recipe, scan_file, tmp_path / "out.h5")
    expected = run_to_end(reconstruct(io.read_scan(scan_file), CHAIN, device="cpu"))
    np.testing.assert_array_equal(result.object, expected.object)
    np.testing.assert_array_equal(result.probe, expected.probe)
    assert result.errors == expected.errors
    assert report.title == "DM, then LSQ-ML"
    assert (report.epochs, report.error) == (10, result.errors[-1])
    assert report.resumed_from == 0
    assert report.recipe_checksum == recipes.checksum(recipe)
    assert told[-2].text.startswith("resolution")
    assert any(one.text.startswith("stage 2 of 2, LSQ-ML, epoch 5 of 5, error") for one in told)
    assert {one.total for one in told} == {1.0, 10.0}


def test_the_resolution_is_that_of_frc(scan_file, tmp_path):
    report, result, _ = ran(Recipe(stages=CHAIN), scan_file, tmp_path / "out.h5")
    found = frc(plane_of(result))
    best = found.resolution()
    assert best.unit == "px"  # this scan knows no pixel size
    assert report.resolution_m is None
    assert report.resolution_px == best.value
    caution = next(note for note in report.notes if "FRC of one image" in note)
    assert "(half-bit, full period)" in caution
    assert "print that of two halves" in caution
    if best.value is None:
        assert f"resolution: {found.crossing().words}" in report.notes


def test_a_resolution_in_metres_where_the_pixel_is_known(scan_file, rng):
    image = gaussian_filter(rng.standard_normal((128, 128)), 6) * 12 + rng.normal(
        0, 0.1, (128, 128)
    )
    known = Reconstruction(
        np.exp(1j * image).astype(np.complex64),
        np.ones((1, 128, 128), np.complex64),
        np.zeros((1, 2)),
        pixel_size_m=(2e-8, 2e-8),
    )
    work = Work(Recipe(), io.read_scan(scan_file), None, never, result=known)
    assert [one.text for one in assess(work)] == ["resolution"]
    best = frc(plane_of(known)).resolution()
    assert best.unit == "nm"
    assert 40 < best.value < 2000
    assert work.resolution == (pytest.approx(best.value * 1e-9), pytest.approx(best.value / 20))


def test_a_recipe_reads_and_bins_as_it_says(scan_file, tmp_path):
    source = Source(detector=DetectorOptions(size=24), geometry={"energy_ev": 7000.0})
    recipe = Recipe(
        scan=source,
        binning=BinningOptions("2", "space"),
        start=Start("mean pattern"),
        stages=(RpieOptions(epochs=2, modes=2),),
        assess=PLAIN,
    )
    _, result, _ = ran(recipe, scan_file, tmp_path / "out.h5")
    scan = io.read_scan(scan_file, source.geometry, detector=source.detector)
    scan = prepare.bin_positions(scan, 2, "space")
    start = prepare.first_guess(scan, 2, "mean pattern")
    expected = run_to_end(reconstruct(scan, recipe.stages, start, "cpu"))
    assert result.probe.shape == (2, 24, 24)
    assert result.geometry.energy_ev == 7000
    np.testing.assert_array_equal(result.object, expected.object)


def test_positions_from_a_second_file(scan_file, tmp_path):
    scan = io.read_scan(scan_file)
    places = scan.positions_px * 1.02
    np.savez(tmp_path / "frames.npz", data=scan.patterns)
    np.savetxt(tmp_path / "xy.csv", places, delimiter=",", header="y,x")
    source = Source(positions=str(tmp_path / "xy.csv"), layout=Layout(position_unit="px"))
    recipe = Recipe(scan=source, stages=CHAIN[:1], assess=PLAIN)
    _, result, _ = ran(recipe, tmp_path / "frames.npz", tmp_path / "out.h5")
    moved = result.positions_px - result.positions_px.min(axis=0)
    np.testing.assert_allclose(moved, places - places.min(axis=0), atol=1e-6)


def test_a_sample_is_a_scan(tmp_path, monkeypatch):
    small = samples.SampleOptions(lines=4, columns=4, step_nm=200.0)
    monkeypatch.setattr(samples, "options_of", lambda name: small)
    source = Source(detector=DetectorOptions(size=64), geometry={"energy_ev": 9000.0})
    recipe = Recipe(scan=source, start=Start("optics", Optics(defocus_mm=5.0)), assess=PLAIN)
    recipe = replace(recipe, stages=(RpieOptions(epochs=1),))
    report, result, _ = ran(recipe, "sample:fibres", tmp_path / "out.h5")
    assert result.probe.shape == (1, 64, 64)
    assert result.geometry.energy_ev == 9000
    assert recipes.of(result).scan.file == report.scan == "sample:fibres"


@pytest.mark.parametrize("probe", ["auto", "mean pattern"])
def test_a_network_and_then_an_engine(scan_file, network, tmp_path, probe):
    step = NetworkStep(str(network), PredictOptions(every=2))
    stages = (RpieOptions(epochs=3),)
    recipe = Recipe(start=Start(probe), network=step, stages=stages, assess=PLAIN)
    _, result, told = ran(recipe, scan_file, tmp_path / "out.h5")
    scan = io.read_scan(scan_file)
    given = None if probe == "auto" else prepare.first_guess(scan, 1, probe).probe
    guess = run_to_end(networks.predict(scan, networks.load(network), step.predict, given, "cpu"))
    expected = run_to_end(reconstruct(scan, recipe.stages, guess.reconstruction, "cpu"))
    np.testing.assert_array_equal(result.object, expected.object)
    assert any(one.text == "predicting, 25 of 25 patterns" for one in told)


def test_a_network_that_learns_the_scan_first(scan_file, network, tmp_path):
    tune = FinetuneOptions(epochs=2)
    recipe = Recipe(network=NetworkStep(str(network), finetune=tune), assess=PLAIN)
    report, result, _ = ran(recipe, scan_file, tmp_path / "out.h5")
    scan = io.read_scan(scan_file)
    tuned = run_to_end(networks.finetune(scan, networks.load(network), tune, None, "cpu"))
    expected = run_to_end(networks.predict(scan, tuned.network, PredictOptions(), None, "cpu"))
    np.testing.assert_array_equal(result.object, expected.reconstruction.object)
    assert (report.epochs, report.error) == (0, None)


def test_denoising_asks_the_halves_of_the_scan(scan_file, tmp_path):
    options = DenoiseOptions(iterations=4)
    recipe = Recipe(stages=CHAIN[:1], denoise=DenoiseStep("phase", options))
    report, result, told = ran(recipe, scan_file, tmp_path / "out.h5")
    scan = io.read_scan(scan_file)
    whole = run_to_end(reconstruct(scan, CHAIN[:1], device="cpu"))
    expected = run_to_end(denoise_reconstruction(whole, "phase", options, scan, device="cpu"))
    np.testing.assert_array_equal(result.object, expected.reconstruction.object)
    assert result.provenance["denoised"][-1]["rule"] == "second-copy"
    assert "the resolution is that of the reconstruction before it was denoised" in report.notes
    assert any(one.text == "denoising, iteration 4 of 4" for one in told)
    assert any("half reconstructions" in one.text for one in told)


def test_a_classical_method_is_calibrated_by_halves(scan_file, tmp_path):
    step = DenoiseStep("amplitude", ClassicalOptions("tv"))
    recipe = Recipe(stages=CHAIN[:1], denoise=step, assess=PLAIN)
    _, result, _ = ran(recipe, scan_file, tmp_path / "out.h5")
    assert result.provenance["denoised"][-1]["halves"]
    given = replace(step, options=ClassicalOptions("tv", strength=2.0))
    _, other, told = ran(replace(recipe, denoise=given), scan_file, tmp_path / "2.h5")
    assert not any("half reconstructions" in one.text for one in told)
    assert not other.provenance["denoised"][-1]["halves"]


def test_a_check_is_made_of_what_was_denoised(scan_file, tmp_path):
    step = DenoiseStep("phase", ClassicalOptions("tv", strength=1.0))
    recipe = Recipe(stages=CHAIN[:1], denoise=step, assess=AssessOptions(False, True))
    report, _, told = ran(recipe, scan_file, tmp_path / "out.h5")
    assert "<html" in (tmp_path / "out.h5.check.html").read_text()
    assert "out.h5.check.html" in report.files
    verdicts = ("Supported", "Neutral", "Contradicted")
    assert any(one.startswith(verdicts) for one in (*report.notes, *report.warnings))
    assert any(one.text.startswith("check: ") for one in told)
    bare = replace(recipe, denoise=None)
    report, _, _ = ran(bare, scan_file, tmp_path / "bare.h5")
    assert "not checked for hallucinations: nothing was denoised" in report.notes
    assert not (tmp_path / "bare.h5.check.html").exists()


def test_the_recipe_is_in_the_result(scan_file, tmp_path):
    recipe = Recipe("mine", Source("other.h5"), stages=CHAIN[:1], assess=PLAIN)
    _, result, _ = ran(recipe, scan_file, tmp_path / "out.h5")
    carried = recipes.of(result)
    assert carried == replace(recipe, scan=Source(str(scan_file)))
    assert recipes.read(tmp_path / "out.h5") == carried
    assert recipes.of(replace(result, provenance={})) is None


def test_all_that_is_asked_for_is_written(scan_file, tmp_path):
    output = OutputOptions("cxi", tiff=True, report=True)
    recipe = Recipe(stages=CHAIN[:1], assess=PLAIN, output=output)
    report, _, _ = ran(recipe, scan_file, tmp_path / "out.cxi")
    names = ("out.cxi", "out.cxi.thumbnail.png", "out.cxi.ome.tif", "out.cxi.png")
    assert report.files == names
    assert report.thumbnail == "out.cxi.thumbnail.png"
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {*names, report_path(tmp_path / "out.cxi").name}
    assert imread(tmp_path / report.thumbnail).ndim == 3
    assert read_report(tmp_path / "out.cxi") == report
    assert json.loads(report_path(tmp_path / "out.cxi").read_text())["state"] == "done"


@pytest.mark.parametrize(
    ("recipe", "scan", "output", "sentence"),
    [
        ("[[stage", "", "out.h5", "the recipe: not TOML"),
        ("title = 'x'", "", "out.h5", "reconstructs nothing: it has neither a"),
        ("[[stage]]\npreset = 'quick'", "none.h5", "out.h5", "none.h5: no such file"),
        ("[[stage]]\npreset = 'quick'", "", "no/out.h5", "its folder does not exist"),
        ("[[stage]]\npreset = 'quick'", "sample:x", "out.h5", "no sample is called 'x'"),
        ("[network]\nfile = 'x'", "", "out.h5", "x: there is no such file, and no network"),
        (FAR_OFF, "", "out.h5", "the centre (500, 0) lies outside the frames"),
    ],
)
def test_what_goes_wrong_is_the_report(scan_file, tmp_path, recipe, scan, output, sentence):
    source = scan if scan.startswith("sample:") else str(tmp_path / scan if scan else scan_file)
    task = Task(recipe, source, str(tmp_path / output), "cpu")
    report = run_task(task, lambda _: None, never)
    assert report.state == "failed"
    assert sentence in report.message
    assert not Path(task.output).exists()
    if Path(task.output).parent.is_dir():
        assert read_report(task.output) == report


def test_a_scan_is_not_written_over(scan_file, tmp_path):
    copy = tmp_path / "scan.h5"
    copy.write_bytes(scan_file.read_bytes())
    task = Task(recipes.dumps(Recipe(stages=CHAIN)), str(copy), str(copy), "cpu")
    report = run_task(task, lambda _: None, never)
    assert "is the scan that is read" in report.message
    assert copy.read_bytes() == scan_file.read_bytes()


def test_an_image_without_a_resolution_is_a_warning(scan_file, tmp_path, monkeypatch):
    def refuse(*_):
        raise OptionsError("too small")

    monkeypatch.setattr("napari_ptycho.assess.correlation.frc", refuse)
    report, _, _ = ran(Recipe(stages=CHAIN[:1]), scan_file, tmp_path / "out.h5")
    assert "no resolution: too small" in report.warnings
