"""Colours of phases, complex layers, linked contrast and colour bars."""

from dataclasses import replace
from math import pi

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ptycho.gui import canvas
from napari_ptycho.gui.canvas import is_plane
from napari_ptycho.gui.denoise_layers import DenoisedLayers
from napari_ptycho.gui.hues import circle, in_colour
from napari_ptycho.gui.keys import key_of
from napari_ptycho.gui.phase_colours import COLOURS
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.settings import liked
from napari_ptycho.gui.tools import tools_of
from napari_ptycho.gui.views import picture
from napari_ptycho.prepare import first_guess

from .conftest import make_scan
from .test_keys import press


def luminance(colours):
    """Return Y of sRGB colours (..., 3), 0 to 1."""
    shares = np.asarray(colours) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_hues_turn_once_evenly_and_no_phase_is_brighter():
    hues = circle(2)[256:].astype(float)
    steps = np.linalg.norm(np.diff(hues, axis=0, append=hues[:1]), axis=1)
    assert steps.max() < 8  # of 255, from -pi over to pi too
    assert len(np.unique(hues, axis=0)) == 256
    assert np.ptp(luminance(hues)) < 0.12


def test_brightness_is_amplitude():
    phase = np.full((1, 4), 1.0, np.float32)
    amplitude = np.array([[0, 1, 2, 9]], np.float32)
    bright = luminance(in_colour(phase, amplitude, 2))[0]
    assert bright[0] == 0
    assert 0 < bright[1] < bright[2]
    assert bright[3] == bright[2]
    ends = in_colour(np.array([[-pi, pi, pi - 1e-3]]), np.ones((1, 3)), 1).astype(int)
    assert np.abs(ends - ends[:, :1]).max() < 8


class Looking:
    """A viewer with the layers of a reconstruction."""

    def __init__(self, viewer):
        self.viewer = viewer
        self.layers = ReconstructionLayers(viewer)
        start = first_guess(make_scan())
        y, x = np.indices(start.object.shape)
        self.first = replace(start, object=((1 + 0.2 * np.sin(x)) * np.exp(1j * np.sin(y / 5))))
        self.layers.begin(picture(self.first))
        self.looks = tools_of(viewer).looks
        self.phase, self.amplitude = (self.layer(name) for name in ("phase", "amplitude"))
        viewer.layers.selection.clear()

    def layer(self, end):
        return next(one for one in self.viewer.layers if one.name.endswith(f"· {end}"))

    def press(self, name):
        press(self.viewer, key_of(name))


@pytest.fixture
def looking():
    """Without a window."""
    return Looking(ViewerModel())


def test_phases_get_the_next_colours_and_new_ones_the_last(looking):
    before = tuple(looking.phase.contrast_limits)
    seen = []
    for _ in range(3):
        looking.looks.next_colours()
        seen.append(looking.phase.colormap.name)
        if looking.looks.phase_colours() == "cyclic":
            np.testing.assert_allclose(looking.phase.contrast_limits, (-pi, pi))
            colours = looking.phase.colormap.map(np.array([0.0, 1.0]))
            np.testing.assert_allclose(colours[0], colours[1], atol=0.02)
        else:
            np.testing.assert_allclose(looking.phase.contrast_limits, before)
    assert seen == [COLOURS["perceptual"], COLOURS["cyclic"], COLOURS["grey"]]
    assert looking.amplitude.colormap.name == "gray"
    looking.looks.colour_phases("cyclic")
    assert liked().phase_colours == "cyclic"
    other = replace(looking.first, name="other")
    ReconstructionLayers(looking.viewer).begin(picture(other))
    assert looking.layer("phase").colormap.name == COLOURS["cyclic"]
    np.testing.assert_allclose(looking.viewer.layers["other · phase"].contrast_limits, (-pi, pi))


def test_only_the_selected_phase_is_coloured(looking):
    ReconstructionLayers(looking.viewer).begin(picture(replace(looking.first, name="other")))
    looking.viewer.layers.selection = {looking.viewer.layers["other · phase"]}
    looking.looks.next_colours()
    assert looking.viewer.layers["other · phase"].colormap.name == COLOURS["perceptual"]
    assert looking.phase.colormap.name == COLOURS["grey"]


def test_a_complex_layer_follows_a_run(qtbot, make_napari_viewer):
    viewer = make_napari_viewer()
    looking = Looking(viewer)
    looking.press("complex_colours")
    layer = looking.layer("complex")
    assert layer.rgb
    assert not is_plane(layer)  # no FRC of colours
    for name in ("scale", "translate", "units"):
        assert tuple(getattr(layer, name)) == tuple(getattr(looking.phase, name))
    assert str(layer.units[0]) == "nanometer"
    assert canvas.held_by(layer) is looking.first
    was = layer.data
    turned = replace(looking.first, object=np.conj(looking.first.object))
    draws = []
    layer.events.data.connect(lambda event: draws.append(event))
    looking.layers.show(picture(turned), last=True)
    qtbot.waitUntil(lambda: layer.data is not was)
    assert len(draws) == 1  # once for phase and amplitude
    shown = picture(turned)
    expected = in_colour(shown.phase, shown.amplitude, looking.amplitude.contrast_limits[1])
    np.testing.assert_array_equal(layer.data, expected)
    looking.amplitude.contrast_limits = (0, 0.5)
    qtbot.waitUntil(lambda: len(draws) == 2)
    assert luminance(layer.data).mean() > luminance(expected).mean()
    looking.press("complex_colours")
    assert layer not in viewer.layers
    looking.layers.show(picture(looking.first), last=True)
    qtbot.wait(50)
    assert len(draws) == 2


def test_the_probe_in_colour(looking):
    looking.viewer.layers.selection = {looking.layer("probe")}
    looking.looks.complex.toggle()
    layer = looking.layer("probe complex")
    assert layer.data.shape[:2] == looking.layer("probe").data.shape
    np.testing.assert_allclose(layer.translate, looking.layer("probe").translate)
    assert looking.layer("probe").visible
    assert looking.looks.complex.made()
    looking.looks.complex.toggle()
    assert not canvas.find(looking.viewer.layers, (canvas.COMPLEX,))


class Made:
    """What a denoising says of itself."""

    label, reconstruction = "arch1", None


def test_before_and_after_share_their_contrast_until_they_are_unlinked(looking):
    viewer = looking.viewer
    denoised = DenoisedLayers(viewer)
    denoised._source, denoised._request = looking.phase, Made()
    denoised._request.reconstruction = looking.first
    denoised._base = looking.first.name
    after = denoised._add("phase", np.zeros(looking.phase.data.shape), (0, 1))
    from napari_ptycho.gui import origins

    origins.note(after, looking.phase)
    looking.phase.contrast_limits = (-0.5, 0.5)
    assert tuple(after.contrast_limits) == (-0.5, 0.5)
    after.gamma = 0.5
    assert looking.phase.gamma == 0.5
    looking.looks.link(False)
    looking.phase.contrast_limits = (-0.2, 0.2)
    assert tuple(after.contrast_limits) == (-0.5, 0.5)
    looking.looks.link(True)
    assert tuple(after.contrast_limits) == (-0.2, 0.2)
    after.contrast_limits = (-0.1, 0.1)
    assert tuple(looking.phase.contrast_limits) == (-0.1, 0.1)
    looks_kept = liked().link_before_after
    assert looks_kept


def test_our_images_have_colour_bars_until_the_user_wants_none(looking):
    images = [layer for layer in looking.viewer.layers if hasattr(layer, "colorbar")]
    assert {one.name.split("· ")[1] for one in images} >= {"phase", "amplitude", "probe"}
    assert all(layer.colorbar.visible for layer in images)
    assert looking.viewer.canvas.overlays.scale_bar.visible
    looking.looks.show_bars(False)
    assert not any(layer.colorbar.visible for layer in images)
    ReconstructionLayers(looking.viewer).begin(picture(replace(looking.first, name="other")))
    assert not looking.viewer.layers["other · phase"].colorbar.visible
