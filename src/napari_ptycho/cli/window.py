"""`napari-ptycho`, `napari-ptycho open FILE`: napari with the docks."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from napari_ptycho.errors import FileError, OptionsError, PtychoError

GUI_MODULES = ("napari", "qtpy", "magicgui", "superqt")


@dataclass(frozen=True)
class OpenFlags:
    """Open napari with the docks."""

    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Scans or reconstructions.")
    ] = None
    sample: Annotated[str, typer.Option(metavar="NAME", help="Open this sample.")] = ""


def open_window(flags: OpenFlags) -> int:
    """Open the window and stay until it is closed.

    Raises:
        FileError: A file is not there.
        OptionsError: There is no such sample.
        PtychoError: napari or Qt is not installed.
    """
    from napari_ptycho import samples

    for path in flags.files or ():
        if not path.exists():
            raise FileError(f"{path}: there is no such file")
    if flags.sample and flags.sample not in samples.SAMPLES:
        raise OptionsError(f"no sample '{flags.sample}'; there is {', '.join(samples.SAMPLES)}")
    try:
        launch = importlib.import_module("napari_ptycho.gui.app").launch
    except ImportError as error:
        if (error.name or "").split(".")[0] not in GUI_MODULES and "Qt" not in str(error):
            raise
        raise PtychoError(
            f"the window needs napari and Qt ({error}); "
            "install them with: pip install 'napari-ptycho[gui]'"
        ) from error
    launch([str(path) for path in flags.files or ()], flags.sample or None)
    return 0
