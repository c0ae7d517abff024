"""Keys of the manifest: each does what its command says, and none is one of napari's own."""

from pathlib import Path

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtGui import QKeySequence
from qtpy.QtTest import QTest

from napari_ptycho.gui import commands, keys
from napari_ptycho.gui.app import DOCKS, found_dock, open_dock
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.tools import tools_of
from napari_ptycho.gui.views import picture
from napari_ptycho.prepare import first_guess

from .conftest import make_scan

DOCK = "napari-ptycho.show_"
TOOLS = {"curtain": "Curtain", "blink": "Blink", "grid": "Grid"}


def written(key):
    """Return a key as Qt writes it."""
    return QKeySequence(str(key)).toString()


def press(viewer, key):
    """Press a key over the canvas, through Qt."""
    pressed = QKeySequence(key.replace("Enter", "Return"))[0]
    native = viewer.window._qt_viewer.canvas.native
    QTest.keyClick(native, pressed.key(), pressed.keyboardModifiers())


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    tools_of(viewer)  # any dock does that
    return viewer


def test_no_key_is_one_of_naparis(viewer):
    from napari._app_model import get_app_model

    taken = {written(key) for keys in get_settings().shortcuts.shortcuts.values() for key in keys}
    taken |= {written(one.keybinding) for one in get_app_model().keybindings}
    assert {"Ctrl+G", "Ctrl+O", "Ctrl+0"} <= taken
    ours = [written(one.key) for one in keys.bindings()]
    assert len(set(ours)) == len(ours)
    assert not taken & set(ours)


def test_each_key_compares_as_its_command_says(viewer):
    for name in "AB":
        viewer.add_image(np.random.default_rng(0).random((32, 32)), name=name)
    viewer.layers.selection.clear()
    compare = tools_of(viewer).compare
    for command, tool in TOOLS.items():
        press(viewer, keys.key_of(command))
        assert compare.active == tool
        assert [layer.name for layer in compare.shown] == ["A", "B"]
    press(viewer, keys.key_of("grid"))
    assert not compare.active


def test_keys_change_how_layers_look(viewer):
    ReconstructionLayers(viewer).begin(picture(first_guess(make_scan())))
    viewer.layers.selection.clear()
    press(viewer, keys.key_of("phase_colours"))
    assert viewer.layers["weave · phase"].colormap.name == "viridis"
    press(viewer, keys.key_of("complex_colours"))
    assert viewer.layers["weave · complex"].rgb


def test_a_key_says_why_nothing_is_compared(viewer, notifications):
    viewer.add_image(np.eye(32))
    press(viewer, keys.key_of("blink"))
    assert "select two images" in notifications()[0]
    assert not tools_of(viewer).compare.active


def test_each_dock_has_a_key(viewer, monkeypatch):
    shown = []
    monkeypatch.setattr(commands, "open_dock", lambda viewer, name: shown.append(name))
    for one in keys.bindings():
        if one.command.startswith(DOCK):
            assert one.command == DOCK + one.title.split()[2].lower()
            press(viewer, one.key)
    assert shown == list(DOCKS)


def test_keys_open_a_dock_start_and_stop_it(viewer, qtbot, notifications):
    viewer.window._qt_window.show()
    viewer.add_image(np.random.default_rng(0).random((32, 32)))
    press(viewer, keys.key_of("start"))
    assert "nothing to start" in notifications()[0]
    press(viewer, keys.key_of("show_denoise"))
    dock = found_dock(viewer, "Denoise")
    dock.form.network.fields["iterations"].setValue(100_000)
    qtbot.waitUntil(lambda: not dock.visibleRegion().isEmpty())
    press(viewer, keys.key_of("start"))
    assert dock.runner.running
    with qtbot.waitSignal(dock.runner.finished, timeout=120_000) as ended:
        press(viewer, keys.key_of("stop"))
    assert ended.args[0] == "stopped"


def test_every_key_of_the_manifest_is_tested():
    names = [one.command.removeprefix("napari-ptycho.") for one in keys.bindings()]
    docks = [f"show_{name.lower()}" for name in DOCKS]
    assert names == [*docks, "start", "stop", *TOOLS, "phase_colours", "complex_colours"]


def test_keys_outlive_the_docks(viewer):
    dock = open_dock(viewer, "Jobs")
    assert dock.tools is tools_of(viewer)
    viewer.window.remove_dock_widget(dock)
    for name in "AB":
        viewer.add_image(np.eye(32), name=name)
    press(viewer, keys.key_of("grid"))
    assert viewer.canvas.grid.enabled


def test_the_table_of_the_page_is_that_of_the_manifest():
    text = (Path(__file__).parents[2] / "docs" / "window.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    found = [tuple(cell.strip(" `") for cell in row.strip("|").split("|")) for row in rows]
    assert found == [(one.key, one.title) for one in keys.bindings()]
