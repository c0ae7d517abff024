"""The scan of a recipe: from a file or a sample, as the recipe says, and binned."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ptycho import io
from napari_ptycho.errors import FileError
from napari_ptycho.model import Scan
from napari_ptycho.networks import SHIPPED
from napari_ptycho.prepare import bin_positions, cut_detector, keep_every
from napari_ptycho.recipes.recipe import SAMPLE, Recipe

if TYPE_CHECKING:
    from napari_ptycho.networks.network import Network


def read_scan(recipe: Recipe, scan: str) -> Scan:
    """Read a scan as a recipe says, thin its positions out and bin them.

    Args:
        recipe: How.
        scan: A file, or "sample:KEY"; of a sample only detector and geometry are changed.

    Raises:
        FileError: The file is absent, broken, or of no known format.
        ScanError: It lacks what a scan needs.
        OptionsError: There is no such sample.
    """
    source = recipe.scan
    if scan.startswith(SAMPLE):
        from napari_ptycho import samples

        found = samples.open_sample(scan.removeprefix(SAMPLE))
        found = replace(found, geometry=replace(found.geometry, **source.geometry))
        found = found if source.detector is None else cut_detector(found, source.detector)
    else:
        found = io.read_scan(
            scan,
            source.geometry or None,
            layout=source.layout,
            positions=source.positions or None,
            detector=source.detector,
        )
    found = keep_every(found, recipe.binning.every)
    return bin_positions(found, recipe.binning.block, recipe.binning.neighbours)


def open_network(word: str) -> "Network":
    """Return the network that a word names: one that comes along, or a file.

    Raises:
        FileError: There is neither, or the file holds no network.
    """
    from napari_ptycho import networks

    if word in SHIPPED:
        return networks.shipped(word)
    if not Path(word).exists():
        raise FileError(
            f"{word}: there is no such file, and no network that comes along is called so; there "
            f"is {', '.join(SHIPPED)}"
        )
    return networks.load(word)


def check_apart(scan: str, output: str) -> None:
    """Refuse to write a result over its scan, or into a folder that is not there.

    Raises:
        FileError: It would be.
    """
    source, target = Path(scan), Path(output)
    if not target.absolute().parent.is_dir():
        raise FileError(f"{output}: its folder does not exist; make it first")
    if source.exists() and target.exists() and source.samefile(target):
        raise FileError(f"{output}: is the scan that is read; write to another file")
