"""What a thread does to the frames of a scan: mask, cut, turn, and back to the scan as read."""

from dataclasses import dataclass, replace
from typing import Any

from napari_ptycho import prepare
from napari_ptycho.gui import recipe_source
from napari_ptycho.gui.loading import Scans, given_by_user, with_geometry
from napari_ptycho.gui.recipe_source import OF_FRAMES, Told
from napari_ptycho.gui.views import ScanView, view_scan
from napari_ptycho.model.arrays import Bools
from napari_ptycho.model.summary import summary
from napari_ptycho.prepare import DetectorOptions


@dataclass(frozen=True, eq=False)
class Painted:
    """What a person changed in the mask, (H, W) each."""

    bad: Bools
    good: Bools


def cut(view: ScanView, options: DetectorOptions, painted: Painted | None) -> Scans:
    """Mask pixels as found and as painted, then centre, cut and rebin; the result is not binned.

    Raises:
        PtychoError: As `prepare.cut_detector`.
    """
    mask = replace(options, centre="as read", size=0, rebin=1)
    scan = prepare.cut_detector(view.scan, mask)
    if painted is not None:
        note = f"The mask was painted: {int(painted.bad.sum())} pixels masked"
        note += f", {int(painted.good.sum())} given back." if painted.good.any() else "."
        scan = prepare.mask_pixels(scan, painted.bad, note, painted.good)
    scan = prepare.cut_detector(scan, replace(options, hot=0.0, dead=False, saturation=0.0))
    told = recipe_source.cut(view.told, options, painted is not None)
    return _changed(view, scan, told)


def turn(view: ScanView, code: int) -> Scans:
    """Turn the frames; the result is not binned.

    Raises:
        PtychoError: As `prepare.orient`.
    """
    return _changed(view, prepare.orient(view.scan, code), recipe_source.turned(view.told, code))


def _changed(view: ScanView, scan: Any, told: Told) -> Scans:
    if scan is view.scan:
        return view, view
    new = replace(view_scan(scan), as_read=view.as_read or view, told=told)
    return new, new


def back(view: ScanView) -> Scans:
    """Return the scan as it was read, with what the user has typed about the experiment since."""
    before = view.as_read or view
    typed = given_by_user(view.scan.geometry, view.scan.sources)
    typed = {name: value for name, value in typed.items() if name not in OF_FRAMES}
    if not typed:
        return before, before
    scan, told = with_geometry(before.scan, typed), before.told
    for name, value in typed.items():
        told = recipe_source.typed(told, name, value)
    new = replace(before, scan=scan, rows=summary(scan), told=told)
    return new, new
