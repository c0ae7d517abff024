"""A ranking of orientations: what short reconstructions of a scan say of its frames."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.physics.align import flatten, illuminated
from napari_ptycho.prepare.orientation import BOTH, CODES, compose, inverse

CLEAR = 0.15
"""The best class must fit better than the next one by this share of the error."""


@dataclass(frozen=True, eq=False)
class OrientationRanking:
    """The orientations tried so far, the best first."""

    codes: tuple[int, ...]
    """As in `prepare.orientation.CODES`: what `prepare.orient` does to the frames."""
    errors: tuple[float, ...]
    """Of each code: sum(valid (|F| - sqrt I)^2) / sum(valid I)."""
    images: tuple[Complexes, ...]
    """Of each code: the object (h, w) where it was lit, without phase ramp."""
    classes: tuple[tuple[int, ...], ...]
    """Codes that fit equally well, the best class first: pairs in the far field."""
    frames: int
    """Number of patterns looked at."""

    @property
    def margin(self) -> float | None:
        """By which share the error of the best class is below that of the next; None if alone."""
        errors = [self.errors[self.codes.index(group[0])] for group in self.classes]
        return None if len(errors) < 2 else 1 - errors[0] / errors[1]

    @property
    def decided(self) -> bool:
        """Whether the best class fits clearly better than the next one."""
        return self.margin is not None and self.margin >= CLEAR

    @property
    def ambiguity(self) -> str:
        """What cannot be known, in a sentence."""
        if not self.classes:
            return ""
        if len(self.classes[0]) == 1:
            return "In the near field all eight orientations can be told apart."
        return (
            "In the far field the joint sign of both axes cannot be known: the two orientations of "
            "a pair differ by a flip both ways, fit equally well, and their objects are complex "
            "conjugates. The sign of the phase of something that you know decides."
        )

    @property
    def sentence(self) -> str:
        """Which class fits best, by how much, and whether that is enough."""
        if self.margin is None:
            return "Nothing to compare yet."
        names = " or ".join(f"{code} ({CODES[code]})" for code in self.classes[0])
        less = f"{self.margin:.0%} below the next"
        if self.decided:
            return f"Orientation {names} fits best: its error of {self.errors[0]:.4f} is {less}."
        return (
            f"The errors do not decide: the best, of orientation {names}, is only {less}. Take "
            "more patterns or epochs, or check centre, distance and the unit of the positions."
        )


def relabelled(ranking: OrientationRanking, code: int) -> OrientationRanking:
    """Return the same ranking for the scan after its frames were turned by a code."""
    undo = inverse(code)
    new = {old: compose(undo, old) for old in CODES}
    return replace(
        ranking,
        codes=tuple(new[old] for old in ranking.codes),
        classes=tuple(tuple(new[old] for old in group) for group in ranking.classes),
    )


def ranked(
    found: dict[int, Reconstruction], groups: tuple[tuple[int, ...], ...], frames: int
) -> OrientationRanking:
    """Rank what was found; the other one of a pair has the same error and the conjugate object."""
    ordered = sorted(
        (group for group in groups if group[0] in found), key=lambda g: error_of(found[g[0]])
    )
    entries: list[tuple[int, float, Any]] = []
    for group in ordered:
        result = found[group[0]]
        image = _lit(result)
        entries += [
            (code, error_of(result), image.conj() if code == group[0] ^ BOTH else image)
            for code in group
        ]
    return OrientationRanking(
        codes=tuple(code for code, _, _ in entries),
        errors=tuple(error for _, error, _ in entries),
        images=tuple(image for _, _, image in entries),
        classes=tuple(ordered),
        frames=frames,
    )


def error_of(result: Reconstruction) -> float:
    """Return the last error; infinite where there is none."""
    return result.errors[-1] if result.errors and np.isfinite(result.errors[-1]) else np.inf


def _lit(result: Reconstruction) -> Complexes:
    """Return the object without its phase ramp, cut to the area that was lit."""
    rows, columns = np.nonzero(illuminated(result))
    image = flatten(result)
    return image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
