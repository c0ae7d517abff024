"""The recipe that a result of `reconstruct` carries: what its flags have said."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_ptycho.cli.flags import pairs
from napari_ptycho.cli.reading import how_read

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.cli.reconstruct import ReconstructFlags
    from napari_ptycho.engines import EngineOptions
    from napari_ptycho.model import Reconstruction


def carrying(
    result: "Reconstruction",
    flags: "ReconstructFlags",
    stages: "Sequence[EngineOptions]",
    geometry: dict[str, Any],
) -> "Reconstruction":
    """Return a result with the recipe that makes it again; one of --start has none.

    Args:
        result: What was reached.
        flags: Of the command.
        stages: The engines that ran.
        geometry: Fields of `Geometry` that the flags replace.
    """
    if flags.start is not None:
        return result
    from napari_ptycho import prepare, recipes

    how = how_read(flags, geometry)
    source = recipes.Source(
        str(flags.file.absolute()),
        "" if flags.positions is None else str(flags.positions.absolute()),
        how["layout"],
        how["detector"],
        how["geometry"] or {},
    )
    optics = None
    if flags.probe == "optics":
        optics = prepare.Optics.from_words(pairs(flags.optics or (), "--optics"))
    probe: Any = flags.probe.replace("-", " ")
    recipe = recipes.Recipe(
        scan=source,
        binning=recipes.BinningOptions(flags.bin, flags.neighbours, flags.every),
        start=recipes.Start(probe, optics),
        stages=tuple(stages),
        assess=recipes.AssessOptions(frc=False),
        output=recipes.OutputOptions(report=flags.report is not None),
    )
    return recipes.carrying(result, recipe)
