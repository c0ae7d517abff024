"""Denoising half of the photons as the whole was: so that the other half can judge the method."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions, classical
from napari_ptycho.denoise.run import LATER
from napari_ptycho.denoise.subject import applied, subject_of
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction

ALONE = ("holdout", "discrepancy", "wmv", "loss", "none")
"""Stopping rules that need no second copy."""
LOUDER = math.sqrt(2)
"""The noise of half of the photons beside that of all of them."""
STRENGTH = re.compile(r"strength (\S+) of the noise")


def recipe_options(recipe: Mapping[str, Any]) -> DenoiseOptions | ClassicalOptions | None:
    """Return the options of an entry of a provenance; None where it is no recipe of ours.

    Where a second copy had told when to stop, or how strong to denoise, the number of iterations
    or the strength is fixed instead: the second copy of a half would be the very photons that are
    to judge. Noise that was given is taken as that of all photons.
    """
    settings = recipe.get("settings")
    if not isinstance(settings, Mapping):
        return None
    cls = DenoiseOptions if "architecture" in settings else ClassicalOptions
    known = {field.name for field in fields(cls)}
    try:
        options = cls.from_dict({name: settings[name] for name in settings if name in known})
    except OptionsError:  # written by another version
        return None
    options = replace(options, sigma=options.sigma * LOUDER)
    if isinstance(options, ClassicalOptions):
        return _as_strong(options, recipe.get("notes")) if "method" in settings else None
    rule, kept = str(recipe.get("rule", "")), recipe.get("iteration")
    if rule in ALONE and rule != "none":
        return replace(options, stop=rule)  # type: ignore[arg-type] # one of the rules
    if not isinstance(kept, int) or kept < 1:
        return None
    share = LATER if rule == "second-copy" else 1.0
    return replace(options, stop="none", iterations=max(1, round(kept / share)))


def _as_strong(options: ClassicalOptions, notes: Any) -> ClassicalOptions | None:
    """Return options with the strength that a second copy had told; None if it was not noted."""
    said = " ".join(map(str, notes)) if isinstance(notes, (list, tuple)) else ""
    asked = options.calibrate == "second-copy" and not options.strength
    if not asked and "strength from: second-copy" not in said:
        return options
    found = STRENGTH.search(said)
    return None if found is None else replace(options, strength=float(found[1]))


def denoised_half(
    half: Reconstruction,
    channel: str,
    options: DenoiseOptions | ClassicalOptions,
    device: str = "auto",
) -> Iterator[Update[Reconstruction | None]]:
    """Denoise one half reconstruction: a job; the result is None until its first output."""
    subject = subject_of(half, channel)
    if isinstance(options, ClassicalOptions):
        found = classical(subject.image, options, weight=subject.weight)
        yield Update(1.0, 1.0, {}, applied(subject, found), found.notes)
        return
    from napari_ptycho.engines.denoising import denoise_subject

    for update in denoise_subject(subject, options, device):
        yield Update(update.done, update.total, {}, update.result.reconstruction, ())
