"""Presets of files: what was chosen once opens the next such file."""

import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.errors import FileError, NeedsLayout, NeedsPositions, OptionsError, ScanError
from napari_ptycho.io import presets, read_scan
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.presets import Preset, preset_of
from napari_ptycho.prepare.detector import DetectorOptions

LAYOUT = Layout(frames="f", positions="p", position_unit="m", mask="m")


@pytest.fixture
def file(made):
    mask = np.ones((32, 24), np.uint8)
    mask[1, 2] = 0
    return made({"m": mask, "group/energy": 8.5})


def test_a_preset_opens_the_next_such_file_by_itself(file, counts, positions):
    with pytest.raises(NeedsLayout, match="Say which part is what"):
        read_scan(file)
    geometry = {"distance_m": 2.0, "energy_ev": None}
    preset = preset_of(file, "my beamline", LAYOUT, DetectorOptions(size=16), geometry)
    assert preset.needs == ("f", "p", "m")
    assert preset.geometry == {"distance_m": 2.0}
    io.save_preset(preset)
    scan = read_scan(file)
    np.testing.assert_array_equal(scan.patterns, counts[:, 8:24, 4:20])
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.notes[0] == "Opened with the preset 'my beamline' (3 paths matched)."
    assert scan.geometry.distance_m == 2
    assert scan.sources["distance_m"] == "preset 'my beamline'"


def test_what_the_caller_says_wins_over_the_preset(file):
    geometry = {"distance_m": 2.0, "propagation": "near"}
    io.save_preset(preset_of(file, "a", LAYOUT, DetectorOptions(size=16), geometry))
    scan = read_scan(file, {"distance_m": 3.0}, detector=DetectorOptions(size=8))
    assert scan.frame_shape == (8, 8)
    assert (scan.geometry.distance_m, scan.geometry.propagation) == (3, "near")
    assert scan.sources["distance_m"] == "user"
    told = read_scan(file, layout=Layout(frames="f", positions="p", position_unit="m"))
    assert not any("preset" in note for note in told.notes)
    assert told.frame_shape == (32, 24)
    with pytest.raises(NeedsLayout):
        read_scan(file, layout=Layout())


def test_a_preset_goes_before_the_known_formats(cxi, counts):
    path = cxi()
    layout = Layout(flip_y=True, values="intensity")
    preset = preset_of(path, "turned", layout)
    assert preset.needs == ("entry_1/instrument_1/detector_1/data",)
    plain = read_scan(path)
    io.save_preset(preset)
    turned = read_scan(path)
    np.testing.assert_allclose(turned.positions_m, plain.positions_m * [-1, 1])
    assert turned.notes[0] == "Opened with the preset 'turned' (1 path matched)."


def test_the_preset_with_most_paths_is_taken(file):
    few = Layout(frames="f", positions="p", position_unit="um")
    io.save_preset(preset_of(file, "few", few))
    io.save_preset(preset_of(file, "many", LAYOUT))
    io.save_preset(Preset("other", ("f", "p", "m", "absent"), few))
    io.save_preset(Preset("all", (), few))
    with h5py.File(file) as opened:
        fit = [one.name for one in presets.fitting(opened, io.load_presets())]
    assert fit == ["many", "few"]
    assert "'many'" in read_scan(file).notes[0]


def test_a_broken_link_still_makes_the_preset_fit_and_is_named(file):
    io.save_preset(preset_of(file, "a", LAYOUT))
    with h5py.File(file, "a") as opened:
        del opened["f"]
        opened["f"] = h5py.ExternalLink("gone.h5", "/f")
    with pytest.raises(FileError, match=r"gone\.h5 .* \(it was opened with the preset 'a'\)"):
        read_scan(file)


def test_positions_of_a_second_file_are_no_paths_of_the_first(file, tmp_path, positions):
    np.save(tmp_path / "p.npy", positions)
    layout = Layout(frames="f", positions_y="y", positions_x="x", position_unit="m")
    preset = preset_of(file, "apart", layout)
    assert preset.needs == ("f",)
    io.save_preset(Preset("apart", preset.needs, Layout(frames="f", position_unit="m")))
    with pytest.raises(NeedsPositions, match=r"no positions.*opened with the preset 'apart'"):
        read_scan(file)
    scan = read_scan(file, positions=tmp_path / "p.npy")
    np.testing.assert_allclose(scan.positions_m, positions)


def test_a_preset_of_paths_that_are_not_there_is_refused(file, tmp_path):
    with pytest.raises(OptionsError, match="makes no preset; there is no 'nowhere' in it"):
        preset_of(file, "a", Layout(frames="f", dark="nowhere"))
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(OptionsError, match="it holds no frames to know it by"):
        preset_of(tmp_path / "empty.h5", "a", Layout())


def test_every_field_survives_the_file(presets_folder):
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
    preset = Preset('It\'s "mine" / 2', ("a/ü b", "y"), layout, detector, geometry)
    path = io.save_preset(preset)
    assert path.parent == presets_folder
    assert path.name == "it-s-mine-2.toml"
    assert tomllib.loads(path.read_text("utf-8"))["layout"]["mask_means"] == "NX bits"
    found = io.load_presets()[0]
    assert (found.name, found.needs, found.layout) == (preset.name, preset.needs, layout)
    assert found.detector == detector
    assert found.geometry == {**geometry, "detector_pixel_m": [55e-6, 75e-6]}
    io.delete_preset(preset.name)
    assert io.load_presets() == ()
    assert list(presets_folder.iterdir()) == []


def test_saving_again_replaces_and_never_another_one():
    io.save_preset(Preset("my one", ("a",), Layout()))
    io.save_preset(Preset("my one", ("b",), Layout()))
    assert [one.needs for one in io.load_presets()] == [("b",)]
    with pytest.raises(OptionsError, match="'my-one' would replace 'my one'; name it otherwise"):
        io.save_preset(Preset("my-one", ("c",), Layout()))
    for name in ("", "../..", "x" * 81):
        with pytest.raises(OptionsError, match="it must have letters or digits, and at most 80"):
            io.save_preset(Preset(name, ("c",), Layout()))
    with pytest.raises(OptionsError, match="no preset is called 'x'; there are 'my one'"):
        io.delete_preset("x")
    with pytest.raises(OptionsError, match="no preset is called 'x'"):
        presets.named("x")


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
def test_a_broken_preset_is_a_note_and_the_others_work(file, presets_folder, text, why):
    io.save_preset(preset_of(file, "good", LAYOUT))
    (presets_folder / "bad.toml").write_text(text)
    notes = read_scan(file).notes
    assert notes[0].startswith("The preset bad.toml: ")
    assert why in notes[0]
    assert notes[0].endswith("; it was skipped.")
    assert notes[1].startswith("Opened with the preset 'good'")
    assert [one.name for one in io.load_presets()] == ["good"]


def test_a_file_of_no_text_is_skipped(presets_folder):
    (presets_folder / "bad.toml").write_bytes(b"\xff\xfe\x00")
    (presets_folder / "folder.toml").mkdir()
    found, notes = presets.load()
    assert found == []
    assert len(notes) == 2


def test_an_error_of_the_data_names_the_preset(file):
    io.save_preset(preset_of(file, "a", LAYOUT))
    with h5py.File(file, "a") as opened:
        del opened["m"]
        opened["m"] = np.ones((3, 3))
    with pytest.raises(ScanError, match=r"'m' has shape \(3, 3\).*with the preset 'a'"):
        read_scan(file)


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of this system")
def test_the_folder_is_the_users_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("NAPARI_PTYCHO_PRESETS")
    assert presets.folder() == tmp_path / "napari-ptycho" / "presets"
    assert io.load_presets() == ()
    monkeypatch.setenv("NAPARI_PTYCHO_PRESETS", "~/somewhere")
    assert presets.folder() == Path.home() / "somewhere"
