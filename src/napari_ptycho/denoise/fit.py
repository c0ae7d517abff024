"""Denoising by a Deep Image Prior (Ulyanov et al. 2020) as a job; Erin et al. 2025 for images."""

from collections.abc import Iterator
from typing import Any

import torch

from napari_ptycho import device as devices
from napari_ptycho.denoise.options import DenoiseOptions
from napari_ptycho.denoise.result import Denoised
from napari_ptycho.denoise.run import Run, warnings
from napari_ptycho.denoise.target import Beside, checked, prepare
from napari_ptycho.denoise.tiles import Box, tile_side, tiled
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import Update, run

SMALL = 128**2  # pixels for which one CPU thread is enough
ADVICE = "for this image; choose smaller tiles, a smaller architecture or ensemble, or the CPU"


def dip_job(
    image: Any,
    options: DenoiseOptions,
    beside: Beside,
    device: str,
    resume: Denoised | None,
) -> Iterator[Update[Denoised]]:
    """Denoise an image; arguments as in `denoise.dip`."""
    if resume is not None:
        if not isinstance(resume.run, Run):
            raise OptionsError("this result cannot go on: its network is no longer in memory")
        yield from _whole(resume.run, options)
        return
    if options.stop == "second-copy" and beside.second is None:
        raise OptionsError(
            "the rule 'second-copy' needs a second image of the same thing with noise of its "
            "own; choose holdout where there is none"
        )
    where = devices.pick(device)
    image = checked(image)
    networks = len(options.members()) * (1 if beside.half is None else 2)
    together = 1 if where.type == "cpu" else networks
    side = tile_side((image.shape[0], image.shape[1]), options, devices.free_bytes(where), together)
    if not side:
        yield from _whole(_begun(image, options, beside, where), options)
        return

    def part(box: Box, options: DenoiseOptions) -> Iterator[Update[Denoised]]:
        yield from _whole(_begun(image[box], options, beside.part(box), where), options)

    yield from tiled(image, side, options, part)


def _begun(image: Any, options: DenoiseOptions, beside: Beside, where: torch.device) -> Run:
    settings = (options.scaling, options.sigma, options.data_range)
    target = prepare(image, beside, settings)
    with devices.enough_memory(ADVICE):
        return Run(target, options, where)


def _whole(going: Run, options: DenoiseOptions) -> Iterator[Update[Denoised]]:
    """Turn a run into updates, with its curves and with what the user should know."""
    job = run(_stepping(going, options.iterations), options.iterations, Run.freeze)
    try:
        for update in job:
            result = update.result
            notes = (*result.notes, *warnings(result))
            yield Update(update.done, update.total, result.curves, result, notes)
    finally:
        getattr(job, "close", lambda: None)()


def _stepping(going: Run, iterations: int) -> Iterator[Run]:
    """Drive a run on as many CPU threads as suit its size; between steps all is as before."""
    states = going.states(iterations)
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
