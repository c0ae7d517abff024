"""Curves, sentences and numbers of Fourier ring correlations."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from napari.viewer import Viewer
from qtpy.QtWidgets import QWidget

from napari_ptycho.assess.correlation import Frc
from napari_ptycho.gui.frc_table import FrcTable
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.names import short
from napari_ptycho.gui.widgets import Note
from napari_ptycho.model import Curve

if TYPE_CHECKING:
    from napari_ptycho.gui.curve_plot import CurvePlot

Y_RANGE = (-0.2, 1.05)
ABOVE = "The pixels limit it, or both share what is no detail: two halves of the scan tell."
BELOW = "Nothing agrees: choose images of the same thing, or take more photons or larger bins."
"""What next, where a curve has no crossing."""
SINGLE, PAIR, BOTH = "P (cycles/sub-image pixel)", "f (cycles/pixel)", "cycles/pixel of its image"


class FrcView(QWidget):
    """A plot, what it says, and a table."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.found: tuple[Frc, ...] = ()
        self.curves: tuple[Curve, ...] = ()
        self.note, self.small = Note(viewer), Note(viewer, small=True)
        self.table = FrcTable(viewer)
        self._rows = stack(self, self.note, self.table, self.small, spacing=4)
        self.clear()

    @cached_property
    def plot(self) -> "CurvePlot":
        """The curves, made when there are some: pyqtgraph takes long to import."""
        from napari_ptycho.gui.curve_plot import CurvePlot

        plot = CurvePlot(self._viewer)
        self._rows.insertWidget(1, plot, 1)  # below the note
        return plot

    @property
    def threshold(self) -> str:
        """The name of the chosen threshold; "" where nothing is shown."""
        return self.found[0].options.threshold if self.found else ""

    def clear(self, sentence: str = "", warnings: Sequence[str] = ()) -> None:
        """Show nothing but a sentence, and why there is nothing."""
        self.show_found((), (), [sentence] if sentence else [], warnings)

    def show_found(
        self,
        found: Sequence[Frc],
        curves: Sequence[Curve] = (),
        sentences: Sequence[str] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        """Show correlations.

        Args:
            found: A row of the table each.
            curves: What is drawn; those of `found`, and perhaps more after them.
            sentences: One stands above the plot, several below; by default one about a single
                correlation.
            warnings: In red, beside those of the correlations.
        """
        self.found = tuple(found)
        self.curves = tuple(curves) or tuple(one.curve for one in found)
        told = _merged(found)
        notes = [f"- {text}" for one in found for text in one.notes]
        lines = list(sentences) or ([_sentence(found[0])] if len(found) == 1 else [])
        above, below = (lines, []) if len(lines) == 1 else ([], lines)
        self.note.show_lines(above, list(dict.fromkeys([*warnings, *told])))
        self.small.show_lines(list(dict.fromkeys([*below, *notes])))
        self._draw(found)
        self.table.show_found(found, self.curves)
        self.table.setVisible(bool(found))

    def _draw(self, found: Sequence[Frc]) -> None:
        if not self.curves and "plot" not in vars(self):
            return
        kinds = {one.single for one in found}
        x_label = BOTH if len(kinds) > 1 else (SINGLE if kinds == {True} else PAIR)
        places = [one.crossing().first for one in found]
        self.plot.tells = len(self.curves) > len(found)  # else the table names them
        self.plot.show_curves(
            self.curves,
            x_label,
            "FRC",
            thresholds=(self.threshold,) if found else (),
            marks=[place for place in places if place is not None],
            y_range=Y_RANGE,
        )
        self.plot.setVisible(bool(self.curves))


def _merged(found: Sequence[Frc]) -> list[str]:
    """Return the warnings; of those that say the same of several images one, which names them."""
    names = short([one.label for one in found])
    shorter = {f"'{one.label}'": f"'{name}'" for one, name in zip(found, names, strict=True)}
    alike: dict[str, list[str]] = {}
    for text in dict.fromkeys(text for one in found for text in one.warnings):
        of, _, what = text.rpartition(": ")
        alike.setdefault(what, []).append(of)
    lines = []
    for what, of_whom in alike.items():
        if len(of_whom) > 1:
            of_whom = [_renamed(of, shorter) for of in of_whom]
        who = ", ".join(of_whom)
        lines.append(f"{who}: {what}" if who else what)
    return lines


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for name, shorter in names.items():
        text = text.replace(name, shorter)
    return text


def _sentence(found: Frc) -> str:
    best = found.resolution()
    if best.value is None:
        return f"{_upper(found.crossing().words)}. {ABOVE if _ends_above(found) else BELOW}"
    return f"{best.text()} · {best.name} ({best.formula}): {found.crossing().words}."


def _ends_above(found: Frc) -> bool:
    limit = found.curve.thresholds[found.options.threshold]
    return bool(found.curve.y[-1] > limit[-1])


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
