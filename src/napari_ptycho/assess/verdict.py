"""What a hallucination check has found: evidence, a verdict, and its limits, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Bools, Floats

if TYPE_CHECKING:  # a page opens without them
    from napari_ptycho.assess.lattices import Lattice
    from napari_ptycho.assess.photons import ScoreMap, Support

IN_ORIGINAL = "already in the original"
"""Kind of a place that is not the doing of what made the image."""
Verdict = Literal["supported", "neutral", "contradicted", "not tested"]
LIMITS = (
    "The photons judge only what they have seen: nothing finer than the detector reaches, and "
    "nothing outside the light.",
    "Probe and positions are taken as they are: what is wrong with them is wrong in every test.",
    "'Supported' means better than the original by photons that neither has seen, not true in "
    "every pixel.",
)


@dataclass(frozen=True)
class Evidence:
    """What one test says."""

    test: str
    """"photons", "lattice", "places", "grid", "local grid", "whiteness", "blobs", "spread"."""
    sentence: str
    """What it says, for a person."""
    alarm: bool = False
    """Whether it is a reason to look closer; only photons decide the verdict."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, fit for JSON."""


@dataclass(frozen=True)
class Place:
    """A place that the photons object to."""

    y: int
    """Row of its middle in the image, in pixels."""
    x: int
    """Column of its middle."""
    score: float
    """S of the score map."""
    wanted: float
    """What the photons want added in the middle of a Gaussian there, in rad (or as a share)."""
    kind: str
    """"added", "removed", or `IN_ORIGINAL`."""


@dataclass(frozen=True, eq=False)
class Check:
    """A hallucination check as far as it is."""

    name: str
    """Of the image."""
    channel: str
    """"phase" or "amplitude"."""
    area: Bools
    """(H, W) where there is light."""
    values: Floats
    """(H, W) the image itself."""
    pixel_m: tuple[float, float] | None = None
    """Pixel (height, width) in metres, None if unknown."""
    support: "Support | None" = None
    """Whether the photons prefer the image to its original; None: not asked."""
    scores: "ScoreMap | None" = None
    """Where the photons want it otherwise."""
    places: tuple[Place, ...] = ()
    """Those where they want it clearly so."""
    lattices: "tuple[Lattice, ...]" = ()
    """Periods that networks print, and what the photons say of each."""
    evidence: tuple[Evidence, ...] = ()
    """What each test says, photons first."""
    maps: Mapping[str, Floats] = field(default_factory=dict)
    """"lattice" (if one is contradicted), "score", "local grid", "blobs", "spread": (H, W), NaN
    where they mean nothing."""
    centres_px: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    """(n, 2) middle (y, x) of each frame that `support.per_frame` speaks of."""
    notes: tuple[str, ...] = ()
    """What was odd on the way, a sentence each."""
    halves: tuple[Reconstruction, Reconstruction] | None = None
    """Half-count reconstructions that were made on the way."""
    doing: str = ""
    """What is under way; "" at the end."""

    @property
    def verdict(self) -> Verdict:
        """What the photons say in a word; the other tests only point at what to look at."""
        if self.support is None:
            return "not tested"
        wrong = any(one.contradicted for one in self.lattices) or bool(self.invented)
        if wrong or self.support.verdict == "contradicted":
            return "contradicted"
        known = self.support.held_out or self.support.verdict == "neutral"
        return self.support.verdict if known else "neutral"

    @property
    def invented(self) -> tuple[Place, ...]:
        """Places at which the image itself, and not its original, is wrong."""
        return tuple(one for one in self.places if one.kind != IN_ORIGINAL)

    @property
    def alarms(self) -> tuple[Evidence, ...]:
        """The tests that raised an alarm."""
        return tuple(one for one in self.evidence if one.alarm)

    def sentence(self) -> str:
        """Return the verdict in plain words."""
        if self.verdict == "not tested":
            return (
                "Not tested: without the scan the photons cannot be asked. "
                f"{self._others('Look at')}"
            ).strip()
        if self.verdict == "contradicted":
            return f"Contradicted: the measured photons reject {self._rejected()}."
        if self.verdict == "supported":
            return (
                "Supported: photons that it has not seen are likelier with this image than with "
                f"the original. {self._others('Yet look at')}"
            ).strip()
        return (
            "Neutral: the measured photons neither support nor contradict this image. "
            f"{self._others('Look at')}"
        ).strip()

    def _rejected(self) -> str:
        """Name what the photons reject."""
        said = []
        if self.support is not None and self.support.verdict == "contradicted":
            said.append("the image as a whole")
        if self.invented:
            said.append(f"{len(self.invented)} place{'s' * (len(self.invented) > 1)} in it")
        periods = dict.fromkeys(one.period_px for one in self.lattices if one.contradicted)
        said += [f"a lattice of period {y:.3g}" + f" x {x:.3g}" * (x != y) for y, x in periods]
        return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)

    def _others(self, words: str) -> str:
        tests = [one.test for one in self.alarms]
        return f"{words}: {', '.join(tests)}." if tests else ""

    def as_dict(self) -> dict[str, Any]:
        """Return verdict and evidence as plain values, fit for JSON."""
        return {
            "name": self.name,
            "channel": self.channel,
            "verdict": self.verdict,
            "sentence": self.sentence(),
            "held_out": None if self.support is None else self.support.held_out,
            "evidence": [
                {"test": e.test, "alarm": e.alarm, "sentence": e.sentence, **plain(e.numbers)}
                for e in self.evidence
            ],
            "places": [vars(place) for place in self.places],
            "limits": list(LIMITS),
            "notes": list(self.notes),
        }


def plain(value: Any) -> Any:
    """Return a value as JSON takes it; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
