"""What a network knows of objects, between epochs: it learns the object and gives part of it back.

The object O becomes (1 - b) O + b D(O), where D is a deep image prior that goes on from its last
weights with a few steps: plug-and-play with a denoiser that needs no training data. Frames that the
object has not seen are the judge: it stays as it was where they become less likely. (The frames
that it was made from prefer their own noise to any denoised object.) They join in after the last
denoising, and the rest of the run goes by the counts alone.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_ptycho.denoise.prior import Lessons, Prior
from napari_ptycho.engines.frames import Ids
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.share import Share
from napari_ptycho.engines.state import LiveState, Tree
from napari_ptycho.engines.work import Work
from napari_ptycho.errors import OptionsError
from napari_ptycho.physics.windows import add_light_

Hook = Callable[[LiveState], None]
"""May change object and probe, in place, between two epochs; positions by `state.place`."""

FIRST, STEPS = 60, 20  # steps of the network the first time, and every further time
JITTER = 0.03  # noise on its input
UNLIT = 1e-3  # share of the most light below which the object is left alone
BLOCK = 64  # frames whose light is added up at once
FEWEST, MOST = 4, 0.25  # frames that are held out: at least so many, at most this share
NAME = "Deep Image Prior"


def nothing(state: LiveState) -> None:
    """Change nothing."""


class Denoiser:
    """A deep image prior of the object, as the options ask for it, and the frames that judge it."""

    def __init__(self, work: Work) -> None:
        """Hold frames out, if anything will be denoised.

        Raises:
            OptionsError: The scan has too few frames for that.
        """
        self.work = work
        self.prior: Prior | None = None
        self.tried = self.kept = 0
        self.said = ""
        self.last = last_denoising(work.options)
        if self.last:
            work.hold_out(held_out(work.state.positions, work.share, work.options))
        elif work.options.denoiser != "none":
            self._say(f"{NAME}: nothing was denoised: {_when(work.options)}")

    def joins(self, epoch: int) -> bool:
        """Let the frames that were held out join in after the last denoising.

        Args:
            epoch: Epochs of this stage that are done.

        Returns:
            Whether they have joined in just now.
        """
        if not self.last or epoch != self.last:
            return False
        self.work.join()
        return True

    def saved(self) -> dict[str, Any]:
        """Return the network, the verdicts so far, and whether the held-out frames have joined."""
        return {
            "prior": None if self.prior is None else self.prior.state(),
            "verdicts": [self.tried, self.kept, self.said],
            "joined": self.last > 0 and not len(self.work.held),
        }

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        self.tried, self.kept, self.said = tree["verdicts"]
        if tree["joined"]:
            self.work.join()
        if tree["prior"] is not None:
            image = self.work.state.object
            self.prior = self._untaught(image, torch.ones_like(image.real))
            self.prior.load(tree["prior"])

    def _untaught(self, image: Tensor, light: Tensor) -> Prior:
        return Prior(image, light, Lessons(jitter=JITTER, seed=self.work.options.seed))

    def pieces(self, epoch: int) -> Iterator[None]:
        """Denoise the object where it is time for it; a run can stop at every yield.

        Args:
            epoch: Epochs of this stage that are done. The object is changed at the very end.
        """
        state, options = self.work.state, self.work.options
        if epoch > self.last or epoch % options.denoise_every:
            return
        light = light_of_scan(state)
        steps = STEPS
        if self.prior is None:
            self.prior, steps = self._untaught(state.object, light), FIRST
        self.prior.see(state.object)
        for _ in range(steps):
            self.prior.learn(state.object, light)
            yield
        if not self.prior.sound:
            self.prior = None
            return
        image = self.prior.image
        self.work.share.sum_(image)
        self._offer(image / self.work.share.size, light > UNLIT * light.amax())

    def _offer(self, image: Tensor, lit: Tensor) -> None:
        """Mix a denoised image into the object, unless the held-out frames like that less."""
        found = self.work.state.object
        before, was = self.work.unlikelihood(), found.clone()
        found.lerp_(torch.where(lit, image, found), self.work.options.denoise_share)
        better = self.work.unlikelihood() < before
        if not better:
            found.copy_(was)
        self.tried += 1
        self.kept += better
        self._say(f"{NAME}: {_verdict(self.kept, self.tried)}")

    def _say(self, text: str) -> None:
        """Put a sentence into the notes, in place of the one before."""
        notes = self.work.state.notes
        if self.said in notes:
            notes[notes.index(self.said)] = text
        else:
            notes.append(text)
        self.said = text


def last_denoising(options: EngineOptions) -> int:
    """Return after how many epochs the object is denoised for the last time; 0 is never."""
    if options.denoiser == "none":
        return 0
    until = math.floor(options.denoise_until * options.epochs + 1e-9)
    return until // options.denoise_every * options.denoise_every


def _when(options: EngineOptions) -> str:
    return (
        f"every {options.denoise_every} epochs never comes in the first "
        f"{options.denoise_until:.0%} of {options.epochs}"
    )


def _verdict(kept: int, tried: int) -> str:
    if kept == tried:
        return f"all denoised objects ({tried}) were kept: they made held-out frames more likely"
    return (
        f"{kept} of {tried} denoised objects were kept; the others made held-out frames less likely"
    )


def held_out(positions: np.ndarray, share: Share, options: EngineOptions) -> Ids:
    """Choose the frames that are held out: at random, but spread over the area.

    Args:
        positions: (N, 2) of all frames.
        share: Every process holds out as many of its own frames as every other one.
        options: How many, and the seed.

    Returns:
        The frames of all processes, the same in each of them.

    Raises:
        OptionsError: There are too few frames.
    """
    n = len(positions)
    fewest = n // share.size
    asked = max(round(options.denoise_held_out * fewest), math.ceil(FEWEST / share.size))
    count = min(asked, math.floor(MOST * fewest))
    if count == 0:
        raise OptionsError(
            f"denoiser is '{options.denoiser}', which needs frames to judge it by; {n} frames in "
            f"{share.size} process(es) are too few: need 4 in each, or denoiser 'none'"
        )
    random = np.random.default_rng(options.seed)
    ranks = [Share(rank, share.size).frames(n) for rank in range(share.size)]
    groups = [group for own in ranks for group in spread(own, positions[own], count)]
    return np.sort(np.array([random.choice(group) for group in groups]))


def spread(ids: Ids, positions: np.ndarray, count: int) -> Iterator[Ids]:
    """Split frames into so many compact groups: halve across the longer side, again and again."""
    if count == 1:
        yield ids
        return
    order = np.argsort(positions[:, int(np.argmax(np.ptp(positions, axis=0)))], kind="stable")
    split = round(len(ids) * (count // 2) / count)
    for part, groups in ((order[:split], count // 2), (order[split:], count - count // 2)):
        yield from spread(ids[part], positions[part], groups)


def light_of_scan(state: LiveState) -> Tensor:
    """Return the photons on each pixel of the object, (H, W), whichever process has the frames."""
    light = torch.zeros(state.shape, device=state.object.device)
    for at in range(0, len(state.corners), BLOCK):
        add_light_(light, state.corners[at : at + BLOCK], state.probe.unsqueeze(0))
    return light
