"""Fourier ring correlation in the Inspect dock: of one image, of two, of honest halves."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QPushButton, QWidget

from napari_ptycho.assess.frc_options import FrcOptions
from napari_ptycho.assess.pairing import AlignOptions
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas, kept
from napari_ptycho.gui.fold import Fold
from napari_ptycho.gui.form import OptionsForm, lined_up
from napari_ptycho.gui.frc_canvas import FrcCanvas
from napari_ptycho.gui.frc_jobs import (
    CHANNELS,
    Request,
    Subject,
    found,
    renamed,
    with_choice,
)
from napari_ptycho.gui.frc_view import FrcView
from napari_ptycho.gui.honest_box import HonestBox
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.latest import Latest
from napari_ptycho.gui.leave_row import LEFT, LeaveRow
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.planes import AS_SHOWN
from napari_ptycho.gui.widgets import Choice, form_rows
from napari_ptycho.model import Reconstruction

if TYPE_CHECKING:
    from napari_ptycho.assess.two_halves import Honest

ONE, TWO, ALL, HALVES = "one image", "two images", "selected layers", "two halves (honest)"
MAIN = ("mode", "window", "threshold", "convention")
PAUSE_MS = 50


class FrcPage(Page):
    """Up to which detail is what a layer shows real?"""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        self.what = Choice(
            "What is correlated: the parts of one image; the layer and its reference; "
            "each of the selected layers; or two halves of the scan."
        )
        self.what.addItems((ONE, TWO, ALL, HALVES))
        self.channel = Choice(
            "Of a layer of a reconstruction: what it shows, the complex object, or exp(i phase)."
        )
        self.channel.addItems(CHANNELS)
        self.form = OptionsForm(FrcOptions, main=MAIN)
        self.align = OptionsForm(AlignOptions)
        self.canvas = FrcCanvas(viewer)
        self.honest_button = QPushButton("Honest FRC…")
        self.view = FrcView(viewer)
        self.honest_box = HonestBox(viewer, chosen)
        self.latest = Latest(self, "FRC")
        self.busy = LeaveRow(self.latest)
        self.result: Any = None
        self.honest: Honest | None = None
        self._honest_of: Reconstruction | None = None
        self._mode, self._paired, self._out = "standard", False, False
        self._pause = Pause(self, PAUSE_MS, self._start)
        self._lay_out()
        self._connect()
        kept.form(self.form, "Inspect.FRC")
        kept.form(self.align, "Inspect.align")
        kept.opened(self.fold, "Inspect.alignment")

    def _lay_out(self) -> None:
        rows = lined_up({"What": self.what, "Channel": self.channel})
        alignment = form_rows()
        alignment.addRow(self.align)
        self.fold = Fold("Bring onto each other", alignment)
        self.honest_button.setToolTip("Compare two halves of the scan, raw and denoised.")
        self.rows.addLayout(rows)
        boxes: list[QWidget] = [self.form, self.fold, self.canvas]
        for widget in (*boxes, self.honest_button, self.honest_box):
            self.rows.addWidget(widget)
        self.rows.addWidget(self.busy)
        self.rows.addWidget(self.view, 1)
        self.honest_box.setVisible(False)

    def _connect(self) -> None:
        self.what.currentTextChanged.connect(self._on_what)
        self.channel.currentTextChanged.connect(self._ask)
        self.form.changed.connect(self._on_options)
        self.align.changed.connect(self._ask)
        self.canvas.changed.connect(self._ask)
        self.honest_button.clicked.connect(partial(self.what.setCurrentText, HALVES))
        self.honest_box.start_button.clicked.connect(self._on_honest)
        self.honest_box.reached.connect(self._on_reached)
        self.latest.answered.connect(self._on_found)
        self.busy.stop_button.clicked.connect(lambda: self._show_nothing(LEFT))

    # -- what is asked for

    def refresh(self) -> None:
        """Follow the chosen layers."""
        paired = self.chosen.other is not None
        if paired != self._paired and self.what.currentText() in (ONE, TWO):
            with QSignalBlocker(self.what):
                self.what.setCurrentText(TWO if paired else ONE)
        self._paired = paired
        held = [canvas.shown_by(layer) for layer in self.chosen.several()]
        self.channel.setEnabled(any(one is not None for one in held))
        self.honest_box.follow()
        self._out = True
        self._on_what()

    def leave(self) -> None:
        """Take rectangle, overlay and spectrum from the canvas; the boxes stay ticked."""
        self._out = False
        self._pause.stop()
        self.latest.forget()
        self.canvas.leave()

    def layers(self) -> list[Layer]:
        """Return what is correlated."""
        first, other, what = self.chosen.layer, self.chosen.other, self.what.currentText()
        if what == ALL:
            several = self.chosen.several()
            before = self.canvas.selected
            return several + [one for one in before if canvas.is_plane(one) and one not in several]
        wanted = (first, other) if what == TWO else (first,)
        return [layer for layer in wanted if layer is not None]

    def _on_what(self, _: str = "") -> None:
        halves, two = self.what.currentText() == HALVES, self.what.currentText() == TWO
        self.honest_box.setVisible(halves)
        self.honest_button.setVisible(not halves)
        self.fold.setVisible(two)
        for box in (self.canvas.roi, self.canvas.spectral):
            box.setEnabled(not halves)
        if self._out:
            self.canvas.follow(None if halves else self.chosen.layer)
            self._ask()

    def _on_options(self) -> None:
        options = self.form.options()
        if options.mode != self._mode:
            self._mode = options.mode
            chosen = {"threshold": options.threshold}
            self.form.set_options(FrcOptions.of(options.mode, **chosen))
        self._ask()

    def _ask(self, _: object = None) -> None:
        if self.what.currentText() == HALVES:
            self._pause.stop()
            self.latest.forget()
            self._show_honest()
        else:
            self._pause.soon()

    def _start(self) -> None:
        """Begin to correlate, now or when the thread is free; tell what is missing."""
        layers = self.layers()
        pair = self.what.currentText() == TWO
        if not layers or (pair and len(layers) < 2):
            self._show_nothing(
                "Choose a layer above." if not layers else "Choose a Reference above."
            )
            return
        try:
            subjects = tuple(Subject(one, self.canvas.box(one)) for one in layers)
            options = self.form.options()
        except OptionsError as error:
            self._show_nothing("", [str(error)])
            return
        wanted = None if options.mode == "siFRC" else self.align.options()
        channel, spectral = self.channel.currentText(), self.canvas.spectral.isChecked()
        request = Request(subjects, pair, options, wanted, channel, spectral)
        self.latest.ask(partial(found, request, self.chosen.planes))

    # -- what came of it

    def _on_found(self, result: Any) -> None:
        if self.what.currentText() != HALVES:
            self.result = result
            self.view.show_found(result.curves, warnings=result.errors)
            self.canvas.show_found(self.view.curves, self.view.threshold, result)

    def _show_nothing(self, sentence: str, warnings: Sequence[str] = ()) -> None:
        self.latest.forget()
        self.result = None
        self.view.clear(sentence, warnings)
        self.canvas.show_found((), "")

    def _show_honest(self) -> None:
        result = self.honest if self._honest_of is self.honest_box.reconstruction else None
        if result is None:
            self.view.clear()
        else:
            result = with_choice(result, self.form.options())
            curves = [one for one in (result.raw, result.different, result.same) if one is not None]
            named = renamed(curves, result.curves())
            self.view.show_found(named, result.curves(), result.sentences())
        self.canvas.show_found(self.view.curves, self.view.threshold)

    def _on_honest(self) -> None:
        channel = "" if self.channel.currentText() == AS_SHOWN else "complex"
        self.honest, self._honest_of = None, self.honest_box.reconstruction
        self._show_honest()
        self.honest_box.start(self.form.options(), channel)

    def _on_reached(self, result: Any) -> None:
        if self.honest is None or len(result.curves()) > len(self.honest.curves()):
            self.honest = result
            if self.what.currentText() == HALVES:
                self._show_honest()
