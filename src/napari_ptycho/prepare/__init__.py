"""From a scan to a scan, and from a scan to a first guess.

What a name stands for is imported when it is first asked for: a form needs its options alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ptycho.prepare.bad_pixels import mask_pixels
    from napari_ptycho.prepare.binning import bin_positions
    from napari_ptycho.prepare.centre import find_centre
    from napari_ptycho.prepare.detector import DetectorOptions, cut_detector, fft_size, fft_sizes
    from napari_ptycho.prepare.detector_facts import DetectorReport, detector_report
    from napari_ptycho.prepare.halves import alternate, thin
    from napari_ptycho.prepare.orientation import orient
    from napari_ptycho.prepare.raster import Raster, find_raster
    from napari_ptycho.prepare.report import BinningReport, binning_report
    from napari_ptycho.prepare.sparse import keep_every, sparse_report
    from napari_ptycho.prepare.start import Optics, ProbeStart, first_guess

__all__ = [
    "BinningReport",
    "DetectorOptions",
    "DetectorReport",
    "Optics",
    "ProbeStart",
    "Raster",
    "alternate",
    "bin_positions",
    "binning_report",
    "cut_detector",
    "detector_report",
    "fft_size",
    "fft_sizes",
    "find_centre",
    "find_raster",
    "first_guess",
    "keep_every",
    "mask_pixels",
    "orient",
    "sparse_report",
    "thin",
]

_WHERE = {
    "alternate": "halves",
    "bin_positions": "binning",
    "binning_report": "report",
    "cut_detector": "detector",
    "detector_report": "detector_facts",
    "fft_size": "detector",
    "fft_sizes": "detector",
    "find_centre": "centre",
    "find_raster": "raster",
    "first_guess": "start",
    "keep_every": "sparse",
    "mask_pixels": "bad_pixels",
    "orient": "orientation",
    "sparse_report": "sparse",
    "thin": "halves",
    "BinningReport": "report",
    "DetectorOptions": "detector",
    "DetectorReport": "detector_facts",
    "Optics": "start",
    "ProbeStart": "start",
    "Raster": "raster",
}
"""Name -> the module that has it."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
