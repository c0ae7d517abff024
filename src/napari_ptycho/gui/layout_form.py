"""The middle of the browser: how a file is to be read, all that a person can say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_ptycho.gui.fold import Fold
from napari_ptycho.gui.form import OptionsForm, label
from napari_ptycho.gui.geometry_form import GeometryForm
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.opening import Opening
from napari_ptycho.gui.second_file import SecondFile
from napari_ptycho.gui.typed_choice import TypedChoice
from napari_ptycho.gui.widgets import form_rows
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.saved_layouts import PATHS
from napari_ptycho.model import Geometry
from napari_ptycho.prepare.detector import DetectorOptions

if TYPE_CHECKING:
    from napari_ptycho.io.browse import Candidate, Contents

KNOWN, OWN = "as the format says", "none"
"""What an empty path means: in a file of a known format, and where the frames are chosen."""
PAIR = "  +  "
"""Between two paths that are offered together."""
NAMED = {
    "mask": ("mask", "valid", "bad"),
    "dark": ("dark", "background"),
    "flat": ("flat", "gain", "white"),
    "monitor": ("monitor", "i0", "ic", "ipm", "current", "intensity", "flux"),
    "energy": ("energy", "wavelength", "lambda"),
    "distance": ("distance", "det_dist", "_z"),
    "detector_pixel": ("pixel", "pitch"),
}
"""Field of the layout -> words of which a dataset that may be it has one in its name."""
MOST_OFFERS = 30


class LayoutForm(QWidget):
    """Shows and edits an `Opening`."""

    changed = Signal()
    """The user has edited something; not by another choice of frames, which comes first."""
    frames_chosen = Signal(str)
    """The user has chosen these frames; the positions that fit them are to be offered."""
    second_chosen = Signal()
    """The user has chosen another second file, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.second = SecondFile()
        self.layout_form = OptionsForm(Layout, offered=PATHS)
        self.detector_form = OptionsForm(DetectorOptions)
        self.geometry_form = GeometryForm(all_rows=True)
        self.target = ""
        """The path field that was used last, which a double click in the tree fills."""
        self._path = Path()
        self._typed: dict[str, Any] = {}
        self._frames = ""
        self._lay_out()
        for name in PATHS:
            self.layout_form.fields[name].installEventFilter(self)
        self.second.chosen.connect(self.second_chosen)
        self.layout_form.changed.connect(self._on_layout)
        self.detector_form.changed.connect(self.changed)
        self.geometry_form.edited.connect(self._on_geometry)

    def _lay_out(self) -> None:
        geometry, detector = form_rows(), form_rows()
        geometry.addRow(self.geometry_form)
        detector.addRow(self.detector_form)
        self.folds = {
            **self.layout_form.folds,
            "Values": Fold("Values of the experiment", geometry),
            "Detector": Fold("Detector", detector),
        }
        last = self.folds["Values"], self.folds["Detector"]
        stack(self, self.second, self.layout_form, *last, spacing=2).addStretch(1)
        for title in ("Frames", "Positions"):
            self.folds[title].open()

    # -- the opening

    def opening(self) -> Opening:
        """Return how the file is to be opened as things stand.

        Raises:
            OptionsError: A value is not allowed.
        """
        layout, detector = self.layout_form.options(), self.detector_form.options()
        return Opening(self._path, self.second.path, layout, detector, dict(self._typed))

    def show_opening(self, opening: Opening) -> None:
        """Show how a file is to be opened."""
        self._path, self._typed = opening.path, dict(opening.geometry)
        layout = opening.layout or Layout()
        self._frames = layout.frames
        self._tell_empty()
        self.second.show_path(opening.positions)
        self.layout_form.set_options(layout)
        self.detector_form.set_options(opening.detector or DetectorOptions())
        self._mark()

    def show_geometry(self, geometry: Geometry, doubts: Mapping[str, str]) -> None:
        """Show the geometry that would be opened."""
        self.geometry_form.show_geometry(geometry, doubts)

    def _tell_empty(self) -> None:
        for name in PATHS:
            field = self.layout_form.fields[name]
            if isinstance(field, TypedChoice):
                field.suggest(OWN if self._frames else KNOWN)

    def roles(self) -> dict[str, str]:
        """Return which paths are used as what."""
        values = self.layout_form.options().as_dict()
        apart = self.second.path is not None  # then paths of positions lie in the second file
        return {
            str(values[name]).strip("/"): label(name).lower()
            for name in PATHS
            if values[name] and not (apart and name.startswith("positions"))
        }

    # -- what is offered

    def offer(self, contents: "Contents | None", beside: "Contents | None") -> None:
        """Offer the datasets of a file, and of the second one for the positions."""
        nodes = [] if contents is None else [n for n in contents.nodes if n.kind == "dataset"]
        for name, words in NAMED.items():
            found = [n for n in nodes if any(w in n.path.rpartition("/")[2].lower() for w in words)]
            self._offer(name, {n.path: " ".join((*map(str, n.shape), n.value)) for n in found})
        self._offer("frames", _reasons(() if contents is None else contents.frames))
        source = contents if beside is None else beside
        self.offer_positions(() if source is None else source.positions)

    def offer_positions(self, candidates: "Sequence[Candidate]") -> None:
        """Offer datasets that may be the positions."""
        self._offer("positions", _reasons(candidates))
        for name, at in (("positions_y", 0), ("positions_x", 1)):
            pairs = [one for one in candidates if len(one.paths) == 2]
            self._offer(name, {one.paths[at]: one.why for one in pairs})

    def _offer(self, name: str, reasons: Mapping[str, str]) -> None:
        some = dict(list(reasons.items())[:MOST_OFFERS])
        field = self.layout_form.fields[name]
        if isinstance(field, TypedChoice):
            field.offer(some)

    # -- editing

    def use(self, name: str, path: str, n_axes: int) -> None:
        """Use a dataset as something, as the menu of the tree asks.

        Args:
            name: A field of the layout; "" for the one that suits the axes, or was used last.
            path: The dataset.
            n_axes: Number of its axes.
        """
        self._set({name or self._suited(n_axes): path})
        self._on_layout()

    def _suited(self, n_axes: int) -> str:
        if n_axes > 2:
            return "frames"
        if self.target not in ("", "frames"):
            return self.target
        return "positions" if n_axes == 2 else "positions_y"

    def use_positions(self, paths: Sequence[str]) -> None:
        """Take one dataset, two (y, x) or none as the positions; the caller tells of the change."""
        names = ("positions_y", "positions_x") if len(paths) == 2 else ("positions",)
        paths = paths or ("",)
        self._set(dict(zip(names, paths, strict=True)))

    def _set(self, values: Mapping[str, str]) -> None:
        """Put paths into fields; one dataset of positions and two exclude each other."""
        new: dict[str, Any] = dict(values)
        if "positions" in new:
            new |= {"positions_y": "", "positions_x": ""}
        elif {"positions_y", "positions_x"} & set(new):
            new["positions"] = ""
        if "positions" in new:
            new["position_unit"] = "auto"  # the one before was of another dataset
        layout = self.layout_form.options()
        self.layout_form.set_options(replace(layout, **new))

    def _on_layout(self) -> None:
        layout = self.layout_form.options().as_dict()
        if PAIR in str(layout["positions"]):
            self.use_positions(str(layout["positions"]).split(PAIR))
        if layout["frames"] != self._frames:
            self._frames = str(layout["frames"])
            self._tell_empty()
            self.frames_chosen.emit(self._frames)
        else:
            self.changed.emit()

    def _on_geometry(self, name: str, value: Any) -> None:
        if value is None:
            self._typed.pop(name, None)
        else:
            self._typed[name] = value
        self._mark()
        self.changed.emit()

    def _mark(self) -> None:
        self.folds["Values"].mark([f"{name} = {value}" for name, value in self._typed.items()])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note which path field the user is in."""
        if event.type() == QEvent.Type.FocusIn:
            fields = self.layout_form.fields
            self.target = next(name for name in PATHS if fields[name] is watched)
        return False


def _reasons(candidates: "Sequence[Candidate]") -> dict[str, str]:
    return {PAIR.join(one.paths): f"{one.score:.0%}: {one.why}" for one in candidates}
