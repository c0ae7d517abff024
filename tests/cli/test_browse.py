"""`browse`, and the flags that say how a scan is read."""

import json
import shlex

import h5py
import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.cli.app import run
from napari_ptycho.io.layout import Layout

N, H, W = 12, 32, 40


@pytest.fixture
def odd(tmp_path, rng):
    """A file of no known format."""
    path = tmp_path / "odd one.h5"
    with h5py.File(path, "w") as file:
        data = rng.poisson(5, (N, H, W)).astype(np.uint16)
        file.create_dataset("run/raw", data=data, chunks=(1, H, W), compression=4)
        file["run/pos_y"] = np.linspace(0, 1, N)
        file["run/pos_x"] = np.linspace(0, 2, N) ** 2
        file["run/pos_x"].attrs["units"] = file["run/pos_y"].attrs["units"] = "um"
        file["run/note"] = "[red]no markup"
        file["gone"] = h5py.ExternalLink("gone.h5", "/data")
    return path


def said(capsys, *words):
    code = run([*map(str, words)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_tree_and_what_to_type(odd, capsys):
    code, out, _ = said(capsys, "browse", odd)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "odd one.h5"
    assert "    ├── note  text = [red]no markup" in lines
    assert "    └── raw  12 x 32 x 40 uint16, chunks 1 x 32 x 40, gzip 4" in lines
    assert any(line.startswith("├── gone -> gone.h5:/data  ! 'gone' lies in") for line in lines)
    at = lines.index("May be the frames:")
    assert lines[at + 1].startswith("  1. run/raw (0.75: 3 axes, frames of 32 x 40 pixels")
    assert lines[at + 2] == "May be the positions:"
    assert lines[at + 3].startswith("  1. run/pos_y and run/pos_x (0.95: two of 12 numbers")
    words = shlex.split(lines[-1])
    assert words[:3] == ["napari-ptycho", "info", str(odd)]
    code, out, _ = said(capsys, *words[1:], "--json")
    assert code == 0
    assert json.loads(out)["name"] == "odd one"


def test_json_holds_the_same(odd, capsys):
    code, out, _ = said(capsys, "browse", odd, "--json")
    found = json.loads(out)
    assert code == 0
    assert [node["path"] for node in found["nodes"]][:3] == ["gone", "run", "run/note"]
    assert found["frames"][0]["paths"] == ["run/raw"]
    assert found["positions"][0]["paths"] == ["run/pos_y", "run/pos_x"]
    assert found["layout"] == {
        "frames": "run/raw",
        "positions_y": "run/pos_y",
        "positions_x": "run/pos_x",
        "position_unit": "um",
    }


def test_a_file_that_is_no_hdf5_is_one_sentence(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", a=1)
    code, out, err = said(capsys, "browse", tmp_path / "a.npz")
    assert (code, out) == (2, "")
    assert err == ("napari-ptycho: a.npz: is a zip file; only HDF5 files have a tree to browse\n")
    assert (
        said(capsys, "browse")[2]
        == "napari-ptycho: browse: give an HDF5 file, or --saved-layouts\n"
    )


def test_a_file_without_frames_says_so(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    code, out, _ = said(capsys, "browse", tmp_path / "a.h5")
    assert code == 0
    assert out.splitlines()[-1].startswith("Nothing in it looks like frames")


def test_a_saved_layout_is_saved_listed_used_and_removed(odd, capsys):
    assert said(capsys, "info", odd)[0] == 2
    words = ["frames=run/raw", "positions_y=run/pos_y", "positions_x=run/pos_x"]
    layout = [part for word in words for part in ("--layout", word)]
    code, out, _ = said(
        capsys, "browse", odd, *layout, "--detector", "size=16", "--save-layout", "mine"
    )
    assert code == 0
    assert "opens files with run/raw, run/pos_y, run/pos_x by itself." in out
    code, out, _ = said(capsys, "browse", "--saved-layouts")
    assert out == "mine: files with run/raw, run/pos_y, run/pos_x\n"
    code, out, _ = said(capsys, "info", odd)
    assert code == 0
    assert "- Opened with the saved layout 'mine' (3 paths matched)." in out
    assert "16 x 16" in out
    code, out, _ = said(capsys, "browse", "--delete-layout", "mine")
    assert (code, out) == (0, "The saved layout 'mine' was removed.\n")
    assert said(capsys, "browse", "--saved-layouts")[1].startswith("No saved layout is kept in ")
    code, _, err = said(capsys, "browse", "--delete-layout", "mine")
    assert (code, err) == (2, "napari-ptycho: no saved layout is called 'mine'; there is none\n")


def test_a_saved_layout_needs_a_layout(odd, capsys):
    code, _, err = said(capsys, "browse", odd, "--save-layout", "mine")
    assert code == 2
    assert "nothing to keep; say with --layout how the file is read" in err
    assert io.load_layouts() == ()


def test_a_saved_layout_by_name_with_a_change(odd, capsys):
    words = {"frames": "run/raw", "positions_y": "run/pos_y", "positions_x": "run/pos_x"}
    layout = Layout(**words, position_unit="um")
    io.save_layout(io.saved_layouts.saved_layout(odd, "mine", layout, None, {"energy_ev": 8000.0}))
    code, out, _ = said(
        capsys, "info", odd, "--json", "--saved-layout", "mine", "--layout", "every=2"
    )
    rows = {row["name"]: row for row in json.loads(out)["rows"]}
    assert code == 0
    assert any("6 of 12 frames are used" in note for note in json.loads(out)["notes"])
    assert any(row["source"] == "user" for row in rows.values())
    code, _, err = said(capsys, "info", odd, "--saved-layout", "yours")
    assert (code, "no saved layout is called 'yours'; there are 'mine'" in err) == (2, True)


def test_layout_positions_and_detector_reach_every_way_of_reading(odd, tmp_path, capsys):
    places = np.column_stack([np.arange(N), np.arange(N)[::-1]]) * 1e-6
    np.savetxt(tmp_path / "p.csv", places, delimiter=",")
    words = ["--layout", "frames=run/raw", "--layout", "position_unit=m"]
    words += ["--positions", tmp_path / "p.csv", "--detector", "size=16"]
    out = tmp_path / "binned.h5"
    code, _, err = said(capsys, "bin", odd, "--size", "2", "-o", out, *words)
    assert (code, err) == (0, "")
    scan = io.read_scan(out)
    assert scan.patterns.shape == (N // 2, 16, 16)
    np.testing.assert_allclose(scan.positions_m, places.reshape(-1, 2, 2).mean(axis=1))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--layout", "frames"], "--layout frames: it must be name=value"),
        (["--layout", "frame=a"], "Layout has no 'frame'"),
        (["--layout", "every=x"], "it must be of type int"),
        (["--detector", "size=-1"], "it must lie in"),
    ],
)
def test_wrong_words_are_one_sentence(odd, capsys, words, why):
    code, _, err = said(capsys, "info", odd, *words)
    assert code == 2
    assert why in err
    assert len(err.splitlines()) == 1
