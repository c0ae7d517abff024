"""What a denoising reached: the image that is kept, past outputs, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError

Image = NDArray[Any]
"""(H, W) float32, or complex64."""


@dataclass(frozen=True, eq=False)
class Past:
    """Outputs of some iterations, as float16; the oldest have gone where memory did not suffice."""

    iterations: tuple[int, ...] = ()
    """Rising."""
    outputs: tuple[NDArray[np.float16], ...] = ()
    """(C, H, W) each, in units of the network; `Denoised.past` gives images."""

    def __len__(self) -> int:
        return len(self.iterations)

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return sum(output.nbytes for output in self.outputs)


@dataclass(frozen=True, eq=False)
class Units:
    """How an image and what a network makes of it belong together: image = output * scale + zero.

    Pixels where the image is not known keep the value they had.
    """

    zero: NDArray[np.float32]
    """(C, 1, 1)."""
    scale: NDArray[np.float32]
    """(C, 1, 1)."""
    unknown: Image | None = None
    """(H, W) the image itself, where not all of it is known."""
    known: NDArray[np.bool_] | None = None
    """(H, W) bool."""

    def image(self, output: NDArray[Any]) -> Image:
        """Return the image (..., H, W) of outputs (..., C, H, W): complex for two channels."""
        parts = output.astype(np.float32) * self.scale + self.zero
        image: Image = parts[..., 0, :, :]
        if len(self.zero) == 2:
            image = (image + 1j * parts[..., 1, :, :]).astype(np.complex64)
        if self.unknown is not None and self.known is not None:
            image = np.where(self.known, image, self.unknown).astype(image.dtype)
        return image


@dataclass(frozen=True, eq=False)
class Denoised:
    """A denoised image. Immutable, on the CPU; `run` alone is alive, and is for going on."""

    image: Image
    """(H, W) what is kept: the best output so far, as the stopping rule sees it."""
    latest: Image
    """(H, W) the newest output."""
    iteration: int
    """Whose output `image` is (from 1); 0: of a method without iterations."""
    done: int
    """Iterations done."""
    members: Image
    """(K, H, W) what each network of an ensemble made at `iteration`."""
    past: Past
    units: Units
    rule: str = "none"
    """The stopping rule in force, see `options.RULES`."""
    stopped: bool = False
    """Whether the rule has ended the run."""
    grid: Mapping[int, float] = field(default_factory=dict)
    """Period in pixels -> score of the residual of `image`, in dB."""
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """"loss", "fidelity_db", "psnr_db", "held_out_db" per iteration; "grid_db" per past output."""
    sigma: float = 0.0
    """Noise of the input, in units of the image."""
    noise_db: float = 0.0
    """Fidelity that an image without any noise would have."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    run: Any = field(default=None, repr=False)

    @property
    def spread(self) -> NDArray[np.float32]:
        """(H, W) standard deviation over the ensemble; it tells a part of the error only."""
        return np.asarray(np.std(self.members, axis=0), np.float32)

    def at(self, iteration: int) -> Image:
        """Return the output (H, W) of a past iteration, the nearest that was kept.

        Raises:
            OptionsError: None was kept.
        """
        if not len(self.past):
            raise OptionsError("no past output was kept")
        number = int(np.argmin(np.abs(np.array(self.past.iterations) - iteration)))
        return self.units.image(self.past.outputs[number])

    def score(self, name: str) -> float | None:
        """Return a curve's value at the kept iteration ("psnr_db" ...), None if there is none."""
        curve = self.curves.get(name, ())
        number = max(self.iteration, 1)
        return float(curve[number - 1]) if number <= len(curve) else None
