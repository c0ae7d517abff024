"""The names of layers on the canvas fit into their cells; what they have in common is left out."""

import numpy as np
import pytest

from napari_ptycho.gui.names import LARGEST_PT, LEAST_PT, name_on_top, short
from napari_ptycho.gui.tools import tools_of


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("STAR · phase", "STAR · phase · DIP it 9"), ["phase", "DIP it 9"]),
        (("STAR · phase", "STEM · phase"), ["STAR · phase", "STEM · phase"]),
        (("STAR · phase",), ["STAR · phase"]),
        (("noisy", "noisy"), ["noisy", "noisy"]),
        ((), []),
    ],
)
def test_a_common_beginning_is_left_out(names, shown):
    assert short(names) == shown


def test_names_follow_the_grid_the_window_and_what_shows(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 700)
    owned = tools_of(viewer)
    qtbot.wait(100)
    layers = [viewer.add_image(np.eye(8), name=f"{'long ' * 11}{i}") for i in range(3)]
    own = viewer.add_image(np.eye(8), name="of the user " * 9)
    own.name_overlay.font_size = 30
    for layer in layers:
        name_on_top(layer)

    def size():
        qtbot.wait(120)
        assert len({layer.name_overlay.font_size for layer in layers}) == 1
        return layers[0].name_overlay.font_size

    own.visible = False
    alone = size()
    viewer.canvas.grid.enabled = True
    in_grid = size()
    assert LEAST_PT <= in_grid < alone <= LARGEST_PT
    layers[1].visible = layers[2].visible = False
    assert size() == alone
    viewer.canvas.grid.enabled = False
    viewer.window.resize(500, 700)
    assert size() < alone
    for i, layer in enumerate(layers):
        layer.name = f"{i}"
    assert size() == LARGEST_PT
    assert own.name_overlay.font_size == 30
    assert owned.names is not None
