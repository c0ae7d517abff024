"""Recipes as TOML: text, files, and the one that a result carries."""

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import existing, kind_of, read_head, translated
from napari_ptycho.networks import SHIPPED
from napari_ptycho.recipes import checksums
from napari_ptycho.recipes.recipe import SAMPLE, Recipe
from napari_ptycho.recipes.tables import as_tables, of_tables

if TYPE_CHECKING:
    from napari_ptycho.model import Reconstruction

ENTRY = "recipe"
"""Key in the provenance of a result."""
MOST_BYTES = 2**20


def dumps(recipe: Recipe) -> str:
    """Return a recipe as TOML, with every option: it stays what it is when defaults change."""
    return tomli_w.dumps(as_tables(recipe))


def loads(text: str, owner: str) -> Recipe:
    """Build a recipe from TOML; what it leaves out keeps its default.

    Args:
        text: TOML.
        owner: What the file is called, for sentences.

    Raises:
        OptionsError: No TOML, or a table, key or value that a recipe does not have.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionsError(f"{owner}: not TOML: {error}") from error
    return of_tables(values, owner)


def read(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe from TOML, or from a result that carries one.

    Relative file names in TOML begin at its own folder.

    Raises:
        FileError: The file is absent or cannot be read, or is a result without a recipe.
        OptionsError: It is no recipe.
    """
    path = existing(path)
    if kind_of(read_head(path)) is not None:
        return _carried(path)
    with translated(path):
        if path.stat().st_size > MOST_BYTES:
            raise FileError(f"{path.name}: is larger than any recipe")
        text = path.read_text(encoding="utf-8")
    recipe = loads(text, path.name)
    folder = path.absolute().parent
    source = replace(
        recipe.scan,
        file=_absolute(recipe.scan.file, folder),
        positions=_absolute(recipe.scan.positions, folder),
    )
    network = recipe.network
    if network is not None and network.file not in SHIPPED:
        network = replace(network, file=_absolute(network.file, folder))
    return replace(recipe, scan=source, network=network)


def _carried(path: Path) -> Recipe:
    from napari_ptycho import io

    recipe = of(io.read_reconstruction(path))
    if recipe is None:
        raise FileError(f"{path.name}: this result carries no recipe")
    return recipe


def _absolute(name: str, folder: Path) -> str:
    if not name or name.startswith(SAMPLE):
        return name
    return str(folder / Path(name).expanduser())


def write(recipe: Recipe, path: str | os.PathLike[str]) -> None:
    """Write a recipe, whole or not at all.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    with written(path) as temporary:
        temporary.write_text(dumps(recipe), encoding="utf-8")


def checksum(recipe: Recipe) -> str:
    """Return a digest of what a recipe does: not of its title or the scan it was made with.

    A network, or positions in a second file, count by what is in them where the file is there.

    Raises:
        FileError: Such a file cannot be read.
    """
    tables = as_tables(recipe)
    del tables["title"], tables["scan"]["file"]
    for table, key in (("scan", "positions"), ("network", "file")):
        name = tables.get(table, {}).get(key, "")
        if name and Path(name).is_file():
            tables[table][key] = checksums.of_file(Path(name))
    digest = checksums.blake2()
    digest.update(json.dumps(tables, sort_keys=True).encode())
    return digest.hexdigest()


def carrying(result: "Reconstruction", recipe: Recipe) -> "Reconstruction":
    """Return a result that carries the recipe that made it, into any file that has a provenance."""
    return replace(result, provenance={**result.provenance, ENTRY: dumps(recipe)})


def of(reconstruction: "Reconstruction") -> Recipe | None:
    """Return the recipe that a result was made by; None where it carries none.

    Raises:
        OptionsError: It carries one that this version does not know.
    """
    text = reconstruction.provenance.get(ENTRY)
    if not isinstance(text, str):
        return None
    return loads(text, f"the recipe in {reconstruction.name}")
