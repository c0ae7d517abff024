"""`napari-ptycho denoise`, as it is typed."""

import json

import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.job import run_to_end
from napari_ptycho.phantoms import noisy

FEW = ("--architecture", "arch1-bilinear", "--iterations", "4")


def run(*words):
    return run_cli([str(word) for word in words])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A noisy image, its truth and a second copy."""
    folder = tmp_path_factory.mktemp("images")
    image, clean = (part[40:88, 40:88] for part in noisy("fibres"))
    for name, array in (
        ("noisy", image),
        ("clean", clean),
        ("second", noisy("fibres", seed=1)[0][40:88, 40:88]),
    ):
        tifffile.imwrite(folder / f"{name}.tif", array.astype(np.float32))
    return folder


def words_of(out):
    return json.loads(out.strip().splitlines()[-1])


def test_the_last_line_is_json_and_says_what_the_library_says(files, tmp_path, capsys):
    out = tmp_path / "out.tif"
    reference = ("--reference", files / "clean.tif")
    assert run("denoise", files / "noisy.tif", *FEW, *reference, "--json", "-o", out) == 0
    said = words_of(capsys.readouterr().out)
    options = DenoiseOptions.of("arch1-bilinear", iterations=4)
    image = tifffile.imread(files / "noisy.tif")
    result = run_to_end(dip(image, options, tifffile.imread(files / "clean.tif")))
    np.testing.assert_allclose(tifffile.imread(out), result.image, atol=1e-4)
    assert said["psnr"] == pytest.approx(result.score("psnr_db"), abs=1e-3)
    assert said["best_psnr"] == pytest.approx(max(result.curves["psnr_db"]), abs=1e-3)
    assert said["iterations"] == 4
    assert said["stopped_at"] == result.iteration
    assert said["seconds"] > 0
    assert said["grid_db"] == pytest.approx(result.grid[4], abs=0.01)
    about = json.loads(tifffile.TiffFile(out).pages[0].description)
    assert about["denoised"][0]["settings"]["architecture"] == "arch1-bilinear"


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ((), "holdout"),
        (("--stop", "wmv"), "wmv"),
        (("--ensemble", "2", "--set", "mix=architectures"), "holdout"),
        (("--second", "second.tif"), "second-copy"),
        (("--set", "tile=64"), "holdout"),
    ],
)
def test_ways_to_denoise(files, tmp_path, capsys, words, rule):
    words = [files / word if word.endswith(".tif") else word for word in words]
    out = tmp_path / "out.npy"
    assert run("denoise", files / "noisy.tif", *FEW, *words, "--json", "-o", out) == 0
    assert words_of(capsys.readouterr().out)["rule"] == rule
    assert np.load(out).shape == (48, 48)


def test_published_architectures_have_their_recipe(files, tmp_path, capsys):
    words = ("--architecture", "arch1", "--iterations", "2", "--json", "-o", tmp_path / "o.tif")
    assert run("denoise", files / "noisy.tif", *words) == 0
    said = words_of(capsys.readouterr().out)
    assert said["settings"]["rate"] == 3e-5
    assert said["rule"] == "loss"


def test_classical_methods(files, tmp_path, capsys):
    out = tmp_path / "o.tif"
    for method in ("tv", "nlm", "wavelet"):
        words = ("--method", method, "--reference", files / "clean.tif", "--json", "--overwrite")
        assert run("denoise", files / "noisy.tif", *words, "-o", out) == 0
        assert words_of(capsys.readouterr().out)["psnr"] > 17


def test_a_reconstruction_and_its_scan(star_file, tmp_path, capsys):
    recon, out = tmp_path / "r.h5", tmp_path / "d.h5"
    assert run("reconstruct", star_file, "--epochs", "4", "--device", "cpu", "-o", recon) == 0
    assert run("denoise", recon, *FEW, "--scan", star_file, "--json", "-o", out) == 0
    said = words_of(capsys.readouterr().out)
    assert said["rule"] == "second-copy"
    result = io.read_reconstruction(out)
    assert result.provenance["denoised"][0]["halves"]
    assert run("denoise", recon, *FEW, "--channel", "complex", "-o", tmp_path / "c.npy") == 0
    assert np.load(tmp_path / "c.npy").shape == result.object.shape
    assert run("denoise", recon, *FEW, "--reference", out, "-o", tmp_path / "p.tif") == 0
    assert (
        run("reconstruct", star_file, "--start", out, "--epochs", "1", "-o", tmp_path / "e.h5") == 0
    )


def test_a_scan_is_kept_and_binned_as_the_reconstruction_was(star_file, tmp_path):
    recon, out = tmp_path / "r.h5", tmp_path / "d.h5"
    sampled = ("--every", "2", "--bin", "2", "--epochs", "1", "--device", "cpu")
    assert run("reconstruct", star_file, *sampled, "-o", recon) == 0
    made = io.read_reconstruction(recon)
    done = [star_file]  # whole, or as it was then: it is not done twice
    for name in ("s.h5", "s.cxi"):
        done.append(tmp_path / name)
        assert run("bin", star_file, "--every", "2", "--size", "2", "-o", done[-1]) == 0
    for scan in done:
        words = ("--scan", scan, "--overwrite", "-o", out)
        assert run("denoise", recon, *FEW, *words) == 0
        result = io.read_reconstruction(out)
        np.testing.assert_array_equal(result.positions_px, made.positions_px)
        assert result.provenance["denoised"][0]["halves"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "tv", "--iterations", "3"), "--method tv has no network"),
        (("--set", "iterations=3", "--iterations", "4"), "--set iterations: it has a flag"),
        (("--set", "rate=99"), "rate is 99.0; it must lie in"),
        (("--set", "colour=1"), "has no 'colour'"),
        (("--stop", "second-copy"), "needs a second image"),
        (("--reference", "none.tif"), "no such file"),
        (("--scan", "noisy.tif"), "--scan makes halves of a reconstruction"),
        (("--architecture", "vgg"), "'vgg' is not one of"),
    ],
)
def test_what_does_not_work_gets_a_sentence_and_code_2(files, tmp_path, capsys, words, said):
    words = [files / word if word.endswith(".tif") else word for word in words]
    assert run("denoise", files / "noisy.tif", *words, "-o", tmp_path / "o.tif") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o.tif").exists()


def test_bad_images_get_a_sentence_and_code_2(tmp_path, capsys):
    for name, image in (("nan", np.full((20, 20), np.nan)), ("flat", np.ones((20, 20)))):
        np.save(tmp_path / f"{name}.npy", image)
        assert run("denoise", tmp_path / f"{name}.npy", "-o", tmp_path / "o.tif") == 2
        assert "image: " in capsys.readouterr().err
