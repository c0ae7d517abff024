"""What napari finds: the manifest, the reader, the samples, drag and drop, closing."""

from importlib.resources import files

import pytest
from npe2 import PluginManifest
from qtpy.QtCore import QMimeData, QPoint, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QMessageBox

from napari_ptycho import io, samples
from napari_ptycho.gui import app, hooks
from napari_ptycho.gui.app import open_docks
from napari_ptycho.samples import SAMPLES

from .conftest import make_scan, suppress_deleted

PLUGIN = "napari-ptycho"


@pytest.fixture
def quick_samples(monkeypatch):
    monkeypatch.setattr(samples, "open_sample", lambda key: make_scan(name=key))


def test_the_manifest_is_valid_and_names_what_exists():
    manifest = PluginManifest.from_file(files("napari_ptycho") / "napari.yaml")
    manifest.validate_imports()
    keys = {sample.key for sample in manifest.contributions.sample_data}
    assert keys == {*SAMPLES, "fibres-noisy", "star-noisy"}
    assert [widget.display_name for widget in manifest.contributions.widgets] == list(app.DOCKS)


def test_dropping_a_file_on_the_viewer_fills_the_docks(docks, qtbot, scan_file):
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.viewer.open(scan_file, plugin=PLUGIN)
    assert docks.session.scan.name == "weave"
    assert "36 patterns" in docks.reconstruct.scan_note.text()


def test_a_reader_leaves_alone_what_cannot_be_ours(tmp_path, scan_file):
    picture = tmp_path / "picture.h5"
    picture.write_bytes(b"GIF89a...")
    assert hooks.get_reader(str(picture)) is None
    assert hooks.get_reader(str(tmp_path / "absent.h5")) is None
    assert hooks.get_reader([str(scan_file)]) is hooks.read


def test_without_a_window_the_reader_returns_layers(scan_file, tmp_path, monkeypatch):
    import napari

    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    patterns, mean = hooks.read(str(scan_file))
    assert patterns[0].shape == (36, 32, 32)
    assert mean[1]["name"] == "mean pattern"
    from napari_ptycho.prepare import first_guess

    path = tmp_path / "result.h5"
    io.write_reconstruction(first_guess(make_scan()), path)
    assert [kind for *_, kind in hooks.read(str(path))] == ["image", "image"]


@pytest.mark.parametrize("key", list(SAMPLES))
def test_samples_open_from_the_file_menu(docks, qtbot, quick_samples, key):
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.viewer.open_sample(PLUGIN, key)
    assert docks.session.scan.name == key
    assert docks.names() == ["mean pattern", "patterns", "positions"]


def test_a_sample_that_cannot_be_opened_leaves_no_layer(docks, qtbot, monkeypatch, notifications):
    from napari_ptycho.errors import FileError

    def offline(key):
        raise FileError("siemens-real: not on this machine, and there is no network")

    monkeypatch.setattr(samples, "open_sample", offline)
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.viewer.open_sample(PLUGIN, "siemens-real")
    assert docks.names() == []
    assert notifications() == ["siemens-real: not on this machine, and there is no network"]


def test_what_napari_opens_brings_the_docks_that_it_needs(make_napari_viewer, qtbot, scan_file):
    def docks(viewer):
        return {name for name in app.DOCKS if app.found_dock(viewer, name) is not None}

    viewer = make_napari_viewer()
    viewer.open(scan_file, plugin=PLUGIN)
    scan = app.found_dock(viewer, "Scan")
    qtbot.waitUntil(lambda: scan.session.scan is not None, timeout=60_000)
    assert docks(viewer) == {"Scan", "Reconstruct"}
    other = make_napari_viewer()
    other.open_sample(PLUGIN, "star-noisy")
    assert docks(other) == {"Denoise"}
    with suppress_deleted():
        app.found_dock(viewer, "Reconstruct").adviser.runner.wait(30)


def test_dropping_a_file_on_the_dock_opens_it(docks, qtbot, scan_file):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(scan_file))])
    where = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton)
    enter = QDragEnterEvent(QPoint(5, 5), *where, Qt.KeyboardModifier.NoModifier)
    docks.scan.dragEnterEvent(enter)
    assert enter.isAccepted()
    drop = QDropEvent(QPoint(5, 5), *where, Qt.KeyboardModifier.NoModifier)
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.scan.dropEvent(drop)
    assert docks.session.scan.name == "weave"


def test_the_docks_of_a_viewer_are_opened_once(docks):
    assert open_docks(docks.viewer) == (docks.scan, docks.reconstruct)


def test_the_program_opens_a_window_with_docks_and_a_scan(qtbot, scan_file, monkeypatch):
    import napari

    seen = []
    monkeypatch.setattr(napari, "run", lambda: seen.append(napari.current_viewer()))
    monkeypatch.setattr(app, "Viewer", lambda **how: napari.Viewer(show=False, **how))
    app.launch([scan_file])
    viewer = seen[0]
    scan, _ = open_docks(viewer)
    if scan.session.scan is None:
        with qtbot.waitSignal(scan.loaded, timeout=60_000):
            pass
    assert scan.session.scan.name == "weave"
    viewer.close()


@pytest.mark.parametrize("answer", ["Discard", "Cancel", "Save"])
def test_closing_in_a_run_asks_and_keeps_what_was_reached(docks, tmp_path, monkeypatch, answer):
    from qtpy.QtWidgets import QFileDialog

    path = tmp_path / "kept.h5"
    button = getattr(QMessageBox.StandardButton, answer)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: button)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    docks.show()
    docks.begin()
    assert docks.reconstruct.guard.may_close() is (answer != "Cancel")
    if answer == "Save":
        assert io.read_reconstruction(path).object.shape == (66, 66)
    docks.stop()
    assert path.exists() == (answer == "Save")
