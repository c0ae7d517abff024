"""What the docks of a viewer say, as a recipe: all there is, and what goes in at first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari.viewer import Viewer

from napari_ptycho import recipes
from napari_ptycho.denoise.options import ClassicalOptions
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui.app import found_dock
from napari_ptycho.gui.session import Session, session_of
from napari_ptycho.gui.stages import Stages, line, spent
from napari_ptycho.model import Reconstruction
from napari_ptycho.recipes.recipe import (
    SAMPLE,
    AssessOptions,
    DenoiseStep,
    NetworkStep,
    Recipe,
    Source,
    Start,
)

SCAN, NETWORK, ENGINES = "Scan and binning", "Network", "Engines"
DENOISE, ASSESS = "Denoise", "Assess"
PARTS = {
    SCAN: "which file it was, how it is read, and how it is binned",
    NETWORK: "a network predicts the object, which the engines then start from",
    ENGINES: "the chain of the Reconstruct dock and its start",
    DENOISE: "the method of the Denoise dock, on the result",
    ASSESS: "the resolution of the result by FRC",
}
"""Part of a recipe -> what it is."""


@dataclass(frozen=True)
class Draft:
    """All that the docks say."""

    recipe: Recipe
    """With every part that there is."""
    usual: frozenset[str] = frozenset(PARTS)
    """The parts that go in unless the user says otherwise."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Part -> why it cannot go in."""
    doubts: tuple[str, ...] = ()
    """What the recipe does not tell."""

    def chosen(self, parts: Collection[str], title: str | None = None) -> Recipe:
        """Return the recipe of some parts.

        Args:
            parts: Of `PARTS`; those that are missing are left out.
            title: Another title; None keeps that of the draft.
        """
        recipe, empty = self.recipe, Recipe()
        left = {part for part in PARTS if part not in parts or part in self.missing}
        fields: dict[str, tuple[str, ...]] = {
            SCAN: ("scan", "binning"),
            NETWORK: ("network",),
            ENGINES: ("stages",),
            DENOISE: ("denoise",),
        }
        changes: dict[str, Any] = {
            name: getattr(empty, name) for part in left for name in fields.get(part, ())
        }
        if {NETWORK, ENGINES} <= left:
            changes["start"] = empty.start
        if ASSESS in left:
            changes["assess"] = AssessOptions(frc=False, check=False)
        return replace(recipe, title=recipe.title if title is None else title, **changes)

    def told(self, part: str) -> str:
        """Return what goes in with a part, in a few words."""
        recipe = self.recipe
        if part in self.missing:
            return self.missing[part]
        words = {
            SCAN: _scan_words(recipe),
            NETWORK: "" if recipe.network is None else _network_words(recipe.network),
            ENGINES: " · ".join(map(line, recipe.stages)),
            DENOISE: "" if recipe.denoise is None else _denoise_words(recipe.denoise),
            ASSESS: "single-image FRC" + ", hallucination check" * recipe.assess.check,
        }
        return words[part]


def draft(viewer: Viewer) -> Draft:
    """Return what the docks of a viewer say."""
    session = session_of(viewer)
    dock = found_dock(viewer, "Reconstruct")
    guess, instead, called = Start(), None, ""
    stages: Stages = ()
    if dock is not None:
        stages, (guess, instead, called) = dock.stages.stages(), dock.start_box.told()
    network = _network(session, instead)
    before, (told, bins) = session.recipe, session.told
    denoise = _denoise(viewer) or before.denoise
    missing = _missing(told, network, stages, denoise)
    by_network = instead is not None and network is not None
    assess = before.assess if _asks(before.assess) else AssessOptions()
    recipe = replace(
        before,
        title=_title(session),
        scan=told if isinstance(told, Source) else Source(),
        binning=bins,
        start=guess,
        network=network,
        stages=stages,
        denoise=denoise,
        assess=assess,
    )
    doubt = f"Start from '{called}': a recipe cannot tell what that is; its start is automatic."
    doubts = (doubt,) if called and not by_network else ()
    return Draft(recipe, _usual(before, by_network), missing, doubts)


@dataclass(frozen=True)
class ToldRun:
    """What a recipe tells of one run."""

    recipe: Recipe
    tells: bool
    """Whether that is all: what is done from a layer, or to a painted mask, it cannot tell."""

    @property
    def toml(self) -> str:
        """What the result is to carry; empty for none."""
        return recipes.dumps(self.recipe) if self.tells else ""


def of_run(viewer: Viewer, stages: Stages) -> ToldRun:
    """Return what a recipe tells of a run of these stages from the start that is chosen."""
    said = draft(viewer)
    recipe = said.chosen({SCAN, ENGINES, *(said.usual & {NETWORK, ASSESS})})
    return ToldRun(replace(recipe, stages=stages), SCAN not in said.missing and not said.doubts)


def of_more(viewer: Viewer, before: Reconstruction, stages: Stages) -> ToldRun:
    """Return what a recipe tells of a run that goes on from a reconstruction."""
    now = of_run(viewer, stages)
    try:
        made = recipes.of(before)
    except OptionsError:
        made = None  # by another version: what came before cannot be told
    if made is None:
        return ToldRun(now.recipe, tells=False)
    chain = (*spent(made.stages, len(before.errors)), *stages)
    same = (made.scan, made.binning) == (now.recipe.scan, now.recipe.binning)
    return ToldRun(replace(made, stages=chain) if same else now.recipe, same)


def _usual(before: Recipe, by_network: bool) -> frozenset[str]:
    """Return the parts that go in at first: as in the recipe that was opened, if one was."""
    usual = set(PARTS) - {DENOISE, NETWORK}
    usual |= {NETWORK} if by_network else set()
    usual |= set() if before.denoise is None else {DENOISE}
    usual -= set() if _asks(before.assess) else {ASSESS}
    return frozenset(usual - ({ENGINES} if before != Recipe() and not before.stages else set()))


def _asks(assess: AssessOptions) -> bool:
    return assess.frc or assess.check


def _title(session: Session) -> str:
    """Return the title of the recipe that was opened, or the name of another scan."""
    view, (told, _), before = session.view, session.told, session.recipe
    if view is None or (isinstance(told, Source) and told.file == before.scan.file):
        return before.title
    return view.scan.name


def of_prediction(session: Session, step: NetworkStep | None) -> str:
    """Return the recipe (TOML) of an object that a network predicts; empty where none can tell."""
    source, bins = session.told
    view = session.view
    if step is None or view is None or isinstance(source, str):
        return ""
    recipe = Recipe(view.scan.name, source, bins, network=step, assess=session.recipe.assess)
    return recipes.dumps(recipe)


def _network(session: Session, instead: Reconstruction | NetworkStep | None) -> NetworkStep | None:
    """Return the network that made a start, or else what is shown now."""
    if isinstance(instead, NetworkStep):
        return instead
    if instead is not None:
        return session.predictions.get(instead)
    shown = session.reconstruction
    return None if shown is None else session.predictions.get(shown)


def _denoise(viewer: Viewer) -> DenoiseStep | None:
    dock = found_dock(viewer, "Denoise")
    return None if dock is None else dock.form.step()


def _missing(
    told: Source | str, network: NetworkStep | None, stages: Stages, denoise: DenoiseStep | None
) -> dict[str, str]:
    """Return why parts cannot go in."""
    missing = {SCAN: told} if isinstance(told, str) else {}
    if network is None:
        missing[NETWORK] = (
            "no network of a file predicted the start: save the network, predict, and refine"
        )
    if not stages:
        missing[ENGINES] = "the Reconstruct dock is not open"
    if denoise is None:
        missing[DENOISE] = "the Denoise dock is not open"
    return missing


def _scan_words(recipe: Recipe) -> str:
    binned = "" if recipe.binning.every == 1 else f", 1 pattern in {recipe.binning.every}"
    binned += "" if recipe.binning.size == "1" else f", bins of {recipe.binning.size}"
    file = recipe.scan.file
    sample = file.startswith(SAMPLE)
    return f"{file.replace(SAMPLE, 'sample ') if sample else Path(file).name}{binned}"


def _network_words(step: NetworkStep) -> str:
    return Path(step.file).name + ", fine-tuned on the scan" * (step.finetune is not None)


def _denoise_words(step: DenoiseStep) -> str:
    options = step.options
    method = options.method if isinstance(options, ClassicalOptions) else options.title
    return f"{step.channel} by {method}"
