"""The live state of a fine-tuning: a network that learns from the patterns of one scan (torch).

The overlap loop has the gradient of the whole stitched object in bounded memory: a first pass makes
the object, the forward model pulls on it, and the adjoint of stitching hands the pull to each piece
of patches, whose way back is kept or, where memory is short, walked anew.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.networks.experiment import Experiment
from napari_ptycho.networks.forward import counts_of_object, counts_of_patches
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import FinetuneOptions
from napari_ptycho.networks.quick import channels_last
from napari_ptycho.networks.stitch import LEAST, Stitcher, cut

WARM_UP = 20  # steps in which the rate rises
EXPLODED = 10.0  # a loss so many times the first one
LOOK = 3  # epochs of the pattern loop after which its patches are stitched
HALVED = (0.2, 0.4, 0.6, 0.8)  # of the epochs, where the published loop halves its rate
DARK = 1e-3  # counts that every model has: below, its square root has no slope
Values = dict[str, Tensor]


class Tuning:
    """A network, and what it has learnt so far."""

    def __init__(self, network: Network, experiment: Experiment, options: FinetuneOptions) -> None:
        """Begin with the network as it is, in evaluation mode: batch statistics stay frozen.

        Args:
            network: Taught before.
            experiment: The scan, on the device.
            options: How it learns.
        """
        self.experiment, self.options = experiment, options
        self.module = channels_last(network.module().to(experiment.device))
        self.probe = experiment.probe.clone()
        self.kept, self.held = held_out(len(experiment), options)
        self.done, self.scale = 0.0, 1.0
        self.history: dict[str, list[float]] = {"loss": [], "r_factor": [], "held_out": []}
        self.notes = list(experiment.notes)
        self.stitcher = experiment.stitcher()
        """The newest sums: of the patterns it learns, in the end of all."""
        self.epoch, self.least = 0, float("inf")
        """When the kept network was, and its held-out error."""
        self.best: Values = {}
        self.r_factor = self.r_flat = float("nan")
        self.first = float("nan")
        """Loss of the first epoch."""
        self.between = False
        """Whether it stands between two epochs, where it can be left and gone on from."""
        self._seen: Values = {}  # what the newest sums are made by
        self.random = torch.Generator().manual_seed(options.seed)
        self.steps = 0
        self.totals = torch.ones(()), torch.ones(())
        """Sums of the roots of the counts, and of the counts."""

    def states(self) -> Iterator["Tuning"]:
        """Learn; yield after every piece of work. The last state is the kept network's."""
        self._look(self.kept)
        self._scale()
        self.adam = self.optimiser()
        self.best, self.least = self._seen, self._held_error()
        yield from self._learning()

    def resumed(self) -> Iterator["Tuning"]:
        """Go on with what was loaded; yield as `states`, and at once."""
        self._look(self.kept)
        yield self
        yield from self._learning()

    def _learning(self) -> Iterator["Tuning"]:
        epoch = self._overlap if self.options.loop == "overlap" else self._pattern
        while self.done < self.options.epochs and not self._over:
            number, self.between = int(self.done) + 1, False
            loss = r = 0.0
            for loss, r in epoch(number):  # noqa: B007 - the last ones are of the whole epoch
                yield self
            self.first = loss if number == 1 else self.first
            if not loss <= EXPLODED * self.first:
                self._broke(number)
                break
            self._judge(number)
            for name, value in (("loss", loss), ("r_factor", r)):
                self.history[name].append(value)
            self.done, self.between = float(number), True
            yield self
        self.between = False
        self._finish()
        yield self

    @property
    def _over(self) -> bool:
        """Whether it waits in vain for a better held-out error."""
        return bool(len(self.held)) and 0 < self.options.patience < self.done - self.epoch

    def values(self) -> Values:
        """Return a copy of the weights, and of the probe as ""."""
        state = {name: value.detach().clone() for name, value in self.module.state_dict().items()}
        return {**state, "": self.probe.detach().clone()}

    # -- one epoch

    def _overlap(self, number: int) -> Iterator[tuple[float, float]]:
        """Take one step, from the stitched object; yield loss and R factor so far."""
        experiment = self.experiment
        pieces = torch.split(self.kept, self.options.batch)
        graphs: list[Tensor] = []
        self._seen, stitcher = self.values(), experiment.stitcher()
        for some in pieces:
            with torch.set_grad_enabled(experiment.roomy):
                patches = experiment.patches(self.module, some)
            stitcher.add(patches.detach(), experiment.corners[some])
            if experiment.roomy:
                graphs.append(patches)
            yield 0.0, 0.0
        self.stitcher = stitcher
        self.adam.zero_grad(set_to_none=True)
        image = stitcher.result().object.to(torch.complex64).requires_grad_()
        loss = r = 0.0
        for some in torch.split(self.kept, experiment.batch):
            model = counts_of_object(image, self.probe, experiment.corners[some], experiment.beam)
            cost, part = self._misfit(model, some)
            torch.autograd.backward(cost)
            loss, r = loss + float(cost.detach()), r + part
            yield loss, r
        way = pull_of(image, stitcher)
        for k, some in enumerate(pieces):
            patches = graphs[k] if experiment.roomy else experiment.patches(self.module, some)
            pulls = cut(way, experiment.corners[some], experiment.shape) * experiment.weight
            torch.autograd.backward(patches, pulls)
            yield loss, r
        self._step(number)

    def _pattern(self, number: int) -> Iterator[tuple[float, float]]:
        """Take a step per batch, each patch by its own pattern; yield loss and R factor so far."""
        order = self.kept[torch.randperm(len(self.kept), generator=self.random)]
        loss = r = 0.0
        for some in torch.split(order, self.options.batch):
            self.adam.zero_grad(set_to_none=True)
            patches = self.experiment.patches(self.module, some)
            model = counts_of_patches(patches, self.probe[None], self.experiment.beam)
            cost, part = self._misfit(model, some)
            torch.autograd.backward(cost * (len(self.kept) / len(some)))
            loss, r = loss + float(cost.detach()), r + part
            self._step(number)
            yield loss, r
        if number % LOOK == 0 or number == self.options.epochs:
            self._look(self.kept)

    def _misfit(self, model: Tensor, some: Tensor) -> tuple[Tensor, float]:
        """Return what some patterns add to the loss of all, and to the R factor."""
        experiment, root = self.experiment, self.experiment.root[some]
        valid = experiment.valid_of(some)
        off = ((model + DARK).sqrt() - root).abs().mul(valid).sum() / self.totals[0]
        if self.options.loss == "amplitude":
            return off, float(off.detach())
        cost = (model - root.square()).abs().mul(valid).sum() / self.totals[1]
        return cost, float(off.detach())

    def _step(self, number: int) -> None:
        self.steps += 1
        factor = min(1.0, self.steps / WARM_UP)
        if self.options.loop == "pattern":
            factor *= 0.5 ** sum(number > share * self.options.epochs for share in HALVED)
        for group in self.adam.param_groups:
            group["lr"] = group["most"] * factor
        self.adam.step()

    # -- what comes of it

    def _look(self, some: Tensor) -> None:
        """Stitch what the network makes of some patterns now."""
        self._seen, stitcher = self.values(), self.experiment.stitcher()
        with torch.no_grad():
            for piece in torch.split(some, self.options.batch):
                patches = self.experiment.patches(self.module, piece)
                stitcher.add(patches, self.experiment.corners[piece])
        self.stitcher = stitcher

    def _scale(self) -> None:
        """Scale the probe so that median counts and median model agree, and sum up the counts."""
        experiment = self.experiment
        counts = (experiment.root.square() * experiment.valid).sum(dim=(-2, -1))[self.kept]
        image = self.stitcher.result().object.to(torch.complex64)
        sums = []
        with torch.no_grad():
            for some in torch.split(self.kept, experiment.batch):
                model = counts_of_object(
                    image, self.probe, experiment.corners[some], experiment.beam
                )
                sums.append((model * experiment.valid_of(some)).sum(dim=(-2, -1)))
        found = float((counts.median() / torch.cat(sums).median().clamp_min(1e-12)).sqrt())
        self.scale = found if np.isfinite(found) and found > 0 else 1.0
        self.probe = (self.probe * self.scale).requires_grad_(self.options.probe_rate > 0)
        self._seen[""] = self.probe.detach().clone()
        roots = (experiment.root * experiment.valid).sum(dim=(-2, -1))[self.kept]
        self.totals = roots.sum().clamp_min(1e-12), counts.sum().clamp_min(1e-12)

    def optimiser(self) -> torch.optim.Adam:
        """Return one that has seen nothing yet, for weights and probe as they are."""
        rate = self.options.rate
        groups = [{"params": list(self.module.parameters()), "lr": rate, "most": rate}]
        if self.probe.requires_grad:
            size = float(self.probe.detach().abs().square().mean().sqrt())
            rate = self.options.probe_rate * size
            groups.append({"params": [self.probe], "lr": rate, "most": rate})
        return torch.optim.Adam(groups)

    def _held_error(self) -> float:
        """Return the R factor of the newest object for patterns only looked at; NaN without."""
        if not len(self.held):
            return float("nan")
        image = self.stitcher.result().object.to(torch.complex64)
        with torch.no_grad():
            return self._r_factor(image, self.held)

    def _r_factor(self, image: Tensor, some: Tensor) -> float:
        return self.experiment.sample(some).r_factor(
            image, self.probe.detach(), self.experiment.beam
        )

    def _judge(self, number: int) -> None:
        """Keep the network of the newest object if it is the best."""
        looked = self.options.loop == "overlap" or number % LOOK == 0
        held = self.history["held_out"]
        if not looked and number != self.options.epochs:
            held.append(held[-1] if held else self.least)
            return
        held.append(self._held_error())
        if not len(self.held) or held[-1] < self.least:
            self.best, self.epoch, self.least = self._seen, number, held[-1]

    def _broke(self, number: int) -> None:
        self.notes.append(
            f"the loss exploded in epoch {number}; the network of epoch {self.epoch} is kept; a "
            f"smaller rate than {self.options.rate:g} may help"
        )

    def _finish(self) -> None:
        """Go back to the kept network, and let it predict all patterns."""
        best = dict(self.best)
        self.probe = best.pop("")
        self.module.load_state_dict(best)
        every = torch.arange(len(self.experiment))
        self._look(every)
        image = self.stitcher.result().object.to(torch.complex64)
        with torch.no_grad():
            self.r_factor = self._r_factor(image, every)
            self.r_flat = self._r_factor(torch.ones_like(image), every)
        if self.epoch == 0 and len(self.held):
            self.notes.append(
                "no epoch explains the held-out patterns better than the network did at the "
                "start: it is kept as it was"
            )


def pull_of(image: Tensor, stitcher: Stitcher) -> Tensor:
    """Return the slope by the stitched object as one by the sum over moved, weighted patches."""
    assert image.grad is not None  # of a leaf that a loss was made of
    light = stitcher.sums[..., 2].to(image.real.dtype)
    known = light >= LEAST * light.max()
    return torch.where(known, image.grad / light.clamp_min(1e-30), 0)


def held_out(count: int, options: FinetuneOptions) -> tuple[Tensor, Tensor]:
    """Return which patterns are learnt and which are only looked at: every k-th of them."""
    every = np.arange(count)
    away: NDArray[np.bool_] = np.zeros(count, bool)
    if options.held_out > 0:
        k = max(2, round(1 / options.held_out))
        away = every % k == options.seed % k
    return torch.from_numpy(every[~away]), torch.from_numpy(every[away])
