"""Recipes in the window: what the docks say goes into a file, and the docks are filled again."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import io, jobs, networks, recipes
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions
from napari_ptycho.engines import EpieOptions, RpieOptions, reconstruct
from napari_ptycho.errors import FileError
from napari_ptycho.gui import loading, preparing, recipe_filling
from napari_ptycho.gui.app import found_dock, open_dock
from napari_ptycho.gui.recipe_draft import ASSESS, DENOISE, ENGINES, NETWORK, PARTS, SCAN, draft
from napari_ptycho.gui.recipe_source import IN_MEMORY, PAINTED, TWICE
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.saved_layouts import saved_layout
from napari_ptycho.networks import FinetuneOptions, PredictOptions
from napari_ptycho.prepare import DetectorOptions, Optics
from napari_ptycho.recipes.recipe import (
    AssessOptions,
    DenoiseStep,
    NetworkStep,
    OutputOptions,
    Recipe,
    Source,
    Start,
)

from .conftest import FRAME, Docks
from .test_go_on import untaught
from .test_opening import canvas_of, drop

CHAIN = (EpieOptions(epochs=2, object_step=0.7), RpieOptions(epochs=3, modes=2, batch=9))


def open_and_wait(docks, paths):
    with docks.qtbot.waitSignal(docks.scan.loaded, timeout=120_000):
        docks.scan.open_paths(paths)


def change(docks, act):
    with docks.qtbot.waitSignal(docks.scan.loaded, timeout=120_000):
        act()


@pytest.fixture
def other(qtbot, make_napari_viewer):
    """A second window."""
    docks = Docks(qtbot, make_napari_viewer())
    yield docks
    for owner in (docks.reconstruct.adviser, docks.scan, docks.scan.binning):
        owner.runner.wait(30)


def prepared(docks, scan_file):
    """Do by hand what a recipe tells."""
    docks.open(scan_file)
    change(docks, lambda: docks.scan.form.edited.emit("energy_ev", 9000.0))
    change(docks, lambda: docks.scan.frames.orientation.turn(6))
    cut = DetectorOptions(size=24, hot=50.0)
    docks.scan.frames.detector.form.set_options(cut)
    change(docks, docks.scan.frames.detector.apply_button.click)
    change(docks, lambda: docks.scan.bin((1, 2), "path"))
    docks.reconstruct.show_own(CHAIN)
    docks.reconstruct.start_box.set_guess(Start("optics", Optics(defocus_mm=3.5)))
    denoise = open_dock(docks.viewer, "Denoise").form
    denoise.show_step(DenoiseStep("amplitude", DenoiseOptions(iterations=77, seed=5)))


def test_a_recipe_fills_another_window_with_the_same(docks, other, scan_file, tmp_path):
    prepared(docks, scan_file)
    said = draft(docks.viewer)
    assert said.usual == {SCAN, ENGINES, ASSESS}
    recipe = said.chosen({SCAN, ENGINES, DENOISE, ASSESS}, "weave at 9 keV")
    assert recipe.scan.file == str(scan_file)
    assert recipe.scan.geometry["energy_ev"] == 9000
    assert recipe.scan.layout == Layout(orientation=6)
    assert recipe.scan.detector == DetectorOptions(size=24, hot=50.0)
    assert (recipe.binning.size, recipe.stages) == ("1x2", CHAIN)
    assert recipe.start == Start("optics", Optics(defocus_mm=3.5))
    assert recipe.denoise.channel == "amplitude"
    path = tmp_path / "weave.toml"
    button = docks.reconstruct.recipe_button
    with docks.qtbot.waitSignal(button.told, timeout=60_000):
        button.save(recipe, path)

    open_and_wait(other, [path])
    before, after = docks.session.scan, other.session.scan
    np.testing.assert_array_equal(after.patterns, before.patterns)
    np.testing.assert_array_equal(after.valid, before.valid)
    np.testing.assert_allclose(after.positions_m, before.positions_m)
    assert after.geometry == before.geometry
    assert other.scan.binning.size() == (1, 2)
    assert other.stages.stages() == CHAIN
    assert found_dock(other.viewer, "Denoise").form.step() == recipe.denoise
    again = draft(other.viewer)
    assert again.usual == {SCAN, ENGINES, DENOISE, ASSESS}
    assert again.chosen(again.usual) == recipe == recipes.read(path)


def test_a_network_assessment_and_outputs_come_back(docks, scan_file, tmp_path):
    recipe = Recipe(
        title="by network",
        scan=Source(str(scan_file)),
        network=NetworkStep("w3net", PredictOptions(every=2), FinetuneOptions(epochs=7)),
        stages=CHAIN,
        denoise=DenoiseStep("complex", ClassicalOptions(method="nlm", strength=0.5)),
        assess=AssessOptions(frc=False),
        output=OutputOptions(tiff=True),
    )
    path = tmp_path / "network.toml"
    recipes.write(recipe, path)
    open_and_wait(docks, [path])
    network = found_dock(docks.viewer, "Network").form
    assert network.network.current.key == "w3net"
    assert network.predict.options() == PredictOptions(every=2)
    assert network.tune.options() == FinetuneOptions(epochs=7)
    assert docks.reconstruct.start_box.start().network == recipe.network
    said = draft(docks.viewer)
    assert said.usual == {SCAN, NETWORK, ENGINES, DENOISE}
    assert said.chosen(said.usual) == recipe
    docks.reconstruct.start_box.set_guess(Start("mean pattern"))
    assert draft(docks.viewer).usual == {SCAN, ENGINES, DENOISE}


def test_a_network_predicts_what_the_engines_start_from(docks, qtbot, scan_file, tmp_path):
    file = tmp_path / "mine.safetensors"
    networks.save(untaught(FRAME), file)
    step = NetworkStep(str(file))
    path = tmp_path / "network.toml"
    recipes.write(Recipe(scan=Source(str(scan_file)), network=step, stages=CHAIN), path)
    open_and_wait(docks, [path])
    choice = found_dock(docks.viewer, "Network").form.network
    qtbot.waitUntil(lambda: choice.current.file == str(file), timeout=60_000)
    docks.reconstruct.device.setCurrentText("cpu")
    with qtbot.waitSignal(docks.reconstruct.runner.finished, timeout=120_000):
        docks.reconstruct.box.start_button.click()
    reached, scan = docks.session.reconstruction, docks.session.scan
    *_, predicted = networks.predict(scan, networks.load(file), device="cpu")
    *_, whole = reconstruct(scan, CHAIN, predicted.result.reconstruction, "cpu")
    np.testing.assert_allclose(reached.errors, whole.result.errors, rtol=1e-5)
    *_, flat = reconstruct(scan, CHAIN, None, "cpu")
    assert abs(flat.result.errors[0] / reached.errors[0] - 1) > 1e-3
    assert recipes.of(reached).network == step


def test_a_saved_layout_goes_in_by_its_content(scan_file):
    layout, detector = Layout(orientation=4), DetectorOptions(rebin=2)
    io.save_layout(saved_layout(scan_file, "ours", layout, detector, {"energy_ev": 7000.0}))
    view, _ = loading.open_paths([scan_file])
    assert view.scan.frame_shape == (FRAME // 2, FRAME // 2)
    assert view.told == Source(str(scan_file), "", layout, detector, {"energy_ev": 7000.0})
    io.delete_layout("ours")
    again, _ = loading.open_source(view.told)
    np.testing.assert_array_equal(again.scan.patterns, view.scan.patterns)
    assert again.told == view.told


def test_what_a_recipe_cannot_tell_is_said(docks, scan_file):
    docks.show()
    assert draft(docks.viewer).missing[SCAN] == IN_MEMORY
    docks.open(scan_file)
    assert SCAN not in draft(docks.viewer).missing
    box = docks.scan.frames.detector
    box.form.set_options(DetectorOptions(size=24))
    change(docks, box.apply_button.click)
    box.form.set_options(DetectorOptions(size=16))
    change(docks, box.apply_button.click)
    assert draft(docks.viewer).missing[SCAN] == TWICE
    change(docks, box.back_button.click)
    assert draft(docks.viewer).recipe.scan == Source(str(scan_file))

    bad = np.zeros((FRAME, FRAME), bool)
    bad[3, 4] = True
    painted = preparing.Painted(bad, np.zeros_like(bad))
    view, _ = preparing.cut(docks.session.view, DetectorOptions(), painted)
    assert view.told == PAINTED


def test_a_recipe_is_dropped_on_the_canvas(docks, qtbot, scan_file, tmp_path):
    path = tmp_path / "drop.toml"
    recipes.write(Recipe(scan=Source(str(scan_file)), stages=CHAIN), path)
    qtbot.waitUntil(lambda: docks.scan.window().isWindow())
    docks.scan.drops.watch()
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        drop(canvas_of(docks), [path])
    assert docks.session.scan.name == "weave"
    assert docks.stages.stages() == CHAIN


def test_a_scan_that_is_gone_can_be_chosen(docks, qtbot, scan_file, tmp_path, notifications):
    path = tmp_path / "moved.toml"
    recipes.write(Recipe(title="moved", scan=Source("gone.h5"), stages=CHAIN), path)
    open_and_wait(docks, [path])
    assert docks.session.scan is None
    assert docks.stages.stages() == CHAIN
    sentence = f"{tmp_path / 'gone.h5'} is not there: choose another scan."
    assert notifications() == [sentence]
    assert sentence in docks.scan.status.text()
    assert not docks.scan.other_button.isHidden()
    change(docks, lambda: docks.scan.open_recipe(docks.scan._recipe, scan_file))
    assert docks.session.scan.name == "weave"
    assert docks.scan.other_button.isHidden()
    assert draft(docks.viewer).recipe.scan.file == str(scan_file)


def test_a_result_carries_its_recipe_and_opens_it(docks, other, scan_file, tmp_path):
    docks.open(scan_file)
    docks.run_stages(CHAIN)
    result = tmp_path / "result.h5"
    with docks.qtbot.waitSignal(docks.reconstruct.save_button.saved, timeout=60_000):
        docks.reconstruct.save_button.save(result)
    made = recipes.of(io.read_reconstruction(result))
    assert (made.scan, made.stages) == (Source(str(scan_file)), CHAIN)

    with other.qtbot.waitSignal(other.scan.loaded, timeout=60_000):
        other.scan.open_recipe(result)
    assert other.session.scan.name == "weave"
    assert other.stages.stages() == CHAIN
    scan = tmp_path / "plain.h5"
    io.write_reconstruction(replace(docks.session.reconstruction, provenance={}), scan)
    with pytest.raises(FileError, match="holds no recipe"):
        recipe_filling.open_recipe(scan)


def test_a_continued_run_tells_all_its_stages(docks, qtbot, scan_file):
    docks.open(scan_file)
    docks.run_stages(CHAIN[:1])
    docks.stages.show_stages(CHAIN[1:])
    with qtbot.waitSignal(docks.reconstruct.runner.finished, timeout=60_000):
        docks.reconstruct.box.continue_button.click()
    assert recipes.of(docks.session.reconstruction).stages == CHAIN
    docks.show()  # another scan, from memory: nothing tells of it
    with qtbot.waitSignal(docks.reconstruct.runner.finished, timeout=60_000):
        docks.reconstruct.box.continue_button.click()
    assert recipes.of(docks.session.reconstruction) is None


def test_the_dialog_says_what_goes_in(docks, qtbot, scan_file):
    docks.open(scan_file)
    docks.stages.show_stages(CHAIN)
    button = docks.reconstruct.recipe_button
    button.ask_save()
    dialog = button.dialog
    assert list(dialog.boxes) == list(PARTS)
    assert not dialog.boxes[NETWORK].isEnabled()
    dialog.boxes[ASSESS].setChecked(False)
    dialog.name.setText("mine")
    recipe = dialog.recipe()
    assert (recipe.title, recipe.stages, recipe.network) == ("mine", CHAIN, None)
    assert not recipe.assess.frc
    dialog.reject()


def test_a_run_is_queued_with_its_scan(docks, qtbot, scan_file, monkeypatch):
    queued = []
    monkeypatch.setattr(jobs, "submit", lambda *given: queued.append(given))
    docks.open(scan_file)
    docks.stages.show_stages(CHAIN)
    button = docks.reconstruct.recipe_button
    button.ask_queue()
    dialog = button.dialog
    assert dialog.output.text() == str(scan_file.with_name("weave-result.h5"))
    dialog.where.setEditText("tcp://cluster:8786")
    with qtbot.waitSignal(button.told, timeout=60_000):
        dialog.accept()
    ((task, title, where),) = queued
    assert (task.scan, title, where) == (str(scan_file), "weave", "tcp://cluster:8786")
    assert task.output == str(scan_file.with_name("weave-result.h5"))
    assert recipes.loads(task.recipe, "task").stages == CHAIN
