"""What can be chosen of a Fourier ring correlation; no numerics: forms open at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self

from napari_ptycho.options import Options, Range, Value

Mode = Literal["standard", "Koho", "siFRC"]
Window = Literal["hann", "tukey", "none"]
ThresholdName = Literal[
    "1/7", "0.5", "half-bit", "1-bit", "half-bit (full)", "1-bit (full)", "3-sigma"
]
Convention = Literal["full period", "half period", "paper", "siFRC README", "Koho"]
HALF_BIT = (2**0.5 - 1) / 2


@dataclass(frozen=True)
class Recipe:
    """A way to correlate, and the values of the options that belong to it."""

    help: str
    defaults: Mapping[str, Value] = field(default_factory=dict)


MODES: dict[str, Recipe] = {
    "standard": Recipe(
        "two images registered; one image as diagonal pairs, their half-pixel shift taken out"
    ),
    "Koho": Recipe(
        "one image as Koho et al. 2019 (miplib) cut it, whose calibration needs it so",
        {"window": "none", "rings": "floor", "smoothing": 1, "convention": "Koho"},
    ),
    "siFRC": Recipe(
        "as the program siFRC: three pairs of one image, its rings and thresholds, no sign, "
        "nothing registered",
        {
            "window": "none",
            "smoothing": 1,
            "ignore": 0.0,
            "convention": "paper",
            "crop": False,
        },
    ),
}
"""Name -> how it is done. The first is the one to begin with."""


@dataclass(frozen=True)
class Threshold:
    """Where a curve counts as fallen: a fixed value, an SNR, or multiples of the noise."""

    help: str
    fixed: float | None = None
    snr: float | None = None
    """Signal to noise (power) of each of the two images that are correlated."""


THRESHOLDS: dict[str, Threshold] = {
    "1/7": Threshold("fixed 0.143: for two halves of the data", fixed=1 / 7),
    "0.5": Threshold("fixed 0.5: for two full sets of data, each of SNR 1", fixed=0.5),
    "half-bit": Threshold(
        "SNR 0.207 in each half: for halves of the data, one image is two", snr=HALF_BIT
    ),
    "1-bit": Threshold("SNR 0.5 in each half: for halves of the data", snr=0.5),
    "half-bit (full)": Threshold("SNR 0.414: for two full sets of data", snr=2 * HALF_BIT),
    "1-bit (full)": Threshold("SNR 1: for two full sets of data", snr=1.0),
    "3-sigma": Threshold("three times what noise alone gives: tells only that there is signal"),
}
"""Name -> threshold (van Heel & Schatz 2005; Rosenthal & Henderson 2003)."""

CONVENTIONS: dict[str, str] = {
    "full period": "length of the finest period seen",
    "half period": "half of it: what PSI's and many ptychography papers print",
    "paper": "pixel / P of a single image (Erin et al. 2025): the half period under another name",
    "siFRC README": "square root of 2 times pixel / P, as siFRC's own page says",
    "Koho": "pixel / P, calibrated on two-image curves (Koho et al. 2019)",
}
"""Name -> what a resolution means by it."""


def _listed(table: Mapping[str, Any]) -> str:
    texts = {name: getattr(one, "help", one) for name, one in table.items()}
    return "; ".join(f"{name}: {text}" for name, text in texts.items()) + "."


@dataclass(frozen=True)
class FrcOptions(Options):
    """Fourier ring correlation: up to which detail do two images agree?"""

    title: ClassVar[str] = "Fourier ring correlation"
    source: ClassVar[str] = "van Heel 1987, van Heel & Schatz 2005, Koho et al. 2019"

    mode: Annotated[Mode, _listed(MODES)] = "standard"
    window: Annotated[
        Window,
        "What takes the edges away, before one image is cut into several. hann: all the way; "
        "tukey: an eighth of the sides; none: edges count as detail.",
    ] = "hann"
    threshold: Annotated[ThresholdName, _listed(THRESHOLDS)] = "half-bit"
    convention: Annotated[Convention, _listed(CONVENTIONS)] = "full period"
    rings: Annotated[
        Literal["round", "floor"],
        "Which ring a frequency counts to: the nearest, or the one below. siFRC has its own.",
    ] = "round"
    smoothing: Annotated[
        int, Range(1, 51, 2), "Rings of a moving mean over the curve; 1: none."
    ] = 5
    ignore: Annotated[
        float,
        Range(0, 0.9, 0.01),
        "Share of the Nyquist frequency below which crossings are not believed.",
    ] = 0.05
    compensate: Annotated[
        bool,
        "Of one image: take out the shift by half a pixel between the parts it is cut into. "
        "Without that even an image without noise falls to 0.5 at P = 0.34. Standard mode only.",
    ] = True
    crop: Annotated[
        bool, "Take the largest rectangle that was lit, where that is known; else all pixels."
    ] = True

    @classmethod
    def of(cls, mode: str, **values: Any) -> Self:
        """Return the options that suit a mode, with some of them replaced.

        Raises:
            OptionsError: There is no such mode or option, or a value is not allowed.
        """
        suited = MODES[mode].defaults if mode in MODES else {}
        return cls.from_dict({"mode": mode, **suited, **values})

    @classmethod
    def from_words(cls, words: Mapping[str, str]) -> Self:
        """Build from words of the command line; what is not named is as it suits the mode.

        Raises:
            OptionsError: An unknown name, or a word that is no such value.
        """
        named = super().from_words(words)
        values = {name: getattr(named, name) for name in words if name != "mode"}
        return cls.of(named.mode, **values)


@dataclass(frozen=True)
class HonestOptions(Options):
    """How two independent halves of a scan are made, and what of them is compared."""

    title: ClassVar[str] = "Honest FRC"

    by: Annotated[
        Literal["photons", "positions"],
        "photons: every photon goes to one half at random (Poisson counts only; else positions "
        "are taken). positions: every other position; their errors differ too.",
    ] = "photons"
    channel: Annotated[
        Literal["phase", "amplitude", "complex"], "What of the object is compared."
    ] = "phase"
    seed: Annotated[int, Range(0, 2**31 - 1), "Of the draw of the photons."] = 0
