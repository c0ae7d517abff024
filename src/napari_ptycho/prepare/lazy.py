"""Reading lazy frames chunk by chunk, for arrays that are made from them where they are indexed."""

from typing import Any

import dask.array as da
import numpy as np
from dask.array.optimization import optimize
from dask.local import get_sync
from numpy.typing import NDArray

from napari_ptycho.prepare.raster import Ints


def read(block: da.Array) -> NDArray[Any]:
    """Compute frames that lie in one chunk, without the copy that `compute` makes of it."""
    if block.npartitions > 1:  # also chunked across the frames
        return np.asarray(block.compute(scheduler="sync"))  # type: ignore[no-untyped-call]
    key = (block.name, 0, 0, 0)
    graph = optimize(block.dask, [key])  # type: ignore[no-untyped-call]
    return np.asarray(get_sync(graph, key))


def runs(frames: Ints, chunk: int) -> list[Ints]:
    """Split ascending frames into runs that lie in one chunk, which is read once."""
    return np.split(frames, np.flatnonzero(np.diff(frames // chunk)) + 1) if len(frames) else []
