"""Layers in a real viewer: units, places, contrast, scale bar."""

from dataclasses import replace

import numpy as np

from napari_ptycho.gui import canvas
from napari_ptycho.gui.views import picture
from napari_ptycho.model import Reconstruction
from napari_ptycho.prepare import first_guess

from .conftest import Docks, make_scan

NM = "nanometer"


def test_all_layers_are_in_nanometres_and_napari_does_not_complain(docks, notifications, qtbot):
    docks.show()
    docks.run()
    qtbot.waitUntil(lambda: docks.viewer.layers.extent.units is not None)
    docks.viewer.screenshot(flash=False)
    assert {str(layer.units[-1]) for layer in docks.viewer.layers} == {NM}
    pixel = docks.session.scan.pixel_size_m[0] * 1e9
    np.testing.assert_allclose(docks.viewer.layers["weave · phase"].scale, (pixel, pixel))
    assert notifications() == []


def test_without_a_pixel_size_all_layers_are_in_pixels(docks, notifications):
    docks.show(known=False)
    docks.run()
    docks.viewer.screenshot(flash=False)
    assert {str(layer.units[-1]) for layer in docks.viewer.layers} == {"pixel"}
    assert notifications() == []


def test_a_foreign_layer_in_pixels_moves_all_to_pixels_and_says_so(docks, notifications):
    docks.show()
    docks.viewer.add_image(np.zeros((8, 8)), name="photo")
    ours = "All layers are drawn in pixels: layer 'photo' has no length unit."
    assert notifications().count(ours) == 1
    assert {str(layer.units[-1]) for layer in docks.viewer.layers} == {"pixel"}
    docks.viewer.layers.remove("photo")
    assert {str(layer.units[-1]) for layer in docks.viewer.layers} == {NM}


def test_the_scale_bar_hides_while_a_detector_layer_shows(docks):
    bar = docks.viewer.canvas.overlays.scale_bar
    docks.show()
    assert not bar.visible
    for name in ("patterns", "mean pattern"):
        docks.viewer.layers[name].visible = False
    assert bar.visible


def test_eyes_can_be_opened_and_closed_in_a_shown_grid(qtbot, make_napari_viewer):
    docks = Docks(qtbot, make_napari_viewer(show=True))
    docks.show()
    docks.reconstruct.layers.begin(picture(first_guess(make_scan())))
    bar = docks.viewer.canvas.overlays.scale_bar
    for name in ("patterns", "weave · phase", "mean pattern"):
        for shown in (True, False, True, False):
            docks.viewer.layers[name].visible = shown
            assert bar.visible == (not shown or name == "weave · phase")
            docks.viewer.screenshot(flash=False)
    docks.show(rows=4)
    docks.viewer.screenshot(flash=False)
    assert not bar.visible


def test_probe_modes_lie_beside_each_other_and_the_name_tells_their_power(docks):
    docks.show()
    docks.stages.form.fields["modes"].setValue(3)
    docks.run(1)
    layer = docks.viewer.layers[5]
    assert layer.data.shape == (66, 66)
    shares = layer.name.removeprefix("weave · probe (").removesuffix(" %)").split(" | ")
    assert 98 <= sum(map(int, shares)) <= 102
    assert int(shares[0]) > int(shares[1])


def test_layers_hold_what_they_show(docks):
    docks.show()
    docks.run(1)
    held = {layer.name: canvas.held_by(layer) for layer in docks.viewer.layers}
    assert held["patterns"] is docks.session.scan
    assert held["weave · phase"] is docks.session.reconstruction
    assert isinstance(held["weave · probe"], Reconstruction)


def test_contrast_moves_with_the_image_until_the_user_sets_it(docks):
    start = first_guess(make_scan())
    layers = docks.reconstruct.layers

    def shown(strength):
        rows = np.indices(start.object.shape)[0]
        image = np.exp(1j * strength * np.sin(rows / 3))
        return picture(replace(start, object=image))

    layers.begin(picture(start))  # flat
    phase = docks.viewer.layers["weave · phase"]
    layers.show(shown(0.5))
    first = tuple(phase.contrast_limits)
    assert 0.5 < first[1] - first[0] < 1.2
    layers.show(shown(0.52))  # hardly another: the picture must not flicker
    assert tuple(phase.contrast_limits) == first
    layers.show(shown(1.2))
    assert phase.contrast_limits[1] > 1.5 * first[1]
    phase.contrast_limits = (-1.5, 1.5)
    layers.show(shown(0.3))
    assert tuple(phase.contrast_limits) == (-1.5, 1.5)


def test_the_phase_is_shown_without_ramp_and_offset(docks):
    start = first_guess(make_scan())
    rows, columns = np.indices(start.object.shape)
    ramp = np.exp(1j * (0.05 * rows - 0.03 * columns + 1))
    docks.reconstruct.layers.begin(picture(replace(start, object=ramp)))
    assert np.abs(docks.viewer.layers["weave · phase"].data).max() < 1e-3
