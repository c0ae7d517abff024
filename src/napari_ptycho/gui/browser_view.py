"""What the browser tells of a file: what lies in it, and what would be opened as things stand.

Plain values, made in a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptycho import io
from napari_ptycho.errors import NeedsPositions, PtychoError
from napari_ptycho.gui.loading import read, warnings_of
from napari_ptycho.gui.opening import Opening
from napari_ptycho.gui.views import Image
from napari_ptycho.io.files import HDF5, kind_of, read_head
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.saved_layouts import SavedLayout
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.model.summary import Row, summary
from napari_ptycho.prepare import BinningReport, binning_report, text
from napari_ptycho.prepare.cutting import Window
from napari_ptycho.prepare.detector import DetectorOptions, cut_detector, find_window
from napari_ptycho.prepare.survey import survey

if TYPE_CHECKING:
    from napari_ptycho.io.browse import Candidate, Contents

LAZY_ABOVE_BYTES = 2**27
"""Less is read at once for a preview than for a scan: it is read again at every change."""
EMPTY = "No pixel counts anything in the frames that were looked at."
TOLD = ("patterns", "counts", "valid pixels", "span", "object pixel")
"""Rows of the summary that are told."""


@dataclass(frozen=True, eq=False)
class Look:
    """A file as the browser shows it at first."""

    opening: Opening
    """How it would be opened: as asked, else by a saved layout or by what looks most likely."""
    contents: "Contents | None"
    """None for anything but HDF5."""
    beside: "Contents | None"
    """Of the second file, if it is HDF5."""
    saved: str = ""
    """The saved layout that chose the layout."""


def look(opening: Opening) -> Look:
    """Look into the files of an opening; read as little as can be.

    A file of a known format keeps the empty layout, which leaves all to the format.

    Raises:
        FileError: The file is absent or damaged.
    """
    contents = _contents(opening.path)
    beside = None if opening.positions is None else _contents(opening.positions)
    if contents is None or opening.layout is not None:
        return Look(opening, contents, beside)
    paths = {node.path for node in contents.nodes}
    fitting = [one for one in io.load_layouts() if one.needs and paths.issuperset(one.needs)]
    if fitting:
        best = max(fitting, key=lambda one: len(one.needs))
        return Look(by_saved(opening, best), contents, beside, best.name)
    layout = Layout() if _is_known(opening) else contents.layout
    if opening.positions is not None:  # its paths of positions are those of the other file
        layout = replace(layout, positions="", positions_y="", positions_x="", position_unit="auto")
    return Look(replace(opening, layout=layout), contents, beside)


def by_saved(opening: Opening, saved: SavedLayout) -> Opening:
    """Return an opening as a saved layout has it; what the person typed before stays."""
    return replace(
        opening,
        layout=saved.layout,
        detector=saved.detector,
        geometry={**saved.geometry, **opening.geometry},
    )


def _contents(path: Path) -> "Contents | None":
    from napari_ptycho.io import browse  # with h5py, which no dock needs before there is a file

    is_hdf5 = path.is_file() and kind_of(read_head(path)) == HDF5
    return browse.contents(path) if is_hdf5 else None


def places_for(path: Path, frames: str) -> "tuple[Candidate, ...]":
    """Return what may be the positions of some frames, best first.

    Raises:
        FileError: The file is absent or damaged.
    """
    from napari_ptycho.io import browse

    return browse.positions_for(path, frames)


def _is_known(opening: Opening) -> bool:
    try:
        read(opening, 0)
    except NeedsPositions:
        return True
    except PtychoError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class Preview:
    """What would be opened."""

    sentence: str = ""
    """Why nothing can be opened; empty if it can."""
    mean: Image | None = None
    """(H, W) log10(1 + mean counts) before anything is cut out; None if no frames can be read."""
    window: Window | None = None
    """What is cut out of it; its middle is zero frequency."""
    positions: Floats | None = None
    """(N, 2) (y, x) in `unit`."""
    unit: str = ""
    lines: tuple[str, ...] = ()
    """Name and value, at least two spaces between."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    geometry: Geometry = field(default_factory=Geometry)
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Fields of the geometry whose values are implausible, with the reason."""


def preview(opening: Opening) -> Preview:
    """Read a scan as an opening says, and tell what it is like; an error is its sentence."""
    whole = replace(opening, detector=DetectorOptions())
    detector = opening.detector or DetectorOptions()
    try:
        scan = read(whole, LAZY_ABOVE_BYTES)
    except PtychoError as error:
        return _frames_only(whole, str(error))
    seen = _frames(scan)
    try:
        window = find_window(scan, detector)[0]
        cut = cut_detector(scan, detector)
    except PtychoError as error:
        return replace(seen, sentence=str(error))
    rows = summary(cut)
    lines, warnings = _told(cut, rows)
    return replace(
        seen,
        window=window,
        positions=cut.positions_px if cut.positions_m is None else cut.positions_m * 1e6,
        unit="px" if cut.positions_m is None else "µm",
        lines=lines,
        notes=cut.notes,
        warnings=warnings,
        geometry=cut.geometry,
        doubts=warnings_of(rows),
    )


def _frames_only(opening: Opening, sentence: str) -> Preview:
    """Return the frames of a scan whose positions are not to be had, and why."""
    raster = replace(opening.layout or Layout(), raster_rows=1, step_y=1.0, position_unit="px")
    try:
        scan = read(replace(opening, layout=raster, positions=None), LAZY_ABOVE_BYTES)
    except PtychoError:
        return Preview(sentence)
    return replace(_frames(scan), sentence=sentence)


def _frames(scan: Scan) -> Preview:
    mean = np.log10(1 + survey(scan).mean).astype(np.float32)
    return Preview(
        mean=mean,
        window=Window((0, 0), scan.frame_shape, 1),
        warnings=() if mean.any() else (EMPTY,),
        geometry=scan.geometry,
    )


def _told(scan: Scan, rows: tuple[Row, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return read-outs, and what is doubtful."""
    told = [f"{row.name}  {row.value} {row.unit}".strip() for row in rows if row.name in TOLD]
    guessed = scan.probe is None
    report = binning_report(_with_probe(scan) if guessed else scan, 1)
    told.append(f"step  {text.length(report.step[0], report.unit)}")
    told.append(f"overlap  {_overlap(report, guessed)}")
    warnings = [row.warning for row in rows if row.warning]
    if not guessed:
        warnings += report.warnings
    return tuple(told), tuple(warnings)


def _overlap(report: BinningReport, guessed: bool) -> str:
    """Say how much neighbouring probes overlap; of a guessed probe, at least how much."""
    overlap, width = report.overlap[0], text.length(report.probe_width, report.unit)
    if overlap is None or (guessed and overlap == 0):
        return "unknown: no probe is known"
    if guessed:
        return f"at least {text.percent(overlap)} (of {width}, a probe in focus)"
    return f"{text.percent(overlap)} of the probe's {width}"


def _with_probe(scan: Scan) -> Scan:
    """Return a scan with the smallest probe that makes its mean frame: a lens in focus."""
    if scan.geometry.propagation == "near":
        return scan
    amplitude = np.fft.ifftshift(np.sqrt(survey(scan).mean))
    probe: Any = np.fft.fftshift(np.fft.ifft2(amplitude))[None]
    return replace(scan, probe=probe.astype(np.complex64))
