"""Several processes at one scan: who has which frames, and sums over all of them."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """The part of one process: frames rank, rank + size, rank + 2 size, ..."""

    rank: int = 0
    size: int = 1

    def frames(self, n: int) -> NDArray[np.int64]:
        """Return the frames of this process, of n."""
        return np.arange(self.rank, n, self.size)

    def steps(self, n: int, batch: int) -> int:
        """Return the steps of an epoch over n frames: the same in every process.

        Every process has frames for each of them.
        """
        part = max(1, round(batch / self.size))
        return math.ceil(max(1, n // self.size) / part)

    def batches(self, order: NDArray[np.int64], n: int, batch: int) -> list[NDArray[np.int64]]:
        """Return this process's frames, in some order, as the batches of an epoch.

        Args:
            order: All own frames.
            n: Frames of the scan.
            batch: Size of a batch over all processes.
        """
        if self.size == 1:
            return [order[at : at + batch] for at in range(0, len(order), batch)]
        return np.array_split(order, self.steps(n, batch))

    def sum_(self, *tensors: Tensor) -> None:
        """Add up tensors over all processes, in place."""
        if self.size == 1:
            return
        for tensor in tensors:
            real = torch.view_as_real(tensor) if tensor.is_complex() else tensor
            torch.distributed.all_reduce(real)

    def most(self, value: Tensor) -> Tensor:
        """Return the largest value of all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(value, torch.distributed.ReduceOp.MAX)
        return value


ALONE = Share()
