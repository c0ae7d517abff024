"""Curtain, blinking and linked grid, as a user drives them in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptycho.gui.app import open_dock
from napari_ptycho.gui.canvas import is_plane
from napari_ptycho.gui.compare_page import ComparePage
from napari_ptycho.gui.curtain import HANDLE, on_pixels_of
from napari_ptycho.gui.inspect_page import Chosen

from .mouse import Mouse

SHAPE = (60, 100)


def ramp(low=0.0, high=1.0):
    return np.linspace(low, high, SHAPE[0] * SHAPE[1]).reshape(SHAPE)


class Comparing:
    """A window with three layers and the page."""

    def __init__(self, qtbot, viewer):
        self.qtbot, self.viewer = qtbot, viewer
        look = {"scale": (2, 2), "translate": (30, 10), "units": ("nm", "nm")}
        self.a = viewer.add_image(ramp(), name="A", colormap="viridis", **look)
        self.b = viewer.add_image(ramp(5, -1), name="B", **look)
        self.c = viewer.add_image(ramp(0, 2), name="C", visible=False, **look)
        viewer.window.resize(1200, 700)
        viewer.window._qt_window.show()
        self.holder = QWidget()
        self.chosen = Chosen(viewer, self.holder)
        self.page = ComparePage(viewer, self.chosen)
        self.chosen.changed.connect(self.page.refresh)
        rows = QVBoxLayout(self.holder)
        for widget in (self.chosen.first, self.chosen.second, self.page):
            rows.addWidget(widget)
        viewer.window.add_dock_widget(self.holder)
        self.chosen.first.choose(self.a)
        self.chosen.second.choose(self.b)
        self.select(self.a)
        viewer.reset_view()

    def select(self, *layers):
        self.viewer.layers.selection.clear()
        self.viewer.layers.selection.update(layers)
        self.qtbot.wait(80)

    def click(self, name):
        self.page.buttons[name].click()

    def field(self, name):
        return self.page.form.fields[name]

    def state(self):
        """All that a comparison may change."""
        layers = self.viewer.layers
        canvas = self.viewer.canvas
        return (
            [
                (one.name, one.visible, tuple(one.contrast_limits), one.gamma, one.colormap.name)
                for one in layers
            ],
            [one.name_overlay.visible for one in layers],
            {one.name for one in layers.selection},
            (canvas.grid.enabled, canvas.overlays.text.visible),
            (canvas.overlays.scale_bar.visible, canvas.overlays.scale_bar.gridded),
        )

    def shown(self):
        return [layer.name for layer in self.viewer.layers if layer.visible]

    def words(self):
        return self.page.note.text()


@pytest.fixture
def comparing(qtbot, make_napari_viewer):
    comparing = Comparing(qtbot, make_napari_viewer())
    yield comparing
    comparing.page.compare.end()


def test_the_curtain_is_dragged(comparing):
    a, b = comparing.a, comparing.b
    before = comparing.state()
    comparing.click("Curtain")
    curtain = comparing.page.compare.tools["Curtain"]
    assert comparing.shown() == ["curtain", HANDLE]
    assert curtain.at == 50
    camera = comparing.viewer.scene.camera.center
    Mouse(comparing.viewer, a).drag((30, 49.5), (10, 69.5))
    assert comparing.viewer.scene.camera.center == camera
    assert curtain.at == pytest.approx(70, abs=1)
    at, data = curtain.at, curtain.layer.data
    np.testing.assert_allclose(data[:, :at], a.data[:, :at])
    np.testing.assert_allclose(data[:, at:], b.data[:, at:])
    np.testing.assert_allclose(curtain.handle.data, [[(-0.5, at - 0.5), (60, 0)]])
    Mouse(comparing.viewer, a).drag((30, at - 0.5), (10, -30))  # beyond the border
    assert curtain.at == 0
    np.testing.assert_allclose(data, b.data)
    assert comparing.viewer.canvas.overlays.text.text == "A  |  B"
    assert not is_plane(curtain.layer)
    Mouse(comparing.viewer, a).drag((30, 50), (30, 60))
    assert curtain.at == 0  # far from the line, a drag moves the image as ever
    comparing.click("Curtain")
    assert comparing.state() == before
    assert comparing.viewer.mouse_drag_callbacks.count(curtain._on_drag) == 0


def test_a_flat_curtain_and_its_contrast(comparing):
    a, b = comparing.a, comparing.b
    comparing.field("curtain_line").setCurrentText("flat")
    comparing.click("Curtain")
    curtain = comparing.page.compare.tools["Curtain"]
    assert curtain.at == 30
    np.testing.assert_allclose(curtain.layer.data[:30], a.data[:30])
    np.testing.assert_allclose(curtain.layer.data[30:], b.data[30:])
    low, high = curtain.layer.contrast_limits
    assert low == pytest.approx(-1, abs=0.1)  # what both need
    assert high == pytest.approx(5, abs=0.1)
    assert curtain.layer.colormap.name == "viridis"
    Mouse(comparing.viewer, a).drag((29.5, 50), (9.5, 50))
    assert curtain.at == pytest.approx(10, abs=1)
    comparing.field("link_contrast").setChecked(False)  # begins anew: each has its own
    assert curtain.active
    np.testing.assert_allclose(curtain.layer.contrast_limits, a.contrast_limits)
    (low, high), data = b.contrast_limits, curtain.layer.data
    np.testing.assert_allclose(data[30:], (b.data[30:] - low) / (high - low), atol=1e-5)
    comparing.field("curtain_line").setCurrentText("upright")
    assert curtain.at == 50


def test_another_grid_is_resampled_onto_the_first(comparing):
    viewer = comparing.viewer
    rows, columns = np.indices((33, 55))
    fine = viewer.add_image(rows + 10.0 * columns, scale=(4, 4), translate=(30, 10), name="D")
    found = on_pixels_of(comparing.a, fine)
    rows, columns = np.indices(SHAPE)
    np.testing.assert_allclose(found, rows / 2 + 10 * columns / 2, atol=1e-4)
    shifted = viewer.add_image(ramp(), scale=(2, 2), translate=(34, 10), name="E")
    found = on_pixels_of(comparing.a, shifted)
    np.testing.assert_allclose(found[2:], ramp()[:-2], atol=1e-6)
    np.testing.assert_allclose(found[0], ramp()[0], atol=1e-6)  # its edge where it ends
    comparing.chosen.second.choose(fine)
    comparing.click("Curtain")
    np.testing.assert_allclose(
        comparing.page.compare.tools["Curtain"].layer.data[20, 80], 20 / 2 + 10 * 80 / 2
    )


@pytest.mark.parametrize("gone", ["source", "curtain", "line"])
def test_the_curtain_ends_when_a_layer_goes(comparing, gone, notifications):
    comparing.click("Curtain")
    curtain = comparing.page.compare.tools["Curtain"]
    layer = {"source": comparing.b, "curtain": curtain.layer, "line": curtain.handle}[gone]
    comparing.viewer.layers.remove(layer)
    assert not curtain.active
    assert not comparing.page.buttons["Curtain"].isChecked()
    left = ["A", "C"] if gone == "source" else ["A", "B", "C"]
    assert [one.name for one in comparing.viewer.layers] == left
    assert comparing.shown() == left[:-1]
    assert notifications() == []


def test_blinking(comparing):
    before = comparing.state()
    comparing.field("blink_pause_ms").setValue(100)
    comparing.click("Blink")
    assert comparing.shown() == ["A"]
    comparing.qtbot.waitUntil(lambda: comparing.shown() == ["B"], timeout=5000)
    assert comparing.viewer.canvas.overlays.text.text == "B"
    comparing.qtbot.waitUntil(lambda: comparing.shown() == ["A"], timeout=5000)
    assert tuple(comparing.a.contrast_limits) == tuple(comparing.b.contrast_limits)
    comparing.a.gamma = 0.5
    assert comparing.b.gamma == 0.5
    page = comparing.page
    page.compare.tools["Blink"]._timer.setInterval(10_000)
    was = comparing.shown()
    QTest.mousePress(page.hold_button, Qt.MouseButton.LeftButton)
    assert comparing.shown() != was
    assert not page.compare.tools["Blink"]._timer.isActive()
    QTest.mouseRelease(page.hold_button, Qt.MouseButton.LeftButton)
    assert comparing.shown() == was
    assert page.compare.tools["Blink"]._timer.isActive()
    comparing.click("Blink")
    assert comparing.state() == before
    assert not page.compare.tools["Blink"]._timer.isActive()
    comparing.a.gamma = 0.7
    assert comparing.b.gamma == 1  # no longer linked


def test_three_blink_until_one_is_left(comparing):
    comparing.select(comparing.c)
    comparing.click("Blink")
    blink = comparing.page.compare.tools["Blink"]
    turns = []
    for _ in range(4):
        turns.append(blink.shown.name)
        blink.next()
    assert turns == ["A", "B", "C", "A"]
    comparing.viewer.layers.remove(blink.shown)
    assert blink.active
    assert comparing.shown() == [blink.shown.name]
    comparing.viewer.layers.remove(blink.shown)
    assert not blink.active
    assert not comparing.page.buttons["Blink"].isChecked()


def test_the_grid_and_back(comparing):
    viewer = comparing.viewer
    before = comparing.state()
    zoom = viewer.scene.camera.zoom
    comparing.select(comparing.c)
    comparing.click("Grid")
    assert viewer.canvas.grid.enabled
    assert comparing.shown() == ["A", "B", "C"]
    assert all(layer.name_overlay.visible for layer in viewer.layers)
    assert viewer.canvas.overlays.scale_bar.visible
    assert viewer.canvas.overlays.scale_bar.gridded
    limits = {tuple(layer.contrast_limits) for layer in viewer.layers}
    assert len(limits) == 1
    comparing.a.contrast_limits = (0.25, 0.5)
    assert tuple(comparing.c.contrast_limits) == (0.25, 0.5)
    comparing.click("Grid")
    comparing.select(comparing.a)
    assert comparing.state() == before
    assert viewer.scene.camera.zoom == zoom
    comparing.click("Grid")
    assert comparing.shown() == ["A", "B"]
    viewer.canvas.grid.enabled = False  # napari's own button
    assert not comparing.page.compare.tools["Grid"].active
    assert comparing.state() == before


def test_a_grid_beside_a_stack_and_a_curtain_after_a_grid(comparing):
    """The stack of patterns has one dimension more: napari cannot fit to flat layers alone."""
    viewer = comparing.viewer
    viewer.add_image(np.zeros((3, *SHAPE)), name="stack", visible=False)
    comparing.select(comparing.a)
    viewer.canvas.grid.enabled = True
    viewer.reset_view()
    zoom = viewer.scene.camera.zoom
    comparing.click("Curtain")
    assert viewer.scene.camera.zoom > 1.3 * zoom  # as large as it can be
    comparing.click("Grid")
    assert comparing.page.compare.active == "Grid"
    comparing.click("Grid")
    assert viewer.scene.camera.zoom == zoom
    assert viewer.canvas.grid.enabled


def test_links_of_before_stay(comparing):
    comparing.viewer.layers.link_layers([comparing.a, comparing.b], ("gamma",))
    comparing.click("Grid")
    comparing.click("Grid")
    comparing.a.gamma = 0.3
    assert comparing.b.gamma == 0.3


def test_one_ends_the_other(comparing):
    page = comparing.page
    before = comparing.state()
    for name in page.buttons:
        comparing.click(name)
        assert [n for n, b in page.buttons.items() if b.isChecked()] == [name]
        assert [n for n, tool in page.compare.tools.items() if tool.active] == [name]
    comparing.click("Grid")
    assert comparing.state() == before


def test_what_it_says_and_when_it_cannot(comparing):
    page, chosen = comparing.page, comparing.chosen
    assert "A | B" in comparing.words()
    comparing.select(comparing.c)
    assert "A, B, C" in comparing.words()
    comparing.click("Blink")
    assert "Blink: A, B, C" in comparing.words()
    assert page.hold_button.isVisible()
    comparing.click("Blink")
    assert not page.hold_button.isVisible()
    chosen.second.choose("none")
    comparing.select(comparing.a)
    assert not any(button.isEnabled() for button in page.buttons.values())
    assert "nothing to compare with" in comparing.words()
    page.toggle("Curtain")
    assert not page.compare.tools["Curtain"].active


def test_closing_the_dock_ends_it(comparing):
    viewer = comparing.viewer
    before = comparing.state()
    comparing.click("Curtain")
    viewer.window.remove_dock_widget(comparing.holder)
    comparing.qtbot.waitUntil(lambda: not comparing.page.compare.tools["Curtain"].active)
    assert comparing.state() == before
    comparing.holder.deleteLater()


def test_other_pages_leave_it(comparing):
    viewer = comparing.viewer
    viewer.window.remove_dock_widget(comparing.holder)
    comparing.qtbot.wait(50)
    comparing.holder.deleteLater()
    dock = open_dock(viewer, "Inspect")
    comparing.page = page = dock.open_page("Compare")
    dock.chosen.first.choose(comparing.a)
    dock.chosen.second.choose(comparing.b)
    page.buttons["Curtain"].click()
    dock.tabs.setCurrentIndex(0)
    comparing.qtbot.wait(50)
    assert page.compare.tools["Curtain"].active
