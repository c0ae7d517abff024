"""A run of the Deep Image Prior: iterations, what is measured of each, and what is kept."""

from collections import deque
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.denoise.grid import alarms
from napari_ptycho.denoise.members import Members, Shape
from napari_ptycho.denoise.options import DenoiseOptions
from napari_ptycho.denoise.result import Denoised, Past
from napari_ptycho.denoise.stopping import FAR, WMV_WINDOW, Judge, Variance, held_out, rule_of
from napari_ptycho.denoise.target import Target
from napari_ptycho.device import precise

BLOCK = 10  # iterations after which a GPU is waited for
EXPLODED = 100.0  # a loss so many times the first one
LATER = 1.5  # times the iteration at which half of the photons are learnt best
HELD_AVERAGING = 0.9  # of the held-out error, over iterations
NAMES = ("loss", "fidelity", "number", "judged", "reference")


class Run:
    """The live state: networks, averages, the best output so far. It can go on after it stopped."""

    def __init__(self, target: Target, options: DenoiseOptions, device: torch.device) -> None:
        """Begin with untaught networks.

        Args:
            target: What they are taught.
            options: How.
            device: Where.
        """
        self.target, self.options, self.device = target, options, device
        copies, channels, h, w = target.copies.shape
        limits = target.limits if options.bounded else None
        bounds = None if limits is None else torch.from_numpy(limits).to(device)
        self.members = Members(options, Shape(channels, (h, w), copies, device, bounds))
        self.copies = torch.from_numpy(target.copies).to(device)
        self.image = self.copies[0]
        self.second = None if target.second is None else torch.from_numpy(target.second).to(device)
        self.truth = (
            None if target.reference is None else torch.from_numpy(target.reference).to(device)
        )
        weight = torch.from_numpy(target.weight)
        self.weight = self.fitted = weight.to(device)
        self.rule = rule_of(options, target.second is not None)
        self.notes: list[str] = []
        self.held = self._held(weight) if self.rule == "holdout" else None
        self.variance = (
            Variance((channels, h, w), device, WMV_WINDOW) if self.rule == "wmv" else None
        )
        self.judge = Judge(self.rule, options.patience)
        self.own = torch.nonzero(self.members.of_copy == 0).ravel().to(device)
        """The networks that learn the image itself."""
        self.best = self.members.mean[self.own]
        self.kept, self.kept_for = 0, 0
        self.dtype = precise(device)
        self.least = torch.full((), 2 * FAR, device=device, dtype=self.dtype)
        self.smooth: Tensor | None = None
        self.rows: list[Tensor] = []
        self.numbers: dict[str, list[float]] = {name: [] for name in NAMES}
        self.past: deque[tuple[int, NDArray[np.float16]]] = deque(maxlen=_room(options, target))
        self.grids: list[float] = []
        self.exploded = False
        self.stopped = False
        self.begun, self.asked = 0, options.iterations

    # -- while it runs

    def states(self, iterations: int) -> Iterator["Run"]:
        """Take so many more iterations at most; yield where the numbers are known."""
        self.begun, self.asked, self.stopped = self.members.done, iterations, False
        self.judge.go_on()
        yield from self._iterating()

    def resumed(self) -> Iterator["Run"]:
        """Go on with what was loaded, to the end that it had; yield as `states`, and at once."""
        yield self
        yield from self._iterating()

    def _iterating(self) -> Iterator["Run"]:
        size = 1 if self.device.type == "cpu" else BLOCK
        while self.done < self.asked and not self.stopped:
            self._iterate()
            if self.done % size and self.done < self.asked:
                continue
            self._collect()
            self.stopped = self.exploded or self._over
            if self.stopped:
                self._remember()
            yield self

    @property
    def done(self) -> float:
        """Iterations since the run began or went on."""
        return float(self.members.done - self.begun)

    @property
    def history(self) -> dict[str, list[float]]:
        """Curves so far; made when the state is frozen."""
        return {}

    def _iterate(self) -> None:
        loss = self.members.learn(self.copies, self.fitted)
        mean = self.members.mean[self.own]
        whole = mean.mean(dim=0)
        fidelity = self._error(whole, self.image, self.weight)
        number, judged = self._judged(loss, whole, fidelity)
        first = self.numbers["loss"][0] if self.numbers["loss"] else float("inf")
        sound = fidelity.isfinite() & loss.isfinite() & (loss < EXPLODED * first)
        number = torch.where(sound, number, torch.full_like(number, 2 * FAR))
        if len(self.copies) == 1:
            self.best = torch.where(number < self.least, mean, self.best)
            self.least = torch.minimum(self.least, number)
        truth = fidelity if self.truth is None else self._error(whole, self.truth, self.weight)
        parts = [loss, fidelity, number, judged, truth]
        self.rows.append(torch.stack([part.to(self.dtype) for part in parts]))
        if self.members.done % self.options.history_every == 0:
            self._remember(whole)

    def _judged(self, loss: Tensor, whole: Tensor, fidelity: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rule's number, and the error against what was held out, if anything was."""
        done = self.members.done
        if self.rule == "second-copy":
            assert self.second is not None  # the job has asked for it
            judged = whole
            if len(self.copies) == 2:
                judged = self.members.mean[self.members.of_copy == 1].mean(dim=0)
            error = self._error(judged, self.second, self.weight).to(self.dtype)
            return error, error
        if self.held is not None:
            error = self._error(whole, self.image, self.held).to(self.dtype)
            before = error if self.smooth is None else self.smooth
            self.smooth = torch.lerp(error, before, HELD_AVERAGING)
            return self.smooth, error
        if self.variance is not None:
            return self.variance.add(self.members.output[self.own].mean(dim=0)), loss
        if self.rule == "discrepancy":
            noise = (self.target.sigma / self.target.scale) ** 2
            reached = fidelity <= noise
            late = torch.full_like(loss, FAR / 2 - done, dtype=self.dtype)
            return torch.where(reached, torch.full_like(late, done - 2 * FAR), late), loss
        if self.rule == "loss":
            return loss.to(self.dtype), loss
        return torch.full_like(loss, FAR / 2 - done, dtype=self.dtype), loss

    def _error(self, one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted mean squared difference of images (..., C, H, W)."""
        return ((one - other).square() * weight).mean()

    def _collect(self) -> None:
        """Wait for the device, and read the numbers of the last iterations."""
        for row in torch.stack(self.rows).cpu().tolist():
            for name, value in zip(NAMES, row, strict=True):
                self.numbers[name].append(value)
            loss, number = row[0], row[2]
            self.judge.add(number, loss)
            first = self.numbers["loss"][0]
            if not (np.isfinite(loss) and loss < EXPLODED * first) and not self.exploded:
                self.exploded = True
                self.notes.append(
                    f"the loss exploded at iteration {self.judge.done}; the output of iteration "
                    f"{self.kept or self.judge.best} is kept; a smaller rate than "
                    f"{self.options.rate:g} may help"
                )
        self.rows.clear()
        if len(self.copies) == 2:
            self._keep_late()
        else:
            self.kept = self.judge.best

    def _keep_late(self) -> None:
        """Keep the output of the whole image some time after the half's was best.

        The whole has half the noise, and its network needs longer to come down to it.
        """
        judge, done = self.judge, self.members.done
        if self.kept_for != judge.best and done >= round(LATER * judge.best):
            self.best, self.kept = self.members.mean[self.own], done
            self.kept_for = judge.best

    @property
    def _over(self) -> bool:
        """Whether the rule has found what it looks for."""
        return self.judge.over and (len(self.copies) == 1 or self.kept_for == self.judge.best)

    def _remember(self, whole: Tensor | None = None) -> None:
        """Keep the newest output, and score its grid."""
        done = self.members.done
        if self.past and self.past[-1][0] == done:
            return
        whole = self.members.mean[self.own].mean(dim=0) if whole is None else whole
        kept = whole.cpu().numpy()
        if not np.isfinite(kept).all():
            return
        self.past.append((done, kept.astype(np.float16)))
        self.grids.append(self.target.grid_db(kept).get(4, 0.0))

    def _held(self, weight: Tensor) -> Tensor:
        """Take pixels from what is fitted; return the weight (H, W) they are judged by."""
        options, white = self.options, self.target.is_white
        clump = {"pixels": 1, "3x3": 3, "auto": 1 if white else 3}[options.clumps]
        if clump == 1 and not white:
            self.notes.append(
                "held-out pixels tell when to stop only if the noise is white; here neighbours "
                "share it: hold out clumps of 3x3, or give a second copy"
            )
        elif clump == 3 and options.clumps == "auto":
            self.notes.append("neighbouring pixels share their noise: clumps of 3x3 are held out")
        draw = torch.Generator().manual_seed(options.seed)
        h, w = (int(n) for n in weight.shape)
        away = held_out((h, w), options.held_out, clump, draw)
        fitted, held = weight * ~away, weight * away
        self.fitted = (fitted / fitted.mean().clamp_min(1e-9)).to(self.device)
        return (held / held.mean().clamp_min(1e-9)).to(self.device)

    # -- what it has reached

    def freeze(self) -> Denoised:
        """Return what is kept, and all that is known; nothing of it changes any more."""
        target, judge = self.target, self.judge
        mean = self.members.mean[self.own]
        still_better = len(self.copies) == 2 and self.kept_for != judge.best
        kept = 0 if still_better and not self.exploded else self.kept
        best = self.best if kept else mean
        outputs = best.cpu().numpy()
        whole = outputs.mean(axis=0)
        latest = mean.mean(dim=0).cpu().numpy()
        image = target.units.image
        return Denoised(
            image=image(whole),
            latest=image(latest if np.isfinite(latest).all() else whole),
            iteration=kept or judge.done,
            done=judge.done,
            members=image(outputs),
            past=Past(tuple(n for n, _ in self.past), tuple(output for _, output in self.past)),
            units=target.units,
            rule=self.rule,
            stopped=self.stopped,
            grid=target.grid_db(whole),
            curves=self._curves(),
            sigma=target.sigma,
            noise_db=target.noise_db,
            settings={"title": self.options.title, **self.options.as_dict()},
            notes=tuple(self.notes),
            run=self,
        )

    def _curves(self) -> dict[str, tuple[float, ...]]:
        numbers, decibel = self.numbers, self.target.decibel
        found = {"loss": numbers["loss"], "fidelity_db": decibel(numbers["fidelity"])}
        if self.rule in ("second-copy", "holdout"):
            found["held_out_db"] = decibel(numbers["judged"])
        if self.truth is not None:
            found["psnr_db"] = decibel(numbers["reference"])
        found["grid_db"] = self.grids[len(self.grids) - len(self.past) :]
        return {name: tuple(float(v) for v in values) for name, values in found.items()}


def warnings(result: Denoised) -> tuple[str, ...]:
    """Return what the user should know of a result, as sentences."""
    periods = alarms(result.grid)
    if not periods:
        return ()
    which = ", ".join(f"{period} px ({result.grid[period]:.1f} dB)" for period in periods)
    return (
        f"a grid of period {which} stands in what was taken away: the network, not the object; "
        "more iterations or a bilinear architecture avoid it",
    )


def _room(options: DenoiseOptions, target: Target) -> int:
    """Return how many past outputs fit into the memory they may take; at least one."""
    return max(1, int(options.history_mb * 1e6 / (2 * target.image.size)))
