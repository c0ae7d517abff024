"""Chooses what a network learns from: this scan, a layer, files, or a simulation."""

from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QItemSelectionModel, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QWidget,
)

from napari_ptycho.gui import canvas, kept
from napari_ptycho.gui.asking import ask_file
from napari_ptycho.gui.form import OptionsForm, lined_up
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.network_data import (
    Files,
    ShareOptions,
    Source,
    is_predicted,
    own_reconstruction,
)
from napari_ptycho.gui.session import Session
from napari_ptycho.gui.widgets import Choice, Note, fit_rows, put, show_titles, small_table
from napari_ptycho.model import Reconstruction
from napari_ptycho.networks import SimulationOptions

SCAN, LAYER, FILES, SIMULATED = "this scan", "selected layer", "files…", "simulation"
SOURCES = {
    SCAN: "The open scan and its reconstruction.",
    LAYER: "The open scan, and the reconstruction of it that the selected layer shows.",
    FILES: "Reconstructions in files, and the scans that they were made of.",
    SIMULATED: "Simulated patterns of natural images: no reconstruction is needed.",
}
DRAWN, OWN = "zone plates", "of this scan"
MAIN = ("patterns", "size", "overlap", "photons")
COLUMNS = {
    "reconstruction": "What the network is to learn: a reconstruction in a file.",
    "scan": "The scan that it was made of; it is binned again as it was then.",
}
"""Of the pairs of files, with their tooltips."""


class DataBox(QWidget):
    """The choice, and what goes with it."""

    changed = Signal()
    """Something else is chosen."""

    def __init__(self, viewer: Viewer, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = viewer, session
        self.choice = Choice("What the network learns from.")
        for source, tip in SOURCES.items():
            self.choice.add(source, tip)
        self.shares = OptionsForm(ShareOptions)
        self.simulation = OptionsForm(SimulationOptions, MAIN)
        self.probe = Choice(
            "What lights the simulated objects: zone plates with a defocus each, or the probe of "
            "the open scan, in whose size the patterns are made."
        )
        self.probe.addItems([DRAWN, OWN])
        self.files = PairsTable()
        self.note = Note(viewer, small=True)
        self._lay_out()
        kept.choice(self.choice, "Network.learn from")
        kept.choice(self.probe, "Network.simulated probe")
        kept.form(self.shares, "Network.shares")
        kept.form(self.simulation, "Network.simulation")
        for signal in (
            self.choice.currentTextChanged,
            self.shares.changed,
            self.simulation.changed,
            self.probe.currentTextChanged,
            self.files.changed,
            session.scan_changed,
            session.reconstruction_changed,
        ):
            signal.connect(self.refresh)
        viewer.layers.selection.events.changed.connect(self.refresh)
        session.scan_changed.connect(self._suggest)
        self.refresh()

    def _lay_out(self) -> None:
        self._probe_rows = lined_up({"Probe": self.probe})
        above = lined_up({"Learn from": self.choice}), self.files, self.shares
        stack(self, *above, self._probe_rows, self.simulation, self.note, spacing=4)

    # -- what is chosen

    @property
    def reconstruction(self) -> Reconstruction | None:
        """What of the open scan the network learns from; None where it learns from others."""
        chosen = self.choice.currentText()
        if chosen == LAYER:
            held = map(canvas.held_by, self._viewer.layers.selection)
            return own_reconstruction(self._session.scan, held)
        return self.best() if chosen == SCAN else None

    def best(self) -> Reconstruction | None:
        """Return the current reconstruction of the open scan, or else another that is shown."""
        shown = map(canvas.held_by, self._viewer.layers)
        return own_reconstruction(self._session.scan, [self._session.reconstruction, *shown])

    def source(self) -> Source | None:
        """Return what was chosen; None where something is missing, which `problem` names."""
        if self.problem():
            return None
        shares = self.shares.options()
        chosen, scan, of = self.choice.currentText(), self._session.scan, self.reconstruction
        if chosen == SIMULATED:
            simulation = self.simulation.options()
            probe = self.best() or scan if self.probe.currentText() == OWN else None
            return Source("simulated patterns", shares, simulation=simulation, probe=probe)
        if chosen == FILES:
            return Source("files", shares, files=tuple(self.files.pairs))
        assert scan is not None  # there is no problem
        assert of is not None
        return Source(scan.name, shares, known=((scan, of),))

    def problem(self) -> str:
        """Say what is missing, "" where nothing is."""
        chosen, scan = self.choice.currentText(), self._session.scan
        if chosen == FILES:
            return "" if self.files.pairs else "Add a reconstruction and its scan."
        if chosen == SIMULATED:
            if self.probe.currentText() == OWN and scan is None:
                return (
                    "No scan is open whose probe could be taken: open one, or choose zone plates."
                )
            return ""
        if scan is None:
            return "No scan is open: open one in the Scan dock, or learn from simulation."
        if self.reconstruction is None:
            where = "reconstruct it first" if chosen == SCAN else "select a layer that shows one"
            return f"There is no reconstruction of {scan.name} yet: {where}."
        return ""

    def shape(self) -> tuple[int, int] | None:
        """Return the size of the patterns (height, width), where it is known before they are."""
        chosen, scan = self.choice.currentText(), self._session.scan
        if chosen == FILES:
            return None
        if chosen == SIMULATED and self.probe.currentText() == DRAWN:
            side = int(self.simulation.fields["size"].value())  # type: ignore[union-attr]
            return side, side
        return None if scan is None else scan.frame_shape

    def _suggest(self) -> None:
        """Simulate patterns of the size that the open scan has: a network fits one size only."""
        scan = self._session.scan
        if scan is not None and scan.frame_shape[0] == scan.frame_shape[1]:
            self.simulation.suggest(size=scan.frame_shape[0])
            self.refresh()

    def refresh(self, _: object = None) -> None:
        """Show what goes with the choice."""
        chosen, of = self.choice.currentText(), self.reconstruction
        simulated = chosen == SIMULATED
        self.files.setVisible(chosen == FILES)
        self.shares.setVisible(not simulated)
        self.simulation.setVisible(simulated)
        self.simulation.fields["size"].setEnabled(self.probe.currentText() == DRAWN)
        self._probe_rows.setRowVisible(self.probe, simulated)
        line = "" if of is None else f"Labels: {of.name}."
        if of is not None and is_predicted(of):
            doubt = f"{line} A network predicted it: better reconstruct first."
            self.note.show_lines([], [doubt])
        else:
            self.note.show_lines([line] if line else [])
        self.changed.emit()


class PairsTable(QWidget):
    """A list of reconstructions and the scans that they were made of."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[Files] = []
        self.add_button, self.remove_button = QPushButton("Add pair…"), QPushButton("Remove")
        self.remove_button.setToolTip("Take the selected pair off the list, else the last.")
        self.add_button.setToolTip("Choose a reconstruction, then the scan that it was made of.")
        self.table = QTableWidget(0, 2)
        show_titles(self.table, COLUMNS.items())
        self.table.setToolTip(
            "Files to learn from, in pairs; hold the mouse over one for its path."
        )
        small_table(self.table)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add_button)
        buttons.addWidget(self.remove_button)
        stack(self, self.table, buttons)
        self.add_button.clicked.connect(self._ask)
        self.remove_button.clicked.connect(self.remove)
        self._show()

    def add(self, reconstruction: Path, scan: Path) -> None:
        """Add a pair."""
        self.pairs.append((reconstruction, scan))
        self._show()

    def remove(self) -> None:
        """Remove the selected pair, or the last one."""
        if self.pairs:
            row = self.table.currentRow()
            del self.pairs[row if row >= 0 else -1]
            self._show()

    def _ask(self) -> None:
        paths = []
        for title in ("A reconstruction", "The scan that it was made of"):
            kinds = "HDF5, NumPy (*.h5 *.hdf5 *.cxi *.nxs *.npz *.npz.bz2)"
            path = ask_file(self, title, kinds)
            if path is None:
                return
            paths.append(path)
        self.add(*paths)

    def _show(self) -> None:
        self.table.setRowCount(len(self.pairs))
        for row, pair in enumerate(self.pairs):
            for column, path in enumerate(pair):
                put(self.table, row, column, path.name, str(path))
        self.table.setCurrentCell(-1, -1, QItemSelectionModel.SelectionFlag.Clear)
        fit_rows(self.table)
        self.table.setVisible(bool(self.pairs))
        self.remove_button.setEnabled(bool(self.pairs))
        self.changed.emit()
