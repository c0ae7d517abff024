"""The current network: it comes with the plugin, from a file, or was taught here."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_ptycho import networks
from napari_ptycho.gui.asking import ask_file
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.leave_row import LeaveRow
from napari_ptycho.gui.network_about import taught_with
from napari_ptycho.gui.network_cost import Costs
from napari_ptycho.gui.network_named import Named
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable, file_name
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.networks.architectures import ARCHITECTURES
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import FinetuneOptions

KINDS = "Networks (*.safetensors *.pth *.pt *.ckpt)"
SHIPPED_SHAPE = (64, 64)
"""Pixels (height, width) of the patterns that the networks of the plugin were taught with."""
SHIPPED = (
    "Taught with simulated zone-plate scans of natural images, 64 x 64. Believe it only where "
    "the R factor and the spread are low."
)
Shape = tuple[int, int]


class NetworkChoice(QWidget):
    """Chooses the network that predicts, is fine-tuned, or goes on learning."""

    changed = Signal()
    """Another network is the current one."""

    def __init__(self, viewer: Viewer, costs: Costs) -> None:
        super().__init__()
        self._costs = costs
        self._names = [Named(_title(key), key=key) for key in networks.SHIPPED]
        self.choice = Choice("The network that predicts, is fine-tuned, or goes on learning.")
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip(
            "Read a network: our own file (.safetensors), or published PtychoNN weights (.pth, "
            ".ckpt). Nothing in a file is run."
        )
        self.save_button = SaveButton(self._savable)
        self.save_button.setToolTip(
            "Write the network to one file, with how its input is made and what it learnt from."
        )
        self.runner = Runner(self)
        self.busy = LeaveRow(self.runner)
        self.facts, self.about = Note(viewer), Note(viewer, small=True)
        self._lay_out()
        self._list(0)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.open_button.clicked.connect(self._ask_path)
        self.runner.finished.connect(self._on_read)
        self.save_button.saved.connect(self._on_saved)
        costs.found.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        beside = QHBoxLayout()
        beside.setSpacing(4)
        beside.addWidget(self.choice, 1)
        for button in (self.open_button, self.save_button):
            button.setMinimumWidth(40)
            beside.addWidget(button)
        stack(self, beside, self.busy, self.facts, self.about, spacing=4)

    # -- what is chosen

    @property
    def current(self) -> Named:
        """The chosen network."""
        return self._names[self.choice.currentIndex()]

    @property
    def architecture(self) -> str:
        """Of the chosen network."""
        network = self.current.network
        return self.current.key if network is None else network.architecture

    @property
    def shape(self) -> Shape:
        """Pixels (height, width) of the patterns that the chosen network was taught with."""
        network = self.current.network
        return SHIPPED_SHAPE if network is None else network.preparation.shape

    def add(
        self,
        network: Network,
        instead: Named | None = None,
        file: str = "",
        taught: FinetuneOptions | None = None,
    ) -> Named:
        """Make a network the current one.

        Args:
            network: The network.
            instead: What it takes the place of: an earlier state of it.
            file: What a recipe calls it, if it was read from there.
            taught: How it was fine-tuned after that, if it was.
        """
        others = [one.title for one in self._names if one is not instead]
        named = Named(_unlike(network.name, others), network, file=file, taught=taught)
        if instead in self._names:
            place = self._names.index(instead)
            self._names[place] = named
        else:
            place = len(self._names)
            self._names.append(named)
        self._list(place)
        self._on_choice()
        return named

    def show_read(self, named: Named, network: Network) -> None:
        """Show what a network that comes with the plugin says of itself, now that it was read."""
        if named in self._names and named.network is None:
            self._names[self._names.index(named)] = replace(named, network=network)
            self.refresh()

    def open_path(self, path: Path) -> None:
        """Read a network in a thread, and make it the current one."""
        self.runner.call(partial(_read, path), f"open {path.name}")

    def choose(self, told: str) -> None:
        """Make a network the current one, as a recipe calls it: a shipped one, or a file."""
        for place, named in enumerate(self._names):
            if named.told == told and named.taught is None:
                self.choice.setCurrentIndex(place)
                return
        self.open_path(Path(told))

    def _list(self, place: int) -> None:
        with QSignalBlocker(self.choice):
            self.choice.clear()
            self.choice.addItems([named.title for named in self._names])
            self.choice.setCurrentIndex(place)

    def _ask_path(self) -> None:
        path = ask_file(self, "Open a network", KINDS)
        if path:
            self.open_path(path)

    def _on_read(self, outcome: str, read: Any) -> None:
        if outcome == "done":
            network, file = read
            self.add(network, file=file)

    def _on_saved(self, file: str) -> None:
        """A network that was saved is that of its file from now on."""
        place, named = self.choice.currentIndex(), self.current
        if not named.key:
            self._names[place] = replace(named, file=file, taught=None)

    def _on_choice(self, _: int = 0) -> None:
        self.choice.setToolTip(self.current.title)
        self.refresh()
        self.changed.emit()

    def _savable(self) -> Savable:
        return savable(self.current)

    # -- showing

    def refresh(self) -> None:
        """Show what the chosen network is, and what it was taught with."""
        name, (height, width) = self.architecture, self.shape
        cost = self._costs.text(name, self.shape)
        self.facts.show_lines([f"{ARCHITECTURES[name].title}, {height} x {width}: {cost}"])
        network = self.current.network
        shipped = [SHIPPED] if self.current.key else []
        self.about.show_lines([*shipped, *([] if network is None else taught_with(network))])


def _read(path: Path) -> tuple[Network, str]:
    return networks.load(path), str(path.absolute())


def savable(named: Named) -> Savable:
    """Return a network as something to write."""

    def write(path: Path) -> None:
        networks.save(named.load(), path)

    name = file_name(named.title, ".safetensors")
    return Savable("Save the network", name, "Networks (*.safetensors)", write)


def _title(key: str) -> str:
    return f"{ARCHITECTURES[key].title}, shipped"


def _unlike(title: str, others: list[str]) -> str:
    """Return the title, with a number where another one is called so."""
    numbered = [title, *(f"{title} ({i})" for i in range(2, len(others) + 2))]
    return next(one for one in numbered if one not in others)
