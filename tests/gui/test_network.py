"""The Network dock: train, predict, fine-tune, refine; what it says before, and how it stops."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_ptycho import io, networks
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas
from napari_ptycho.gui.network_about import taught_with
from napari_ptycho.gui.network_choice import SHIPPED_SHAPE
from napari_ptycho.gui.network_data import ShareOptions, Source
from napari_ptycho.gui.network_data_box import FILES, LAYER, OWN, SIMULATED
from napari_ptycho.gui.network_jobs import PREDICT, TRAIN, TUNE
from napari_ptycho.gui.views import picture, view_scan
from napari_ptycho.job import Update, run_to_end
from napari_ptycho.model import Geometry
from napari_ptycho.networks import SimulationOptions, TrainOptions

from .conftest import FRAME, make_scan, suppress_deleted


@pytest.fixture(scope="module")
def reconstructed():
    return run_to_end(reconstruct(make_scan(), RpieOptions(epochs=8)))


@pytest.fixture(scope="module")
def network(reconstructed):
    pairs = networks.pairs_of([(make_scan(), reconstructed)])
    options = TrainOptions(epochs=3, batch=4, warm_up=0)
    return run_to_end(networks.train(pairs, options, device="cpu")).network


class Networking:
    """A real window with the Network dock, as a user drives it."""

    def __init__(self, docks, notifications):
        from napari_ptycho.gui.app import open_dock

        self.docks, self.viewer, self.qtbot = docks, docks.viewer, docks.qtbot
        self.notifications = notifications
        self.dock = open_dock(docks.viewer, "Network")
        self.form, self.box = self.dock.form, self.dock.box
        self.form.device.setCurrentText("cpu")

    def known(self, reconstruction):
        """Open the scan, with what was reconstructed of it."""
        self.docks.show()
        self.docks.reconstruct.layers.begin(picture(reconstruction))
        self.docks.session.show_reconstruction(reconstruction)

    def set(self, **values):
        form = self.form.train.form if self.form.task == TRAIN else self.form.tune
        for name, value in values.items():
            form.fields[name].setValue(value)

    def run(self):
        self.click(self.box.start_button)

    def click(self, button):
        with self.qtbot.waitSignal(self.dock.runner.finished, timeout=120_000):
            button.click()

    def begin(self):
        with self.qtbot.waitSignal(self.dock.runner.updated, timeout=120_000):
            self.box.start_button.click()

    def stop(self):
        self.click(self.box.stop_button)

    def layer(self, role):
        return canvas.find(self.viewer.layers, (role,))[-1]

    def names(self):
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def net(docks, notifications):
    net = Networking(docks, notifications)
    yield net
    form = net.form
    for owner in (
        net.dock,
        net.box.save_button,
        form.network,
        form.network.save_button,
        form.costs,
    ):
        with suppress_deleted():
            owner.runner.stop()
            owner.runner.wait(30)


def test_opening_the_dock_imports_neither_torch_nor_h5py():
    code = (
        "import sys, napari\n"
        "from napari_ptycho.gui.app import open_dock\n"
        "viewer = napari.Viewer(show=False)\n"
        "dock = open_dock(viewer, 'Network')\n"
        "for task in ('Train', 'Fine-tune', 'Predict'): dock.form.open_task(task)\n"
        "dock.form.train.architecture.setCurrentIndex(1)\n"
        "print([name for name in ('torch', 'h5py') if name in sys.modules])\n"
        "viewer.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_pairs_are_read_from_files(reconstructed, tmp_path):
    files = tmp_path / "known.h5", tmp_path / "scan.h5"
    io.write_reconstruction(reconstructed, files[0])
    io.write_scan(make_scan(), files[1])
    pairs = Source("files", ShareOptions(lines=0.5, validation=0.3), files=(files,)).make()
    used = np.concatenate([pairs.training, pairs.validation])
    assert used.max() < 18  # the first three of six lines
    np.testing.assert_array_equal(pairs.sources[0].patterns[:], make_scan().patterns)


def test_simulated_pairs_take_the_size_of_the_probe(reconstructed):
    options = SimulationOptions(patterns=32, size=64)
    pairs = Source("simulated", ShareOptions(), simulation=options, probe=reconstructed).make()
    assert pairs.shape == (FRAME, FRAME)
    power = [np.abs(probe[0]) ** 2 for probe in (pairs.probe, reconstructed.probe)]
    assert np.corrcoef(*map(np.ravel, power))[0, 1] == pytest.approx(1)


def test_what_stands_in_a_file_of_a_network_is_not_trusted(network):
    count = network.about["data"]["patterns"]["training"]
    taught, scores, limits = taught_with(network)
    assert taught == f"Taught with {count} patterns of weave."
    assert "phase correlation" in scores
    assert "rad" in limits
    assert "photons" in limits
    for about in ({}, {"data": "x", "metrics": 3}, {"data": {"names": 1, "phase_rad": [None, 2]}}):
        lines = taught_with(replace(network, about=about))
        assert lines == ["Nothing is known of what it was taught with."]
    assert len(taught_with(replace(network, about={"source": "x" * 10_000}))[0]) < 300


def test_architecture_and_simulation_need_no_scan(net):
    form, page = net.form, net.form.train
    assert form.network.choice.currentText() == "PtyNet-S, shipped"
    assert "Believe it only where" in form.network.about.text()
    assert "No scan is open" in form.note.text()
    assert not net.box.start_button.isEnabled()

    form.open_task(TRAIN)
    assert net.box.start_button.text() == TRAIN
    page.form.fields["epochs"].setValue(7)
    page.architecture.setCurrentIndex(page.architecture.findData("w3net"))
    assert page.options() == TrainOptions.of("w3net")
    assert page.options().loss == "mae"
    assert "(reconstruction) · 103 k parameters" in page.architecture.currentText()
    page.data.choice.setCurrentText(SIMULATED)
    form.costs.may_import = True
    form.costs.ask()
    net.qtbot.waitUntil(lambda: "0.031 GFLOP per pattern" in page.note.text(), timeout=60_000)
    page.data.simulation.fields["size"].setValue(128)
    net.qtbot.waitUntil(lambda: "0.12 GFLOP per pattern" in page.note.text(), timeout=60_000)
    assert net.box.start_button.isEnabled()
    page.data.probe.setCurrentText(OWN)
    assert "No scan is open" in form.note.text()
    net.docks.show()
    assert page.data.shape() == (FRAME, FRAME)
    assert page.data.source().probe is net.docks.session.scan
    assert net.box.start_button.isEnabled()


def test_what_a_network_learns_from(net, reconstructed, tmp_path, monkeypatch):
    form, data = net.form, net.form.train.data
    form.open_task(TRAIN)
    net.docks.show()
    assert "no reconstruction of weave" in form.note.text()
    net.docks.session.show_reconstruction(reconstructed)
    assert "Labels: weave." in data.note.text()
    assert form.note.text() == ""
    guessed = replace(reconstructed, provenance={"scan": "weave", "predicted": {}})
    net.docks.session.show_reconstruction(guessed)
    assert "A network predicted it" in data.note.text()

    data.choice.setCurrentText(LAYER)
    assert "select a layer" in form.note.text()
    net.docks.reconstruct.layers.begin(picture(replace(reconstructed, name="other")))
    net.viewer.layers.selection = {net.viewer.layers["other · amplitude"]}
    assert data.source().labels.name == "other"
    data.choice.setCurrentText("this scan")
    assert data.source().labels.name == "other"  # rather than the predicted one

    data.choice.setCurrentText(FILES)
    chosen = iter([str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), ""])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (next(chosen), ""))
    data.files.add_button.click()
    data.files.add_button.click()  # is cancelled
    assert data.source().files == ((tmp_path / "a.h5", tmp_path / "b.h5"),)
    data.files.remove()
    assert data.source() is None
    assert "Add a reconstruction" in form.note.text()


def test_what_does_not_fit_is_said_before(net, reconstructed, network):
    form = net.form
    net.docks.show()
    height, width = SHIPPED_SHAPE
    assert f"{height} x {width} pixels; weave has {FRAME} x {FRAME}" in form.note.text()
    assert not net.box.start_button.isEnabled()
    form.network.add(network)
    assert form.note.text() == ""
    assert "phase correlation" in form.network.about.text()
    form.open_task(TUNE)
    assert form.note.text() == ""  # the network knows the probe of its training
    form.network.add(replace(network, probe=None))
    assert "Nobody knows the probe" in form.note.text()
    form.probe.setCurrentText("of the reconstruction")
    assert "no reconstruction of weave" in form.note.text()
    net.docks.session.show_reconstruction(reconstructed)
    assert form.object_request().probe is reconstructed.probe
    corners, images = make_scan().in_pixels(), Geometry(propagation="near")
    near = replace(make_scan(), geometry=images, positions_m=None, positions_px=corners)
    net.docks.scan.show_opened((view_scan(near),) * 2)
    assert "near-field" in form.note.text()
    form.open_task(TRAIN)
    form.train.start.setCurrentText("the current network")
    assert form.train.options().architecture == "ptynet-s"
    assert form.train.architecture.isHidden()


def test_training_shows_curves_and_samples_and_keeps_the_best(net, reconstructed, tmp_path):
    net.known(reconstructed)
    net.form.open_task(TRAIN)
    net.set(epochs=4, batch=8)
    net.run()
    view, history = net.dock.trained, net.dock.runner.last.history
    x, y = net.box.plots[TRAIN].curves["validation"].getOriginalDataset()
    assert list(x) == [1, 2, 3, 4]
    np.testing.assert_allclose(y, history["validation"])
    assert not net.box.plots[TRAIN].isHidden()
    assert net.box.plots[TUNE].isHidden()
    assert net.box.plots[TRAIN].bests[0].value() == view.trained.epoch
    level = net.box.plots[TRAIN].constant.value()
    assert 10**level == pytest.approx(view.trained.baseline["validation"])
    assert "phase correlation" in net.box.scores.text()

    layer = net.layer(canvas.SAMPLES)
    truth, made = view.trained.truth[:, 1], view.trained.predicted[:, 1]
    np.testing.assert_array_equal(layer.data[:FRAME, :FRAME], truth[0])
    np.testing.assert_array_equal(layer.data[-FRAME:, -FRAME:], made[-1])
    assert [one.name for one in net.viewer.layers if one.visible] == ["weave · phase", layer.name]
    np.testing.assert_allclose(layer.scale, net.viewer.layers["weave · phase"].scale)

    choice = net.form.network
    assert choice.current.network is view.network
    assert choice.choice.currentText() == "PtyNet-S of weave"
    assert "patterns of weave" in choice.about.text()
    net.click(net.box.continue_button)
    assert len(net.dock.runner.last.history["validation"]) == 8
    assert choice.choice.count() == len(networks.SHIPPED) + 1  # it takes its own place
    assert len(canvas.find(net.viewer.layers, (canvas.SAMPLES,))) == 1

    path = tmp_path / "taught.safetensors"
    with net.qtbot.waitSignal(choice.save_button.saved, timeout=60_000):
        choice.save_button.save(path)
    with net.qtbot.waitSignal(choice.runner.finished, timeout=60_000):
        choice.open_path(path)
    assert choice.choice.currentText() == "PtyNet-S of weave (2)"
    read, kept = choice.current.network, net.dock.trained.network
    for name, value in kept.weights.items():
        np.testing.assert_array_equal(read.weights[name], value)
    assert net.notifications() == []


def test_a_prediction_is_a_reconstruction_that_engines_refine(net, network, reconstructed):
    net.known(reconstructed)
    net.form.network.add(network)
    net.form.patches.setChecked(True)
    net.run()
    assert net.notifications() == []
    found, view = net.docks.session.reconstruction, net.dock.object
    assert found is view.reconstruction
    assert found.name == "weave · predicted"
    phase, spread = net.viewer.layers["weave · predicted · phase"], net.layer(canvas.SPREAD)
    assert canvas.held_by(phase) is found
    np.testing.assert_array_equal(spread.data, view.predicted.spread)
    assert canvas.held_by(net.viewer.layers["weave · phase"]) is reconstructed  # left as it was
    visible = [one.name for one in net.viewer.layers if one.visible]
    assert visible[:2] == [phase.name, "weave · predicted · amplitude"]
    assert "R factor" in net.box.scores.text()
    assert f"{view.predicted.r_factor:.3f}" in net.box.scores.text()
    assert "patterns/s" in net.box.status.text()

    patches = net.layer(canvas.PATCHES)
    assert patches.data.shape == (36, FRAME, FRAME)
    net.viewer.dims.set_current_step(0, 7)
    shot = np.asarray(patches.data[7])
    assert np.isfinite(shot).all()
    assert np.ptp(shot) > 0

    net.box.refine_button.click()
    start = net.docks.reconstruct.start_box
    assert start.choice.currentText() == "prediction: weave"
    np.testing.assert_array_equal(start.start().reconstruction.object, found.object)
    net.docks.run(2)
    refined = net.docks.session.reconstruction
    assert refined.name == "weave · refined"
    assert refined.errors[-1] < refined.errors[0]
    assert canvas.held_by(phase) is found
    start.choice.setCurrentText("automatic")
    assert start.start().reconstruction is None
    net.form.open_task(TRAIN)
    assert net.form.train.data.best() is refined  # rather than what a network predicted
    assert net.notifications() == []


def test_fine_tuning_runs_stops_and_keeps(net, network, reconstructed):
    net.known(reconstructed)
    net.form.network.add(network)
    net.form.open_task(TUNE)
    net.set(epochs=6)
    net.run()
    assert net.notifications() == []
    view, history = net.dock.object, net.dock.runner.last.history
    _, y = net.box.plots[TUNE].curves["r_factor"].getOriginalDataset()
    assert len(y) == len(history["r_factor"]) > 0
    assert not net.box.plots[TUNE].isHidden()
    tuned = net.form.network.current.network
    assert tuned is view.network
    assert tuned is not network
    assert net.docks.session.reconstruction.name == "weave · fine-tuned"
    assert net.box.refine_button.isEnabled()

    net.set(epochs=100_000, patience=0)
    net.begin()
    assert not net.box.start_button.isEnabled()
    net.stop()
    assert "stopped after" in net.box.status.text()
    assert net.form.network.current.network is net.dock.object.network
    assert net.notifications() == []


def test_stopping_and_failing(net, network, reconstructed, monkeypatch):
    from napari_ptycho.networks.result import Trained

    net.known(reconstructed)
    windows = np.zeros((2, 2, FRAME, FRAME), np.float32)
    closed = []

    def slow(pairs, options, start, device, **_):
        try:
            for epoch in range(1, 10_000):
                history = dict.fromkeys(("epoch", "loss", "validation"), (1 / epoch,) * epoch)
                yield Update(epoch, 10_000, history, Trained(network, epoch, windows, windows))
                time.sleep(0.005)
        finally:
            closed.append(True)

    monkeypatch.setattr(networks, "train", slow)
    net.form.open_task(TRAIN)
    net.begin()
    assert not net.box.start_button.isEnabled()
    net.qtbot.waitUntil(lambda: "epoch" in net.box.status.text(), timeout=60_000)
    net.viewer.layers.remove(net.layer(canvas.SAMPLES))  # is left alone
    with net.qtbot.waitSignal(net.dock.runner.updated, timeout=60_000):
        pass
    assert canvas.find(net.viewer.layers, (canvas.SAMPLES,)) == []
    net.stop()
    assert closed == [True]
    assert net.form.network.current.network is network
    assert net.box.start_button.isEnabled()

    def refuse(*given):
        raise OptionsError("weave: patterns are 32 x 32 pixels, but this network wants 64 x 64")
        yield

    monkeypatch.setattr(networks, "predict", refuse)
    net.form.open_task(PREDICT)
    net.run()
    assert net.notifications() == [
        "weave: patterns are 32 x 32 pixels, but this network wants 64 x 64"
    ]
    assert "failed" in net.box.status.text()
    assert not net.box.refine_button.isEnabled()

    choice, no_network = net.form.network, Path(__file__)
    with net.qtbot.waitSignal(choice.runner.finished, timeout=60_000):
        choice.open_path(no_network)
    assert len(net.notifications()) == 2
    assert no_network.name in net.notifications()[1]
    assert choice.current.network is network
