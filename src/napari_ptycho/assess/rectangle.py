"""Rectangles: the largest that is known everywhere, the smallest that holds all that is known."""

import numpy as np
import scipy

from napari_ptycho.model.arrays import Bools

Box = tuple[slice, slice]
CELLS = 160  # a side of the grid on which it is searched


def largest_rectangle(area: Bools) -> Box:
    """Return the largest rectangle inside an area (H, W); holes in it do not count.

    It is searched on a grid of at most `CELLS` cells a side, then grown pixel by pixel.
    """
    if area.all():
        return slice(0, area.shape[0]), slice(0, area.shape[1])
    filled = np.asarray(scipy.ndimage.binary_fill_holes(area))
    step = -(-max(filled.shape) // CELLS)
    h, w = (n // step for n in filled.shape)
    blocks = filled[: h * step, : w * step].reshape(h, step, w, step)
    top, bottom, left, right = _on_grid(np.asarray(blocks.all(axis=(1, 3))))
    return _grown(filled, [top * step, bottom * step, left * step, right * step])


def smallest_rectangle(area: Bools) -> Box:
    """Return the smallest rectangle that holds all of an area (H, W)."""
    rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _on_grid(cells: Bools) -> tuple[int, int, int, int]:
    """Return the largest rectangle of True as top, bottom, left, right (ends excluded)."""
    best, found = 0, (0, 0, 0, 0)
    heights = np.zeros(cells.shape[1] + 1, int)  # the last 0 closes what is open
    for row, line in enumerate(cells):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        open_: list[tuple[int, int]] = []
        for column, height in enumerate(heights.tolist()):
            left = column
            while open_ and open_[-1][1] >= height:
                left, tall = open_.pop()
                if tall * (column - left) > best:
                    best, found = tall * (column - left), (row + 1 - tall, row + 1, left, column)
            open_.append((left, height))
    return found


def _grown(area: Bools, edges: list[int]) -> Box:
    """Grow a rectangle (top, bottom, left, right) to all sides while all of it stays inside."""
    moves = ((0, -1), (1, 1), (2, -1), (3, 1))
    growing = edges[1] > edges[0]
    while growing:
        growing = False
        for side, step in moves:
            moved = list(edges)
            moved[side] += step
            if _inside(area, moved):
                edges, growing = moved, True
    return slice(edges[0], edges[1]), slice(edges[2], edges[3])


def _inside(area: Bools, edges: list[int]) -> bool:
    top, bottom, left, right = edges
    if top < 0 or left < 0 or bottom > area.shape[0] or right > area.shape[1]:
        return False
    return bool(area[top:bottom, left:right].all())
