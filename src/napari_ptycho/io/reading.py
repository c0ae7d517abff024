"""How a file is read where a person, or a layout they saved, has a say in it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ptycho.errors import PtychoError
from napari_ptycho.io import saved_layouts
from napari_ptycho.io.draft import Request
from napari_ptycho.io.formats import Format
from napari_ptycho.io.saved_layouts import SavedLayout
from napari_ptycho.model import Scan
from napari_ptycho.prepare.detector import DetectorOptions

if TYPE_CHECKING:
    import h5py


class Reading:
    """One call of `read_scan`."""

    def __init__(self, request: Request, detector: DetectorOptions | None, by_saved: bool) -> None:
        """Remember what is wanted.

        Args:
            request: What the caller says.
            detector: How frames are cut and masked; None: as the saved layout, or whole.
            by_saved: Whether a saved layout may choose the layout: nobody else did.
        """
        self.request, self.detector, self.by_saved = request, detector, by_saved
        self.saved: SavedLayout | None = None
        self.notes: list[str] = []
        self.told: dict[str, str] = {}

    def form(self, file: "h5py.File") -> Format | None:
        """Return the format of an HDF5 file whose frames the layout names, else None."""
        from napari_ptycho.io import generic

        if self.by_saved:
            self._ask_saved(file)
        return generic.FORMAT if self.request.layout.frames else None

    def _ask_saved(self, file: "h5py.File") -> None:
        known, self.notes = saved_layouts.load()
        saved = next(iter(saved_layouts.fitting(file, known)), None)
        if saved is None:
            return
        given = self.request.overrides()
        geometry = {**saved.geometry, **given}
        self.told = dict.fromkeys(saved.geometry.keys() - given, f"saved layout '{saved.name}'")
        self.saved = saved
        self.request = replace(self.request, layout=saved.layout, geometry=geometry)
        self.detector = self.detector or saved.detector
        matched = f"{len(saved.needs)} path{'s' if len(saved.needs) > 1 else ''} matched"
        self.notes.append(f"Opened with the saved layout '{saved.name}' ({matched}).")

    def scan(self, form: Format, content: Any) -> Scan:
        """Read an open file by its format, then turn and cut the frames.

        Raises:
            PtychoError: What the format raises; which saved layout it was that chose it is said.
        """
        assert form.read_scan is not None  # the caller checked
        try:
            scan = self.cut(form.read_scan(content, self.request))
        except PtychoError as error:
            if self.saved is None:
                raise
            by = f"(it was opened with the saved layout '{self.saved.name}')"
            raise type(error)(f"{error} {by}") from error
        if not self.notes:
            return scan
        sources = {**scan.sources, **self.told}
        return replace(scan, notes=(*self.notes, *scan.notes), sources=sources)

    def cut(self, scan: Scan) -> Scan:
        """Turn and cut the frames of a scan as is wanted.

        Raises:
            PtychoError: They cannot be (`cut_detector`).
        """
        if code := self.request.layout.orientation:
            from napari_ptycho.prepare.orientation import orient

            scan = orient(scan, code)
        if self.detector in (None, DetectorOptions()):
            return scan
        return self.cut_out(scan, self.detector)

    def cut_out(self, scan: Scan, options: DetectorOptions) -> Scan:
        """Mask and cut the frames of a turned scan."""
        from napari_ptycho.prepare.detector import cut_detector

        return cut_detector(scan, options)
