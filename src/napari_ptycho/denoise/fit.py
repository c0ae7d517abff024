"""Denoising by a Deep Image Prior (Ulyanov et al. 2020) as a job; Erin et al. 2025 for images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_ptycho import device as devices
from napari_ptycho.denoise.options import DenoiseOptions
from napari_ptycho.denoise.result import Denoised, Image
from napari_ptycho.denoise.run import Run, warnings
from napari_ptycho.denoise.saving import Keeping, Saved
from napari_ptycho.denoise.target import Beside, checked, prepare
from napari_ptycho.denoise.tiles import Box, Sheet, tile_side, tiled
from napari_ptycho.errors import OptionsError
from napari_ptycho.io.autosave import Autosave
from napari_ptycho.io.resuming import digest, own
from napari_ptycho.job import Update, run

SMALL = 128**2  # pixels for which one CPU thread is enough
ADVICE = "for this image; choose smaller tiles, a smaller architecture or ensemble, or the CPU"


def dip_job(
    image: Any,
    options: DenoiseOptions,
    beside: Beside,
    device: str,
    saved: Saved = (None, None),
) -> Iterator[Update[Denoised]]:
    """Denoise an image; arguments as in `denoise.dip`.

    `saved`: where to write checkpoints, and what to go on from.
    """
    autosave, resume = saved
    key = _key(image, options, beside) if any(saved) else ""
    if isinstance(resume, Denoised):
        if not isinstance(resume.run, Run):
            raise OptionsError(
                "this result cannot go on: its network is no longer in memory; denoise the image "
                "again with more iterations"
            )
        yield from _whole(resume.run, options.iterations, Keeping(autosave, key))
        return
    if options.stop == "second-copy" and beside.second is None:
        raise OptionsError(
            "the rule 'second-copy' needs a second image of the same thing with noise of its "
            "own; choose holdout where there is none"
        )
    tree = None if resume is None else own(resume, "denoising", key)
    part = _Part(checked(image), beside, devices.pick(device))
    side = _side(part, options) if tree is None else tree.get("sheet", {}).get("side", 0)
    if side:
        yield from _tiles(part, options, side, (autosave, key, tree))
        return
    begun = options
    if tree is not None:  # a run that went on in its session had begun with other options
        begun = DenoiseOptions.from_dict(tree["run"]["options"])
    keeping = Keeping(autosave, key, tree and tree["run"])
    yield from _whole(_begun(part, begun), options.iterations, keeping)


@dataclass(frozen=True, eq=False)
class _Part:
    """An image, or a part of one, what is known beside it, and where it is computed."""

    image: Image
    beside: Beside
    where: torch.device

    def of(self, box: Box) -> "_Part":
        return _Part(self.image[box], self.beside.part(box), self.where)


def _key(image: Any, options: DenoiseOptions, beside: Beside) -> str:
    """Return what tells a denoising from others."""
    images = [None if one is None else np.asarray(one) for one in vars(beside).values()]
    return digest("denoising", np.asarray(image), images, options)


def _side(part: _Part, options: DenoiseOptions) -> int:
    networks = len(options.members()) * (1 if part.beside.half is None else 2)
    together = 1 if part.where.type == "cpu" else networks
    shape = int(part.image.shape[0]), int(part.image.shape[1])
    return tile_side(shape, options, devices.free_bytes(part.where), together)


def _tiles(
    whole: _Part,
    options: DenoiseOptions,
    side: int,
    kept: tuple[Autosave | None, str, Any],
) -> Iterator[Update[Denoised]]:
    """Denoise tile by tile; `kept`: autosave, key, and the tree to go on from."""
    autosave, key, tree = kept
    sheet = Sheet(whole.image, side, len(options.members()))
    if tree is not None:
        sheet.load(tree["sheet"])
    under_way = len(sheet.before)

    def one(box: Box, options: DenoiseOptions) -> Iterator[Update[Denoised]]:
        number, n = len(sheet.before), options.iterations
        keeping = Keeping(
            autosave,
            key,
            tree["run"] if tree is not None and number == under_way else None,
            lambda: {"sheet": sheet.state()},
            float(number * n),
            float(len(sheet.places) * n),
        )
        yield from _whole(_begun(whole.of(box), options), n, keeping)

    yield from tiled(sheet, options, one)


def _begun(part: _Part, options: DenoiseOptions) -> Run:
    settings = (options.scaling, options.sigma, options.data_range)
    target = prepare(part.image, part.beside, settings)
    with devices.enough_memory(ADVICE):
        return Run(target, options, part.where)


def _whole(going: Run, iterations: int, keeping: Keeping) -> Iterator[Update[Denoised]]:
    """Turn a run into updates, with its curves and with what the user should know."""
    job = run(_stepping(going, keeping.states(going, iterations)), iterations, Run.freeze)
    try:
        for update in job:
            result = update.result
            notes = (*result.notes, *warnings(result), *keeping.notes)
            yield Update(update.done, update.total, result.curves, result, notes)
    finally:
        getattr(job, "close", lambda: None)()


def _stepping(going: Run, states: Iterator[Run]) -> Iterator[Run]:
    """Drive a run on as many CPU threads as suit its size; between steps all is as before."""
    threads = None
    if going.device.type == "cpu":
        threads = max(1, round(going.image[0].numel() / SMALL))
    while True:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            devices.at_most(threads),
            devices.enough_memory(ADVICE),
        ):
            state = next(states, None)
        if state is None:
            return
        yield state
