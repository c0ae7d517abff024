"""Trajectories and small scans to bin."""

import numpy as np

from napari_ptycho.model import Scan


def raster(rows, columns, snake=False, jitter=0.0, fast="x", step=(1.0, 1.0), seed=0):
    """Return (rows * columns, 2) positions, line by line along the fast axis."""
    line, index = np.divmod(np.arange(rows * columns), columns)
    if snake:
        index = np.where(line % 2, columns - 1 - index, index)
    shake = np.random.default_rng(seed).uniform(-jitter, jitter, (rows * columns, 2))
    place = (np.stack([line, index], axis=1) + shake) * step
    return place if fast == "x" else place[:, ::-1].copy()


def spiral(n):
    """Return an Archimedean spiral with equal steps along and across."""
    turn = np.sqrt(np.arange(n)) * 3.5
    return np.stack([turn * np.sin(turn), turn * np.cos(turn)], axis=1) / 3.5


def fermat(n):
    """Return a Fermat spiral in the order of its index."""
    radius, turn = np.sqrt(np.arange(n)), np.arange(n) * 2.399963
    return np.stack([radius * np.sin(turn), radius * np.cos(turn)], axis=1)


def scan_at(positions, side=4, **fields):
    """Return a scan at given positions with a different number of counts in each frame."""
    n = len(positions)
    patterns = np.arange(n * side * side, dtype=np.uint32).reshape(n, side, side) % 251
    return Scan(fields.pop("patterns", patterns), positions_px=positions, **fields)
