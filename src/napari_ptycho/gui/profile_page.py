"""Page of the Inspect dock: values along a line, or over the rings around a point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_ptycho.assess.export import CSV_FILTER, write_curves
from napari_ptycho.assess.plane import Pair, Plane
from napari_ptycho.assess.profile import ProfileOptions, line_profile, radial_profile
from napari_ptycho.errors import OptionsError, PtychoError
from napari_ptycho.gui import kept
from napari_ptycho.gui.canvas import is_plane
from napari_ptycho.gui.curve_plot import CurvePlot
from napari_ptycho.gui.draw_tools import LineTool, PointTool
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.latest import Latest
from napari_ptycho.gui.leave_row import LEFT, LeaveRow
from napari_ptycho.gui.planes import Planes
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import Note
from napari_ptycho.model import Curve
from napari_ptycho.model.arrays import Floats

PLOT_PX = 240
AT_ONCE = 300_000  # pixels whose rings are summed within 20 ms
WORDS = {"line": "Drag the line or its ends.", "radial": "Drag the point, or click into the image."}


@dataclass(frozen=True, eq=False)
class Found:
    """Curves of some layers, and what did not work."""

    curves: tuple[Curve, ...] = ()
    spread: tuple[Floats, ...] = ()
    """Half the height of a band around each; empty for lines."""
    both: tuple[Curve, ...] = ()
    """What a file gets."""
    planes: Mapping[Layer, Plane] = field(default_factory=dict)
    errors: tuple[str, ...] = ()


class ProfilePage(Page):
    """Profiles of all chosen layers, live while the line or the point is moved."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        self.found = Found()
        self.form = OptionsForm(ProfileOptions)
        kept.form(self.form, "Inspect.Profile")
        self.form.changed.connect(self.refresh)
        self.line, self.point = LineTool(viewer, self), PointTool(viewer, self)
        for tool in (self.line, self.point):
            tool.changed.connect(self._on_moved)
        self.plot = CurvePlot(viewer)
        self.plot.setMinimumHeight(PLOT_PX)
        self.draw_button = QPushButton("Draw anew")
        self.draw_button.setToolTip("Put the line or the point back into the middle.")
        self.draw_button.clicked.connect(self._on_draw)
        self.save_button = SaveButton(self._savable)
        self.save_button.setToolTip("Write the curves as CSV, with their units.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.draw_button, 1)
        buttons.addWidget(self.save_button)
        self.latest = Latest(self, "profile")
        self.busy, self.note = LeaveRow(self.latest), Note(viewer)
        self.rows.addWidget(self.form)
        self.rows.addWidget(self.plot, 1)
        self.rows.addLayout(buttons)
        self.rows.addWidget(self.busy)
        self.rows.addWidget(self.note)
        self._over: Layer | None = None
        self._planes: Mapping[Layer, Plane] = {}
        self._deleted = False
        self.latest.answered.connect(self._on_answer)
        self.busy.stop_button.clicked.connect(self._on_left)
        self._on_answer(Found())

    def refresh(self) -> None:
        """Follow layers and options; put the tool out where it is not."""
        layer, options = self.chosen.layer, self.form.options()
        for name in ("width", "show"):
            self.form.fields[name].setEnabled((options.kind == "line") == (name == "width"))
        tool, other = (self.line, self.point) if options.kind == "line" else (self.point, self.line)
        if other.active:
            other.end()
            self._over = None
            self._draw(Found())  # what was measured along the other one means nothing now
        if layer is None:
            self.leave()
            self._on_answer(Found())
            return
        if not self._deleted and (self._over is not layer or not tool.active):
            self._over = layer
            tool.begin(layer)
        self._planes = {}
        self._ask()

    def leave(self) -> None:
        """Take the line or the point from the canvas."""
        self._over, self._deleted = None, False
        for tool in (self.line, self.point):
            tool.end()
        self.latest.forget()

    def layers(self) -> list[Layer]:
        """Return whose profiles are shown: chosen, or selected before the tool was."""
        layers = self.chosen.several()
        more = [*self.line.selected, *self.point.selected]
        there = [one for one in more if is_plane(one) and one in self.viewer.layers]
        return list(dict.fromkeys([*layers, *there]))

    def _ask(self) -> None:
        options = self.form.options()
        tool: Any = self.line if options.kind == "line" else self.point
        if not tool.active:
            self._on_answer(Found())
            return
        places: list[tuple[Layer, Any]] = []
        errors: list[str] = []
        for layer in self.layers():
            try:
                places.append((layer, tool.of(layer)))
            except OptionsError as error:
                errors.append(str(error))
        ready = [self._planes[layer] for layer, _ in places if layer in self._planes]
        size = sum(plane.data.size for plane in ready)
        if len(ready) == len(places) and (options.kind == "line" or size <= AT_ONCE):
            self._draw(_profiles(self._planes, places, options, errors))
        else:
            self.latest.ask(partial(_found, self.chosen.planes, places, options, errors))

    def _on_moved(self) -> None:
        tool = self.line if self.form.options().kind == "line" else self.point
        if self._over is not None and not tool.active:  # the user has deleted it
            self._deleted, self._over = True, None
        if self._over is not None or self._deleted:  # else the page does not show
            self._ask()

    def _on_draw(self) -> None:
        self.leave()
        self.refresh()

    def _on_answer(self, found: Found) -> None:
        self._planes = found.planes
        self._draw(found)

    def _on_left(self) -> None:
        self._draw(Found())
        self.note.show_lines([LEFT])

    def _draw(self, found: Found) -> None:
        self.found = found
        options = self.form.options()
        unit = found.curves[0].x_unit if found.curves else "px"
        value = found.curves[0].y_unit if found.curves else ""
        along = "distance" if options.kind == "line" else "radius"
        what = "spread" if (options.kind, options.show) == ("radial", "spread") else "value"
        self.plot.show_curves(
            found.curves,
            f"{along} ({unit})",
            f"{what} ({value})" if value else what,
            spread=dict(enumerate(found.spread)),
        )
        self.save_button.setEnabled(bool(found.curves))
        active = self.line.active or self.point.active
        words = [WORDS[options.kind]] if active else ["Press Draw anew, and move what appears."]
        self.note.show_lines(words if self.chosen.layer is not None else [], found.errors)

    def _savable(self) -> Savable | None:
        if not self.found.both:
            return None
        return Savable(
            "Save the profiles",
            "profiles.csv",
            CSV_FILTER,
            partial(write_curves, curves=self.found.both),
        )


def _found(
    source: Planes,
    places: Sequence[tuple[Layer, Any]],
    options: ProfileOptions,
    errors: Sequence[str],
) -> Found:
    """Return profiles of layers whose images are not at hand yet, and those images."""
    planes: dict[Layer, Plane] = {}
    said = list(errors)
    for layer, _ in places:
        try:
            planes[layer] = source.of(layer)
        except PtychoError as error:
            said.append(str(error))
    return replace(_profiles(planes, places, options, said), planes=planes)


def _profiles(
    planes: Mapping[Layer, Plane],
    places: Sequence[tuple[Layer, Any]],
    options: ProfileOptions,
    errors: Sequence[str],
) -> Found:
    said = list(errors)
    shown: list[Curve] = []
    both: list[Curve] = []
    spread: list[Floats] = []
    for layer, place in places:
        plane = planes.get(layer)
        if plane is None:
            continue
        try:
            if options.kind == "line":
                start, end = place
                shown.append(line_profile(plane, start, end, options.width))
                continue
            centre: Pair = place
            found = radial_profile(plane, centre)
        except PtychoError as error:
            said.append(str(error))
            continue
        spread.append(found.spread.y)
        shown.append(found.mean if options.show == "mean" else found.spread)
        both += [_named(found.mean, "mean"), _named(found.spread, "spread")]
    bands = tuple(spread) if options.show == "mean" else ()
    return Found(tuple(shown), bands, tuple(both or shown), errors=tuple(said))


def _named(curve: Curve, what: str) -> Curve:
    return Curve(curve.x, curve.y, curve.x_unit, curve.y_unit, f"{curve.label}, {what}")
