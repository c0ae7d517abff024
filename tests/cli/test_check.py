"""`napari-ptycho check`, as it is typed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.assess.plane import plane_of
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.denoise import ClassicalOptions, classical
from napari_ptycho.denoise.subject import applied, subject_of
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.prepare import bin_positions
from napari_ptycho.samples import small_scan

QUICK = ("--set", "held_out=no", "--device", "cpu")


def run(*words):
    return run_cli(["check", *(str(word) for word in words)])


def denoised(raw):
    subject = subject_of(raw, "phase")
    return applied(subject, classical(subject.image, ClassicalOptions(method="nlm")))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A scan, a reconstruction of it, a denoised one, one with a grid, and one of binned counts."""
    folder = tmp_path_factory.mktemp("check")
    scan, truth = small_scan("fibres", 1e3)
    io.write_scan(scan, folder / "scan.h5")
    scan = io.read_scan(folder / "scan.h5")
    options = RpieOptions(epochs=8, probe_start=100_000)
    start = replace(truth, object=np.full_like(truth.object, 0.98))
    raw = run_to_end(reconstruct(scan, options, start, "cpu"))
    y, x = np.indices(raw.object.shape)
    grid = np.exp(0.3j * np.cos(np.pi * y) * np.cos(np.pi * x))
    wrong = replace(raw, object=(raw.object * grid).astype(np.complex64), name="grid")
    io.write_reconstruction(raw, folder / "raw.h5")
    done = denoised(raw)
    io.write_reconstruction(done, folder / "done.h5")
    told = {"denoised": done.provenance["denoised"]}
    io.write_image(plane_of(done).data, folder / "done.tif", told)
    io.write_reconstruction(wrong, folder / "grid.h5")
    io.write_image(plane_of(raw).data + 0.5, folder / "phase.tif", {})
    binned = bin_positions(scan, 2)
    result = run_to_end(reconstruct(binned, RpieOptions(epochs=2), device="cpu"))
    io.write_reconstruction(result, folder / "binned.h5")
    io.write_reconstruction(denoised(result), folder / "binned_done.h5")
    return folder


def test_a_grid_is_contradicted_in_words_in_data_and_in_a_report(files, tmp_path, capsys):
    out = tmp_path / "r.json"
    words = ("--scan", files / "scan.h5", "--original", files / "raw.h5", *QUICK)
    assert run(files / "grid.h5", *words, "-o", out, "--json") == 0
    said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert said["verdict"] == "contradicted"
    assert "a lattice of period 2" in said["sentence"]
    assert said["report"] == str(out)
    assert said["file"] == str(files / "grid.h5")
    report = json.loads(out.read_text())
    assert report == {name: said[name] for name in report}
    assert run(files / "grid.h5", *words, "-o", tmp_path / "r.html") == 0
    lines = capsys.readouterr().out
    assert lines.startswith("Contradicted: the measured photons reject")
    assert "- lattice: A lattice of period 2 pixels" in lines.replace("\n", " ")
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert run(files / "grid.h5", *words, "-o", out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(files / "grid.h5", "--original", files / "raw.h5", "-o", out, "--overwrite") == 0
    assert json.loads(out.read_text())["verdict"] == "not tested"


def test_held_out_photons_judge_a_denoised_reconstruction(files, capsys):
    words = ("--scan", files / "scan.h5", "--original", files / "raw.h5")
    assert run(files / "done.h5", *words, "--json", "--device", "cpu", "--threads", "1") == 0
    said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert said["held_out"] is True
    assert said["notes"] == []
    assert run(files / "done.tif", *words, "--json", "--device", "cpu", "--threads", "1") == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["held_out"] is True


def test_an_image_is_checked_beside_its_original_without_a_scan(files, capsys):
    assert run(files / "phase.tif", "--original", files / "raw.h5") == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert said.startswith("Not tested: without the scan")
    assert "note: an offset of 0.5 rad" in said


def test_a_scan_is_binned_as_the_reconstruction_was(files, capsys):
    words = ("--scan", files / "scan.h5", *QUICK, "--json")
    for more in ((), ("--original", files / "binned.h5")):
        assert run(files / "binned_done.h5", *words, *more) == 0
        said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        assert said["verdict"] != "not tested"
        assert "over 153 patterns" in said["evidence"][0]["sentence"]
        assert not any("its counts are not those" in note for note in said["notes"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.h5",), "none.h5: no such file"),
        (("done.h5", "--scan", "none.h5"), "no such file"),
        (("done.h5", "--original", "none.h5"), "no such file"),
        (("done.h5",), "neither the scan nor the original is known"),
        (("phase.tif", "--scan", "scan.h5"), "a plain image; the photons need"),
        (("done.h5", "--original", "binned.h5", "--scan", "star"), "need the one it was made from"),
        (("done.h5", "--scan", "star"), "need a reconstruction of this scan"),
        (("done.h5", "--set", "sigma_px=0"), "sigma_px is 0.0; it must lie in"),
        (("done.h5", "--set", "colour=1"), "CheckOptions has no 'colour'"),
        (("done.h5", "--original", "raw.h5", "-o", "r.txt"), "written to .html or .json"),
        (("done.h5", "--original", "raw.h5", "-o", "raw.h5"), "raw.h5"),
    ],
)
def test_what_does_not_work_gets_a_sentence_and_code_2(files, star_file, capsys, words, said):
    def path(word):
        return star_file if word == "star" else files / word

    found = [path(w) if w == "star" or ("." in w and "=" not in w) else w for w in words]
    assert run(*found) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert "Traceback" not in error
    assert not (files / "r.txt").exists()
