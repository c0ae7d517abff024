"""The Scan dock: open, look at what was read, correct it, bin it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from napari_ptycho.gui import loading
from napari_ptycho.gui.binning_box import BinningBox
from napari_ptycho.gui.geometry_form import GeometryForm
from napari_ptycho.gui.layers import ScanLayers
from napari_ptycho.gui.open_bar import OpenBar
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.session import real_viewer, session_of
from napari_ptycho.gui.views import Picture
from napari_ptycho.gui.widgets import Dock, Note, SummaryTable, heading
from napari_ptycho.samples import SAMPLES


class ScanDock(Dock):
    """Opens scans for one viewer; what is open is in the viewer's session."""

    loaded = Signal()
    """A scan (or a reconstruction) was opened or binned and is shown."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.session = session_of(self.viewer)
        self.layers = ScanLayers(self.viewer)
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_finished)
        self.table, self.form = SummaryTable(self.viewer), GeometryForm()
        self.binning, self.status = BinningBox(self.viewer), Note(self.viewer)
        self.bar = OpenBar()
        self._lay_out()
        self.bar.path_chosen.connect(self.open_path)
        self.bar.sample_chosen.connect(self.open_sample)
        self.form.edited.connect(self._on_geometry)
        self.binning.asked.connect(self.bin)
        self.binning.undone.connect(self.unbin)
        self.setAcceptDrops(True)
        self._refresh()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.bar)
        self.rows.addWidget(self.status)
        self.rows.addWidget(self.table)
        self.headings = heading("Experiment"), heading("Position binning")
        for above, widget in zip(self.headings, (self.form, self.binning), strict=True):
            self.rows.addWidget(above)
            self.rows.addWidget(widget)
        self.rows.addStretch(1)

    # -- opening

    def open_path(self, path: str | Path) -> None:
        """Open a scan or a reconstruction in the thread; `loaded` says when it is shown."""
        self._run(partial(loading.open_file, Path(path)), f"open {Path(path).name}")

    def open_sample(self, key: str) -> None:
        """Open a sample in the thread: simulated, or fetched once."""
        self._run(partial(loading.open_sample, key), f"open {SAMPLES[key]}")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the first file dropped."""
        self.open_path(event.mimeData().urls()[0].toLocalFile())

    # -- changing

    def bin(self, size: Any, neighbours: str) -> None:
        """Bin the scan as it was read; the binned one becomes the current scan."""
        view = self.session.unbinned
        if view is not None:
            work = partial(loading.bin_scan, view, size, neighbours)
            self._run(work, f"bin {view.scan.name}")

    def unbin(self) -> None:
        """Make the scan as it was read the current one again."""
        view = self.session.unbinned
        if view is not None:
            self.show_opened((view, view))

    def _on_geometry(self, name: str, value: Any) -> None:
        view, unbinned = self.session.view, self.session.unbinned
        if view is not None and unbinned is not None:
            work = partial(loading.change_geometry, view, unbinned, name, value)
            self._run(work, f"change {name} of {view.scan.name}")

    # -- showing

    def _run(self, work: Callable[[], Any], title: str) -> None:
        if self.runner.call(work, title):
            self.status.show_lines([f"{title}…"])
            self._enable(False)

    def _on_finished(self, outcome: str, value: Any) -> None:
        self._enable(True)
        self.status.show_lines()
        if outcome == "done":
            self.show_opened(value)
        else:
            self.layers.clear_placeholder()
            self._refresh()
        self.loaded.emit()

    def show_opened(self, opened: loading.Scans | Picture) -> None:
        """Show what was opened, binned or changed."""
        if isinstance(opened, Picture):
            ReconstructionLayers(self.viewer).begin(opened)
            self.session.show_reconstruction(opened.of)
            return
        before, view = self.session.view, opened[0]
        self.session.show_scan(*opened)
        if before is not None and before.patterns is view.patterns:
            self.layers.relabel(view.scan)  # the same patterns with another geometry
        else:
            self.layers.show(view)
        self._refresh()

    def _refresh(self) -> None:
        view, unbinned = self.session.view, self.session.unbinned
        for widget in (*self.headings, self.form, self.binning):
            widget.setVisible(view is not None)
        if view is None or unbinned is None:
            self.status.show_lines(["Open a scan, drop a file here, or take a sample."])
            return
        self.table.show_rows(view.rows)
        self.form.show_geometry(view.scan.geometry, loading.warnings_of(view.rows))
        self.binning.show_scan(unbinned, binned=view is not unbinned)

    def _enable(self, on: bool) -> None:
        for widget in (self.bar, self.form, self.binning):
            widget.setEnabled(on)
