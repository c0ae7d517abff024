"""Opening a recipe: read and open its scan in a thread, then fill the docks again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari.viewer import Viewer

from napari_ptycho import io
from napari_ptycho.errors import FileError
from napari_ptycho.gui import loading
from napari_ptycho.gui.app import open_dock
from napari_ptycho.gui.opening import TOML
from napari_ptycho.gui.session import session_of

if TYPE_CHECKING:
    from napari_ptycho.recipes.recipe import NetworkStep, Recipe


@dataclass(frozen=True, eq=False)
class Filling:
    """A recipe that was read, and its scan."""

    recipe: "Recipe"
    scans: loading.Scans | None
    """None where the file is not there, or the recipe names none."""
    sentence: str = ""
    """What is missing."""


def is_recipe(path: Path) -> bool:
    """Whether a file is a recipe by its name."""
    return path.suffix.lower() == TOML


def read(path: Path) -> "Recipe":
    """Return the recipe in a file: TOML, or a result that was made by one.

    Raises:
        PtychoError: It holds none.
    """
    from napari_ptycho import recipes

    if is_recipe(path):
        return recipes.read(path)
    recipe = recipes.of(io.read_reconstruction(path))
    if recipe is None:
        raise FileError(f"{path.name}: its provenance holds no recipe; a recipe is a .toml file")
    return recipe


def open_paths(paths: Sequence[Path]) -> Filling:
    """Open a recipe, on the other file that was given if there is one.

    Raises:
        PtychoError: The recipe or the scan cannot be read, or there are more than two files.
    """
    recipe, *others = sorted(paths, key=lambda path: not is_recipe(path))
    if len(others) > 1:
        raise FileError(f"{len(paths)} files were given; give a recipe, or one and a scan for it")
    return open_recipe(recipe, others[0] if others else None)


def open_recipe(recipe: "Recipe | Path", scan: Path | None = None) -> Filling:
    """Open the scan of a recipe (or of a file that holds one), or another one by it.

    Raises:
        PtychoError: There is no recipe, or the scan cannot be read as it says.
    """
    from napari_ptycho.recipes.recipe import SAMPLE

    if isinstance(recipe, Path):
        recipe = read(recipe)
    if scan is not None:
        recipe = replace(recipe, scan=replace(recipe.scan, file=str(scan.absolute())))
    source = recipe.scan
    if not source.file:
        return Filling(recipe, None, "The recipe names no scan: choose one for it.")
    if not source.file.startswith(SAMPLE) and not Path(source.file).exists():
        return Filling(recipe, None, f"{source.file} is not there: choose another scan.")
    return Filling(recipe, _opened(recipe))


def _opened(recipe: "Recipe") -> loading.Scans:
    """Open and bin the scan of a recipe."""
    from napari_ptycho.gui.recipe_source import bin_size

    opened = loading.open_source(recipe.scan)
    bins = recipe.binning
    size = bin_size(bins)
    if size is None and bins.every == 1:
        return opened
    return loading.bin_scan(opened[1], size or 1, bins.neighbours, bins.every)


def fill(viewer: Viewer, recipe: "Recipe") -> None:
    """Show a recipe in the docks, apart from its scan; opens those that it needs."""
    session_of(viewer).recipe = recipe
    if recipe.denoise is not None:
        open_dock(viewer, "Denoise").form.show_step(recipe.denoise)
    if recipe.network is not None:
        open_dock(viewer, "Network").form.show_step(recipe.network)
    reconstruct = open_dock(viewer, "Reconstruct")
    reconstruct.start_box.set_guess(recipe.start)
    if recipe.network is not None:
        reconstruct.start_box.set_given(recipe.network, network_title(recipe.network))
    if recipe.stages:
        reconstruct.show_own(recipe.stages)


def network_title(step: "NetworkStep") -> str:
    """Return what the start is called that a network is to predict."""
    return f"prediction by {Path(step.file).stem}"
