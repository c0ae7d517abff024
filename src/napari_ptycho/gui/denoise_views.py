"""What layers show of a denoising, made in a job's thread; and what becomes of the result.

The numerics are imported when they are needed, so that opening the dock imports none of them.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptycho import io
from napari_ptycho.gui.recipe_stamp import denoised
from napari_ptycho.gui.saving import Savable, of_made
from napari_ptycho.gui.views import Image, Limits, contrast
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction

if TYPE_CHECKING:
    from napari_ptycho.denoise.result import Denoised
    from napari_ptycho.denoise.subject import Subject
    from napari_ptycho.engines.denoising import Restored


class DenoiseView:
    """The newest state of a job, with images that may be a little older until the job ends."""

    def __init__(
        self, restored: "Restored", pictures: Mapping[str, Image], limits: Limits, seconds: float
    ) -> None:
        assert restored.subject is not None  # it is a view of a result
        assert restored.denoised is not None
        self.subject: Subject = restored.subject
        self.denoised: Denoised = restored.denoised
        self.halves = restored.halves
        self.pictures = pictures
        """Channel -> (H, W): the newest output, at the end the one that is kept."""
        self.limits = limits
        """Contrast of a plain image or of a channel whose own layer is not there."""
        self.seconds = seconds
        self.spread: Image | None = None
        """(H, W) of an ensemble, at the end."""
        self.reconstruction: Reconstruction | None = None
        """With its object denoised, at the end."""

    def complete(self) -> None:
        """Show what is kept instead of the newest output, and make what waits for the end."""
        self.pictures = pictures_of(self.subject, self.denoised.image)
        if int(self.denoised.settings.get("ensemble", 1)) > 1:
            first = next(iter(self.pictures.values()))
            self.spread = np.zeros(first.shape, np.float32)
            self.spread[self.subject.box] = self.denoised.spread
        self.reconstruction = reconstruction_of(self, None)

    def past(self, iteration: int) -> Mapping[str, Image]:
        """Return the images of a past output."""
        return pictures_of(self.subject, self.denoised.at(iteration))


def pictures_of(subject: "Subject", image: Any) -> dict[str, Image]:
    """Return what layers show of an output (h, w): channel -> (H, W) float32."""
    whole = subject.whole(image)
    if subject.channel == "complex":
        return {
            "phase": np.angle(whole).astype(np.float32),
            "amplitude": np.abs(whole).astype(np.float32),
        }
    return {subject.channel: np.asarray(whole, np.float32)}


def viewed(job: "Iterator[Update[Restored]]", seconds: float = 0.0) -> Iterator[Update[Any]]:
    """Turn the results of a job into views, in at most a tenth of the time; the last is complete.

    Args:
        job: The job; closing this closes it.
        seconds: What went before.
    """
    view: DenoiseView | None = None
    pictures: Mapping[str, Image] = {}
    began, due, limits = time.monotonic(), 0.0, (0.0, 1.0)
    try:
        for update in job:
            now, restored = time.monotonic(), update.result
            if restored.denoised is None or restored.subject is None:
                began = now
                yield Update(update.done, update.total, {}, None, update.notes)
                continue
            if now >= due:
                if not pictures:
                    limits = _limits(restored.subject)
                pictures = pictures_of(restored.subject, restored.denoised.latest)
                due = time.monotonic() + 9 * (time.monotonic() - now)
            view = DenoiseView(restored, pictures, limits, seconds + now - began)
            yield Update(update.done, update.total, update.history, view, update.notes)
    finally:
        getattr(job, "close", lambda: None)()
        if view is not None:
            view.complete()


def _limits(subject: "Subject") -> Limits:
    """Return the contrast of what is denoised, where it is known."""
    image = np.abs(subject.image) if np.iscomplexobj(subject.image) else subject.image
    known = np.isfinite(image) if subject.weight is None else subject.weight > 0
    return contrast(np.asarray(image[known], np.float32))


def chosen(view: DenoiseView, iteration: int | None) -> "Denoised":
    """Return the result with the output that is shown: what is kept, or a past one."""
    if iteration is None:
        return view.denoised
    return replace(
        view.denoised, image=view.denoised.at(iteration), iteration=iteration, grid={}, run=None
    )


def reconstruction_of(view: DenoiseView, iteration: int | None) -> Reconstruction | None:
    """Return the reconstruction with its object denoised; None for a plain image."""
    from napari_ptycho.denoise.subject import applied

    if view.subject.of is None:
        return None
    if iteration is None and view.reconstruction is not None:
        return view.reconstruction
    result = chosen(view, iteration)
    return denoised(applied(view.subject, result), view.subject.channel, result.settings)


def savable(view: DenoiseView | None, name: str, iteration: int | None = None) -> Savable | None:
    """Return a result as something to write: a reconstruction, or a TIFF of a plain image."""
    if view is None:
        return None

    def make() -> Reconstruction:
        made = reconstruction_of(view, iteration)
        assert made is not None  # its subject is a reconstruction
        return made

    of = view.subject.of
    if of is not None:
        return of_made("reconstruction", f"{of.name} · denoised", make)
    write = partial(_write_image, view, iteration)
    return Savable("Save the image", f"{name} · denoised.tif", "TIFF (*.tif *.tiff)", write)


def _write_image(view: DenoiseView, iteration: int | None, path: Path) -> None:
    from napari_ptycho.denoise.subject import entry_of

    result = chosen(view, iteration)
    io.write_image(result.image, path, entry_of(view.subject, result))
