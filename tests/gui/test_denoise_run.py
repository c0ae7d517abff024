"""The Denoise dock on reconstructions: second copies, halves, what the other docks start from."""

import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas, denoise_jobs
from napari_ptycho.gui.views import picture
from napari_ptycho.job import run_to_end
from napari_ptycho.prepare import first_guess

from .conftest import make_scan


@pytest.fixture(scope="module")
def reconstructed():
    return run_to_end(reconstruct(make_scan(), RpieOptions(epochs=5)))


@pytest.fixture
def weave(denoising, reconstructed):
    """A scan that was reconstructed; its phase is chosen."""
    denoising.docks.show()
    denoising.docks.reconstruct.layers.begin(picture(reconstructed))
    denoising.docks.session.show_reconstruction(reconstructed)
    denoising.form.layer.choose(denoising.viewer.layers["weave · phase"])
    return denoising


def test_a_reconstruction_with_its_scan_has_a_second_copy(weave):
    assert "half reconstruction" in weave.form.note.text()
    weave.run(4)
    view, layer = weave.dock.view, weave.viewer.layers[-1]
    assert view.denoised.rule == "second-copy"
    assert layer.name == f"weave · phase · DIP arch1-bilinear it {view.denoised.iteration}"
    assert layer.data.shape == weave.viewer.layers["weave · phase"].data.shape
    assert layer.metadata[canvas.ROLE] == canvas.DENOISED
    assert canvas.held_by(layer).provenance["denoised"]
    np.testing.assert_allclose(layer.scale, weave.viewer.layers["weave · phase"].scale)
    visible = [one.name for one in weave.viewer.layers if one.visible]
    assert visible == ["weave · phase", layer.name]
    halves = view.halves
    weave.run(2)
    assert weave.dock.view.halves is halves  # they are made once
    assert weave.notifications() == []


def test_other_architectures_make_other_layers_and_a_renamed_one_is_kept(weave):
    weave.form.second.choose("none")
    before = len(weave.names())
    weave.run(2)
    weave.run(3)  # the same again: its layer is taken over
    assert len(weave.names()) == before + 1
    weave.field("architecture").setCurrentText("arch1")
    weave.run(2)
    first, other = weave.viewer.layers[-2:]
    assert [one.name.split(" it ")[0] for one in (first, other)] == [
        "weave · phase · DIP arch1-bilinear",
        "weave · phase · DIP arch1",
    ]
    other.name, kept = "mine", other.data.copy()
    weave.run(3)
    assert len(weave.names()) == before + 3
    np.testing.assert_array_equal(weave.viewer.layers["mine"].data, kept)


def test_without_its_scan_pixels_are_held_out(weave):
    weave.docks.show(rows=4, name="another")
    assert "never saw" in weave.form.note.text()
    assert not weave.form.halves_button.isEnabled()
    weave.run(3)
    assert weave.dock.view.denoised.rule == "holdout"


def test_complex_makes_a_phase_and_an_amplitude(weave):
    weave.form.second.choose("none")
    weave.form.channel.setCurrentText("complex")
    weave.run(3)
    names = weave.names()[-2:]
    assert [name.split(" · ")[1] for name in names] == ["phase", "amplitude"]
    amplitude = weave.viewer.layers["weave · amplitude"]
    amplitude.contrast_limits = (0.5, 0.9)
    np.testing.assert_allclose(weave.viewer.layers[-1].contrast_limits, (0.5, 0.9))


def test_start_from_this_changes_what_the_other_dock_starts_from(weave):
    weave.form.second.choose("none")
    weave.run(6)
    with weave.qtbot.waitSignal(weave.dock.adopter.finished, timeout=60_000):
        weave.dock.box.adopt_button.click()
    started = weave.docks.session.reconstruction
    assert started.provenance["denoised"]
    layer = weave.viewer.layers[-1]
    assert canvas.held_by(layer) is started
    weave.viewer.layers.selection = {layer}
    weave.docks.reconstruct.start_box.choice.setCurrentText("selected layer")
    assert weave.docks.reconstruct.start_box.start().reconstruction is started
    with weave.qtbot.waitSignal(weave.docks.reconstruct.runner.finished, timeout=60_000):
        weave.docks.reconstruct.box.continue_button.click()
    assert len(weave.docks.session.reconstruction.errors) > len(started.errors)
    assert weave.notifications() == []


def test_a_past_output_can_be_the_start(weave):
    weave.form.second.choose("none")
    weave.field("stop").setCurrentText("none")
    weave.run(11)
    weave.dock.box.history.slider.setValue(0)
    with weave.qtbot.waitSignal(weave.dock.adopter.finished, timeout=60_000):
        weave.dock.box.adopt_button.click()
    assert weave.docks.session.reconstruction.provenance["denoised"][0]["iteration"] == 5


def test_a_denoised_reconstruction_is_saved_with_how_it_came_about(weave, tmp_path):
    weave.form.second.choose("none")
    weave.run(6)
    path = tmp_path / "denoised.h5"
    weave.save(path)
    read = io.read_reconstruction(path)
    entry = read.provenance["denoised"][0]
    assert entry["settings"]["architecture"] == "arch1-bilinear"
    assert len(entry["curves"]["loss"]) == 6
    np.testing.assert_allclose(read.object, weave.dock.view.reconstruction.object, rtol=1e-5)


def test_halves_are_layers_and_the_second_copy_of_each_other(weave):
    weave.click(weave.form.halves_button)
    assert weave.names()[-2:] == ["weave · half A · phase", "weave · half B · phase"]
    a, b = weave.viewer.layers[-2:]
    assert not a.visible
    assert not b.visible
    assert "half reconstructions: done" in weave.dock.box.status.text()
    weave.form.layer.choose(a)
    weave.form.second.choose(b)
    weave.run(3)
    assert weave.dock.view.denoised.rule == "second-copy"
    kept = weave.names()
    weave.form.layer.choose(weave.viewer.layers["weave · phase"])
    weave.click(weave.form.halves_button)  # once more: takes nothing away but the halves before
    assert sorted(weave.names()) == sorted(kept)
    weave.form.second.choose(weave.viewer.layers["weave · half B · phase"])
    weave.run(3)
    assert len(weave.notifications()) == 1
    assert "share photons" in weave.notifications()[0]


def test_classical_methods_are_calibrated_by_halves(weave):
    weave.form.method.setCurrentText("Wavelet")
    weave.click(weave.dock.box.start_button)
    assert weave.cell("rule") == "copy"
    assert weave.viewer.layers[-1].name == "weave · phase · wavelet"
    assert weave.notifications() == []


def test_a_layer_is_not_its_own_second_copy():
    start = first_guess(make_scan())
    with pytest.raises(OptionsError, match="the layer itself"):
        denoise_jobs.check_halves(start, start)


def test_a_reference_of_our_own_is_taken_by_channel(denoising):
    first = first_guess(make_scan(name="first"))
    denoising.docks.reconstruct.layers.begin(picture(first))
    for channel in ("phase", "amplitude", "complex"):
        request = denoise_jobs.Request(
            "first", None, first, channel, denoising.form.options(), "cpu", reference=first
        )
        found = denoise_jobs._reference(request)
        assert np.iscomplexobj(found) is (channel == "complex")
        assert found.shape == first.object.shape
