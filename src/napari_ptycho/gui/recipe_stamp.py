"""Results carry the recipe that they were made by, in their provenance."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from napari_ptycho import recipes
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction
from napari_ptycho.recipes.files import ENTRY
from napari_ptycho.recipes.recipe import DenoiseStep


def stamped(job: Iterator[Update[Any]], recipe: str) -> Iterator[Update[Any]]:
    """Write a recipe into the provenance of what a job reaches. Closing this closes the job."""
    return each_result(job, lambda of: with_recipe(of, recipe))


def each_result(job: Iterator[Update[Any]], change: Callable[[Any], Any]) -> Iterator[Update[Any]]:
    """Change each result of a job. Closing this closes the job."""
    try:
        for update in job:
            yield replace(update, result=change(update.result))
    finally:
        getattr(job, "close", lambda: None)()


def with_recipe(of: Reconstruction, recipe: str) -> Reconstruction:
    """Return a reconstruction that carries a recipe (TOML), or none where that is empty."""
    if of.provenance.get(ENTRY, "") == recipe:
        return of
    made = {name: value for name, value in of.provenance.items() if name != ENTRY}
    return replace(of, provenance={**made, ENTRY: recipe} if recipe else made)


def denoised(of: Reconstruction, channel: Any, settings: Mapping[str, Any]) -> Reconstruction:
    """Return a reconstruction whose recipe tells how it was denoised; of two such none can tell.

    Args:
        of: The reconstruction, with the recipe of what was before.
        channel: What was denoised.
        settings: The options, see `denoise.result.Denoised`.
    """
    try:
        recipe = recipes.of(of)
    except OptionsError:
        recipe = None  # of another version: what it says of this result is not known
    if recipe is None or recipe.denoise is not None:
        return with_recipe(of, "")
    values = {name: value for name, value in settings.items() if name != "title"}
    kind = ClassicalOptions if "method" in values else DenoiseOptions
    step = DenoiseStep(channel, kind.from_dict(values))
    return with_recipe(of, recipes.dumps(replace(recipe, denoise=step)))
