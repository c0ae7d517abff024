"""What `reconstruct` says: how far it is, and what was reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ptycho.cli import show

if TYPE_CHECKING:
    from napari_ptycho.cli.reconstruct import ReconstructFlags
    from napari_ptycho.engines import EngineOptions
    from napari_ptycho.job import Update
    from napari_ptycho.model import Reconstruction


@dataclass(frozen=True)
class Facts:
    """What is known of a run beside its last update."""

    stages: "tuple[EngineOptions, ...]"
    seconds: float
    stopped: bool
    notes: tuple[str, ...]
    """Of the scan and its binning."""
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def progress(update: "Update[Reconstruction]", stages: "Sequence[EngineOptions]") -> str:
    """Return stage, epoch and error in a few words."""
    from napari_ptycho.engines.stages import place

    number, epoch = place(update.done, stages)
    errors = update.history.get("error", ())
    error = f", error {errors[-1]:.4f}" if errors else ""
    text = f"epoch {int(epoch)}/{stages[number].epochs}{error}"
    if len(stages) == 1:
        return text
    return f"stage {number + 1}/{len(stages)} {stages[number].title}, {text}"


def say(flags: "ReconstructFlags", last: "Update[Reconstruction]", facts: Facts) -> None:
    """Print notes, files and numbers, or JSON."""
    result = last.result
    epochs = f"{last.done:.4g} of {last.total:.0f} epochs"
    error = f", error {result.errors[-1]:.5f}" if result.errors else ""
    if facts.stopped:
        show.error(f"stopped after {epochs}; what was reached is in {flags.output}")
    show.lines((f"- {note}" for note in last.notes), flags.json)
    show.lines([f"{flags.output} written: {epochs} in {facts.seconds:.1f} s{error}."], flags.json)
    if flags.report is not None:
        show.lines([f"{flags.report} written."], flags.json)
    if flags.json:
        show.as_json(_values(flags, last, facts))


def _values(
    flags: "ReconstructFlags", last: "Update[Reconstruction]", facts: Facts
) -> dict[str, Any]:
    result = last.result
    return {
        "file": str(flags.file),
        "output": str(flags.output),
        "report": None if flags.report is None else str(flags.report),
        "patterns": len(result.positions_px),
        "stages": _stages(last, facts.stages),
        "epochs": last.done,
        "error": _last(result.errors),
        "errors": [show.finite(error) for error in result.errors],
        "extras": sorted(result.extras),
        "pixel_size_m": result.pixel_size_m,
        "seconds": facts.seconds,
        "stopped": facts.stopped,
        "reasons": list(facts.reasons),
        "warnings": list(facts.warnings),
        "notes": [*facts.notes, *last.notes],
    }


def _stages(
    last: "Update[Reconstruction]", stages: "Sequence[EngineOptions]"
) -> list[dict[str, Any]]:
    """Return what was asked of each stage, and how far it came."""
    from napari_ptycho.engines.stages import name_of

    errors = last.result.errors
    own = list(errors[max(0, len(errors) - int(last.done)) :])  # those before came with --start
    left, said = last.done, []
    for options in stages:
        done = min(left, options.epochs)
        reached, own = own[: int(done)], own[int(done) :]
        left -= done
        said.append(
            {
                "engine": name_of(options),
                "title": options.title,
                "epochs": options.epochs,
                "done": done,
                "error": _last(reached),
                "options": options.as_dict(),
            }
        )
    return said


def _last(errors: Sequence[float]) -> float | None:
    return show.finite(errors[-1]) if errors else None
