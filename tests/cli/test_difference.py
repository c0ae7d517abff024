"""`napari-ptycho difference` and `resolution-map`, as they are typed."""

import json

import h5py
import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.assess.differences import difference
from napari_ptycho.assess.plane import read_plane
from napari_ptycho.assess.rolling import MapOptions, resolution_map
from napari_ptycho.assess.scores import metrics
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.phantoms import noisy


def run(*words):
    return run_cli([str(word) for word in words])


def words_of(out):
    return json.loads(out.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two noisy copies of an image, its truth, and the truth moved and lifted."""
    folder = tmp_path_factory.mktemp("difference")
    clean = noisy("fibres", 128)[1]
    for name, image in {
        "a": noisy("fibres", 128, 0.15, 0)[0],
        "b": noisy("fibres", 128, 0.15, 1)[0],
        "clean": clean,
        "moved": np.roll(clean, (3, -2), (0, 1)) + 4,
        "small": clean[:40, :40],
    }.items():
        tifffile.imwrite(folder / f"{name}.tif", image.astype(np.float32))
    return folder


def test_difference_says_what_the_library_says(files, capsys):
    assert run("difference", files / "a.tif", files / "clean.tif", "--json") == 0
    said = words_of(capsys.readouterr().out)
    planes = read_plane(files / "a.tif"), read_plane(files / "clean.tif")
    wanted = metrics(*planes)
    assert said["metrics"]["numbers"] == wanted.as_dict()["numbers"]
    assert said["difference"]["rms"] == pytest.approx(difference(*planes).rms)
    assert said["output"] is None


def test_difference_finds_the_alignment_and_prints_it(files, capsys):
    assert run("difference", files / "moved.tif", files / "clean.tif") == 0
    out = capsys.readouterr().out
    assert "PSNR (range" in out
    assert "-3.000, +2.000 px" in out
    assert "difference: moved.tif - clean.tif, absolute:" in out
    words = ("--set", "phase=no", "--set", "ramp=no", "--json")
    assert run("difference", files / "moved.tif", files / "clean.tif", *words) == 0
    assert words_of(capsys.readouterr().out)["difference"]["rms"] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("ending", ["png", "tif", "h5"])
def test_difference_writes_the_map(files, tmp_path, ending):
    out = tmp_path / f"map.{ending}"
    assert run("difference", files / "a.tif", files / "clean.tif", "-o", out) == 0
    if ending == "h5":
        with h5py.File(out) as file:
            about = json.loads(file["map"].attrs["about"])
        assert about["difference"]["reference"] == "clean.tif"
    elif ending == "tif":
        assert np.nanstd(tifffile.imread(out)) == pytest.approx(0.15, rel=0.1)
    else:
        assert out.read_bytes().startswith(b"\x89PNG")


def test_difference_in_sigmas_of_two_halves(files, capsys):
    halves = ("--half", files / "a.tif", "--half", files / "b.tif")
    words = ("--set", "kind=sigma", *halves, "--json")
    assert run("difference", files / "a.tif", files / "clean.tif", *words) == 0
    said = words_of(capsys.readouterr().out)["difference"]
    # the noise of one is 0.15, of both halves together a root of two less
    assert said["rms"] == pytest.approx(np.sqrt(2), rel=0.1)
    assert any("from the halves a.tif and b.tif" in note for note in said["notes"])


def test_difference_waves_without_numbers(star_file, tmp_path, capsys):
    recon = tmp_path / "recon.h5"
    assert run("reconstruct", star_file, "--epochs", "1", "-o", recon) == 0
    capsys.readouterr()
    assert run("difference", recon, recon, "--channel", "complex", "--set", "of=amplitude") == 0
    out = capsys.readouterr().out
    assert "Waves have no PSNR" in out
    assert "PSNR (range" not in out


def test_a_map_says_what_the_library_says(files, tmp_path, capsys):
    out = tmp_path / "map.h5"
    words = ("--set", "block=32", "--set", "period=half", "-o", out, "--json")
    assert run("resolution-map", files / "a.tif", files / "b.tif", *words) == 0
    said = words_of(capsys.readouterr().out)
    planes = read_plane(files / "a.tif"), read_plane(files / "b.tif")
    wanted = resolution_map(*planes, MapOptions(block=32, period="half"))
    assert said["resolution_map"]["median"] == pytest.approx(wanted.median)
    assert said["unit"] == "px"
    with h5py.File(out) as file:
        np.testing.assert_allclose(file["map"][()], wanted.data, rtol=1e-5)


def test_a_map_of_one_image_in_words(files, tmp_path, capsys):
    about = {"denoised": [{"settings": {"architecture": "arch1"}}]}
    path = tmp_path / "denoised.tif"
    io.write_image(tifffile.imread(files / "a.tif"), path, about)
    assert run("resolution-map", path, "--set", "block=32", "-o", tmp_path / "map.png") == 0
    out = capsys.readouterr().out
    assert "! 'denoised.tif' was denoised (arch1)" in out
    assert "median" in out
    assert "never fall" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("difference", "a.tif", "none.tif"), "none.tif"),
        (("difference", "a.tif", "clean.tif", "--set", "kind=odd"), "kind is 'odd'"),
        (("difference", "a.tif", "clean.tif", "--set", "colour=red"), "has no 'colour'"),
        (("difference", "a.tif", "clean.tif", "--half", "b.tif"), "given 1 times; need two halves"),
        (("difference", "a.tif", "clean.tif", "-o", "a.tif"), "is the image a.tif"),
        (("difference", "a.tif", "clean.tif", "-o", "map.jpg"), "maps are written to"),
        (("resolution-map", "small.tif", "-o", "m.png"), "needs at least 128 x 128"),
        (("resolution-map", "a.tif", "b.tif", "-o", "clean.tif"), "exists already"),
        (("resolution-map", "a.tif", "--set", "block=7", "-o", "m.png"), "must lie in [16, 256]"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(files, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(files)
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
