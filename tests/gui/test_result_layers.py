"""The layers of a reconstruction: positions and their colour, an object that grows, two scans."""

from dataclasses import replace

import numpy as np

from napari_ptycho.gui import canvas, result_layers, spots
from napari_ptycho.gui.views import picture
from napari_ptycho.prepare import first_guess

from .conftest import FRAME, SHORT, make_scan


def test_the_colour_follows_the_choice(docks):
    docks.show()
    docks.run_stages(SHORT)
    layer, box = docks.viewer.layers["weave · positions"], docks.reconstruct.box
    shift = layer.face_color.copy()
    box.colour.setCurrentText("error")
    assert "of the counts" in box.legend.text()
    assert not np.allclose(layer.face_color, shift)
    order = np.argsort(np.asarray(layer.features["error"]))
    assert layer.face_color[order[-1], 1] > layer.face_color[order[0], 1]  # viridis: more green
    box.colour.setCurrentText("flux")  # not estimated in this run
    assert "no flux is known" in box.legend.text()
    box.colour.setCurrentText("shift")
    np.testing.assert_allclose(layer.face_color, shift)


def test_layers_follow_an_object_that_grows(docks):
    start = first_guess(make_scan())
    docks.show()
    layers = docks.reconstruct.layers
    layers.begin(picture(start))
    grown = replace(
        start,
        object=np.pad(start.object, 7, constant_values=1),
        positions_px=start.positions_px + 7.5,
        extras={"position_moves_px": np.full(start.positions_px.shape, 0.5)},
    )
    layers.show(picture(grown))
    phase, probe = docks.viewer.layers["weave · phase"], docks.viewer.layers["weave · probe"]
    assert phase.data.shape == grown.object.shape
    np.testing.assert_allclose(
        phase.extent.world.mean(axis=0), probe.extent.world.mean(axis=0), atol=phase.scale[0]
    )
    np.testing.assert_allclose(
        docks.viewer.layers["positions"].data, start.positions_px + 7 + FRAME / 2
    )
    np.testing.assert_allclose(
        docks.viewer.layers["weave · positions"].data, grown.positions_px + FRAME / 2
    )


def test_points_wait_for_a_second_but_the_last_ones_come(docks, monkeypatch):
    painted = []
    monkeypatch.setattr(result_layers, "paint", lambda *_: painted.append(1))
    monkeypatch.setattr(result_layers, "POINTS_S", 1000.0)
    start = first_guess(make_scan())
    layers = docks.reconstruct.layers
    layers.begin(picture(start))
    for _ in range(5):
        layers.show(picture(start))
    assert len(painted) == 1
    layers.show(picture(start), last=True)
    assert len(painted) == 2


def test_of_many_positions_every_kth_is_drawn(monkeypatch):
    monkeypatch.setattr(spots, "MOST", 10)
    start = first_guess(make_scan())
    start = replace(start, extras={"frame_errors": np.arange(36.0)})
    shown = spots.spots(start)
    assert list(shown.features["pattern"]) == list(range(0, 36, 4))
    assert list(shown.features["error"]) == list(range(0, 36, 4))
    assert "every 4th pattern" in shown.legend("error", start)
    assert spots.spots(replace(start, extras={})).legend("shift", start) == ""


def test_a_new_run_hides_the_layers_of_another_scan(docks):
    docks.reconstruct.layers.begin(picture(first_guess(make_scan(name="first"))))
    docks.reconstruct.layers.begin(picture(first_guess(make_scan(name="second"))))
    visible = [layer.name for layer in docks.viewer.layers if layer.visible]
    assert visible == [f"second · {w}" for w in ("phase", "amplitude", "probe", "positions")]
    docks.reconstruct.layers.begin(picture(first_guess(make_scan(rows=4, name="first"))))
    assert len(docks.viewer.layers["first · positions"].data) == 24
    assert len(canvas.find(docks.viewer.layers, (canvas.REFINED,))) == 2
