"""What the measured photons say: of a whole image, of every place in it, and of lattices.

Three questions, one referee (`engines.referee`), all by the Poisson likelihood of the counts:

- **support**: are the frames likelier with one object than with another? Paired over the frames:
  t = mean / (sd / sqrt n) of the differences. Fair only by photons that neither object has seen:
  an iterative reconstruction has fitted the noise of its own, and by those any denoiser loses.
- **score map**: where do the photons want the phase to change? The score g (slope of the
  likelihood by the phase) smoothed over `sigma_px`, in units of its own Poisson noise.
- **lattice test** (`lattices`): would adding or removing a lattice of period 2, 4, 8 ... make the
  frames likelier?

The last two may ask the photons that the image was made from: noise that it has learnt from them
only pulls their numbers towards zero.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray
from skimage.feature import peak_local_max

from napari_ptycho.engines.referee import Referee, Slope
from napari_ptycho.model.arrays import Bools, Floats

Verdict = Literal["supported", "neutral", "contradicted"]
LIMIT_T = 3.0
"""Of |t| of the support: beyond it the photons have decided (one in 740 by chance)."""
SPOT_S = 5.0
"""Of |S| of the score map (one in 1.7 million by chance, for each of some hundred places)."""
Object = NDArray[np.complexfloating]


@dataclass(frozen=True, eq=False)
class Support:
    """Whether photons prefer one object to another."""

    t: float
    """Below -3: the first is supported; above +3: contradicted."""
    mean: float
    """Difference of the misfits per frame, in nats."""
    per_frame: Floats
    """(N,) the differences; negative where the first object fits better."""
    held_out: bool
    """Whether neither object has seen these photons."""

    @property
    def verdict(self) -> Verdict:
        """In a word. Photons that were seen can only support: they are unfair to denoisers."""
        if self.t < -LIMIT_T:
            return "supported"
        return "contradicted" if self.t > LIMIT_T and self.held_out else "neutral"


def support(referee: Referee, image: Object, against: Object, held_out: bool) -> Support:
    """Ask whether photons prefer an object (H, W) to another one of the same pixels."""
    gap = referee.costs(image) - referee.costs(against)
    t, mean = paired_t(gap)
    return Support(t, mean, gap, held_out)


def paired_t(gap: Floats) -> tuple[float, float]:
    """Return t = mean / (sd / sqrt n) and the mean of differences (n,); 0 where all are 0."""
    spread = float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
    mean = float(gap.mean())
    return (float(mean / spread * np.sqrt(len(gap))) if spread > 0 else 0.0), mean


@dataclass(frozen=True)
class Spot:
    """A place where the photons want another phase."""

    y: int
    x: int
    score: float
    """S there."""
    wanted: float
    """Height of the Gaussian that the photons want added, in rad (or as a share)."""


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """Where the photons want the phase to change."""

    map: Floats
    """(H, W) S; NaN where there is no light."""
    spots: tuple[Spot, ...]
    """Where |S| is beyond `SPOT_S`, the strongest first."""
    noise: float
    """By how much Poisson noise differs from what the information of single pixels says."""

    @property
    def largest(self) -> float:
        """Max |S|."""
        return float(np.nanmax(np.abs(self.map)))


def score_map(
    referee: Referee,
    image: Object,
    area: Bools,
    sigma_px: float = 4.0,
    channel: str = "phase",
    seed: int = 0,
) -> ScoreMap:
    """Map where the photons want the phase (or the amplitude) to change.

    S = (G * g) / sqrt(G * F / (4 pi sigma^2)), G a Gaussian of sigma, F the information of each
    pixel. F leaves out what neighbours share, so S is divided by its spread for counts that are
    drawn from the model itself.

    Args:
        referee: The photons.
        image: (H, W) complex object.
        area: (H, W) bool, where there is light.
        sigma_px: Size of what is looked for.
        channel: "phase" or "amplitude".
        seed: Of the drawn counts.
    """
    asked = by_channel(referee.slope(image), image, channel)
    drawn = by_channel(referee.slope(image, draw=seed), image, channel)
    noise = float(np.sqrt(np.mean(_smoothed(*drawn, sigma_px)[area] ** 2)))
    found = np.where(area, _smoothed(*asked, sigma_px) / max(noise, 1e-9), np.nan)
    return ScoreMap(found, _spots(found, *asked, sigma_px), noise)


def by_channel(slope: Slope, image: Object, channel: str) -> tuple[Floats, Floats]:
    """Return score and information (H, W) of the phase, or of the amplitude."""
    return slope.by_amplitude(image) if channel == "amplitude" else slope.by_phase(image)


def _smoothed(score: Floats, information: Floats, sigma: float) -> Floats:
    variance = scipy.ndimage.gaussian_filter(information, sigma) / (4 * np.pi * sigma**2)
    return np.asarray(scipy.ndimage.gaussian_filter(score, sigma) / np.sqrt(variance + 1e-12))


def _spots(found: Floats, score: Floats, information: Floats, sigma: float) -> tuple[Spot, ...]:
    size = np.abs(np.nan_to_num(found))
    places = peak_local_max(size, min_distance=round(2 * sigma), threshold_abs=SPOT_S)
    wanted = 2 * scipy.ndimage.gaussian_filter(score, sigma)
    wanted /= scipy.ndimage.gaussian_filter(information, sigma / np.sqrt(2)) + 1e-12
    return tuple(
        Spot(int(y), int(x), float(found[y, x]), float(wanted[y, x])) for y, x in places.tolist()
    )
