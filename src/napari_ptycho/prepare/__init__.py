"""From a scan to a scan, and from a scan to a first guess."""

from napari_ptycho.prepare.binning import bin_positions
from napari_ptycho.prepare.halves import alternate, thin
from napari_ptycho.prepare.raster import Raster, find_raster
from napari_ptycho.prepare.report import BinningReport, binning_report
from napari_ptycho.prepare.start import Optics, ProbeStart, first_guess

__all__ = [
    "BinningReport",
    "Optics",
    "ProbeStart",
    "Raster",
    "alternate",
    "bin_positions",
    "binning_report",
    "find_raster",
    "first_guess",
    "thin",
]
