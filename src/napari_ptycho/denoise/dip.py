"""Denoising by a Deep Image Prior (Ulyanov et al. 2020) as a job; Erin et al. 2025 for images."""

from collections.abc import Iterator
from typing import Any

import torch

from napari_ptycho import device as devices
from napari_ptycho.denoise.options import DenoiseOptions
from napari_ptycho.denoise.result import Denoised
from napari_ptycho.denoise.run import Run, warnings
from napari_ptycho.denoise.target import prepare
from napari_ptycho.errors import JobError, OptionsError
from napari_ptycho.job import Update, run

SMALL = 128**2  # pixels for which one CPU thread is enough


def dip_job(
    image: Any,
    options: DenoiseOptions,
    others: tuple[Any, Any, Any],
    device: str,
    resume: Denoised | None,
) -> Iterator[Update[Denoised]]:
    """Denoise an image; arguments as in `denoise.dip`, the others: reference, second, weight."""
    if resume is not None:
        going = resume.run
        if not isinstance(going, Run):
            raise OptionsError("this result cannot go on: its network is no longer in memory")
    else:
        where = devices.pick(device)
        reference, second, weight = others
        if options.stop == "second-copy" and second is None:
            raise OptionsError(
                "the rule 'second-copy' needs a second image of the same thing with noise of its "
                "own; choose holdout where there is none"
            )
        settings = (options.scaling, options.sigma, options.data_range)
        target = prepare(image, second, reference, weight, settings)
        try:
            going = Run(target, options, where)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise _no_memory() from error
    yield from _told(run(_stepping(going, options.iterations), options.iterations, Run.freeze))


def _stepping(going: Run, iterations: int) -> Iterator[Run]:
    """Drive a run on as many CPU threads as suit its size; between steps all is as before."""
    states = going.states(iterations)
    threads = None
    if going.device.type == "cpu":
        pixels = going.image.shape[-1] * going.image.shape[-2]
        threads = max(1, round(pixels / SMALL))
    while True:
        with torch.inference_mode(False), torch.enable_grad(), devices.at_most(threads):
            try:
                state = next(states, None)
            except (torch.OutOfMemoryError, MemoryError) as error:
                raise _no_memory() from error
            except RuntimeError as error:
                if "allocate memory" in str(error):
                    raise _no_memory() from error
                raise
        if state is None:
            return
        yield state


def _told(job: Iterator[Update[Denoised]]) -> Iterator[Update[Denoised]]:
    """Add curves and sentences to the updates."""
    try:
        for update in job:
            result = update.result
            notes = (*result.notes, *warnings(result))
            yield Update(update.done, update.total, result.curves, result, notes)
    finally:
        getattr(job, "close", lambda: None)()


def _no_memory() -> JobError:
    return JobError(
        "the device has not enough memory for this image; choose smaller tiles, a smaller "
        "architecture or ensemble, or the CPU"
    )
