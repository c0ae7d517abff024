"""From a scan to a scan, and from a scan to a first guess."""

from napari_ptycho.prepare.bad_pixels import mask_pixels
from napari_ptycho.prepare.binning import bin_positions
from napari_ptycho.prepare.centre import find_centre
from napari_ptycho.prepare.detector import DetectorOptions, cut_detector, fft_size, fft_sizes
from napari_ptycho.prepare.detector_report import DetectorReport, detector_report
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
