"""Waves: optics and simulation in numpy; the tensor functions of the engines in torch.

The names here need no torch; `propagate`, `windows` and `modes`, which the engines import, do.
"""

from napari_ptycho.physics.simulation import simulate

__all__ = ["simulate"]
