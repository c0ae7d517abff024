"""The nouns: frozen, checked on construction, without algorithms."""

from napari_ptycho.model.curve import Curve
from napari_ptycho.model.geometry import Geometry
from napari_ptycho.model.reconstruction import Reconstruction
from napari_ptycho.model.scan import Scan

__all__ = ["Curve", "Geometry", "Reconstruction", "Scan"]
