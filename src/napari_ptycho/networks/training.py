"""A training while it runs: a network, what it has learnt, and the best of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_ptycho import __version__
from napari_ptycho import device as devices
from napari_ptycho.errors import OptionsError
from napari_ptycho.networks.architectures import architecture_of
from napari_ptycho.networks.course import Course
from napari_ptycho.networks.inputs import Inputs
from napari_ptycho.networks.learning import (
    Schedule,
    let_back,
    precision,
    turned,
    values_of,
)
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import TrainOptions
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.ptychonn_uq import let_draw
from napari_ptycho.networks.quick import channels_last
from napari_ptycho.networks.result import Trained
from napari_ptycho.networks.scores import Validation, error
from napari_ptycho.networks.table import build

EVERY = 100  # steps from validation to validation at most
BLOCK = 10  # steps after which a GPU is waited for
ONE_THREAD = 2**17  # pixels of a batch for which one CPU thread is enough
CURVES = ("epoch", "loss", "validation", "psnr_db", "correlation", "rate")


class Training:
    """The live state: network, optimiser, order of the pairs. It can go on after it stopped."""

    def __init__(
        self, pairs: Pairs, options: TrainOptions, start: Network | None, device: torch.device
    ) -> None:
        """Begin with drawn weights, or with those of a network.

        Args:
            pairs: What it learns from.
            options: How.
            start: Its architecture, scaling and amplitude scale are kept; means are those of the
                patterns at hand, as in prediction.
            device: Where.

        Raises:
            OptionsError: The network was taught with patterns of another size.
            ScanError: All patterns are the same.
        """
        self.given, self.device = pairs, device
        self._set_options(options, start)
        if start is None:
            weights = build(options.architecture, options.seed)
            scale = pairs.amplitude_scale
        else:
            _check_size(pairs, start)
            weights, scale = start.module(), start.amplitude_scale
        self.kind = architecture_of(self.options.architecture)
        self.pairs = replace(pairs, amplitude_scale=scale)
        self.network = Network(
            self.options.architecture,
            values_of(weights),
            pairs.preparation(self.options.scaling),
            name=f"{self.kind.title} of {_named(pairs)}",
            amplitude_scale=scale,
            probe=pairs.probe,
        )
        self.module = channels_last(weights.to(device))
        let_back(self.module)
        self.inputs = Inputs(self.network.preparation, self.kind.multiple).to(device)
        self.dtype = precision(device, self.options.scaling)
        self.start, self.begun_with = start, None if start is None else start.name
        self.validation = Validation(self.pairs, options.loss, self.kind.phase_only, device)
        self.baseline = self.validation.baseline()
        self.course = Course(len(pairs.training), options.seed)
        self.dropping = let_draw(weights, torch.Generator(device).manual_seed(options.seed))
        self._new_optimiser()
        self.schedule = Schedule(self.options, 1, 0, 1)
        self.checked, self.best_epoch = 0, 0.0
        """Steps before the last validation, and epochs before the best one."""
        self.scores: Mapping[str, float] = {}
        self.history: dict[str, list[float]] = {name: [] for name in CURVES}
        self.notes: list[str] = list(pairs.notes)
        self.stale = 0
        """Validations since the best one."""
        self.over = self.broken = False
        self.losses: list[Tensor] = []
        self.recent: list[float] = []
        """Losses since the last validation."""
        self.shown: tuple[int, np.ndarray] | None = None

    # -- while it runs

    @property
    def threads(self) -> int | None:
        """CPU threads that suit it: few, for threads that wait for each other cost more."""
        if self.device.type != "cpu":
            return None
        return max(1, self.options.batch * int(np.prod(self.pairs.shape)) // ONE_THREAD)

    @property
    def done(self) -> float:
        """Epochs since the training began or went on."""
        return self.course.epoch - self.course.begun

    def go_on(self, options: TrainOptions) -> None:
        """Take options for the next stretch; architecture and preparation stay."""
        before = self.options.loss
        self._set_options(options, self.network)
        if self.options.loss != before:  # scores in another unit: the best is scored anew
            self._back_to_best()
            self.validation.loss, self.scores = self.options.loss, {}
            self.baseline = self.validation.baseline()

    def states(self, epochs: int) -> Iterator["Training"]:
        """Learn for so many more epochs at most; yield after every step."""
        self.over, self.stale = False, 0
        self.course.begin(epochs, self.options.batch)
        per_epoch = self.course.epoch_steps
        self.schedule = Schedule(self.options, per_epoch, self.course.steps, epochs * per_epoch)
        if self.broken:
            self._back_to_best()
        if not self.scores:
            self.scores = self._validated()
        yield from self._learning()

    def resumed(self) -> Iterator["Training"]:
        """Go on with what was loaded, to the end that it had; yield as `states`, and at once."""
        yield self
        if not self.over:
            yield from self._learning()

    def _learning(self) -> Iterator["Training"]:
        for places in self.course.batches():
            self._step(self.pairs.training[places.numpy()])
            ended, steps = self.course.step(), self.course.steps
            if ended or steps - self.checked >= EVERY:
                self._check()
            elif self.device.type == "cpu" or steps % BLOCK == 0:
                self.collect()
            yield self
            if self.over:
                return

    def predict(self, counts: Tensor) -> Tensor:
        """Return amplitude over its scale and phase (B, 2, h, w) float32 of counts (B, h, w)."""
        kind = self.device.type
        with torch.autocast(kind, self.dtype, enabled=self.dtype is not None):
            output = self.module(self.inputs(counts))
        output = self.inputs.crop(output.float())
        if self.kind.phase_only:
            flat = torch.full_like(output, 1 / self.pairs.amplitude_scale)
            output = torch.cat([flat, output], dim=1)
        return output

    def _step(self, numbers: np.ndarray) -> None:
        counts, labels = (torch.from_numpy(part) for part in self.pairs.batch(numbers))
        if self.options.flips:
            which = torch.rand(len(counts), generator=self.course.random) < 0.5
            counts, labels = turned(counts, labels, which)
        counts, labels = counts.to(self.device), labels.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.rate * self.schedule.factor(self.course.steps)
        self.optimiser.zero_grad(set_to_none=True)
        predicted, first = self.predict(counts), int(self.kind.phase_only)
        loss = error(predicted, labels, self.options.loss, first)
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.step(self.optimiser)
        self.scaler.update()
        with torch.no_grad():
            lit = self.validation.lit
            seen = error(predicted[..., lit], labels[..., lit], self.options.loss, first)
            self.losses.append(torch.where(loss.isfinite(), seen, loss).detach())

    def collect(self) -> None:
        """Wait for the device, and read the losses; stop where one is not a number."""
        if not self.losses:
            return
        self.recent += torch.stack(self.losses).tolist()
        self.losses.clear()
        if not all(isfinite(loss) for loss in self.recent):
            self._broke("the loss is")

    def _check(self) -> None:
        """Validate; keep the network if it is the best so far."""
        self.collect()
        if self.broken:
            return
        scores = self._validated()
        if not isfinite(scores["validation"]):
            self._broke("the validation is")
            return
        rate = self.options.rate * self.schedule.factor(self.course.steps - 1)
        loss = sum(self.recent) / len(self.recent)
        self.recent, self.checked = [], self.course.steps
        new = (self.course.epoch, loss, *(scores[name] for name in CURVES[2:5]), rate)
        for name, value in zip(CURVES, new, strict=True):
            self.history[name].append(value)
        better = scores["validation"] < self.scores["validation"]
        self.schedule.validated(better)
        self.stale = 0 if better else self.stale + 1
        if better:
            self.scores, self.best_epoch = scores, self.course.epoch
            self.network = replace(self.network, weights=values_of(self.module))
        elif self.options.patience and self.stale >= self.options.patience:
            self.over = True
            self.notes.append(
                f"stopped at epoch {self.course.epoch:.4g}: {self.stale} validations were not "
                f"better than that of epoch {self.best_epoch:.4g}, whose network is kept"
            )

    def _validated(self) -> dict[str, float]:
        self.module.eval()
        with torch.no_grad():
            scores = self.validation.scores(self.predict)
        self.module.train()
        return scores

    # -- where it goes wrong

    def _broke(self, what: str) -> None:
        self.over = self.broken = True
        self.notes.append(
            f"{what} not a number at step {self.course.steps}: stopped, and the network of epoch "
            f"{self.best_epoch:.4g} is kept; a smaller rate than {self.options.rate:g} may help"
        )

    def _back_to_best(self) -> None:
        state = {name: torch.tensor(value) for name, value in self.network.weights.items()}
        self.module.load_state_dict(state)
        self._new_optimiser()
        self.losses, self.recent, self.broken = [], [], False

    def _new_optimiser(self) -> None:
        self.module.train()
        self.optimiser = torch.optim.Adam(self.module.parameters(), lr=self.options.rate)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)

    def _set_options(self, options: TrainOptions, start: Network | None) -> None:
        kept: dict[str, Any] = {}
        if start is not None:
            kept = {"architecture": start.architecture, "scaling": start.preparation.scaling}
        self.options = replace(options, **kept)

    # -- what it has reached

    def freeze(self) -> Trained:
        """Return what is kept, and what the network makes of some windows now."""
        if self.shown is None or self.shown[0] != self.course.steps:
            self.module.eval()
            with torch.inference_mode(False), torch.no_grad(), devices.at_most(self.threads):
                images = self.validation.samples(self.predict).cpu().numpy()
            self.module.train()
            self.shown = self.course.steps, images
        return Trained(
            network=replace(self.network, about=self._about()),
            epoch=self.best_epoch,
            truth=self.validation.truth,
            predicted=self.shown[1],
            baseline=dict(self.baseline),
            scores=dict(self.scores),
            run=self,
        )

    def _about(self) -> dict[str, Any]:
        """Return where the kept network comes from."""
        return {
            "options": self.options.as_dict(),
            "data": dict(self.pairs.about),
            "start": self.begun_with,
            "epoch": self.best_epoch,
            "steps": self.course.steps,
            "metrics": dict(self.scores),
            "baseline": dict(self.baseline),
            "precision": str(self.dtype or torch.float32).removeprefix("torch."),
            "versions": {"napari_ptycho": __version__, "torch": str(torch.__version__)},
        }


def _check_size(pairs: Pairs, start: Network) -> None:
    if start.preparation.shape != pairs.shape:
        (h, w), (height, width) = start.preparation.shape, pairs.shape
        raise OptionsError(
            f"{start.name} was taught with patterns of {h} x {w} pixels, but these are "
            f"{height} x {width}; start from a network of this size, or from none"
        )


def _named(pairs: Pairs) -> str:
    names = list(pairs.about.get("names", [])) or [source.name for source in pairs.sources]
    return names[0] if len(names) == 1 else f"{len(names)} scans"
