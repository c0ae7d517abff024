"""`napari-ptycho export`: files in other formats, and a sentence where that cannot be."""

import json

import h5py
import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.cli.app import run
from napari_ptycho.io.forms.table import WRITERS
from napari_ptycho.io.opened import known_formats
from napari_ptycho.prepare import first_guess


@pytest.fixture(scope="module")
def result_file(star_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "result.h5"
    io.write_reconstruction(first_guess(io.read_scan(star_file)), path)
    return path


def export(*words):
    return run(["export", *map(str, words)])


def test_the_ending_chooses_the_format(star_file, result_file, tmp_path, capsys):
    assert export(star_file, "-o", tmp_path / "a.cxi") == 0
    assert "a.cxi written: scan" in capsys.readouterr().out
    scan, back = io.read_scan(star_file), io.read_scan(tmp_path / "a.cxi")
    np.testing.assert_array_equal(back.patterns, scan.patterns)
    np.testing.assert_allclose(back.positions_m, scan.positions_m)
    one = io.read_reconstruction(result_file)
    assert export(result_file, "-o", tmp_path / "a.ome.tif", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kind"], said["format"]) == ("reconstruction", "ome-tiff")
    phase = tifffile.imread(tmp_path / "a.ome.tif")[0]
    np.testing.assert_allclose(phase, np.angle(one.object), rtol=0, atol=1e-6)
    assert export(result_file, "-o", tmp_path / "a.ptyr") == 0
    np.testing.assert_array_equal(io.read_reconstruction(tmp_path / "a.ptyr").object, one.object)


def test_a_format_can_be_named(result_file, tmp_path):
    assert export(result_file, "-o", tmp_path / "a.npz", "--format", "npz") == 0
    assert "settings_json" in np.load(tmp_path / "a.npz")
    assert export(result_file, "-o", tmp_path / "odd.name", "--format", "nexus") == 0
    with h5py.File(tmp_path / "odd.name") as file:
        assert file.attrs["default"] == "entry"


def test_frames_get_their_positions_from_a_second_file(star_file, tmp_path):
    scan = io.read_scan(star_file)
    np.save(tmp_path / "frames.npy", scan.patterns)
    assert export(star_file, "-o", tmp_path / "places.csv") == 0
    words = [tmp_path / "frames.npy", "--positions", tmp_path / "places.csv"]
    assert export(*words, "-o", tmp_path / "a.cxi") == 0
    back = io.read_scan(tmp_path / "a.cxi")
    np.testing.assert_array_equal(back.patterns, scan.patterns)
    np.testing.assert_allclose(back.positions_m, scan.positions_m)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["SCAN", "-o", "a.ptyr"], "a.ptyr: no format of a scan ends so; there are .h5, .cxi"),
        (["SCAN", "-o", "a.h5", "--format", "ptyr"], "a scan cannot be written as 'ptyr'; it can"),
        (["RESULT", "-o", "a.npz"], "more than one format ends so; name one of product-npz or npz"),
        (["RESULT", "-o", "a.h5", "--format", "ours"], "a reconstruction cannot be written as 'ou"),
        (["RESULT", "-o", "there.h5"], "there.h5: exists already; add --overwrite"),
        (["RESULT", "-o", "RESULT", "--overwrite"], "is the file that is read; write to another"),
        (["BROKEN", "-o", "a.h5"], "no dataset 'probe', which a product must have"),
        (["TEXT", "-o", "a.h5"], "text.h5: this is a text file"),
    ],
)
def test_what_cannot_be_is_one_sentence(star_file, result_file, tmp_path, capsys, words, sentence):
    (tmp_path / "there.h5").write_text("old")
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "broken.h5", "w") as file:
        file["probe_position_x_m"], file["probe_position_y_m"] = np.zeros((2, 1))
        file["object"] = np.ones((1, 9, 9), complex)
    files = {"SCAN": star_file, "RESULT": result_file}
    files |= {"BROKEN": tmp_path / "broken.h5", "TEXT": tmp_path / "text.h5"}
    paths = [files.get(word, tmp_path / word if "." in word else word) for word in words]
    assert export(*paths) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert (tmp_path / "there.h5").read_text() == "old"
    assert not (tmp_path / "a.h5").exists()


def test_the_help_lists_the_formats(capsys):
    run(["export", "--help"])
    shown = capsys.readouterr().out
    for key in ("product-npz", "ome-tiff", "ptyr", "nexus", "positions"):
        assert key in shown


def test_formats_lists_what_is_read_and_written(capsys):
    assert run(["formats"]) == 0
    shown = capsys.readouterr().out
    for form in known_formats().values():
        assert form.title in shown
    for form in WRITERS:
        assert f"{form.key} " in shown
    assert run(["formats", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["read"]["cxi"]["scans"]
    assert not told["read"]["cxi"]["reconstructions"]
    assert told["read"]["product"]["written_as"] == ["product", "product-npz"]
