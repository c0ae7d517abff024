"""Where a training stands: epochs, steps, and the order of the pairs in the epoch under way."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import torch
from torch import Tensor

from napari_ptycho.torch_state import load_random, random_state, tensor_of

KEPT = ("batch", "steps", "epoch", "begun", "asked", "left", "taken", "first")


class Course:
    """The way through the pairs. It can be left after any step, and gone on from."""

    def __init__(self, count: int, seed: int) -> None:
        """Begin before the first epoch.

        Args:
            count: Pairs that teach.
            seed: Of their order.
        """
        self.count, self.batch = count, 1
        self.random = torch.Generator().manual_seed(seed)
        self.steps = self.asked = 0
        self.epoch = self.begun = 0.0
        """Epochs so far, and when this stretch began."""
        self.left = self.taken = 0
        """Epochs to go, with the one under way; steps taken in that one."""
        self.first = 0.0
        """Epochs before the one under way."""
        self.order = torch.empty(0, dtype=torch.int64)

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch."""
        return ceil(self.count / self.batch)

    def begin(self, epochs: int, batch: int) -> None:
        """Go on for so many epochs more, with so many pairs per step."""
        self.begun, self.asked, self.batch = self.epoch, epochs, batch
        self.left, self.taken = epochs, 0

    def batches(self) -> Iterator[Tensor]:
        """Yield which pairs come next (B,), until the epochs are over or the caller has enough."""
        while self.left:
            if self.taken == 0:
                self.first = self.epoch
                self.order = torch.randperm(self.count, generator=self.random)
            yield from torch.split(self.order, self.batch)[self.taken :]

    def step(self) -> bool:
        """Count a step that was taken; return whether an epoch ended with it."""
        self.steps, self.taken = self.steps + 1, self.taken + 1
        self.epoch = self.first + self.taken / self.epoch_steps
        if self.taken < self.epoch_steps:
            return False
        self.left, self.taken = self.left - 1, 0
        return True

    def state(self) -> dict[str, Any]:
        """Return where it stands, as a tree (see `io.autosave.flat`)."""
        numbers = {name: getattr(self, name) for name in KEPT}
        return {**numbers, "random": random_state(self.random), "order": self.order}

    def load(self, tree: Mapping[str, Any]) -> None:
        """Stand where another one stood."""
        for name in KEPT:
            setattr(self, name, tree[name])
        load_random(self.random, tree["random"])
        self.order = tensor_of(tree["order"])
