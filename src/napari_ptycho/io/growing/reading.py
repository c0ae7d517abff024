"""Readings of a growing scan: format, saved layout and cut stay as at the first of them."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ptycho.errors import NeedsLayout
from napari_ptycho.io.formats import HDF5_FILE, Format
from napari_ptycho.io.growing.growth import Growth
from napari_ptycho.io.reading import Reading
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools
from napari_ptycho.prepare.bad_pixels import dead_pixels, hot_pixels, mask_pixels
from napari_ptycho.prepare.detector import DetectorOptions, cut_detector, find_window
from napari_ptycho.prepare.survey import survey
from napari_ptycho.prepare.text import plural

if TYPE_CHECKING:
    import h5py

    from napari_ptycho.io.draft import Request


class GrowingReading(Reading):
    """Reads what is there, again and again."""

    def __init__(
        self, request: "Request", detector: DetectorOptions | None, by_saved: bool
    ) -> None:
        """Remember what is wanted; the arguments are those of `Reading`."""
        super().__init__(request, detector, by_saved)
        self.growth = Growth(request.positions)
        self.request = replace(request, growing=self.growth)
        self._form: Format | None = None
        self._bad: Bools | None = None
        self._fixed: DetectorOptions | None = None

    def of_hdf5(self, file: "h5py.File") -> Scan:
        """Read an open file.

        Raises:
            NeedsLayout: It is of no known format.
            PtychoError: What its format raises; `NotYet` where too little is there.
        """
        if self._form is None:
            self._form = self.form(file) or _known(file)
        return self.scan(self._form, file)

    def cut(self, scan: Scan) -> Scan:
        """Return the scan as it is: threads that read its frames wait until its file is closed."""
        return scan

    def finished(self, scan: Scan) -> Scan:
        """Turn and cut a scan whose file is closed.

        Raises:
            PtychoError: As `Reading.cut`.
        """
        return super().cut(scan)

    def cut_out(self, scan: Scan, options: DetectorOptions) -> Scan:
        """Mask and cut the frames as was decided at the first of them."""
        if self._fixed is None:
            self._decide(scan, options)
        assert self._fixed is not None  # just decided
        if self._bad is not None and self._bad.any():
            count = int(self._bad.sum())
            note = f"{plural(count, 'hot or dead pixel')} of the first frames masked."
            scan = mask_pixels(scan, self._bad, note)
        return cut_detector(scan, self._fixed)

    def _decide(self, scan: Scan, options: DetectorOptions) -> None:
        """Fix which pixels are bad and where the centre is, by the frames so far."""
        masked = scan
        if options.hot or options.dead:
            seen = survey(scan)
            hot = hot_pixels(seen, options.hot) if options.hot else None
            dead = dead_pixels(seen) if options.dead else None
            self._bad = dead if hot is None else hot if dead is None else hot | dead
            assert self._bad is not None  # of one of the two
            masked = mask_pixels(scan, self._bad, "")
        fixed = replace(options, hot=0.0, dead=False)
        if options.centre == "auto":
            window, _ = find_window(masked, fixed)
            y, x = window.centre
            fixed = replace(fixed, centre="given", centre_y=y, centre_x=x)
        self._fixed = fixed


def _known(file: "h5py.File") -> Format:
    from napari_ptycho.io.opened import known_formats

    for form in known_formats().values():
        if HDF5_FILE in form.containers and form.read_scan and form.recognises(file):
            return form
    raise NeedsLayout(
        f"{Path(file.filename).name}: an HDF5 file of no known layout; say which part of it is "
        "what: in the window by Browse…, else with 'napari-ptycho browse'"
    )
