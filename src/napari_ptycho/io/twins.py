"""Names that differ by x and y alone: posx and posy, SampleX/value and SampleY/value."""

import re
from collections.abc import Iterator, Mapping

DOUBTFUL = (
    "std",
    "error",
    "pixel",
    "cent",
    "size",
    "offset",
    "origin",
    "module",
    "vector",
    "target",
    "demand",
    "set",
    "start",
    "min",
    "max",
    "num",
    "object",
    "mask",
    "velocity",
)
"""In names that are rather not where the probe stood."""
LONGEST = 300
"""Of names that are looked at."""
_TURNED = {"x": "y", "X": "Y"}


def twins(names: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names (y, x).

    Args:
        names: How many values each has.
    """
    seen = set()
    for name in (name for name in names if len(name) <= LONGEST):
        variants = {re.sub("[xX]", lambda found: _TURNED[found.group()], name)}
        for found in re.finditer("[xX]", name):
            at = found.start()
            variants.add(name[:at] + _TURNED[name[at]] + name[at + 1 :])
        for variant in sorted(variants - {name}):
            if variant in names and (variant, name) not in seen:
                seen.add((variant, name))
                yield variant, name


def fit(y: int, x: int, n: int) -> float:
    """Return how well so many values of y and x go with n frames, 0 to 1."""
    if y == x == n:
        return 1.0
    if y * x == n and min(y, x) > 1:
        return 0.9
    if y != x or y < 2 or n < 2:
        return 0.0
    if y % n == 0 or n % y == 0:
        return 0.5
    return 0.3 * min(y, n) / max(y, n)


def best_twins(names: Mapping[str, int], n: int) -> tuple[str, str] | None:
    """Return the pair (y, x) that most probably is the positions of n frames, or None.

    Args:
        names: How many values each has.
        n: Number of frames.
    """
    scored = []
    for y, x in twins(names):
        score = fit(names[y], names[x], n)
        if score:
            doubt = sum(word in x.lower() for word in DOUBTFUL)
            scored.append((score - 0.05 * doubt, (y, x)))
    return max(scored, key=lambda item: item[0])[1] if scored else None
