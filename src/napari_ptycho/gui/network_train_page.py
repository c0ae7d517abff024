"""The page of the Network dock that trains: architecture, data, start, options."""

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_ptycho.gui import kept
from napari_ptycho.gui.form import OptionsForm, lined_up
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.network_choice import NetworkChoice
from napari_ptycho.gui.network_cost import Costs, parameters
from napari_ptycho.gui.network_data_box import DataBox
from napari_ptycho.gui.session import Session
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.networks import TrainOptions
from napari_ptycho.networks.architectures import ARCHITECTURES

MAIN = ("epochs", "batch", "rate")
RANDOM, CURRENT = "random weights", "the current network"


class TrainPage(QWidget):
    """Chooses what is trained, with what and how."""

    changed = Signal()

    def __init__(
        self, viewer: Viewer, session: Session, network: NetworkChoice, costs: Costs
    ) -> None:
        super().__init__()
        self._network, self._costs = network, costs
        self._options = TrainOptions()
        self.start = Choice("What training begins with.")
        self.start.addItems([RANDOM, CURRENT])
        self.architecture = Choice("The network that is trained.")
        for name, kind in ARCHITECTURES.items():
            text = f"{kind.title} · {parameters(name)}"
            self.architecture.add(text, f"{kind.title}. {kind.help}", name)
        self.data = DataBox(viewer, session)
        self.form = OptionsForm(TrainOptions, MAIN, hidden=("architecture",))
        self.note = Note(viewer, small=True)
        self._lay_out()
        self.architecture.currentIndexChanged.connect(self._on_architecture)
        self.start.currentTextChanged.connect(self._on_start)
        network.changed.connect(self._on_start)
        for signal in (self.data.changed, self.form.changed):
            signal.connect(self.changed)
        self.data.changed.connect(self.refresh)
        costs.found.connect(self.refresh)
        kept.choice(self.architecture, "Network.architecture")
        kept.form(self.form, "Network.train")
        self.refresh()

    def _lay_out(self) -> None:
        self._rows = lined_up({"Start from": self.start, "Architecture": self.architecture})
        layout = stack(self, self._rows, self.note, self.data, self.form, spacing=4)
        layout.setContentsMargins(0, 6, 0, 0)

    # -- what is chosen

    @property
    def from_current(self) -> bool:
        """Whether the current network goes on learning."""
        return bool(self.start.currentText() == CURRENT)

    @property
    def name(self) -> str:
        """The architecture that is trained."""
        return self._network.architecture if self.from_current else self._options.architecture

    def options(self) -> TrainOptions:
        """Return the options as they stand."""
        return TrainOptions.from_dict({**self.form.options().as_dict(), "architecture": self.name})

    def set_options(self, options: TrainOptions) -> None:
        """Show these options."""
        self._options = options
        self.architecture.setCurrentIndex(self.architecture.findData(options.architecture))
        self.form.set_options(options)
        self.refresh()

    def problem(self) -> str:
        """Say what is missing, or does not fit; "" where nothing does not."""
        shape = self.data.shape()
        if self.from_current and shape is not None and shape != self._network.shape:
            return unlike(self._network.shape, "what it would learn from", shape)
        return self.data.problem()

    # -- edits

    def _on_architecture(self, _: int) -> None:
        """Take the values that suit another architecture."""
        name = self.architecture.currentData()
        if name != self._options.architecture:
            self.set_options(TrainOptions.of(name))
            self.changed.emit()

    def _on_start(self, _: object = None) -> None:
        self.refresh()
        self.changed.emit()

    def refresh(self) -> None:
        """Show what goes with the choices."""
        self._rows.setRowVisible(self.architecture, not self.from_current)
        kind, shape = ARCHITECTURES[self.name], self.data.shape()
        words = [f"{kind.title}." if self.from_current else "", kind.help]
        if shape is not None:
            height, width = shape
            words.append(f"For {height} x {width}: {self._costs.text(self.name, shape)}.")
        self.note.show_lines([" ".join(filter(None, words))])


def unlike(shape: tuple[int, int], what: str, other: tuple[int, int]) -> str:
    """Say that patterns of one size were taught and others are there."""
    (h, w), (height, width) = shape, other
    return (
        f"This network was taught with patterns of {h} x {w} pixels; {what} has {height} x {width}."
        " Train one of this size, or cut the patterns: Size in the Scan dock."
    )
