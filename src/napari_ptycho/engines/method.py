"""What an engine is to the loop that drives it."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from napari_ptycho.engines.frames import Ids
from napari_ptycho.engines.state import Tree
from napari_ptycho.engines.work import Work


class Method:
    """One engine at work: the loop calls these in order; most engines only write `step`."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.factor, self.with_probe = 1.0, True

    def begin_epoch(self, factor: float, with_probe: bool) -> None:
        """Set the factor on all steps, and whether the probe moves."""
        self.factor, self.with_probe = factor, with_probe

    def batches(self, random: torch.Generator) -> Iterator[Ids]:
        """Yield the frames of every step of an epoch."""
        yield from self.work.random_batches(random)

    def step(self, ids: Ids) -> None:
        """Take some frames into account."""
        raise NotImplementedError

    def pieces(self, left: float) -> Iterator[None]:
        """Do what takes long at the end of an epoch piece by piece: a run can stop in between."""
        yield from ()

    def end_epoch(self, left: float) -> None:
        """Do what is done once per epoch; `left` is the share of the run still to come."""

    def restart(self) -> None:
        """Forget momentum and stored waves: the state has jumped."""

    def joined(self) -> None:
        """Go on with more frames than before: those that were held out take part from now on."""

    def calm(self) -> None:
        """Be more careful with momentum: the error rises."""

    def shrink(self) -> None:
        """Let go of buffers: from now on the batches are smaller, as `work.size` says."""

    def turned(self, unitary: Tensor) -> None:
        """Mix the modes of what is remembered as those of the probe were, (M, M)."""

    def scaled(self, probe: float) -> None:
        """Scale what is remembered: the probe was multiplied by this, the object divided."""

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return what is remembered; `midway` in an epoch also what that has collected so far."""
        return {"factor": self.factor, "with_probe": self.with_probe}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        self.factor, self.with_probe = tree["factor"], tree["with_probe"]
