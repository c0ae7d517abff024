"""The parameters of the hallucination check."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from napari_ptycho.options import Options, Range


@dataclass(frozen=True)
class CheckOptions(Options):
    """What is looked for, and how."""

    title: ClassVar[str] = "Hallucination check"

    sigma_px: Annotated[
        float, Range(0.5, 64, 0.5), "Size of invented or lost details to look for."
    ] = 4.0
    held_out: Annotated[
        bool,
        "Denoise half of the photons again and let the other half judge: the fair way. Off: the "
        "photons that the image was made from judge, quickly, and unfairly to any denoiser.",
    ] = True
    seed: Annotated[int, Range(0, 2**31 - 1), "Of the draws of photons."] = 0
