"""The row of buttons that lies in every dock: what it compares, and one state for all rows."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptycho.gui import origins
from napari_ptycho.gui.app import open_dock
from napari_ptycho.gui.compare_bar import CompareBar
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.tools import tools_of
from napari_ptycho.gui.views import picture
from napari_ptycho.prepare import first_guess

from .conftest import make_scan

AREAS = "left", "right"


class Bars:
    """A window with the row in two docks; the Inspect dock was never opened."""

    def __init__(self, qtbot, viewer):
        self.qtbot, self.viewer = qtbot, viewer
        viewer.window._qt_window.show()
        self.first, self.second = (CompareBar(viewer) for _ in range(2))
        self.docks = [QWidget(), QWidget()]
        for dock, bar, area in zip(self.docks, (self.first, self.second), AREAS, strict=True):
            QVBoxLayout(dock).addWidget(bar)
            viewer.window.add_dock_widget(dock, area=area)

    def image(self, name, before=None, made=True):
        layer = self.viewer.add_image(np.random.default_rng(0).random((32, 32)), name=name)
        if made:
            origins.note(layer, before)
        return layer

    def select(self, *layers):
        self.viewer.layers.selection = set(layers)
        self.qtbot.wait(80)

    def meant(self, name="Blink"):
        return [layer.name for layer in self.first.compare.meant(name)]


@pytest.fixture
def bars(qtbot, make_napari_viewer):
    return Bars(qtbot, make_napari_viewer())


def test_the_newest_result_is_compared_with_what_it_was_made_from(bars):
    raw = bars.image("raw", made=False)
    once, other = bars.image("once", raw), bars.image("other", made=False)
    bars.select()
    assert bars.meant() == ["raw", "once"]
    twice = bars.image("twice", raw)
    bars.select(twice)
    assert bars.meant() == ["raw", "twice"]
    bars.select(once)
    assert bars.meant() == ["raw", "once"]
    bars.select(raw)
    assert bars.meant() == ["raw", "twice"]
    bars.select(other)
    assert bars.meant() == ["raw", "twice"]
    bars.select(other, once, twice)
    assert bars.meant() == ["once", "other", "twice"]
    assert bars.meant("Curtain") == ["once", "other"]
    bars.viewer.layers.remove(raw)
    bars.select()
    assert bars.meant() == ["once", "other", "twice"]  # what shows


def test_a_refined_object_is_compared_with_its_start_and_else_with_the_one_before():
    viewer, first = ViewerModel(), first_guess(make_scan(name="first"))
    layers, compare = ReconstructionLayers(viewer), tools_of(viewer).compare

    def meant(*selected):
        viewer.layers.selection = {viewer.layers[name] for name in selected}
        return [layer.name for layer in compare.meant()]

    layers.begin(picture(first))
    assert meant() == ["first · phase", "first · amplitude", "first · probe"]
    layers.begin(picture(first_guess(make_scan(name="second"))))
    assert meant() == ["first · phase", "second · phase"]
    start = replace(first, name="first · refined")  # as Refine in Reconstruct makes it
    layers.begin(picture(replace(start, object=2 * first.object)), start)
    assert meant() == ["first · phase", "first · refined · phase"]
    refined = "first · refined · amplitude"
    assert meant(refined) == ["first · amplitude", refined]
    layers.begin(picture(start), start)  # going on
    assert meant() == ["first · phase", "first · refined · phase"]


def test_what_begins_in_one_dock_shows_in_the_other_and_ends_there(bars):
    raw = bars.image("raw", made=False)
    bars.image("made", raw)
    bars.qtbot.waitUntil(bars.second.buttons["Curtain"].isEnabled)
    bars.first.buttons["Curtain"].click()
    assert bars.second.buttons["Curtain"].isChecked()
    assert "curtain" in bars.viewer.layers
    bars.second.buttons["Curtain"].click()
    assert not bars.first.buttons["Curtain"].isChecked()
    assert [layer.name for layer in bars.viewer.layers] == ["raw", "made"]


def test_colours_chosen_while_comparing_stay():
    viewer = ViewerModel()
    tools = tools_of(viewer)
    for name in ("first", "second"):
        ReconstructionLayers(viewer).begin(picture(first_guess(make_scan(name=name))))
    phases = [viewer.layers[f"{name} · phase"] for name in ("first", "second")]
    viewer.layers.selection = set(phases)
    limits = [tuple(layer.contrast_limits) for layer in phases]
    tools.compare.toggle("Curtain")
    tools.looks.next_colours()
    assert viewer.layers["curtain"].colormap.name == "viridis"
    assert [layer.colormap.name for layer in phases] == ["viridis"] * 2
    tools.compare.toggle("Curtain")
    assert [layer.colormap.name for layer in phases] == ["viridis"] * 2
    assert [tuple(layer.contrast_limits) for layer in phases] == limits


def test_it_ends_with_the_last_dock(bars):
    raw = bars.image("raw", made=False)
    bars.image("made", raw)
    bars.qtbot.waitUntil(bars.first.buttons["Blink"].isVisible)
    bars.first.buttons["Blink"].click()
    compare = tools_of(bars.viewer).compare
    assert bars.second.isVisible()
    bars.viewer.window.remove_dock_widget(bars.docks[0])
    bars.qtbot.wait(50)
    assert compare.active == "Blink"
    bars.viewer.window.remove_dock_widget(bars.docks[1])
    bars.qtbot.waitUntil(lambda: not compare.active)
    for dock in bars.docks:
        dock.deleteLater()


def test_rows_follow_when_the_compare_page_goes_behind_another_dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    row = open_dock(viewer, "Reconstruct").compare_bar
    inspect = open_dock(viewer, "Inspect")
    inspect.open_page("Compare")
    ReconstructionLayers(viewer).begin(picture(first_guess(make_scan())))
    inspect.chosen.second.choose("none")
    viewer.layers.selection = {viewer.layers["weave · phase"]}
    qtbot.wait(100)
    assert not row.buttons["Blink"].isEnabled()  # the page offers a single layer
    open_dock(viewer, "Reconstruct")
    qtbot.waitUntil(row.buttons["Blink"].isEnabled, timeout=1000)


def test_without_images_it_takes_no_room_and_without_two_none_is_compared(bars):
    assert not bars.first.isVisible()
    bars.image("one")
    bars.qtbot.wait(80)
    assert not bars.first.isVisible()
    ReconstructionLayers(bars.viewer).begin(picture(first_guess(make_scan())))
    bars.qtbot.waitUntil(bars.first.isVisible)
    assert bars.first.complex_button.isEnabled()
    bars.first.complex_button.click()
    bars.qtbot.waitUntil(bars.second.complex_button.isChecked)
    bars.viewer.layers.clear()
    bars.qtbot.waitUntil(lambda: not bars.first.isVisible())
