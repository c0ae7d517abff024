"""Denoising: Deep Image Priors that know when to stop, and classical methods to compare with.

Importing this package imports no torch; the first step of a job does.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_ptycho.denoise.options import (
    ARCHITECTURES,
    RULES,
    ClassicalOptions,
    DenoiseOptions,
)

if TYPE_CHECKING:  # options alone must open at once: forms and --help need no arrays
    from napari_ptycho.denoise.result import Denoised
    from napari_ptycho.io.autosave import Autosave, Checkpoint
    from napari_ptycho.job import Update

__all__ = ["ARCHITECTURES", "RULES", "ClassicalOptions", "DenoiseOptions", "classical", "dip"]


def dip(  # noqa: PLR0913 - what may be known beside an image, and how it runs
    image: Any,
    options: DenoiseOptions | None = None,
    reference: Any = None,
    *,
    second: Any = None,
    weight: Any = None,
    device: str = "auto",
    autosave: "Autosave | None" = None,
    resume: "Denoised | Checkpoint | None" = None,
) -> "Iterator[Update[Denoised]]":
    """Denoise an image by a Deep Image Prior: a job.

    Args:
        image: (H, W) real, or complex (real and imaginary part are two channels of one network).
        options: The network, and when to stop; `DenoiseOptions.of(architecture)` has what suits.
        reference: (H, W) truth, for the PSNR; it changes nothing else.
        second: (H, W) a copy of the image whose noise is independent: tells when to stop. Or a
            tuple of two, each from half of the photons of the image: a second network learns the
            first of them, and the other one judges that.
        weight: (H, W) real >= 0, how well each pixel is known; pixels of 0 stay as they are.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        autosave: Where and how often to write a checkpoint; whoever keeps the result discards it.
        resume: A result of this session to go on from, `options.iterations` more at most; or a
            checkpoint of this very job, whose process died: it goes on to its end.

    Yields:
        Updates whose history has the curves of `Denoised.curves`.

    Raises:
        OptionsError: An image is none (NaN, constant, one pixel ...), or they do not fit together.
        JobError: The device is not there, or has too little memory; or the checkpoint is of
            another job.
    """
    from napari_ptycho.denoise.fit import dip_job
    from napari_ptycho.denoise.target import Beside

    beside = Beside.of(reference, second, weight)
    options = options or DenoiseOptions()
    yield from dip_job(image, options, beside, device, (autosave, resume))


def classical(
    image: Any,
    options: ClassicalOptions | None = None,
    reference: Any = None,
    *,
    second: Any = None,
    weight: Any = None,
) -> "Denoised":
    """Denoise an image without a network: total variation, non-local means or wavelets.

    Args:
        image: (H, W) real, or complex (real and imaginary part one by one).
        options: The method, and how its strength is found.
        reference: (H, W) truth, for the PSNR; it changes nothing else.
        second: (H, W) a copy of the image whose noise is independent, or two halves, as in `dip`:
            tells the strength.
        weight: (H, W) real >= 0, how well each pixel is known; pixels of 0 stay as they are.

    Raises:
        OptionsError: An image is none (NaN, constant, one pixel ...), or they do not fit together.
    """
    from napari_ptycho.denoise.baselines import classical_result
    from napari_ptycho.denoise.target import Beside

    beside = Beside.of(reference, second, weight)
    return classical_result(image, options or ClassicalOptions(), beside)
