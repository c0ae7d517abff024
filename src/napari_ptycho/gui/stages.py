"""What the window does with chains of engines: tell, change, continue. No Qt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from napari_ptycho.engines import EngineOptions
from napari_ptycho.options import Parameter, describe

Stages = tuple[EngineOptions, ...]
EVERYWHERE = ("modes", "subpixel")
"""What a new stage takes over from the one before, beside what lies in a group."""


def line(options: EngineOptions) -> str:
    """Return a stage in a few words: "mPIE, 16 epochs, half resolution"."""
    words = [options.title, f"{options.epochs} epoch{'s' * (options.epochs != 1)}"]
    if options.resolution != "full":
        words.append(f"{options.resolution} resolution")
    if options.modes > 1:
        words.append(f"{options.modes} modes")
    if options.positions != "as given":
        words.append(f"positions ({options.positions})")
    if options.fly_points > 1:
        words.append("fly-scan")
    return ", ".join(words)


def changed(options: EngineOptions) -> dict[str, Any]:
    """Return the parameters that are not at their defaults."""
    values = options.as_dict()
    return {p.name: values[p.name] for p in describe(type(options)) if values[p.name] != p.default}


def switched(options: EngineOptions, cls: type[EngineOptions]) -> EngineOptions:
    """Return the options of another engine that keep what was changed, where it has the same."""
    known = {parameter.name for parameter in describe(cls)}
    return cls(**{name: value for name, value in changed(options).items() if name in known})


def after(options: EngineOptions, cls: type[EngineOptions]) -> EngineOptions:
    """Return a new stage that follows another: what is known of the experiment stays."""
    values = changed(options)
    kept = [p.name for p in describe(EngineOptions) if _everywhere(p) and p.name in values]
    return cls(**{name: values[name] for name in kept})


def _everywhere(parameter: Parameter) -> bool:
    return bool(parameter.group) or parameter.name in EVERYWHERE


def total(stages: Sequence[EngineOptions]) -> int:
    """Return the epochs of a chain."""
    return sum(options.epochs for options in stages)


def under_way(stages: Sequence[EngineOptions], done: float) -> int:
    """Return the number of the stage (from 0) that a chain works on after so many epochs."""
    for number, options in enumerate(stages):
        done -= options.epochs
        if done < 0:
            return number
    return len(stages) - 1


def rest(stages: Stages, done: float) -> Stages:
    """Return what a chain that was stopped after so many epochs has still to do."""
    left, gone = [], int(done)
    for options in stages:
        if gone < options.epochs:
            left.append(replace(options, epochs=options.epochs - gone))
        gone = max(0, gone - options.epochs)
    return tuple(left)


def spent(stages: Stages, done: float) -> Stages:
    """Return what a chain that was stopped after so many epochs has done."""
    gone, kept = int(done), []
    for options in stages:
        if gone > 0:
            kept.append(replace(options, epochs=min(gone, options.epochs)))
        gone -= options.epochs
    return tuple(kept)
