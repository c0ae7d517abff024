"""Saved layouts of files: what was chosen once opens the next such file."""

import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.errors import FileError, NeedsLayout, NeedsPositions, OptionsError, ScanError
from napari_ptycho.io import read_scan, saved_layouts
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.saved_layouts import SavedLayout, saved_layout
from napari_ptycho.prepare.detector import DetectorOptions

LAYOUT = Layout(frames="f", positions="p", position_unit="m", mask="m")


@pytest.fixture
def file(made):
    mask = np.ones((32, 24), np.uint8)
    mask[1, 2] = 0
    return made({"m": mask, "group/energy": 8.5})


def test_a_saved_layout_opens_the_next_such_file_by_itself(file, counts, positions):
    with pytest.raises(NeedsLayout, match="Say which part is what"):
        read_scan(file)
    geometry = {"distance_m": 2.0, "energy_ev": None}
    saved = saved_layout(file, "my beamline", LAYOUT, DetectorOptions(size=16), geometry)
    assert saved.needs == ("f", "p", "m")
    assert saved.geometry == {"distance_m": 2.0}
    io.save_layout(saved)
    scan = read_scan(file)
    np.testing.assert_array_equal(scan.patterns, counts[:, 8:24, 4:20])
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.notes[0] == "Opened with the saved layout 'my beamline' (3 paths matched)."
    assert scan.geometry.distance_m == 2
    assert scan.sources["distance_m"] == "saved layout 'my beamline'"


def test_what_the_caller_says_wins_over_the_saved_layout(file):
    geometry = {"distance_m": 2.0, "propagation": "near"}
    io.save_layout(saved_layout(file, "a", LAYOUT, DetectorOptions(size=16), geometry))
    scan = read_scan(file, {"distance_m": 3.0}, detector=DetectorOptions(size=8))
    assert scan.frame_shape == (8, 8)
    assert (scan.geometry.distance_m, scan.geometry.propagation) == (3, "near")
    assert scan.sources["distance_m"] == "user"
    told = read_scan(file, layout=Layout(frames="f", positions="p", position_unit="m"))
    assert not any("saved layout" in note for note in told.notes)
    assert told.frame_shape == (32, 24)
    with pytest.raises(NeedsLayout):
        read_scan(file, layout=Layout())


def test_a_saved_layout_goes_before_the_known_formats(cxi, counts):
    path = cxi()
    layout = Layout(flip_y=True, values="intensity")
    saved = saved_layout(path, "turned", layout)
    assert saved.needs == ("entry_1/instrument_1/detector_1/data",)
    plain = read_scan(path)
    io.save_layout(saved)
    turned = read_scan(path)
    np.testing.assert_allclose(turned.positions_m, plain.positions_m * [-1, 1])
    assert turned.notes[0] == "Opened with the saved layout 'turned' (1 path matched)."


def test_the_saved_layout_with_most_paths_is_taken(file):
    few = Layout(frames="f", positions="p", position_unit="um")
    io.save_layout(saved_layout(file, "few", few))
    io.save_layout(saved_layout(file, "many", LAYOUT))
    io.save_layout(SavedLayout("other", ("f", "p", "m", "absent"), few))
    io.save_layout(SavedLayout("all", (), few))
    with h5py.File(file) as opened:
        fit = [one.name for one in saved_layouts.fitting(opened, io.load_layouts())]
    assert fit == ["many", "few"]
    assert "'many'" in read_scan(file).notes[0]


def test_a_broken_link_still_makes_the_saved_layout_fit_and_is_named(file):
    io.save_layout(saved_layout(file, "a", LAYOUT))
    with h5py.File(file, "a") as opened:
        del opened["f"]
        opened["f"] = h5py.ExternalLink("gone.h5", "/f")
    with pytest.raises(FileError, match=r"gone\.h5 .* \(it was opened with the saved layout 'a'\)"):
        read_scan(file)


def test_positions_of_a_second_file_are_no_paths_of_the_first(file, tmp_path, positions):
    np.save(tmp_path / "p.npy", positions)
    layout = Layout(frames="f", positions_y="y", positions_x="x", position_unit="m")
    saved = saved_layout(file, "apart", layout)
    assert saved.needs == ("f",)
    io.save_layout(SavedLayout("apart", saved.needs, Layout(frames="f", position_unit="m")))
    with pytest.raises(NeedsPositions, match=r"no positions.*opened with the saved layout 'apart'"):
        read_scan(file)
    scan = read_scan(file, positions=tmp_path / "p.npy")
    np.testing.assert_allclose(scan.positions_m, positions)


def test_a_saved_layout_of_paths_that_are_not_there_is_refused(file, tmp_path):
    with pytest.raises(OptionsError, match="makes no saved layout; there is no 'nowhere' in it"):
        saved_layout(file, "a", Layout(frames="f", dark="nowhere"))
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(OptionsError, match="it holds no frames to know it by"):
        saved_layout(tmp_path / "empty.h5", "a", Layout())


def test_every_field_survives_the_file(layouts_folder):
    layout = Layout(
        frames="a/ü b",
        frame_axes="first",
        extra_axis="second",
        extra_index=3,
        first=1,
        last=9,
        every=2,
        values="amplitude",
        zero_frequency="corner",
        orientation=5,
        positions_y="y",
        positions_x="x",
        position_unit="um",
        flip_x=True,
        rotate_deg=-12.5,
        position_scale=1e-3,
        mask_means="NX bits",
        bad_values="65535, -1",
        distance="z",
        distance_unit="mm",
    )
    detector = DetectorOptions(centre="given", centre_y=3.5, size=64, hot=20)
    geometry = {"energy_ev": 8e3, "detector_pixel_m": (55e-6, 75e-6), "propagation": "near"}
    saved = SavedLayout('It\'s "mine" / 2', ("a/ü b", "y"), layout, detector, geometry)
    path = io.save_layout(saved)
    assert path.parent == layouts_folder
    assert path.name == "it-s-mine-2.toml"
    assert tomllib.loads(path.read_text("utf-8"))["layout"]["mask_means"] == "NX bits"
    found = io.load_layouts()[0]
    assert (found.name, found.needs, found.layout) == (saved.name, saved.needs, layout)
    assert found.detector == detector
    assert found.geometry == {**geometry, "detector_pixel_m": [55e-6, 75e-6]}
    io.delete_layout(saved.name)
    assert io.load_layouts() == ()
    assert list(layouts_folder.iterdir()) == []


def test_saving_again_replaces_and_never_another_one():
    io.save_layout(SavedLayout("my one", ("a",), Layout()))
    io.save_layout(SavedLayout("my one", ("b",), Layout()))
    assert [one.needs for one in io.load_layouts()] == [("b",)]
    with pytest.raises(OptionsError, match="'my-one' would replace 'my one'; name it otherwise"):
        io.save_layout(SavedLayout("my-one", ("c",), Layout()))
    for name in ("", "../..", "x" * 81):
        with pytest.raises(OptionsError, match="it must have letters or digits, and at most 80"):
            io.save_layout(SavedLayout(name, ("c",), Layout()))
    with pytest.raises(OptionsError, match="no saved layout is called 'x'; there are 'my one'"):
        io.delete_layout("x")
    with pytest.raises(OptionsError, match="no saved layout is called 'x'"):
        saved_layouts.named("x")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = ", "not TOML"),
        ("needs = ['f']", "lacks a name or the paths it needs"),
        ("name = 'b'\nneeds = 'f'", "lacks a name or the paths it needs"),
        ("name = 'b'\nneeds = ['f']\nlayout = 3", "must be tables"),
        ("name = 'b'\nneeds = ['f']\n[layout]\nframe = 'f'", "Layout has no 'frame'"),
        ("name = 'b'\nneeds = ['f']\n[layout]\nevery = 0", "it must lie in"),
        ("name = 'b'\nneeds = ['f']\n[detector]\nsize = 'big'", "it must be of type int"),
        ("name = 'b'\nneeds = ['f']\n[geometry]\nenergy_ev = -1", "it must be positive"),
        ("name = 'b'\nneeds = ['f']\n[geometry]\nenergy = 1", "energy"),
    ],
)
def test_a_broken_saved_layout_is_a_note_and_the_others_work(file, layouts_folder, text, why):
    io.save_layout(saved_layout(file, "good", LAYOUT))
    (layouts_folder / "bad.toml").write_text(text)
    notes = read_scan(file).notes
    assert notes[0].startswith("The saved layout bad.toml: ")
    assert why in notes[0]
    assert notes[0].endswith("; it was skipped.")
    assert notes[1].startswith("Opened with the saved layout 'good'")
    assert [one.name for one in io.load_layouts()] == ["good"]


def test_a_file_of_no_text_is_skipped(layouts_folder):
    (layouts_folder / "bad.toml").write_bytes(b"\xff\xfe\x00")
    (layouts_folder / "folder.toml").mkdir()
    found, notes = saved_layouts.load()
    assert found == []
    assert len(notes) == 2


def test_an_error_of_the_data_names_the_saved_layout(file):
    io.save_layout(saved_layout(file, "a", LAYOUT))
    with h5py.File(file, "a") as opened:
        del opened["m"]
        opened["m"] = np.ones((3, 3))
    with pytest.raises(ScanError, match=r"'m' has shape \(3, 3\).*with the saved layout 'a'"):
        read_scan(file)


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of this system")
def test_the_folder_is_the_users_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("NAPARI_PTYCHO_LAYOUTS")
    assert saved_layouts.folder() == tmp_path / "napari-ptycho" / "layouts"
    assert io.load_layouts() == ()
    monkeypatch.setenv("NAPARI_PTYCHO_LAYOUTS", "~/somewhere")
    assert saved_layouts.folder() == Path.home() / "somewhere"
