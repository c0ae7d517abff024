"""What shows in the Scan dock while a scan is watched: how far it is, Stop, follow the newest."""

from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from napari_ptycho.gui.app import found_dock, open_dock
from napari_ptycho.gui.closing import CloseGuard
from napari_ptycho.gui.layers import ScanLayers
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.opening import Opening
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.run_bar import newest
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.saving import Savable, of_reconstruction
from napari_ptycho.gui.session import session_of
from napari_ptycho.gui.start_box import Start
from napari_ptycho.gui.watch_jobs import WatchRequest, WatchView, watch_job
from napari_ptycho.gui.watch_layers import WatchLayers
from napari_ptycho.gui.widgets import Note
from napari_ptycho.job import Update
from napari_ptycho.live import WatchOptions


class WatchBox(QWidget):
    """Watches a scan for one viewer; hidden while none is watched."""

    ended = Signal()
    """What was reached is in the session."""

    def __init__(self, viewer: Viewer, layers: ScanLayers) -> None:
        super().__init__()
        self._viewer, self.session = viewer, session_of(viewer)
        self.layers = WatchLayers(viewer, layers)
        self.runner = Runner(self)
        self.options = WatchOptions()
        self.view: WatchView | None = None
        """The newest of the running or last watch."""
        self.status = Note(viewer)
        self.follow = QCheckBox("Follow the newest frame")
        self.follow.setToolTip(
            "The slider of the patterns stays at the newest frame; off, it stays where you put it."
        )
        self.follow.setChecked(True)
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("End now; what has come and what was made of it is kept.")
        row = QHBoxLayout()
        row.addWidget(self.follow, 1)
        row.addWidget(self.stop_button)
        stack(self, row, self.status)
        self.follow.toggled.connect(self._on_follow)
        self.stop_button.clicked.connect(self.runner.stop)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)
        self.guard = CloseGuard(self, self.runner, _savable, "A scan is being watched: it")
        self._enable(False)
        self.hide()

    def watch(self, path: Path, predict: bool, reconstruct: bool) -> None:
        """Watch a file or a folder, which need not be there yet.

        Args:
            path: What is or will be written.
            predict: Predict with the network of the Network dock.
            reconstruct: Reconstruct with the chain of the Reconstruct dock.
        """
        request = self._request(Opening(path), predict, reconstruct)
        if self.runner.start(partial(watch_job, request), request.title, 0):
            self.view = None
            self.layers.restart()
            self.status.show_lines([f"waiting for {path.name}…"])
            self._enable(True)
            self.show()
            self.guard.watch()

    def _request(self, opening: Opening, predict: bool, reconstruct: bool) -> WatchRequest:
        network, stages, start, device = None, (), Start(), "auto"
        if predict:
            form = self._dock("Network").form
            network, device = form.network.current, form.device.currentText()
        if reconstruct:
            engines = self._dock("Reconstruct")
            stages, start = engines.stages.stages(), engines.start_box.start() or start
            device = engines.device.currentText()
        return WatchRequest(opening, network, stages, start, device, self.options)

    def _dock(self, name: str) -> Any:
        """Return a dock; one that is not open yet goes behind this one, where Stop is."""
        found = found_dock(self._viewer, name)
        if found is None:
            found = open_dock(self._viewer, name)
            open_dock(self._viewer, "Scan")
        return found

    def _on_update(self, update: Update[WatchView]) -> None:
        self.view = update.result
        self.layers.show(update.result)
        self.status.show_lines([update.result.watched.text()], newest(update.notes))

    def _on_follow(self, on: bool) -> None:
        self.layers.following = on

    def _on_finished(self, outcome: str, value: Any) -> None:
        self._enable(False)
        last = self.runner.last
        if isinstance(last, Update) and last.result.scan is not None:
            self._keep(last.result)
            self.status.show_lines([last.result.watched.text()], newest(last.notes))
        else:
            self.hide()
        self.ended.emit()

    def _keep(self, view: WatchView) -> None:
        """Make what was reached the session's current scan and reconstruction."""
        self.view = view  # by now it is complete, see `views.redrawn`
        self.layers.show(view, last=True)
        assert view.scan is not None  # asked by the caller
        self.session.show_scan(view.scan, view.scan)
        shown = view.objects.reconstruction
        if shown is not None:
            ReconstructionLayers(self._viewer).begin(shown)
            self.session.show_reconstruction(shown.of)
        elif view.objects.prediction is not None:
            self.session.show_reconstruction(view.objects.prediction.picture.of)

    def _enable(self, running: bool) -> None:
        self.stop_button.setEnabled(running)
        self.follow.setEnabled(running)


def _savable(view: WatchView) -> Savable | None:
    shown = view.objects.reconstruction
    return None if shown is None else of_reconstruction(shown.of)
