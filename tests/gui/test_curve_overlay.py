"""The plot on the canvas: its place on the screen, and what comes and goes around it."""

import numpy as np
import pytest

from napari_ptycho.gui import canvas
from napari_ptycho.gui.canvas import is_plane
from napari_ptycho.gui.curve_colours import colour
from napari_ptycho.gui.curve_overlay import EDGE_PX, SIZE, CurveOverlay
from napari_ptycho.gui.gl_programs import keep_programs
from napari_ptycho.model import Curve

from .conftest import make_scan

X = np.linspace(0, 0.5, 40)


def curve(label="halves", y=None):
    y = 1 - X if y is None else y
    return Curve(X, y, x_unit="1/nm", label=label, thresholds={"half-bit": np.full(40, 0.2)})


class Screen:
    """A window with an image and the overlay."""

    def __init__(self, qtbot, viewer):
        self.qtbot, self.viewer = qtbot, viewer
        self.image = viewer.add_image(pixels(), scale=(3, 3), translate=(50, 0))
        viewer.window.resize(900, 700)
        viewer.window._qt_window.show()
        viewer.reset_view()
        self.overlay = CurveOverlay(viewer)

    def show(self, *curves, threshold="half-bit", title="FRC"):
        self.overlay.show(curves or [curve()], threshold, title)
        return self.overlay.layer

    def corner(self):
        """Distance (top, right) of the overlay to the canvas, and its size, on the screen."""
        self.qtbot.wait(20)
        self.qtbot.waitUntil(lambda: not self.overlay._pause.isActive())
        camera, size = self.viewer.scene.camera, np.array(self.viewer.canvas.size)
        box = [self.overlay.layer.data_to_world(at) for at in ((0, 0), SIZE)]
        (top, left), (bottom, right) = (
            (np.array(at) - camera.center[-2:]) * camera.zoom + size / 2 for at in box
        )
        return (top, size[1] - right, bottom - top, right - left)


PLACE = pytest.approx((EDGE_PX, EDGE_PX, *SIZE), abs=0.5)


def pixels():
    return np.random.default_rng(0).random((60, 100))


@pytest.fixture
def screen(qtbot, make_napari_viewer):
    screen = Screen(qtbot, make_napari_viewer())
    yield screen
    screen.overlay.hide()
    screen.overlay.deleteLater()


def test_what_it_shows(screen):
    gap = np.where((X > 0.2) & (X < 0.3), np.nan, 1 - X)
    layer = screen.show(curve(), curve("DIP", gap), title="FRC: 28 nm")
    assert screen.overlay.shown
    paths = [d for d, kind in zip(layer.data, layer.shape_type, strict=True) if kind == "path"]
    assert len(paths) == 1 + 1 + 2 + 1  # axes, a curve, one with a gap, the threshold
    one = paths[1]
    assert (np.diff(one[:, 1]) > 0).all()
    assert (np.diff(one[:, 0]) > 0).all()  # it falls: rows grow
    assert one[:, 0].min() >= 0
    assert one.max(axis=0)[0] <= SIZE[0]
    assert one.max(axis=0)[1] <= SIZE[1]
    np.testing.assert_allclose(np.ptp(paths[-1][:, 0]), 0)  # the threshold is flat
    text = " ".join(layer.text.string.array)
    for word in ("FRC: 28 nm", "halves", "DIP", "half-bit", "0.5 1/nm"):
        assert word in text
    inks = [bytes.fromhex(colour(i, screen.viewer)[1:]) for i in (0, 1)]
    for ink in inks:
        assert any(tuple(np.round(c[:3] * 255)) == tuple(ink) for c in layer.edge_color)
    assert screen.viewer.layers.selection == {screen.image}
    assert not is_plane(layer)


def test_shown_again_it_follows_the_curves_and_none_hides_it(screen):
    layer = screen.show()
    before = layer.data[2].copy()
    assert screen.show(curve(y=(1 - X) ** 2)) is layer
    assert not np.allclose(layer.data[2], before)
    more = screen.show(curve(), curve("DIP"))
    assert more in screen.viewer.layers
    assert len(screen.viewer.layers) == 2
    screen.overlay.show([], "", "")
    assert not screen.overlay.shown
    screen.overlay.show([curve(y=np.full(40, np.nan))], "", "")
    assert not screen.overlay.shown
    assert list(screen.viewer.layers) == [screen.image]


def test_it_keeps_its_place_and_size_on_the_screen(screen):
    screen.show()
    camera = screen.viewer.scene.camera
    assert screen.corner() == PLACE
    camera.zoom = 0.3
    assert screen.corner() == PLACE
    camera.center = (0, 500, -200)
    assert screen.corner() == PLACE
    screen.viewer.window.resize(1200, 600)
    assert screen.corner() == PLACE


def test_home_fits_the_image_and_not_the_overlay(screen):
    viewer, camera = screen.viewer, screen.viewer.scene.camera
    viewer.reset_view()
    before = camera.zoom, camera.center
    screen.show()
    camera.zoom, camera.center = before[0] / 20, (0, 3000, 3000)
    screen.qtbot.wait(150)
    viewer.reset_view()
    assert camera.zoom == pytest.approx(before[0])
    np.testing.assert_allclose(camera.center, before[1])
    assert screen.corner() == PLACE


def test_layers_come_and_go_and_the_user_deletes_it(screen):
    viewer = screen.viewer
    layer = screen.show()
    other = viewer.add_image(pixels())
    viewer.layers.remove(other)
    assert screen.overlay.shown
    viewer.layers.remove(layer)
    assert not screen.overlay.shown
    viewer.scene.camera.zoom *= 2
    screen.qtbot.wait(100)  # nothing is left that would move
    assert screen.show() in viewer.layers
    viewer.layers.clear()
    assert not screen.overlay.shown


def test_in_a_grid_it_hides(screen):
    layer = screen.show()
    screen.viewer.canvas.grid.enabled = True
    assert screen.overlay.shown
    assert not layer.visible
    screen.viewer.canvas.grid.enabled = False
    assert layer.visible
    assert screen.corner() == PLACE
    layer.visible = False  # by the user
    screen.viewer.scene.camera.zoom *= 2
    screen.qtbot.wait(100)
    assert not layer.visible


@pytest.mark.parametrize("ours", [False, True])
def test_all_layers_agree_on_units(screen, ours, notifications):
    viewer = screen.viewer
    viewer.layers.clear()
    if ours:
        meta = canvas.metadata(canvas.PHASE, make_scan())
        viewer.add_image(pixels(), metadata=meta, **canvas.placing(viewer, meta, 2))
    else:
        viewer.add_image(pixels(), units=("nm", "nm"))
    layer = screen.show()
    assert [str(unit) for unit in layer.units] == ["nanometer"] * 2
    assert screen.corner() == PLACE
    if ours:
        unknown = canvas.metadata(canvas.PHASE, make_scan(known=False))
        viewer.add_image(pixels(), metadata=unknown, **canvas.placing(viewer, unknown, 2))
        canvas.place(viewer)
        assert {str(one.units[0]) for one in viewer.layers} == {"pixel"}
        assert screen.corner() == PLACE
        viewer.layers.pop()
        canvas.place(viewer)
    assert {str(one.units[0]) for one in viewer.layers} == {"nanometer"}
    assert viewer.layers.units is not None


def test_removed_shapes_do_not_crash_the_canvas(screen):
    keep_programs()  # as the docks do
    for _ in range(3):
        screen.show()
        screen.corner()
        screen.overlay.hide()
        for zoom in (1.05, 0.96, 1.1):
            screen.viewer.scene.camera.zoom *= zoom
            screen.qtbot.wait(20)
    assert list(screen.viewer.layers) == [screen.image]
