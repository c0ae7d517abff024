"""`napari-ptycho orient`, as it is typed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import io, samples
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.prepare.orientation import CODES, turned

FEW = ("--set", "first_epochs=2", "--set", "epochs=4", "--set", "patterns=50", "--device", "cpu")
MISREAD = 4


def run(*words):
    return run_cli(["orient", *(str(word) for word in words)])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small scan, and the same with frames transposed."""
    folder = tmp_path_factory.mktemp("orient")
    scan, _ = samples.small_scan("fibres")
    io.write_scan(scan, folder / "right.h5")
    frames = np.ascontiguousarray(turned(scan.patterns, MISREAD))
    io.write_scan(replace(scan, patterns=frames), folder / "misread.h5")
    return folder


def test_the_ranking_is_printed_and_the_turned_scan_written(files, tmp_path, capsys):
    assert run(files / "misread.h5", *FEW, "-o", tmp_path / "out.h5") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("4  0.")
    assert said[0].endswith("  transposed")
    assert said[1].endswith("  transposed, then flipped both ways")
    assert said[2] == ""
    assert any(line.startswith("Orientation 4 (transposed) or 7 ") for line in said)
    assert any("joint sign of both axes cannot be known" in line for line in said)
    right, out = io.read_scan(files / "right.h5"), io.read_scan(tmp_path / "out.h5")
    np.testing.assert_array_equal(out.patterns, right.patterns)
    assert out.notes[-1] == "The frames were turned: transposed (orientation 4)."


def test_json_has_the_same(files, capsys):
    assert run(files / "right.h5", *FEW, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["code"], said["output"], said["decided"]) == (0, None, True)
    assert said["classes"][0] == [0, 3]
    assert sorted(said["codes"]) == list(CODES)
    assert said["errors"] == sorted(said["errors"])
    assert said["patterns"] == 50


def test_a_code_turns_without_looking(files, tmp_path, capsys):
    assert run(files / "misread.h5", "--code", 4, "-o", tmp_path / "out.h5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["code"] == 4
    out = io.read_scan(tmp_path / "out.h5")
    np.testing.assert_array_equal(out.patterns, io.read_scan(files / "right.h5").patterns)


def test_what_is_not_decided_is_not_written(files, tmp_path, capsys):
    scan = io.read_scan(files / "right.h5")
    rng = np.random.default_rng(0)
    frames = rng.poisson(np.broadcast_to(scan.patterns.mean(axis=0), scan.patterns.shape))
    io.write_scan(replace(scan, patterns=frames.astype(np.uint16)), tmp_path / "flat.h5")
    assert run(tmp_path / "flat.h5", *FEW, "-o", tmp_path / "out.h5") == 1
    said = capsys.readouterr()
    assert "The errors do not decide" in said.out
    assert "not written: nothing was decided; give --code" in said.err
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--code", "2"), "--code needs -o OUT"),
        (("--set", "patterns=3"), "patterns is 3; it must lie in [9, 2000]"),
        (("--code", "9", "-o", "x.h5"), "orientation is 9; it must be a whole number from 0 to 7"),
    ],
)
def test_what_is_wrong_is_told(words, sentence, files, capsys):
    assert run(files / "right.h5", *words) == 2
    assert sentence in capsys.readouterr().err
