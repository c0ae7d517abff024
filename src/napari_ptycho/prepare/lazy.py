"""Reading lazy frames chunk by chunk, for arrays that are made from them where they are indexed."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from dask.base import is_dask_collection
from numpy.typing import NDArray

from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Ints

if TYPE_CHECKING:
    import dask.array as da


def read(block: "da.Array") -> NDArray[Any]:
    """Compute frames that lie in one chunk, without the copy that `compute` makes of it."""
    if block.npartitions > 1:  # also chunked across the frames
        return np.asarray(block.compute(scheduler="sync"))  # type: ignore[no-untyped-call]
    from dask.array.optimization import optimize
    from dask.local import get_sync

    key = (block.name, 0, 0, 0)
    graph = optimize(block.dask, [key])  # type: ignore[no-untyped-call]
    return np.asarray(get_sync(graph, key))


def runs(frames: Ints, chunk: int) -> list[Ints]:
    """Split ascending frames into runs that lie in one chunk, which is read once."""
    return np.split(frames, np.flatnonzero(np.diff(frames // chunk)) + 1) if len(frames) else []


def mapped(
    source: Any,
    function: Callable[[NDArray[Any]], NDArray[Any]],
    shape: tuple[int, int],
    dtype: Any,
) -> Any:
    """Apply a function to every frame: now, or when it is read if the frames are lazy.

    Args:
        source: (N, H, W) numpy or dask.
        function: Returns (n, h, w) of (n, H, W), frame by frame.
        shape: (h, w).
        dtype: What it returns.

    Returns:
        (N, h, w) numpy or dask, as the source; to show one lazy frame reads that frame alone.
    """
    if not is_dask_collection(source):
        return np.ascontiguousarray(function(source), dtype)
    return promised(_Mapped(source, function, shape, np.dtype(dtype)), source.chunks[0], "mapped")


def mapped_valid(
    scan: Scan, function: Callable[[NDArray[Any]], NDArray[Any]], shape: tuple[int, int]
) -> Any:
    """Apply a function to the valid pixels of a scan, (H, W) or (N, H, W), as `mapped` does."""
    assert scan.valid is not None  # set on construction
    if scan.valid.ndim == 2:
        return function(scan.valid)
    return mapped(scan.valid, function, shape, bool)


def promised(source: Any, chunk: int | tuple[int, ...], label: str) -> "da.Array":
    """Return a dask array (N, h, w) of frames that are made where they are indexed.

    Args:
        source: Has `shape`, `ndim` and `dtype`, and makes the frames that it is asked for.
        chunk: Frames that are made together: as many in each chunk, or of every one.
        label: What its frames are, for the names of dask's tasks.
    """
    import dask.array as da

    return da.from_array(  # type: ignore[no-untyped-call]
        source,
        chunks=(chunk, *source.shape[1:]),
        name=f"{label}-{uuid.uuid4().hex}",
        asarray=False,
        fancy=True,  # else dask would make a whole chunk to show one frame of it
        meta=np.empty((0, 0, 0), source.dtype),
    )


class _Mapped:
    """Frames that pass through a function when they are indexed."""

    def __init__(
        self,
        source: "da.Array",
        function: Callable[[NDArray[Any]], NDArray[Any]],
        shape: tuple[int, int],
        dtype: np.dtype[Any],
    ) -> None:
        self.source, self.function, self.dtype = source, function, dtype
        self.shape, self.ndim = (int(source.shape[0]), *shape), 3

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        frames = self.source[first]
        one = frames.ndim == 2
        block = np.asarray(frames.compute(scheduler="sync"))  # already in a thread of dask
        made = self.function(block[np.newaxis] if one else block)
        made = made[(slice(None), *rest)].astype(self.dtype, copy=False)
        return np.asarray(made[0] if one else made)
