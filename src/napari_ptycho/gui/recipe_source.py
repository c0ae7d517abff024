"""How the scan that is shown came about, as a recipe tells it; no Qt.

Every step of the Scan dock takes this along with the scan: from what is told, the scan can be
opened again as it is. What no recipe can tell is a sentence instead.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_ptycho import io
from napari_ptycho.gui.opening import Opening
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.saved_layouts import SavedLayout
from napari_ptycho.prepare import DetectorOptions
from napari_ptycho.prepare.orientation import TRANSPOSE, compose
from napari_ptycho.prepare.text import parse_size
from napari_ptycho.recipes.recipe import SAMPLE, BinningOptions, Source

Told = Source | str
"""How a scan is opened again, or why no recipe can tell."""
REMEDY = "save the scan to a file and open that"
IN_MEMORY = f"the scan was not opened from a file; {REMEDY}"
PAINTED = f"the mask was painted, which no recipe tells; {REMEDY}"
TWICE = f"the frames were changed again after they were cut; {REMEDY}"
OF_FRAMES = ("detector_pixel_m", "detector_pixel_rad")


def opened(opening: Opening, notes: Sequence[str]) -> Source:
    """Return the source of a file that was opened; a saved layout that opened it is taken in.

    Args:
        opening: The file.
        notes: Of the scan: they name the saved layout.
    """
    saved = _saved(notes) if opening.layout is None else None
    layout, detector, geometry = opening.layout, opening.detector, dict(opening.geometry)
    if saved is not None:
        layout, detector = saved.layout, detector or saved.detector
        geometry = {**saved.geometry, **geometry}
    second = opening.positions
    known = {name: value for name, value in geometry.items() if value is not None}
    return Source(
        file=str(opening.path.absolute()),
        positions="" if second is None else str(second.absolute()),
        layout=layout,
        detector=None if detector == DetectorOptions() else detector,
        geometry=known,
    )


def _saved(notes: Sequence[str]) -> SavedLayout | None:
    """Return the saved layout that opened a scan, as its notes say."""
    if not any(note.startswith("Opened with the saved layout") for note in notes):
        return None
    saved_layouts = io.load_layouts()
    named = [
        one
        for one in saved_layouts
        if any(f"saved layout '{one.name}' (" in note for note in notes)
    ]
    return named[0] if named else None


def sample(key: str) -> Source:
    """Return the source of a sample."""
    return Source(SAMPLE + key)


def typed(told: Told, name: str, value: Any) -> Told:
    """Return the source after the user has typed a field of the geometry."""
    if isinstance(told, str):
        return told
    if name in OF_FRAMES and value is not None:
        value = _as_read(told, value)
    geometry = {key: kept for key, kept in told.geometry.items() if key != name}
    return replace(told, geometry=geometry if value is None else {**geometry, name: value})


def _as_read(told: Source, pixel: Sequence[float]) -> tuple[float, ...]:
    """Return the size of a pixel of the file, from that of one after all that is done to frames."""
    rebin = 1 if told.detector is None else told.detector.rebin
    sides = tuple(side / rebin for side in pixel)
    swapped = told.layout is not None and told.layout.orientation & TRANSPOSE
    return sides[::-1] if swapped else sides


def cut(told: Told, options: DetectorOptions, painted: bool) -> Told:
    """Return the source after the frames were masked, cut and rebinned."""
    if isinstance(told, str):
        return told
    if painted:
        return PAINTED
    return TWICE if told.detector is not None else replace(told, detector=options)


def turned(told: Told, code: int) -> Told:
    """Return the source after the frames were turned."""
    if isinstance(told, str):
        return told
    if told.detector is not None:
        return TWICE
    layout = told.layout or Layout()
    return replace(told, layout=replace(layout, orientation=compose(layout.orientation, code)))


def binning(size: Any, neighbours: Any, every: int = 1) -> BinningOptions:
    """Return a bin size as a recipe tells it: 4, or rows x columns like 2x3; of every k-th."""
    text = "x".join(str(side) for side in size) if isinstance(size, tuple) else str(size)
    return BinningOptions("1" if text == "1x1" else text, neighbours, every)


def bin_size(options: BinningOptions) -> int | tuple[int, int] | None:
    """Return the bin size that a recipe tells; None bins nothing.

    Raises:
        OptionsError: It is no number, and no two with x between them.
    """
    size = parse_size(options.size)
    return None if size in (1, (1, 1)) else size


def opening(source: Source) -> Opening:
    """Return how the file of a source is opened."""
    return Opening(
        path=Path(source.file).expanduser(),
        positions=Path(source.positions).expanduser() if source.positions else None,
        layout=source.layout,
        detector=source.detector,
        geometry=dict(source.geometry),
    )
