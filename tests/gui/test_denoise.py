"""The Denoise dock on plain images: real napari, real networks, small and few iterations."""

from threading import Event

import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_ptycho import io
from napari_ptycho.denoise import ARCHITECTURES, DenoiseOptions
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas
from napari_ptycho.phantoms import noisy


@pytest.fixture
def images(denoising):
    """A noisy image and the clean one, as layers; the noisy one is chosen."""
    with_noise, clean = noisy("star", 32)
    layer = denoising.viewer.add_image(
        with_noise, name="star", scale=(2, 2), translate=(5, 0), colormap="viridis"
    )
    denoising.viewer.add_image(clean, name="clean", scale=(2, 2))
    denoising.form.layer.choose(layer)
    return denoising


def test_a_run_shows_layer_curves_and_history(images):
    images.run(30)
    view, box = images.dock.view, images.dock.box
    layer = images.viewer.layers[-1]
    assert layer.name == f"star · DIP arch1-bilinear it {view.denoised.iteration}"
    np.testing.assert_allclose(layer.data, view.denoised.image)
    assert view.denoised.done == 30
    assert set(view.denoised.curves) >= {"loss", "fidelity_db", "held_out_db"}
    x, y = box.plot.curves["loss"].getOriginalDataset()
    assert list(x) == list(range(1, 31))
    assert np.isfinite(y).all()
    assert box.plot.best.isVisible()
    assert box.plot.best.value() == view.denoised.iteration
    assert box.plot.noise.value() == pytest.approx(view.denoised.noise_db)
    assert "fidelity to input" in box.plot.legend.text()
    assert "6 outputs" in box.history.memory.text()
    assert "grid" in box.grid.text()
    assert images.notifications() == []


def test_the_layer_lies_over_its_source_and_shares_its_contrast(images):
    images.run(2)
    source, layer = images.viewer.layers["star"], images.viewer.layers[-1]
    np.testing.assert_allclose(layer.scale, source.scale)
    np.testing.assert_allclose(layer.translate, source.translate)
    assert layer.units == source.units
    assert layer.colormap.name == "viridis"
    np.testing.assert_allclose(layer.contrast_limits, source.contrast_limits)
    source.contrast_limits = (0.1, 0.7)
    np.testing.assert_allclose(layer.contrast_limits, (0.1, 0.7))


def test_stop_keeps_and_continue_goes_on_counting(images):
    images.begin(100_000)
    assert "/ 100000" in images.dock.box.status.text()
    images.stop()
    before = images.dock.view.denoised.done
    assert images.dock.box.continue_button.isEnabled()
    images.field("iterations").setValue(7)
    images.click(images.dock.box.continue_button)
    result = images.dock.view.denoised
    assert result.done == before + 7
    assert len(result.curves["loss"]) == before + 7
    assert images.rows() == 1  # of the run that went on
    assert images.names()[2:] == [f"star · DIP arch1-bilinear it {result.iteration}"]


def test_discard_removes_layers_and_result(images):
    images.run(3)
    assert len(images.names()) == 3
    images.dock.box.discard_button.click()
    assert images.names() == ["star", "clean"]
    assert images.dock.view is None
    assert images.dock.runner.last is None
    assert not images.dock.box.discard_button.isEnabled()
    assert images.rows() == 0
    images.begin(100_000)
    images.click(images.dock.box.discard_button)  # in a run
    assert images.names() == ["star", "clean"]
    assert images.dock.view is None


def test_the_history_shows_past_outputs_and_moves_the_cursor(images):
    images.run(20)
    box, view = images.dock.box, images.dock.view
    layer = images.viewer.layers[-1]
    box.history.slider.setValue(1)
    box.history.slider.setValue(0)
    assert layer.name == "star · DIP arch1-bilinear it 5"
    np.testing.assert_allclose(layer.data, view.denoised.at(5))
    assert [line.value() for line in box.plot.cursors] == [5, 5]
    assert box.plot.cursors[0].isVisible()
    box.history.best_button.click()
    assert layer.name == f"star · DIP arch1-bilinear it {view.denoised.iteration}"
    np.testing.assert_allclose(layer.data, view.denoised.image)
    assert not box.plot.cursors[0].isVisible()


def test_a_past_output_stays_in_view_while_the_run_goes_on(images):
    images.begin(100_000)
    history = images.dock.box.history
    images.qtbot.waitUntil(lambda: len(images.dock.view.denoised.past) > 2, timeout=30_000)
    history.slider.setValue(1)
    history.slider.setValue(0)
    name = images.viewer.layers[-1].name
    with images.qtbot.waitSignals([images.dock.runner.updated] * 2, timeout=60_000):
        pass
    assert images.viewer.layers[-1].name == name
    assert history.slider.value() == 0
    history.best_button.click()
    assert images.viewer.layers[-1].name != name
    images.stop()


@pytest.mark.parametrize("name", [*ARCHITECTURES][1:])
def test_an_architecture_brings_its_recipe(images, name):
    images.field("architecture").setCurrentText("skip")
    images.field("rate").setValue(0.5)
    images.field("architecture").setCurrentText(name)
    assert images.form.options() == DenoiseOptions.of(name)
    images.field("iterations").setValue(12)
    assert images.form.options() == DenoiseOptions.of(name, iterations=12)
    images.field("architecture").setCurrentText("skip")
    assert images.form.options() == DenoiseOptions()


def test_a_reference_gives_a_psnr(images):
    images.form.reference.choose(images.viewer.layers["clean"])
    images.run(10)
    assert len(images.dock.view.denoised.curves["psnr_db"]) == 10
    assert "PSNR" in images.dock.box.plot.legend.text()
    assert images.cell("PSNR")


def test_a_reference_of_another_shape_is_a_sentence(images):
    small = images.viewer.add_image(np.zeros((8, 9)), name="small")
    images.form.reference.choose(small)
    assert "8 x 9 pixels but the layer has 32 x 32" in images.form.note.text()
    small.data = np.random.default_rng(0).normal(size=(8, 9))
    images.run(3)
    assert len(images.notifications()) == 1
    assert "reference" in images.notifications()[0]
    assert images.dock.view is None
    assert images.dock.box.start_button.isEnabled()


def test_a_chosen_second_copy_tells_when_to_stop(images):
    second = images.viewer.add_image(noisy("star", 32, seed=1)[0], name="second")
    images.form.second.choose(second)
    assert "independent second image" in images.form.note.text()
    images.run(5)
    assert images.dock.view.denoised.rule == "second-copy"


def test_an_image_without_contrast_is_one_sentence(images):
    images.viewer.layers["star"].data = np.zeros((32, 32))
    images.run(3)
    assert len(images.notifications()) == 1
    assert "nothing to denoise" in images.notifications()[0]
    assert images.names() == ["star", "clean"]


def test_a_classical_method_can_be_left(images, monkeypatch):
    free = Event()

    def slow(*how, **more):
        free.wait(30)
        raise OptionsError("nobody hears this")

    monkeypatch.setattr("napari_ptycho.gui.denoise_jobs.classical", slow)
    images.form.method.setCurrentText("Total variation")
    images.dock.box.start_button.click()
    assert images.dock.box.stop_button.isEnabled()
    images.click(images.dock.box.stop_button)
    assert not images.dock.runner.running
    assert images.dock.box.start_button.isEnabled()
    free.set()
    images.qtbot.wait(100)
    assert images.notifications() == []
    assert images.rows() == 0


@pytest.mark.parametrize("method", ["Total variation", "Non-local means", "Wavelet"])
def test_classical_methods_fill_the_table(images, method):
    images.form.reference.choose(images.viewer.layers["clean"])
    images.form.method.setCurrentText(method)
    images.click(images.dock.box.start_button)
    assert images.rows() == 1
    assert images.cell("method") == method.lower()
    assert float(images.cell("PSNR")) > 16.5  # of the noisy image
    assert images.cell("it") == ""
    assert len(images.names()) == 3
    assert not images.dock.box.continue_button.isEnabled()
    assert images.notifications() == []


def test_methods_are_compared_per_layer_and_each_has_its_layer(images):
    images.run(3)
    images.form.method.setCurrentText("Wavelet")
    images.click(images.dock.box.start_button)
    assert images.rows() == 2
    assert len(images.names()) == 4
    images.form.layer.choose(images.viewer.layers["clean"])
    assert images.rows() == 0
    images.form.layer.choose(images.viewer.layers["star"])
    images.dock.table.clear_button.click()
    assert images.rows() == 0


@pytest.mark.parametrize("which", ["star", "all"])
def test_deleting_layers_in_a_run(images, which):
    images.begin(100_000)
    if which == "star":
        images.viewer.layers.remove(which)
    else:
        images.viewer.layers.clear()
    with images.qtbot.waitSignals([images.dock.runner.updated] * 2, timeout=60_000):
        pass
    images.stop()
    assert images.names() == (["clean", images.names()[-1]] if which == "star" else [])
    assert images.notifications() == []


def test_an_ensemble_has_a_spread(images):
    images.field("ensemble").setValue(2)
    images.run(4)
    view = images.dock.view
    spread = images.viewer.layers[-1]
    assert "spread" in spread.name
    np.testing.assert_allclose(spread.data, view.denoised.spread, rtol=1e-6)
    assert "×2" in images.cell("method")
    images.dock.box.discard_button.click()
    assert images.names() == ["star", "clean"]


def test_a_plain_image_is_saved_with_its_settings(images, tmp_path):
    images.run(10)
    path = tmp_path / "star.tif"
    images.save(path)
    np.testing.assert_allclose(io.read_image(path), images.dock.view.denoised.image, rtol=1e-6)
    assert b"arch1-bilinear" in path.read_bytes()


@pytest.mark.parametrize("answer", ["Discard", "Cancel", "Save"])
def test_closing_in_a_run_asks_and_keeps_what_was_reached(images, tmp_path, monkeypatch, answer):
    from qtpy.QtWidgets import QFileDialog

    path = tmp_path / "kept.tif"
    asked = []
    button = getattr(QMessageBox.StandardButton, answer)
    monkeypatch.setattr(QMessageBox, "question", lambda *how: asked.append(how[1]) or button)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    images.begin(100_000)
    assert images.dock.guard.may_close() is (answer != "Cancel")
    assert asked == ["A denoising is running"]
    images.stop()
    assert path.exists() == (answer == "Save")


def test_closing_the_dock_in_a_run_ends_the_thread(images):
    images.begin(100_000)
    runner = images.dock.runner
    task = runner._task
    images.viewer.window.remove_dock_widget(images.dock)
    images.dock.deleteLater()
    images.qtbot.waitUntil(task.ended.is_set, timeout=60_000)
    images.viewer.add_image(np.eye(4))
    images.viewer.theme = "light"
    assert images.notifications() == []


def test_only_planes_can_be_chosen_and_names_are_followed(denoising):
    viewer, choice = denoising.viewer, denoising.form.layer
    assert choice.layer is None
    assert not denoising.dock.box.start_button.isEnabled()
    viewer.add_image(np.zeros((3, 8, 8)), name="stack")
    viewer.add_image(np.zeros((8, 8, 3)), name="colours", rgb=True)
    viewer.add_points(np.zeros((1, 2)))
    assert choice.count() == 0
    first = viewer.add_image(np.eye(8), name="first")
    assert choice.layer is first
    second = viewer.add_image(np.eye(8), name="second")
    assert choice.layer is first
    first.name = "renamed"
    assert choice.currentText() == "renamed"
    viewer.layers.remove(first)
    assert choice.layer is second
    denoising.form.reference.choose(second)
    viewer.layers.remove(second)
    assert denoising.form.reference.word == "none"
    assert denoising.form.channel.currentText() == "image"


@pytest.mark.parametrize("key", ["fibres", "star"])
def test_noisy_phantoms_open_as_plain_images(denoising, key):
    denoising.viewer.open_sample("napari-ptycho", f"{key}-noisy")
    assert denoising.names() == [f"{key} · noisy", f"{key} · clean"]
    assert denoising.form.layer.layer.name == f"{key} · noisy"
    assert canvas.held_by(denoising.viewer.layers[0]) is None


def test_the_dock_fits_into_320_pixels(images):
    images.run(3)
    images.dock.setFixedWidth(320)
    images.dock.show()
    assert images.dock.rows.parentWidget().minimumSizeHint().width() <= 320
    assert images.dock.box.minimumSizeHint().width() <= 320


def test_the_theme_can_change(images):
    images.run(3)
    dark = images.dock.box.plot.background
    images.viewer.theme = "light"
    assert images.dock.box.plot.background != dark
