"""What the FRC page shows on the canvas: a rectangle, the curve, the power spectrum."""

from collections.abc import Sequence

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from napari_ptycho.gui.curve_overlay import CurveOverlay
from napari_ptycho.gui.draw_tools import RectangleTool
from napari_ptycho.gui.frc_jobs import Box, Found, crossing_frequency
from napari_ptycho.gui.frc_spectrum import Spectrum
from napari_ptycho.model import Curve


class FrcCanvas(QWidget):
    """Three boxes to tick, and what they bring onto the canvas while the page shows."""

    changed = Signal()
    """Something else is to be computed."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.roi = QCheckBox("ROI")
        self.on_canvas = QCheckBox("Curve on canvas")
        self.spectral = QCheckBox("Spectrum")
        self.tool = RectangleTool(viewer, self)
        self.overlay = CurveOverlay(viewer, self)
        self.spectrum = Spectrum(viewer)
        self._out = False
        self._layer: Layer | None = None
        self._roi_of: Layer | None = None
        self._curves: tuple[Curve, ...] = ()
        self._threshold = ""
        self._result: Found | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for box, tip in (
            (self.roi, "Only what lies in a rectangle, which you can move and resize."),
            (self.on_canvas, "Show the curve on the canvas too."),
            (self.spectral, "Show the power spectrum beside the image; the FRC falls at the ring."),
        ):
            box.setToolTip(tip)
            row.addWidget(box)
        row.addStretch(1)
        self.roi.toggled.connect(self._on_roi)
        self.on_canvas.toggled.connect(self._draw_curves)
        self.spectral.toggled.connect(self._on_spectral)
        self.tool.changed.connect(self._on_tool)

    # -- what counts

    def follow(self, layer: Layer | None) -> None:
        """Be out, and lay the rectangle over this layer, if one is wanted."""
        self._out, self._layer = True, layer
        wanted = layer if self.roi.isChecked() else None
        if wanted is self._roi_of and (wanted is None or self.tool.active):
            return
        self.spectrum.hide()  # what came last is put back first; the next result shows it again
        self._roi_of = wanted
        if wanted is None:
            self.tool.end()
        else:
            self.tool.begin(wanted)

    def box(self, layer: Layer) -> Box | None:
        """Return the rows and columns of a layer that count; None for all.

        Raises:
            OptionsError: The rectangle lies beside it.
        """
        return self.tool.of(layer) if self.tool.active else None

    @property
    def selected(self) -> tuple[Layer, ...]:
        """The layers that were selected before the rectangle was."""
        return tuple(self.tool.selected) if self.tool.active else ()

    def leave(self) -> None:
        """Take all of it away; the boxes stay ticked."""
        self._out, self._roi_of = False, None
        self.spectrum.hide()
        self.overlay.hide()
        self.tool.end()

    # -- what is shown

    def show_found(
        self, curves: Sequence[Curve], threshold: str, result: Found | None = None
    ) -> None:
        """Show curves, and the spectrum of a result."""
        self._curves, self._threshold, self._result = tuple(curves), threshold, result
        self._draw_curves()
        self._draw_spectrum()

    def _draw_curves(self, _: bool = False) -> None:
        if self._out and self.on_canvas.isChecked() and self._curves:
            self.overlay.show(self._curves, self._threshold, "FRC")
        else:
            self.overlay.hide()

    def _draw_spectrum(self) -> None:
        result = self._result
        if not self._out or not self.spectral.isChecked() or result is None:
            self.spectrum.hide()
            return
        subject = next(iter(result.request.subjects))
        if result.spectrum is not None and subject.layer in self._viewer.layers:
            frequency = crossing_frequency(result.curves)
            self.spectrum.show(result.spectrum, subject.layer, subject.box, frequency)

    def _on_spectral(self, on: bool) -> None:
        if on:
            self.changed.emit()
        else:
            self.spectrum.hide()

    def _on_roi(self, _: bool) -> None:
        if self._out:
            self.follow(self._layer)
            self.changed.emit()

    def _on_tool(self) -> None:
        if not self.tool.active and self._roi_of is not None:  # the user has deleted it
            self.roi.setChecked(False)
        self.changed.emit()
