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

    def batch(self, size: int) -> int:
        """Return this process's part of a batch; never none."""
        return max(1, round(size / self.size))

    def steps(self, n: int, batch: int) -> int:
        """Return the batches of an epoch over n frames: the same in every process."""
        most = math.ceil(n / self.size)
        return math.ceil(most / self.batch(batch))

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
