"""What a window that died has left: offers to go on, and runs that end as if nothing had been."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import recipes
from napari_ptycho.denoise import DenoiseOptions
from napari_ptycho.engines import MpieOptions, RpieOptions, reconstruct
from napari_ptycho.errors import FileError
from napari_ptycho.gui import (
    denoise_jobs,
    loading,
    network_jobs,
    offer_denoise,
    offer_kept,
    offer_network,
)
from napari_ptycho.gui.app import open_dock
from napari_ptycho.gui.network_data import ShareOptions
from napari_ptycho.gui.network_data import Source as Data
from napari_ptycho.gui.network_jobs import ObjectRequest, TrainRequest
from napari_ptycho.gui.network_named import Named
from napari_ptycho.gui.session import Session
from napari_ptycho.io import autosave
from napari_ptycho.io.autosave import read_checkpoint
from napari_ptycho.networks import FinetuneOptions, SimulationOptions, TrainOptions
from napari_ptycho.prepare import first_guess
from napari_ptycho.recipes.recipe import BinningOptions, Recipe, Source

from .conftest import FRAME, Docks

CHAIN = (MpieOptions(epochs=2), RpieOptions(epochs=98))
PATIENCE_S = 120
RUN = """
    import sys, time
    from napari_ptycho import recipes
    from napari_ptycho.gui import offer_kept, recipe_filling, recipe_run, worker
    from napari_ptycho.gui.start_box import Start
    from pathlib import Path

    offer_kept.EVERY_S = 0
    recipe = recipes.read(sys.argv[1])
    scan = recipe_filling.open_recipe(recipe).scans[0].scan
    kept = offer_kept.Kept.new(
        "reconstruction of weave", recipe, tells=True, device="cpu"
    )
    run = recipe_run.Run(scan, recipe.stages, Start(), "cpu", "", kept)
    with worker.computing():
        for update in recipe_run.make_job(run):
            if update.done >= 3:
                time.sleep(600)
"""


@pytest.fixture
def recipe(scan_file):
    return Recipe("weave", Source(str(scan_file)), BinningOptions("1x2"), stages=CHAIN)


@pytest.fixture
def left(recipe, tmp_path, autosaves_folder):
    """The checkpoint that a process has left which was killed in its second stage."""
    path = tmp_path / "run.toml"
    recipes.write(recipe, path)
    words = [sys.executable, "-c", textwrap.dedent(RUN), str(path)]
    with subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            return _reached(autosaves_folder, process, 3)
        finally:
            process.send_signal(signal.SIGKILL)


def _reached(folder, process, epochs):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        for path in folder.glob("*.autosave"):
            try:
                if read_checkpoint(path, arrays=False).done >= epochs:
                    return path
            except FileError:
                pass  # being replaced
        time.sleep(0.05)
    raise AssertionError("the run wrote no checkpoint")


def rows_of(qtbot, dock):
    """The rows of offers, once the dock has looked for them."""
    qtbot.waitUntil(lambda: not dock.offers.runner.running, timeout=60_000)
    return list(dock.offers.rows.values())


def test_a_killed_reconstruction_goes_on_to_the_same_end(left, recipe, qtbot, make_napari_viewer):
    docks = Docks(qtbot, make_napari_viewer())
    dock = docks.reconstruct
    (row,) = rows_of(qtbot, dock)
    done = read_checkpoint(left).done
    assert 3 <= done < 100
    offered = f"An interrupted reconstruction of weave: {done:.0f} of 100 epochs"
    assert offered in row.note.text()
    row.go_button.click()
    qtbot.waitUntil(lambda: dock.runner.running, timeout=60_000)
    assert not dock.offers.rows
    with qtbot.waitSignal(dock.runner.finished, timeout=120_000):
        pass
    reached = docks.session.reconstruction
    assert len(docks.session.scan) == 18
    assert docks.stages.stages() == CHAIN
    *_, whole = reconstruct(docks.session.scan, CHAIN, device="cpu")
    assert len(reached.errors) == 100
    np.testing.assert_allclose(reached.errors, whole.result.errors, rtol=1e-6)
    np.testing.assert_allclose(reached.object, whole.result.object, atol=1e-5)
    assert recipes.of(reached).stages == CHAIN
    assert not left.exists()  # the result is in the session


def test_an_offer_is_forgotten(left, qtbot, make_napari_viewer):
    docks = Docks(qtbot, make_napari_viewer())
    (row,) = rows_of(qtbot, docks.reconstruct)
    assert "cannot be undone" in row.forget_button.toolTip()
    row.forget_button.click()
    assert not left.exists()
    assert docks.reconstruct.offers.isHidden()


def test_a_checkpoint_is_taken_over_once(left):
    kept = offer_kept.Kept.of(left, {"title": "mine"})
    assert kept.left().done >= 3
    with pytest.raises(FileError, match="another window goes on with this run"):
        offer_kept.Kept.of(left, {}).left()


def test_a_run_that_ends_or_is_stopped_leaves_nothing(
    docks, qtbot, scan_file, monkeypatch, autosaves_folder
):
    monkeypatch.setattr(offer_kept, "EVERY_S", 0)
    docks.open(scan_file)
    docks.begin()
    qtbot.waitUntil(lambda: any(autosaves_folder.iterdir()), timeout=60_000)
    (path,) = autosaves_folder.glob("*.autosave")
    about = read_checkpoint(path, arrays=False).about
    assert about["title"] == "reconstruction of weave"
    assert recipes.loads(about["recipe"], "it").scan == Source(str(scan_file))
    docks.stop()
    assert not any(autosaves_folder.iterdir())
    docks.run(2)
    assert not any(autosaves_folder.iterdir())


def test_a_run_that_ends_with_the_window_can_be_gone_on_with(
    docks, qtbot, scan_file, monkeypatch, autosaves_folder
):
    from qtpy.QtWidgets import QMessageBox

    monkeypatch.setattr(offer_kept, "EVERY_S", 0)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Discard)
    docks.open(scan_file)
    docks.begin()
    qtbot.waitUntil(lambda: any(autosaves_folder.iterdir()), timeout=60_000)
    with qtbot.waitSignal(docks.reconstruct.runner.finished, timeout=60_000):
        assert docks.reconstruct.guard.may_close()
    assert any(autosaves_folder.iterdir())


class DiedError(Exception):
    """Stands for a kill between two checkpoints."""


def die(job, kept, done, monkeypatch):
    """Drive a job until its first checkpoint that is so far; its process is dead then."""
    save = kept.save

    def dying(checkpoint):
        save(checkpoint)
        if checkpoint.done >= done:
            raise DiedError

    kept.save = dying
    with pytest.raises(DiedError):
        deque(job, maxlen=0)
    for module in (autosave, offer_kept):
        monkeypatch.setattr(module, "alive", lambda _: False)


def go_on(qtbot, viewer, name):
    """Take the one offer of a dock, and wait for the end of its run; return the dock."""
    dock = open_dock(viewer, name)
    (row,) = rows_of(qtbot, dock)
    with qtbot.waitSignal(dock.runner.finished, timeout=120_000):
        row.go_button.click()
    assert not dock.offers.rows
    return dock


@pytest.mark.parametrize("automatic", [True, False])
def test_a_denoising_goes_on_to_the_same_end(
    automatic, scan_file, qtbot, make_napari_viewer, monkeypatch, autosaves_folder
):
    monkeypatch.setattr(offer_kept, "EVERY_S", 0)
    options = DenoiseOptions(architecture="arch1-bilinear", iterations=12, history_every=4)
    view, _ = loading.open_paths([scan_file])
    session = Session()
    session.show_scan(view, view)
    *_, made = reconstruct(view.scan, CHAIN[0], device="cpu")
    image = np.abs(made.result.object)
    request = denoise_jobs.Request("weave", image, None, "image", options, "cpu", image + 1)
    if automatic:
        request = replace(
            request, reconstruction=made.result, channel="amplitude", scan=view.scan, reference=None
        )
    *_, whole = denoise_jobs.make_job(request)
    kept = offer_denoise.kept_denoising(request, session)
    die(denoise_jobs.make_job(replace(request, kept=kept)), kept, 5, monkeypatch)

    docks = Docks(qtbot, make_napari_viewer())
    dock = go_on(qtbot, docks.viewer, "Denoise")
    assert (docks.session.scan is not None) is automatic
    reached, expected = dock.view.denoised, whole.result.denoised
    np.testing.assert_allclose(reached.image, expected.image, rtol=1e-5, atol=1e-6)
    assert reached.curves.keys() == expected.curves.keys()
    assert len(docks.viewer.layers) > 1
    assert not any(autosaves_folder.iterdir())


def test_a_training_goes_on_to_the_same_end(
    qtbot, make_napari_viewer, monkeypatch, autosaves_folder
):
    monkeypatch.setattr(offer_kept, "EVERY_S", 0)
    simulation = SimulationOptions(patterns=60, size=32)
    source = Data("simulated patterns", ShareOptions(), simulation=simulation)
    request = TrainRequest(source, replace(TrainOptions.of("ptynet-s"), epochs=3, batch=16), "cpu")
    *_, whole = network_jobs.train_job(request)
    kept = offer_network.kept_network(request, Session())
    die(network_jobs.train_job(replace(request, kept=kept)), kept, 1, monkeypatch)

    dock = go_on(qtbot, make_napari_viewer(), "Network")
    assert dock.form.task == "Train"
    reached, expected = dock.trained.trained, whole.result.trained
    assert reached.scores == pytest.approx(expected.scores, rel=1e-5)
    for name, weights in expected.network.weights.items():
        np.testing.assert_allclose(reached.network.weights[name], weights, atol=1e-5)
    assert not any(autosaves_folder.iterdir())


def test_a_fine_tuning_goes_on_to_the_same_end(
    scan_file, qtbot, make_napari_viewer, monkeypatch, autosaves_folder
):
    monkeypatch.setattr(offer_kept, "EVERY_S", 0)
    view, _ = loading.open_paths([scan_file])
    session = Session()
    session.show_scan(view, view)
    probe = first_guess(view.scan).probe
    options = FinetuneOptions(epochs=4)
    request = ObjectRequest(view.scan, Named("mine", untaught(FRAME)), options, probe, "cpu")
    *_, whole = network_jobs.object_job(request)
    kept = offer_network.kept_network(request, session)
    die(network_jobs.object_job(replace(request, kept=kept)), kept, 2, monkeypatch)
    assert len(list(autosaves_folder.iterdir())) == 3  # with the network and the probe

    docks = Docks(qtbot, make_napari_viewer())
    dock = go_on(qtbot, docks.viewer, "Network")
    assert dock.form.task == "Fine-tune"
    expected = whole.result.reconstruction
    np.testing.assert_allclose(dock.object.reconstruction.object, expected.object, atol=1e-4)
    assert dock.object.result.epoch == whole.result.result.epoch
    assert not any(autosaves_folder.iterdir())


def untaught(size):
    """A network that nobody has taught."""
    from napari_ptycho.networks.network import Network, Preparation
    from napari_ptycho.networks.table import build

    state = build("ptynet-s", seed=2).state_dict()
    weights = {key: value.numpy() for key, value in state.items()}
    return Network("ptynet-s", weights, Preparation("standardised", (size, size)), "mine")
