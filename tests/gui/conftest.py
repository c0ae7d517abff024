"""Real napari windows, strict about what they leave behind."""

import os

import pytest

from napari_ptycho.engines import MpieOptions, RpieOptions

pytest.importorskip("qtpy")
pytest.importorskip("napari")

os.environ["NAPARI_STRICT_QT"] = "1"
os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"


def pytest_collection_modifyitems(items):
    for item in items:
        if "gui" in item.path.parts:
            item.add_marker(pytest.mark.gui)


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """What a user likes is neither read from, nor written to, the home of who runs the tests."""
    from napari import settings

    settings._clear_plugin_settings_cache()
    monkeypatch.setattr(settings, "_CFG_PATH", str(tmp_path / "napari" / "settings.yaml"))
    yield
    settings._clear_plugin_settings_cache()


@pytest.fixture(autouse=True, scope="module")
def _collect_rarely(rare_collections):
    pass


@pytest.fixture
def notifications():
    """The texts that the user was shown."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    return lambda: [record.message for record in notification_manager.records]


FRAME, STEP_PX = 32, 6
SHORT = (MpieOptions(epochs=2), RpieOptions(epochs=3, positions="gradient", positions_start=0))
"""A chain of two engines."""


def make_scan(rows=6, columns=6, name="weave", known=True):
    """A raster over a phase object, far field; `known` says whether it has a scale."""
    import numpy as np

    from napari_ptycho.model import Geometry, Scan

    rng = np.random.default_rng(0)
    y, x = np.indices((FRAME, FRAME)) - FRAME / 2
    probe = 30 * np.exp(-(y**2 + x**2) / 40) * np.exp(0.02j * (y**2 + x**2))
    corners = np.array([(i * STEP_PX, j * STEP_PX) for i in range(rows) for j in range(columns)])
    size = np.array((rows - 1, columns - 1)) * STEP_PX + FRAME
    rows_px, columns_px = np.indices(size)
    star = np.exp(0.6j * (np.sin(rows_px / 3) * np.sin(columns_px / 4) > 0))
    windows = np.array([star[a : a + FRAME, b : b + FRAME] for a, b in corners])
    waves = np.fft.fftshift(np.fft.fft2(windows * probe, norm="ortho"), axes=(1, 2))
    patterns = rng.poisson(np.abs(waves) ** 2).astype(np.uint32)
    if not known:
        return Scan(patterns, positions_px=corners, name=name)
    geometry = Geometry(energy_ev=8000.0, distance_m=1.0, detector_pixel_m=(75e-6, 75e-6))
    pixel = np.array(geometry.pixel_size_m((FRAME, FRAME)))
    sources = {"energy_ev": "file: energy"}
    return Scan(
        patterns, positions_m=corners * pixel, geometry=geometry, name=name, sources=sources
    )


@pytest.fixture
def scan_file(tmp_path):
    from napari_ptycho import io

    path = tmp_path / "weave.h5"
    io.write_scan(make_scan(), path)
    return path


class Docks:
    """A real window with these two docks alone, as a user drives it."""

    def __init__(self, qtbot, viewer):
        from napari_ptycho.gui.app import open_dock

        self.qtbot, self.viewer = qtbot, viewer
        self.scan, self.reconstruct = (open_dock(viewer, name) for name in ("Scan", "Reconstruct"))
        self.session = self.scan.session
        self.stages = self.reconstruct.stages
        self.epochs(3)

    def open(self, path):
        with self.qtbot.waitSignal(self.scan.loaded, timeout=120_000):
            self.scan.open_path(path)

    def show(self, **how):
        """Open a scan that is in memory."""
        from napari_ptycho.gui.views import view_scan

        view = view_scan(make_scan(**how))
        self.scan.show_opened((view, view))

    def epochs(self, n):
        self.stages.form.fields["epochs"].setValue(n)

    def run(self, n=3):
        self.epochs(n)
        with self.qtbot.waitSignal(self.reconstruct.runner.finished, timeout=120_000):
            self.reconstruct.box.start_button.click()

    def run_stages(self, stages):
        self.stages.show_stages(stages)
        with self.qtbot.waitSignal(self.reconstruct.runner.finished, timeout=120_000):
            self.reconstruct.box.start_button.click()

    def begin(self, n=100_000):
        """Start a run and wait for its first update."""
        self.epochs(n)
        with self.qtbot.waitSignal(self.reconstruct.runner.updated, timeout=120_000):
            self.reconstruct.box.start_button.click()

    def stop(self):
        with self.qtbot.waitSignal(self.reconstruct.runner.finished, timeout=60_000):
            self.reconstruct.box.stop_button.click()

    def names(self):
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def docks(qtbot, make_napari_viewer):
    docks = Docks(qtbot, make_napari_viewer())
    yield docks
    dock = docks.reconstruct
    scan = docks.scan
    owners = (dock, dock.save_button, dock.adviser, scan, scan.binning, scan.save_button)
    for owner in owners:
        with suppress_deleted():
            owner.runner.stop()
            owner.runner.wait(30)


def suppress_deleted():
    """For what a test has closed already."""
    import contextlib

    return contextlib.suppress(RuntimeError)


class Denoising:
    """A real window with the Denoise dock, as a user drives it."""

    def __init__(self, docks, notifications):
        from napari_ptycho.gui.app import open_dock

        self.docks, self.viewer, self.qtbot = docks, docks.viewer, docks.qtbot
        self.notifications = notifications
        self.dock = open_dock(docks.viewer, "Denoise")
        self.form = self.dock.form
        self.field("architecture").setCurrentText("arch1-bilinear")
        self.field("history_every").setValue(5)

    def field(self, name):
        return self.form.network.fields[name]

    def click(self, button):
        with self.qtbot.waitSignal(self.dock.runner.finished, timeout=120_000):
            button.click()

    def run(self, n):
        self.field("iterations").setValue(n)
        self.click(self.dock.box.start_button)

    def begin(self, n):
        """Start a run and wait for its first image."""
        self.field("iterations").setValue(n)
        self.field("stop").setCurrentText("none")
        self.dock.box.start_button.click()
        self.qtbot.waitUntil(lambda: self.dock.view is not None, timeout=120_000)

    def stop(self):
        if self.dock.runner.running:
            self.click(self.dock.box.stop_button)

    def save(self, path):
        button = self.dock.box.save_button
        with self.qtbot.waitSignal(button.saved, timeout=60_000):
            button.save(path)

    def names(self):
        return [layer.name for layer in self.viewer.layers]

    def rows(self):
        return self.dock.table.table.rowCount()

    def cell(self, title, row=0):
        from napari_ptycho.gui.score_table import COLUMNS

        return self.dock.table.table.item(row, list(COLUMNS).index(title)).text()


@pytest.fixture
def denoising(docks, notifications):
    denoising = Denoising(docks, notifications)
    yield denoising
    dock = denoising.dock
    with suppress_deleted():
        for runner in (dock.runner, dock.adopter, dock.box.save_button.runner):
            runner.stop()
            runner.wait(30)
