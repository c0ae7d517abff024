"""From what was seen of stored frames, and what was told, to how counts are made of them."""

from typing import Any

import numpy as np

from napari_ptycho.io.counts import Plan, Survey
from napari_ptycho.model.arrays import Bools

CLEAR = 2.0
"""The corner or the middle must be so many times brighter than the other."""
PLURALS = {"intensity": "intensities", "amplitude": "amplitudes"}


def plan(survey: Survey, usable: Bools, near: bool, whole_stack: bool) -> tuple[Plan, list[str]]:
    """Decide what stored frames are, and say so.

    Args:
        survey: What was seen.
        usable: (H, W) True where the file's own mask, as it is stored, calls a pixel good.
        near: Near-field frames are images: they have no zero frequency.
        whole_stack: Whether the survey saw every frame (else dtypes stay wide enough for more).

    Returns:
        The plan, and a sentence for each decision.
    """
    ceiling = survey.ceiling()
    anywhere, everywhere = survey.bad(ceiling)
    shifted, notes = _where_is_zero(survey, usable & ~anywhere, near)
    squared = survey.squared
    dtype = _dtype(survey, everywhere, squared, whole_stack)
    decided = Plan(
        dtype=dtype,
        wrapped=survey.wrapped,
        ceiling=ceiling,
        squared=squared,
        shifted=shifted,
        patchy=survey.told.corrects or bool(((anywhere != everywhere) & usable).any()),
        whole=survey.whole or survey.amplitudes,
        told=survey.told,
    )
    if survey.wrapped:
        notes.append("Counts above 32767 were stored as negative int16; 65536 was added to them.")
    notes += _kind_notes(survey, squared)
    changed = survey.wrapped or squared or survey.told.corrects
    if np.dtype(dtype) != survey.dtype.newbyteorder("=") and not changed:
        notes.append(f"Counts were stored as {survey.dtype}; they are kept, unchanged, as {dtype}.")
    return decided, notes + _code_notes(survey, ceiling, usable, whole_stack)


def _where_is_zero(survey: Survey, usable: Bools, near: bool) -> tuple[bool, list[str]]:
    if survey.told.zero_frequency == "corner":
        return True, [
            "Zero frequency was moved from the corner, where you say it is, to the middle."
        ]
    if survey.told.zero_frequency == "middle":
        return False, []
    means = None if near else survey.brightness(usable)
    if means is None:
        return False, []
    corner, centre = means
    told = f"mean counts per pixel: {corner:.3g} at the corner, {centre:.3g} in the middle"
    if corner > CLEAR * centre:
        return True, [f"Zero frequency was at the corner and was moved to the middle ({told})."]
    if centre > CLEAR * corner:
        return False, []
    return False, [f"Zero frequency is taken to be in the middle; the frames do not tell ({told})."]


def _dtype(survey: Survey, everywhere: Bools, squared: bool, whole_stack: bool) -> np.dtype[Any]:
    kind, size = survey.dtype.kind, survey.dtype.itemsize
    if survey.told.corrects:
        return np.dtype(np.float32)
    counts = survey.whole or (squared and survey.amplitudes)
    if counts and whole_stack:
        top = float(survey.highest[~everywhere].max(initial=0))
        top = round(top**2) if squared else top
        if top < 2**63:
            return np.min_scalar_type(int(top))
    if kind == "f":
        return np.dtype(f"f{max(4, size)}")
    return np.dtype(f"u{min(8, 2 * size) if squared else size}")


def _kind_notes(survey: Survey, squared: bool) -> list[str]:
    if survey.told.values != "auto":
        doubt = ", although their squares are whole numbers, as those of amplitudes are"
        odd = doubt if survey.amplitudes and not squared else ""
        done = ", and were squared" if squared else ""
        return [f"The values were taken as {PLURALS[survey.told.values]}, as you say{odd}{done}."]
    if squared:
        return ["The file holds amplitudes (their squares are whole numbers); they were squared."]
    if survey.whole:
        return []
    return [
        "Neither the values nor their squares are whole numbers; they are taken as intensities, "
        "not amplitudes."
    ]


def _code_notes(
    survey: Survey, ceiling: float | None, usable: Bools, whole_stack: bool
) -> list[str]:
    anywhere, everywhere = (bad & usable for bad in survey.bad(ceiling))
    if not anywhere.any():
        return []
    codes = sorted(survey.codes) + ([f"{ceiling:.0f}"] if ceiling is not None else [])
    looked = "" if whole_stack else f" among the {survey.frames} frames looked at"
    if (anywhere == everywhere).all():
        rest = "" if whole_stack else " Where a code stands elsewhere, the count is read as 0."
        return [
            f"{int(everywhere.sum())} of {everywhere.size} pixels hold dead-pixel codes "
            f"({', '.join(codes)}) in all frames{looked} and were masked.{rest}"
        ]
    return [
        f"Dead-pixel codes ({', '.join(codes)}) stand at {int(anywhere.sum())} of {anywhere.size} "
        f"pixels, not the same in all frames{looked}; they were masked frame by frame."
    ]
