"""Saving: napari's own *Save selected layers* on our layers, and our Save buttons."""

from importlib.resources import files

import numpy as np
import pytest
import tifffile
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_ptycho import io
from napari_ptycho.errors import FileError
from napari_ptycho.gui import canvas, saving, writing
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.prepare import first_guess

from .conftest import make_scan

PLUGIN = "napari-ptycho"


def reconstruction(known=True):
    return first_guess(make_scan(known=known))


def pixels_nm(path):
    with tifffile.TiffFile(path) as file:
        said = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    return said.get("PhysicalSizeY"), said.get("PhysicalSizeX")


def layer(docks, role):
    (found,) = canvas.find(docks.viewer.layers, (role,))
    return found


def test_the_scan_is_saved_as_it_is_shown(docks, tmp_path):
    assert not docks.scan.save_button.isVisibleTo(docks.scan)
    docks.show()
    button = docks.scan.save_button
    with docks.qtbot.waitSignal(button.saved, timeout=60_000):
        button.save(tmp_path / "scan.cxi")
    back = io.read_scan(tmp_path / "scan.cxi")
    np.testing.assert_array_equal(back.patterns, docks.session.scan.patterns)


def test_our_layers_are_saved_from_the_file_menu(docks, tmp_path):
    docks.show()
    docks.run(2)
    result, scan = docks.session.reconstruction, docks.session.scan
    viewer = docks.viewer

    def saved(role, name):
        viewer.layers.selection.active = layer(docks, role)
        (path,) = viewer.layers.save(str(tmp_path / name), selected=True, plugin=PLUGIN)
        return path

    phase = saved(canvas.PHASE, "phase.tif")
    np.testing.assert_allclose(tifffile.imread(phase), layer(docks, canvas.PHASE).data, atol=1e-6)
    assert pixels_nm(phase) == pytest.approx([side * 1e9 for side in result.pixel_size_m])
    patterns = saved(canvas.PATTERNS, "patterns.tif")
    np.testing.assert_array_equal(tifffile.imread(patterns), scan.patterns)
    assert pixels_nm(patterns) == pytest.approx((75e3, 75e3))  # of the detector
    mean = tifffile.imread(saved(canvas.MEAN, "mean.tif"))
    np.testing.assert_allclose(mean, np.mean(scan.patterns, axis=0), rtol=1e-3, atol=1e-3)
    table = np.loadtxt(saved(canvas.POSITIONS, "places.csv"), delimiter=",", skiprows=1)
    np.testing.assert_array_equal(table[:, 1:], scan.positions_m)
    back = io.read_reconstruction(saved(canvas.PROBE, "whole.ptyr"))
    np.testing.assert_array_equal(back.object, result.object)
    viewer.layers.selection = set(canvas.find(viewer.layers, (canvas.PHASE, canvas.REFINED)))
    (path,) = viewer.layers.save(str(tmp_path / "both.h5"), selected=True, plugin=PLUGIN)
    assert io.read_reconstruction(path).errors == result.errors
    with pytest.raises(FileError, match="select only layers of one scan or one reconstruction"):
        viewer.layers.save(str(tmp_path / "all.h5"), plugin=PLUGIN)
    assert not (tmp_path / "all.h5").exists()


def held(thing, **more):
    return {"name": "x", "metadata": {canvas.KEY: thing}, **more}


@pytest.mark.parametrize("kinds", [["image"], ["labels"], ["points"], ["image", "points"]])
def test_napari_offers_our_writers(kinds):
    manager = PluginManager()
    manager.register(PluginManifest.from_file(files("napari_ptycho") / "napari.yaml"))
    ours = list(manager.iter_compatible_writers(kinds))
    assert ".h5" in {ending for one in ours for ending in one.filename_extensions}
    assert len(ours) == (1 if len(kinds) > 1 else 2)


def test_a_file_gets_its_ending_but_never_replaces_another_so(tmp_path):
    image = np.ones((4, 5), np.float32)
    (path,) = writing.write_image(str(tmp_path / "a"), image, {})
    assert path.endswith("a.ome.tif")
    assert pixels_nm(path) == (None, None)
    with pytest.raises(FileError, match=r"a.ome.tif exists already; type the name with its end"):
        writing.write_image(str(tmp_path / "a"), image, {})
    mask = np.array([[0, 1], [300, 0]])
    (path,) = writing.write_labels(str(tmp_path / "mask"), mask, {})
    np.testing.assert_array_equal(tifffile.imread(path), mask)
    assert tifffile.imread(path).dtype == np.uint16


def test_what_is_not_ours_is_refused_in_a_sentence(tmp_path):
    points, image = np.zeros((3, 2)), np.zeros((4, 4))
    with pytest.raises(FileError, match="'x' shows no positions of a scan or reconstruction; choo"):
        writing.write_positions(str(tmp_path / "a.csv"), points, {"name": "x"})
    with pytest.raises(FileError, match=r"a.h5: the layers show none; select only layers of one"):
        writing.write_whole(str(tmp_path / "a.h5"), [(image, {"name": "x"}, "image")])
    scan = make_scan()
    with pytest.raises(FileError, match=r"a.ptyr: a scan is not written so; there are .h5, .cxi"):
        writing.write_whole(str(tmp_path / "a.ptyr"), [(image, held(scan), "image")])
    with pytest.raises(FileError, match=r"a.tif: the layer has shape \(2, 4, 4, 3\); need"):
        writing.write_image(str(tmp_path / "a.tif"), np.zeros((2, 4, 4, 3)), {})
    assert list(tmp_path.iterdir()) == []


FILTERS = {form.key: form.filter for form in io.writers("reconstruction")}


@pytest.mark.parametrize(
    ("typed", "wanted", "name", "key"),
    [
        ("a.h5", "product", "a.h5", "product"),
        ("a.h5", "ptyr", "a.ptyr", "ptyr"),
        ("a.h5", "ome-tiff", "a.ome.tif", "ome-tiff"),
        ("a.npz", "npz", "a.npz", "npz"),
        ("a.cxi", "product", "a.cxi", "cxi"),
        ("a.hdf5", "product", "a.hdf5", "product"),
        ("a.cxi", "nexus", "a.nxs", "nexus"),
        ("a 1.5 nm", "product", "a 1.5 nm.h5", "product"),
        ("a", "", "a.h5", "product"),
    ],
)
def test_the_chosen_filter_decides(tmp_path, typed, wanted, name, key):
    forms = io.writers("reconstruction")
    path, form = saving.chosen_form(forms, tmp_path / typed, FILTERS.get(wanted, ""))
    assert (path.name, form.key) == (name, key)


def test_a_save_button_offers_all_forms(tmp_path, monkeypatch, qtbot):
    one = reconstruction()
    button = SaveButton(lambda: saving.of_reconstruction(one))
    qtbot.addWidget(button)
    asked, shown = [], []

    def dialog(parent, title, name, kinds):
        shown.append((name, kinds.split(";;")))
        return str(tmp_path / "out.h5"), FILTERS["ptyr"]

    def question(*args):
        asked.append(args[2])
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    monkeypatch.setattr(QMessageBox, "question", question)
    with qtbot.waitSignal(button.saved, timeout=60_000) as signal:
        button.click()
    assert signal.args == [str(tmp_path / "out.ptyr")]
    assert shown == [(f"{one.name}.h5", list(FILTERS.values()))]
    before = (tmp_path / "out.ptyr").read_bytes()
    button.click()  # the dialog has not asked about out.ptyr: we do
    assert asked == ["out.ptyr already exists. Do you want to replace it?"]
    assert not button.runner.running
    assert (tmp_path / "out.ptyr").read_bytes() == before


def test_a_scan_is_something_to_save(tmp_path):
    scan = make_scan()
    thing = saving.of_scan(scan)
    assert thing.name == "weave.h5"
    assert "CXI data (*.cxi)" in thing.kind
    path, write = thing.chosen(tmp_path / "weave.h5", "CXI data (*.cxi)")
    write(path)
    np.testing.assert_array_equal(io.read_scan(tmp_path / "weave.cxi").patterns, scan.patterns)
    thing.write(tmp_path / "again.h5")
    assert len(io.read_scan(tmp_path / "again.h5")) == len(scan)
    assert saving.of_scan(None) is None
