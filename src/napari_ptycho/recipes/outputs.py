"""What a recipe writes: the result, which carries the recipe, and what is asked for beside it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ptycho import io
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.recipes.files import carrying
from napari_ptycho.recipes.recipe import Recipe
from napari_ptycho.recipes.report import report_path

if TYPE_CHECKING:
    from napari_ptycho.assess.verdict import Check

THUMBNAIL, PICTURE, TIFF, CHECK = ".thumbnail.png", ".png", ".ome.tif", ".check.html"
"""Endings, after the whole name of the result."""


@dataclass(frozen=True)
class Outputs:
    """The files of one result."""

    result: Path
    recipe: Recipe

    @property
    def thumbnail(self) -> Path:
        """A small picture of the phase."""
        return self._beside(THUMBNAIL)

    @property
    def check(self) -> Path:
        """The report on hallucinations."""
        return self._beside(CHECK)

    def planned(self) -> tuple[Path, ...]:
        """Return all that may be written, the report last."""
        asked = self.recipe.output
        more = [(asked.tiff, TIFF), (asked.report, PICTURE), (self.recipe.assess.check, CHECK)]
        beside = [self._beside(ending) for wanted, ending in more if wanted]
        return (self.result, self.thumbnail, *beside, report_path(self.result))

    def write(
        self, result: Reconstruction, scan: Scan, source: str, check: "Check | None"
    ) -> tuple[str, ...]:
        """Write the result and what is asked for beside it, each whole or not at all.

        Args:
            result: What was reached.
            scan: What it was made from, as it was binned.
            source: The file of the scan.
            check: What was found out about hallucinations.

        Returns:
            The names of the files.

        Raises:
            FileError: A file cannot be written.
            ScanError: The result lacks what its form needs.
        """
        from napari_ptycho.assess.picture import write_picture, write_thumbnail

        done = replace(self.recipe, scan=replace(self.recipe.scan, file=source))
        result = carrying(result, done)
        io.write_reconstruction(result, self.result, self.recipe.output.form)
        write_thumbnail(result, self.thumbnail)
        files = [self.result, self.thumbnail]
        if self.recipe.output.tiff:
            files.append(self._beside(TIFF))
            io.write_reconstruction(result, files[-1], "ome-tiff")
        if self.recipe.output.report:
            files.append(self._beside(PICTURE))
            write_picture(result, scan, files[-1])
        if check is not None:
            from napari_ptycho.assess.check_report import write_report

            files.append(self.check)
            write_report(check, self.check)
        return tuple(path.name for path in files)

    def _beside(self, ending: str) -> Path:
        return self.result.with_name(self.result.name + ending)
