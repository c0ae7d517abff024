"""Starts the honest FRC: two halves of the scan, raw and denoised, in a thread."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton, QSpinBox, QWidget

from napari_ptycho.assess.frc_options import FrcOptions, HonestOptions
from napari_ptycho.denoise import ARCHITECTURES, DenoiseOptions
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas, kept
from napari_ptycho.gui.denoise_jobs import belongs
from napari_ptycho.gui.fields import NO_UNIT
from napari_ptycho.gui.form import OptionsForm, lined_up
from napari_ptycho.gui.inspect_page import Chosen
from napari_ptycho.gui.layouts import button_row, stack
from napari_ptycho.gui.run_bar import RunBar, newest
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.options import describe

if TYPE_CHECKING:
    from napari_ptycho.assess.two_halves import Honest

RAW, SAME = "not denoised", "as the layer was denoised"
TIP = (
    "Reconstruct two halves of the scan, each from half of the photons, and correlate them: their "
    "noise is independent, so what they agree on is real."
)
PARTS = 100.0


class HonestBox(QWidget):
    """Options, a button, and how far it is; `reached` says what there is."""

    reached = Signal(object)
    """An `Honest`, as far as it is."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__()
        self._chosen = chosen
        self.form = OptionsForm(HonestOptions, main=("by",), hidden=("channel",))
        kept.form(self.form, "Inspect.halves")
        self.denoise = Choice(
            "How both halves are denoised, each by itself: with different seeds, and once more "
            "with the same seed, which shows what the network invents."
        )
        self.denoise.addItems([RAW, SAME, *ARCHITECTURES])
        self.iterations = QSpinBox()
        self.iterations.setRange(1, 1_000_000)
        self.iterations.setSingleStep(100)
        self.iterations.setToolTip(f"Most iterations of each of the three networks. {NO_UNIT}")
        self.start_button, self.stop_button = QPushButton("Honest FRC"), QPushButton("Stop")
        self.stop_button.setToolTip("End after this update; what was reached is kept.")
        self.bar = RunBar("How far it is: reconstructing and denoising both halves.")
        self.status = Note(viewer)
        self.runner = Runner(self)
        self._lay_out()
        self.denoise.currentTextChanged.connect(self._on_denoise)
        self.stop_button.clicked.connect(self.runner.stop)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)
        chosen.session.scan_changed.connect(self.follow)
        self._on_denoise()
        self.follow()

    def _lay_out(self) -> None:
        self._rows = lined_up({"Denoised": self.denoise, "Iterations": self.iterations})
        buttons = button_row(self.start_button, self.stop_button)
        stack(self, self._rows, self.form, buttons, self.bar, self.status, spacing=4)

    # -- what is asked for

    @property
    def reconstruction(self) -> Reconstruction | None:
        """What the chosen layer shows, if it is a reconstruction."""
        return canvas.shown_by(self._chosen.layer)

    def why_not(self) -> str:
        """Return why no halves can be made; "" where they can."""
        scan, found = self._chosen.session.scan, self.reconstruction
        if found is None:
            return "Choose a layer of a reconstruction: halves are made of its scan."
        if scan is None:
            return "Open the scan of this reconstruction in the Scan dock: halves are made of it."
        if not belongs(scan, found):
            return (
                f"'{found.name}' is not a reconstruction of the scan '{scan.name}' that is open: "
                "open its own, binned and cut as it was then."
            )
        return ""

    def denoising(self) -> DenoiseOptions | None:
        """Return how halves are denoised; None where they are not.

        Raises:
            OptionsError: The layer was not denoised by a network, but that is asked for.
        """
        asked = self.denoise.currentText()
        if asked == RAW:
            return None
        if asked != SAME:
            return DenoiseOptions.of(asked, iterations=self.iterations.value())
        found = self.reconstruction
        options = None if found is None else settings_of(found)
        if options is None:
            name = "This layer" if found is None else f"'{found.name}'"
            raise OptionsError(f"{name} was not denoised by a network; choose one for the halves.")
        return options

    def start(self, options: FrcOptions, channel: str = "") -> None:
        """Begin; `reached` tells what there is.

        Args:
            options: How halves are correlated.
            channel: "complex", or "" for that of the layer.
        """
        scan, found, why = self._chosen.session.scan, self.reconstruction, self.why_not()
        if why or scan is None or found is None:
            self.status.show_lines(warnings=[why])
            return
        try:
            denoise = self.denoising()
            values = {"channel": channel or channel_of(self._chosen.layer)}
            honest = HonestOptions.from_dict({**self.form.options().as_dict(), **values})
        except OptionsError as error:
            self.status.show_lines(warnings=[str(error)])
            return
        job = partial(_job, scan, found, (honest, options, denoise))
        if self.runner.start(job, "Honest FRC", PARTS * (1 if denoise is None else 4)):
            self.bar.setValue(0)
            self.status.show_lines(["preparing…"])
            self.follow()

    # -- what comes of it

    def _on_update(self, update: Update[Any]) -> None:
        self.bar.show_update(update)
        doing = update.result.doing
        self.status.show_lines([doing] if doing else [], newest(update.notes))
        if update.result.raw is not None:
            self.reached.emit(update.result)

    def _on_finished(self, outcome: str, value: Any) -> None:
        said = str(value) if outcome == "failed" else ""
        notes = value.notes if isinstance(value, Update) else ()
        self.status.show_lines([] if said else [outcome], [said] if said else newest(notes))
        self.follow()

    def _on_denoise(self, _: str = "") -> None:
        asked = self.denoise.currentText()
        own = asked in ARCHITECTURES
        self._rows.setRowVisible(self.iterations, own)
        if own:
            self.iterations.setValue(DenoiseOptions.of(asked).iterations)

    def follow(self) -> None:
        """Enable what makes sense for the chosen layer."""
        running, why = self.runner.running, self.why_not()
        self.start_button.setEnabled(not running and not why)
        self.start_button.setToolTip(why or TIP)
        self.stop_button.setEnabled(running)
        if not running and why:
            self.status.show_lines([why])


def _job(
    scan: Scan,
    found: Reconstruction,
    how: tuple[HonestOptions, FrcOptions, DenoiseOptions | None],
) -> "Iterator[Update[Honest]]":
    from napari_ptycho.assess.two_halves import honest

    return honest(scan, found, *how)


def channel_of(layer: Layer | None) -> str:
    """Return the channel that a layer shows; "phase" where that is not known."""
    if layer is None:
        return canvas.PHASE
    made = canvas.made_of(layer)
    channel = made.channel if made else layer.metadata.get(canvas.ROLE)
    known = (canvas.PHASE, canvas.AMPLITUDE, "complex")
    return str(channel) if channel in known else canvas.PHASE


def settings_of(reconstruction: Reconstruction) -> DenoiseOptions | None:
    """Return how a reconstruction was denoised last; None if not by a network."""
    entries = reconstruction.provenance.get("denoised") or [{}]
    settings = entries[-1].get("settings", {})
    if "architecture" not in settings:
        return None
    known = {parameter.name for parameter in describe(DenoiseOptions)}
    return DenoiseOptions.from_dict({k: v for k, v in settings.items() if k in known})
