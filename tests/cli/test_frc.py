"""`napari-ptycho frc`, as it is typed."""

import csv
import json

import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.assess.correlation import frc
from napari_ptycho.assess.frc_options import CONVENTIONS, THRESHOLDS, FrcOptions
from napari_ptycho.assess.plane import Plane, read_plane
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.phantoms import noisy


def run(*words):
    return run_cli(["frc", *(str(word) for word in words)])


def told(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same star twice, with noise of its own, and one that was denoised."""
    folder = tmp_path_factory.mktemp("frc")
    for name, seed in (("a", 0), ("b", 1)):
        tifffile.imwrite(folder / f"{name}.tif", noisy("star", seed=seed)[0].astype(np.float32))
    about = {"denoised": [{"settings": {"architecture": "arch1"}}]}
    io.write_image(noisy("star")[0], folder / "dip.tif", about)
    return folder


def test_json_says_what_the_library_says(files, capsys):
    assert run(files / "a.tif", files / "b.tif", "--json") == 0
    said = told(capsys)
    found = frc(*(read_plane(files / f"{name}.tif") for name in "ab"))
    for name in THRESHOLDS:
        assert said["crossings"][name]["first"] == found.crossings[name].first
    assert said["images"] == 2
    assert said["b"].endswith("b.tif")
    assert said["options"] == FrcOptions().as_dict()
    assert run(files / "a.tif", files / "a.tif", "--json") == 0
    same = told(capsys)
    assert {one["first"] for one in same["crossings"].values()} == {None}
    assert "the same" in same["warnings"][0]


def test_the_table_names_thresholds_and_conventions(files, capsys):
    assert run(files / "a.tif") == 0
    said = capsys.readouterr().out
    words = [word for name in CONVENTIONS for word in name.split()]
    assert all(word in said for word in (*THRESHOLDS, *words, "half-bit *", "lengths in px"))
    found = frc(read_plane(files / "a.tif"))
    assert f"a.tif: {found.crossing().words}." in said
    assert f"full period (2 px/P): {found.resolution().text()}" in said
    assert run(files / "a.tif", files / "b.tif") == 0
    assert "Koho" not in capsys.readouterr().out  # it is for one image


def test_a_denoised_image_gets_a_warning(files, capsys):
    assert run(files / "dip.tif") == 0
    assert "! 'dip.tif' was denoised (arch1)" in capsys.readouterr().out


def test_set_and_align_reach_the_numbers(files, tmp_path, capsys):
    words = ("--set", "mode=siFRC", "--set", "threshold=1/7", "--json")
    assert run(files / "a.tif", *words) == 0
    said = told(capsys)
    assert said["options"] == FrcOptions.of("siFRC", threshold="1/7").as_dict()
    moved = tmp_path / "moved.npy"
    np.save(moved, np.roll(tifffile.imread(files / "b.tif"), 3, 1))
    values = []
    for align in ((), ("--align", "shift=no")):
        assert run(files / "a.tif", moved, *align, "--json") == 0
        values.append(np.mean(told(capsys)["curve"]["y"][5:30]))
    assert values[0] > values[1] + 0.2


def test_the_curve_is_written(files, tmp_path, capsys):
    out = tmp_path / "curve.csv"
    assert run(files / "a.tif", "--csv", out) == 0
    assert f"{out} written" in capsys.readouterr().out.replace("\n", "")
    with out.open(newline="") as file:
        titles, *rows = csv.reader(file)
    assert "cycles/sub-image pixel" in titles[0]
    assert len(rows) == 32
    assert any("half-bit" in title for title in titles)
    assert run(files / "a.tif", "--csv", out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(files / "a.tif", "--csv", out, "--overwrite") == 0


def test_a_reconstruction_has_channels_and_nanometres(star_file, tmp_path, capsys):
    recon = tmp_path / "r.h5"
    assert (
        run_cli(
            ["reconstruct", str(star_file), "--epochs", "2", "--device", "cpu", "-o", str(recon)]
        )
        == 0
    )
    values = []
    for channel in ("phase", "amplitude", "complex", "phasor"):
        capsys.readouterr()
        assert run(recon, "--channel", channel, "--json") == 0
        said = told(capsys)
        assert {one["unit"] for one in said["crossings"]["0.5"]["resolutions"][2:]} == {"nm"}
        values.append(said["curve"]["y"][10])
    assert len(set(values)) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.tif",), "no such file"),
        (("a.tif", "--set", "threshold=1/8"), "threshold is '1/8'; it must be one of 1/7"),
        (("a.tif", "--set", "colour=1"), "has no 'colour'"),
        (("a.tif", "b.tif", "--align", "turn=no"), "AlignOptions has no 'turn'"),
        (("a.tif", "--channel", "blue"), "'blue' is not one of"),
        (("flat.tif",), "all pixels have the same value"),
        (("small.tif",), "need at least 8, from 32 x 32"),
    ],
)
def test_what_does_not_work_gets_a_sentence_and_code_2(files, capsys, words, said):
    tifffile.imwrite(files / "flat.tif", np.ones((40, 40), np.float32))
    small = np.random.default_rng(0).normal(size=(20, 20)).astype(np.float32)
    tifffile.imwrite(files / "small.tif", small)
    words = [files / word if word.endswith(".tif") else word for word in words]
    assert run(*words) == 2
    assert said in capsys.readouterr().err


def test_a_name_is_the_label():
    assert frc(Plane(noisy("star", 64)[0], name="x")).label == "x"
