"""Rectangle, line and point over an image, with a real mouse on a real canvas."""

import numpy as np
import pytest

from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas
from napari_ptycho.gui.draw_tools import LINE_PX, LineTool, PointTool, RectangleTool

from .conftest import make_scan
from .mouse import Mouse

TOOLS = (RectangleTool, LineTool, PointTool)
SCREEN = 0.25  # data pixels: a pixel of the screen here is a sixth of one


def pixels(shape):
    return np.random.default_rng(0).random(shape)


class Board:
    """A window with an image and tools that draw on it."""

    def __init__(self, qtbot, viewer):
        self.qtbot, self.viewer, self.tools = qtbot, viewer, []
        self.image = viewer.add_image(
            pixels((60, 100)), name="image", scale=(2, 2), translate=(30, 10)
        )
        viewer.window.resize(900, 700)
        viewer.window._qt_window.show()
        viewer.reset_view()

    def make(self, cls):
        self.tools.append(cls(self.viewer))
        return self.tools[-1]

    def begin(self, cls):
        tool = self.make(cls)
        with self.qtbot.waitSignal(tool.changed):
            tool.begin(self.image)
        return tool

    def drag(self, tool, start, end):
        with self.qtbot.waitSignal(tool.changed):
            Mouse(self.viewer, self.image).drag(start, end)


@pytest.fixture
def board(qtbot, make_napari_viewer):
    board = Board(qtbot, make_napari_viewer())
    yield board
    for tool in board.tools:
        tool.end()
        tool.deleteLater()


def test_a_rectangle_is_dragged(board):
    tool = board.begin(RectangleTool)
    assert tool.of(board.image) == (slice(15, 45), slice(25, 75))
    board.drag(tool, (30, 50), (35, 56))
    assert tool.of(board.image) == (slice(20, 50), slice(31, 81))
    board.drag(tool, (49.5, 80.5), (44.5, 70.5))  # its corner
    rows, columns = tool.of(board.image)
    assert (rows.start, columns.start) == (20, 31)
    assert rows.stop == pytest.approx(45, abs=1)
    assert columns.stop == pytest.approx(71, abs=1)
    board.drag(tool, (30, 50), (5, -5))
    assert tool.of(board.image) == (slice(0, rows.stop - 25), slice(0, columns.stop - 55))


def test_a_line_is_dragged_by_its_ends_and_as_a_whole(board):
    tool = board.begin(LineTool)
    (y0, x0), (y1, x1) = tool.of(board.image)
    assert y0 == y1 == pytest.approx(29.5)
    board.drag(tool, (y0, x0), (10, 10))
    start, end = tool.of(board.image)
    np.testing.assert_allclose(start, (10, 10), atol=SCREEN)
    np.testing.assert_allclose(end, (y1, x1))
    middle = np.mean((start, end), axis=0)
    board.drag(tool, middle, middle + 5)
    moved = tool.of(board.image)
    np.testing.assert_allclose(moved, np.array((start, end)) + 5, atol=SCREEN)


def test_a_point_is_dragged_or_placed_by_a_click(board):
    tool, camera = board.begin(PointTool), board.viewer.scene.camera
    centre = camera.center
    board.drag(tool, tool.of(board.image), (10, 10))
    np.testing.assert_allclose(tool.of(board.image), (10, 10), atol=SCREEN)
    board.drag(tool, (50, 20), (50, 20))
    np.testing.assert_allclose(tool.of(board.image), (50, 20), atol=SCREEN)
    assert camera.center == centre
    before = tool.of(board.image)
    Mouse(board.viewer, board.image).drag((5, 50), (10, 60))
    assert tool.of(board.image) == before
    assert camera.center != centre  # far from the point, a drag moves the image as ever


def test_many_changes_are_told_once(board, qtbot):
    tool, told = board.begin(LineTool), []
    tool.changed.connect(lambda: told.append(tool.of(board.image)))
    for y in range(20):
        tool.layer.data = [np.array([(y, 3), (y, 50)])]
    qtbot.wait(120)
    assert told == [((19, 3), (19, 50))]


def test_the_shape_in_the_pixels_of_other_layers(board):
    viewer = board.viewer
    fine = viewer.add_image(pixels((240, 400)), scale=(0.5, 0.5), translate=(30, 10))
    far = viewer.add_image(pixels((20, 20)), translate=(900, 900))
    tool = board.begin(LineTool)
    tool.layer.data = [np.array([(10.0, 20.0), (30.0, 40.0)])]
    np.testing.assert_allclose(tool.of(fine), [(40, 80), (120, 160)])
    tool.end()
    tool = board.begin(RectangleTool)
    rows, columns = tool.of(fine)  # 14.5 to 44.5 coarse pixels from the first one's centre
    assert (rows, columns) == (slice(58, 179), slice(98, 299))
    with pytest.raises(OptionsError, match="rectangle lies beside"):
        tool.of(far)
    tool.end()
    with pytest.raises(OptionsError, match="no rectangle"):
        tool.of(fine)
    with pytest.raises(OptionsError, match="point lies beside"):
        board.begin(PointTool).of(far)


def test_what_was_shown_comes_back(board):
    viewer, image = board.viewer, board.image
    above = viewer.add_image(pixels((60, 100)), name="above")
    hidden = viewer.add_image(pixels((60, 100)), name="hidden", visible=False)
    viewer.layers.selection.active = image
    viewer.layers.selection.add(above)
    viewer.canvas.grid.enabled = True
    for cls in TOOLS:
        tool = board.begin(cls)
        assert tool.active
        assert set(tool.selected) == {image, above}
        assert viewer.layers.selection.active is tool.layer
        assert not viewer.canvas.grid.enabled
        assert [layer.visible for layer in (image, above, hidden)] == [True, False, False]
        tool.end()
        assert not tool.active
        assert viewer.canvas.grid.enabled
        assert [layer.visible for layer in (image, above, hidden)] == [True, True, False]
        assert set(viewer.layers.selection) == {image, above}
        assert list(viewer.layers) == [image, above, hidden]


def test_the_user_deletes_the_shape_or_its_layer(board):
    viewer = board.viewer
    for cls in TOOLS:
        tool = board.begin(cls)
        with board.qtbot.waitSignal(tool.changed):
            viewer.layers.remove(tool.layer)
        assert not tool.active
        tool = board.begin(cls)
        with board.qtbot.waitSignal(tool.changed):
            tool.layer.selected_data = {0}
            tool.layer.remove_selected()
        assert not tool.active
        with pytest.raises(OptionsError, match=f"no {cls.title}"):
            tool.of(board.image)
        tool.end()
    assert list(viewer.layers) == [board.image]


def test_again_on_the_same_layer_keeps_the_shape(board):
    tool = board.begin(LineTool)
    tool.layer.data = [np.array([(1.0, 2.0), (3.0, 4.0)])]
    board.viewer.layers.selection.active = board.image
    tool.begin(board.image)
    assert tool.of(board.image) == ((1, 2), (3, 4))
    assert board.viewer.layers.selection.active is tool.layer
    other = board.viewer.add_image(pixels((30, 30)))
    tool.begin(other)
    assert tool.of(other)[0][0] == pytest.approx(14.5)
    assert len(board.viewer.layers) == 3


def test_it_takes_part_in_the_units_of_our_layers(board, notifications):
    viewer = board.viewer
    viewer.layers.clear()
    meta = canvas.metadata(canvas.PHASE, make_scan())
    look = canvas.placing(viewer, meta, 2)
    board.image = viewer.add_image(pixels((60, 100)), metadata=meta, **look)
    tools = [board.begin(cls) for cls in TOOLS]
    before = [tool.of(board.image) for tool in tools]
    unknown = canvas.metadata(canvas.PHASE, make_scan(known=False))
    for thing, unit in ((unknown, "pixel"), (None, "nm")):
        if thing is not None:
            placed = canvas.placing(viewer, thing, 2)
            viewer.add_image(pixels((60, 100)), metadata=thing, **placed)
        else:
            viewer.layers.pop()
        canvas.place(viewer)
        assert {str(layer.units[0]) for layer in viewer.layers} == {str(viewer.layers[0].units[0])}
        assert board.image.units[0] == viewer.layers[0].units[0]
        assert viewer.layers.units is not None
        assert str(board.image.units[0]) == {"nm": "nanometer"}.get(unit, unit)
        for tool, was in zip(tools, before, strict=True):
            np.testing.assert_allclose(_flat(tool.of(board.image)), _flat(was), atol=1e-3)


def _flat(what):
    if isinstance(what[0], slice):
        return [(one.start, one.stop) for one in what]
    return what


def test_lines_are_as_thick_on_the_screen_at_any_zoom(board):
    tool, camera = board.begin(LineTool), board.viewer.scene.camera
    for zoom in (1.0, 7.0):
        camera.zoom = zoom
        assert tool.layer.edge_width[0] * 2 * zoom == pytest.approx(LINE_PX)
