"""What is denoised, and how: the upper part of the Denoise dock."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_ptycho.denoise import ARCHITECTURES, RULES, ClassicalOptions, DenoiseOptions
from napari_ptycho.device import CHOICES
from napari_ptycho.gui import canvas, kept
from napari_ptycho.gui.denoise_jobs import PLAIN, Request, belongs, wants_second
from napari_ptycho.gui.form import OptionsForm, lined_up
from napari_ptycho.gui.layer_choice import LayerChoice
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.recipes.recipe import DenoiseStep

if TYPE_CHECKING:
    from napari_ptycho.engines.denoising import Halves

METHODS = {
    DenoiseOptions.title: "",
    "Total variation": "tv",
    "Non-local means": "nlm",
    "Wavelet": "wavelet",
}
"""What the user reads -> the classical method, "" for a network."""
CHANNELS = (canvas.PHASE, canvas.AMPLITUDE, "complex")
MAIN = ("architecture", "iterations", "stop", "ensemble")
CLASSICAL = ("calibrate", "strength")
AUTOMATIC, NONE = "automatic", "none"
Find = Callable[[Reconstruction], "Halves | None"]


def is_source(layer: Layer) -> bool:
    """Whether a layer can be denoised: a plain image, or phase or amplitude of a reconstruction."""
    role = layer.metadata.get(canvas.ROLE)
    return canvas.is_plane(layer) and role in (None, canvas.PHASE, canvas.AMPLITUDE)


class DenoiseForm(QWidget):
    """Chooses a layer, a method and its options."""

    changed = Signal()
    """Something else is chosen."""
    layer_changed = Signal()
    halves_asked = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.scan: Scan | None = None
        self.layer = LayerChoice(viewer, "What is denoised.", accepts=is_source)
        self.channel = Choice(
            "Of a reconstruction: phase, amplitude, or both at once as a complex image."
        )
        self.reference = LayerChoice(
            viewer, "The truth, where it is known: for the PSNR, it changes nothing else.", (NONE,)
        )
        self.second = LayerChoice(
            viewer,
            "An independent second copy, which tells when to stop. automatic: of a reconstruction "
            "whose scan is open, two half reconstructions are made.",
            (AUTOMATIC, NONE),
        )
        self.halves_button = QPushButton("Make halves")
        self.halves_button.setToolTip(
            "Make half reconstructions A and B of this one: layers with independent noise. "
            "Denoise A with B as second copy, or leave it to 'automatic'."
        )
        self.method = Choice("A network that learns this image, or a classical method.")
        self.method.addItems(list(METHODS))
        self.network = OptionsForm(DenoiseOptions, MAIN)
        self.classical = OptionsForm(ClassicalOptions, CLASSICAL, hidden=("method",))
        self.device = Choice("Where to compute; auto takes a GPU if there is one.")
        self.device.addItems(CHOICES)
        self.note = Note(viewer, small=True)
        self._architecture = DenoiseOptions().architecture
        self._wanted = ""  # channel, before there is a layer that has it
        self._lay_out()
        self._connect()
        kept.choice(self.method, "Denoise.method")
        kept.choice(self.device, "Denoise.device")
        kept.form(self.network, "Denoise.network")
        kept.form(self.classical, "Denoise.classical")
        self._on_layer()

    def _lay_out(self) -> None:
        beside = QVBoxLayout()  # not in one line: too wide for a narrow dock
        beside.setSpacing(4)
        beside.addWidget(self.second)
        beside.addWidget(self.halves_button)
        self._rows = lined_up(
            {
                "Layer": self.layer,
                "Channel": self.channel,
                "Reference": self.reference,
                "Second copy": beside,
                "Method": self.method,
                "Device": self.device,
            }
        )
        for parameter, helps in (
            ("architecture", {name: f"{a.title}. {a.help}" for name, a in ARCHITECTURES.items()}),
            ("stop", RULES),
        ):
            box: Any = self.network.fields[parameter]
            for i in range(box.count()):
                box.setItemData(i, helps[box.itemText(i)], Qt.ItemDataRole.ToolTipRole)
        stack(self, self._rows, self.network, self.classical, self.note, spacing=4)

    def _connect(self) -> None:
        architecture: Any = self.network.fields["architecture"]
        architecture.currentTextChanged.connect(self._on_architecture)
        self.layer.changed.connect(self._on_layer)
        for signal in (
            self.channel.currentTextChanged,
            self.reference.changed,
            self.second.changed,
            self.method.currentTextChanged,
            self.network.changed,
            self.classical.changed,
        ):
            signal.connect(self.refresh)
        self.halves_button.clicked.connect(self.halves_asked)

    # -- what is chosen

    @property
    def reconstruction(self) -> Reconstruction | None:
        """What the chosen layer shows; None for a plain image."""
        return canvas.shown_by(self.layer.layer)

    def options(self) -> DenoiseOptions | ClassicalOptions:
        """Return the options of the chosen method."""
        method = METHODS[self.method.currentText()]
        if not method:
            return self.network.options()
        return ClassicalOptions.from_dict({**self.classical.options().as_dict(), "method": method})

    def set_options(self, options: DenoiseOptions) -> None:
        """Show these options of a network."""
        self._architecture = options.architecture
        self.network.set_options(options)
        self.refresh()

    def step(self) -> DenoiseStep:
        """Return what is chosen, as a recipe tells it."""
        shown = self.channel.currentText()
        channel: Any = shown if shown in CHANNELS else self._wanted or canvas.PHASE
        return DenoiseStep(channel, self.options())

    def show_step(self, step: DenoiseStep) -> None:
        """Show how a recipe denoises; its channel is kept until a layer has it."""
        options = step.options
        if isinstance(options, DenoiseOptions):
            self.method.setCurrentText(DenoiseOptions.title)
            self.set_options(options)
        else:
            titles = {method: title for title, method in METHODS.items()}
            self.classical.set_options(options)
            self.method.setCurrentText(titles[options.method])
        if self.reconstruction is None:
            self._wanted = step.channel
        else:
            self.channel.setCurrentText(step.channel)

    def request(self, halves: Find) -> Request | None:
        """Return what is asked for; None where there is no layer.

        Args:
            halves: Returns the half reconstructions that were made of one, if they were.
        """
        layer, of, options = self.layer.layer, self.reconstruction, self.options()
        if layer is None:
            return None
        automatic = self._automatic()
        return Request(
            name=layer.name,
            image=layer.data,
            reconstruction=of,
            channel=self.channel.currentText(),
            options=options,
            device=self.device.currentText(),
            reference=_thing(self.reference.layer),
            second=_thing(self.second.layer),
            scan=self.scan if automatic else None,
            halves=halves(of) if automatic and of is not None else None,
        )

    def _automatic(self) -> bool:
        """Whether half reconstructions are the second copy."""
        wanted = self.second.word == AUTOMATIC and wants_second(self.options())
        return wanted and belongs(self.scan, self.reconstruction)

    # -- edits

    def show_scan(self, scan: Scan | None) -> None:
        """The current scan: half reconstructions are made of it."""
        self.scan = scan
        self.refresh()

    def _on_layer(self) -> None:
        """Offer the channels that the layer has."""
        of, before = self.reconstruction, self.channel.currentText()
        layer = self.layer.layer
        with QSignalBlocker(self.channel):
            self.channel.clear()
            self.channel.addItems([PLAIN] if of is None else list(CHANNELS))
            role = None if layer is None else layer.metadata.get(canvas.ROLE)
            if of is not None:
                usual = before if before == "complex" else str(role)
                self.channel.setCurrentText(self._wanted or usual)
                self._wanted = ""
        self.refresh()
        self.layer_changed.emit()

    def _on_architecture(self, name: str) -> None:
        """Take the values that suit another architecture."""
        if name != self._architecture:
            self.set_options(DenoiseOptions.of(name))

    def refresh(self) -> None:
        """Show what goes with the choices."""
        network = not METHODS[self.method.currentText()]
        self.network.setVisible(network)
        self.classical.setVisible(not network)
        self._rows.setRowVisible(self.channel, self.reconstruction is not None)
        self._rows.setRowVisible(self.device, network)
        self.halves_button.setVisible(self.reconstruction is not None)
        self.halves_button.setEnabled(belongs(self.scan, self.reconstruction))
        lines = [] if self.layer.layer is not None else ["Open an image, or reconstruct a scan."]
        if lines == [] and network:
            lines = [f"Stops by: {self._stops_by()}."]
        self.note.show_lines(lines, self._problems())
        self.changed.emit()

    def _stops_by(self) -> str:
        options = self.options()
        rule = options.stop if isinstance(options, DenoiseOptions) else ""
        if rule != "auto":
            return RULES.get(rule, "")
        if self._automatic():
            return "least difference from a half reconstruction"
        return RULES["holdout" if self.second.layer is None else "second-copy"]

    def _problems(self) -> list[str]:
        """Name layers that do not fit, as sentences."""
        layer = self.layer.layer
        if layer is None:
            return []
        return [
            f"{what} '{other.name}': {_size(other)} pixels but the layer has {_size(layer)}; "
            "choose one of the same size, or none"
            for what, other in (
                ("reference", self.reference.layer),
                ("second copy", self.second.layer),
            )
            if other is not None and other.data.shape != layer.data.shape
        ]


def _thing(layer: Layer | None) -> Any:
    """Return what a layer gives as second copy or reference: its reconstruction, or its image."""
    if layer is None:
        return None
    of = canvas.shown_by(layer)
    role = layer.metadata.get(canvas.ROLE)
    return of if of is not None and role in (canvas.PHASE, canvas.AMPLITUDE) else layer.data


def _size(layer: Layer) -> str:
    return " x ".join(str(side) for side in layer.data.shape)
