from pathlib import Path

import numpy as np
import pytest

from napari_ptycho.engines import RpieOptions
from napari_ptycho.gui import canvas
from napari_ptycho.gui.app import DOCKS, found_dock, open_dock
from napari_ptycho.live import WatchOptions
from tests.live.unveiled import Unveiled

from .conftest import make_scan, suppress_deleted


@pytest.fixture
def watching(docks, monkeypatch, tmp_path):
    """Watch a scan that a clock unveils: watching(per_second=..., predict=...)."""
    from napari_ptycho import io

    docks.stages.show_stages((RpieOptions(epochs=5),))
    docks.watcher = docks.scan.watcher
    docks.watcher.options = WatchOptions(epochs=5, patience_s=300.0)

    def begin(predict=False, reconstruct=True, **how):
        growing = Unveiled(make_scan(rows=8, columns=8), **how)
        monkeypatch.setattr(io, "open_growing", lambda *_, **__: growing, raising=False)
        docks.scan.bar.predicting.setChecked(predict)
        docks.scan.bar.reconstructing.setChecked(reconstruct)
        docks.scan.bar.watch_asked.emit(tmp_path / "weave.h5")
        return growing

    docks.watch = begin
    yield docks
    with suppress_deleted():
        docks.watcher.runner.stop()
        docks.watcher.runner.wait(30)


def layer(docks, role):
    return canvas.find(docks.viewer.layers, (role,))[0]


def roles(docks):
    return {layer.metadata.get(canvas.ROLE) for layer in docks.viewer.layers}


def wait_for_end(docks):
    docks.qtbot.waitUntil(lambda: not docks.watcher.runner.running, timeout=120_000)


def test_layers_grow_with_the_scan(watching):
    docks = watching
    growing = docks.watch(per_second=None, expected=64)
    growing.there = 20
    docks.qtbot.waitUntil(lambda: bool(docks.names()), timeout=60_000)
    patterns = layer(docks, canvas.PATTERNS)
    assert len(patterns.data) == 20
    assert docks.session.scan is None
    assert not docks.scan.bar.isEnabled()
    assert docks.watcher.isVisibleTo(docks.scan)
    docks.qtbot.waitUntil(lambda: canvas.PHASE in roles(docks), timeout=60_000)
    early = layer(docks, canvas.PHASE).data.shape
    growing.there = 40
    docks.qtbot.waitUntil(lambda: len(patterns.data) == 40, timeout=60_000)
    assert docks.viewer.dims.current_step[0] == 39
    assert "40 of 64 frames" in docks.watcher.status.text()
    growing.there = 64
    wait_for_end(docks)
    scan = docks.session.scan
    assert growing.closed
    assert len(scan) == len(patterns.data) == len(layer(docks, canvas.POSITIONS).data) == 64
    np.testing.assert_array_equal(scan.patterns, make_scan(rows=8, columns=8).patterns)
    np.testing.assert_allclose(
        layer(docks, canvas.MEAN).data, np.log10(1 + scan.patterns.mean(axis=0)), rtol=1e-4
    )
    found = docks.session.reconstruction
    assert len(found.positions_px) == 64
    assert layer(docks, canvas.PHASE).data.shape == found.object.shape > early
    assert docks.scan.bar.isEnabled()
    assert docks.reconstruct.box.continue_button.isEnabled()


def test_watching_opens_the_docks_that_it_asks_and_no_other(make_napari_viewer, monkeypatch):
    viewer = make_napari_viewer()
    watcher = open_dock(viewer, "Scan").watcher
    asked = []
    monkeypatch.setattr(watcher.runner, "start", lambda job, *_: asked.append(job.args[0]))

    def docks():
        return {name for name in DOCKS if found_dock(viewer, name) is not None}

    watcher.watch(Path("scan.h5"), predict=False, reconstruct=False)
    assert docks() == {"Scan"}
    watcher.watch(Path("scan.h5"), predict=True, reconstruct=False)
    assert docks() == {"Scan", "Network"}
    form = found_dock(viewer, "Network").form
    assert asked[-1].network is form.network.current
    form.device.setCurrentText("cpu")
    watcher.watch(Path("scan.h5"), predict=True, reconstruct=False)
    assert asked[-1].device == "cpu"
    watcher.watch(Path("scan.h5"), predict=False, reconstruct=True)
    assert docks() == {"Scan", "Network", "Reconstruct"}
    assert asked[-1].network is None
    assert asked[-1].stages == found_dock(viewer, "Reconstruct").stages.stages()


def test_stopping_keeps_what_has_come(watching):
    docks = watching
    docks.watch(per_second=None).there = 30
    docks.qtbot.waitUntil(lambda: canvas.PHASE in roles(docks), timeout=60_000)
    docks.watcher.follow.setChecked(False)
    docks.viewer.dims.set_current_step(0, 0)
    docks.watcher.stop_button.click()
    wait_for_end(docks)
    assert len(docks.session.scan) == 30
    assert docks.viewer.dims.current_step[0] == 0
    assert len(docks.session.reconstruction.positions_px) == 30
    docks.run(1)
    assert len(docks.session.reconstruction.errors) == 1


def test_nothing_comes_and_the_user_stops(watching):
    docks = watching
    docks.watch(until=0)
    docks.qtbot.waitUntil(
        lambda: "weave: not there yet" in docks.watcher.status.text(), timeout=60_000
    )
    docks.scan.open_sample("star-64")
    assert not docks.scan.runner.running, "one thing at a time"
    docks.watcher.stop_button.click()
    wait_for_end(docks)
    assert docks.session.scan is None
    assert not docks.watcher.isVisibleTo(docks.scan)
    assert docks.scan.bar.isEnabled()


def test_a_network_that_does_not_fit_is_told(watching):
    docks = watching
    docks.watch(predict=True)
    wait_for_end(docks)
    assert "nothing is predicted" in docks.watcher.status.text()
    assert docks.session.reconstruction is not None
