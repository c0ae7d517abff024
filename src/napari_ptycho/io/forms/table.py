"""All that can be written: one table of forms. A new one is a function and a line here."""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Reconstruction, Scan

Kind = Literal["scan", "reconstruction"]
BOTH: tuple[Kind, ...] = ("scan", "reconstruction")


@dataclass(frozen=True)
class Writer:
    """A form in which scans or reconstructions are written."""

    key: str
    """What callers name it by."""
    title: str
    """As the user reads it in a list."""
    suffixes: tuple[str, ...]
    """Endings of its files, the usual one first."""
    writes: tuple[Kind, ...]
    function: str
    """Module within `io`, and function: imported when it is needed."""
    reader: str = ""
    """Module of `io.formats` that reads it back, if one does."""
    checked: str = ""
    """Which other program has read it (`benchmarks/formats/foreign.py`)."""

    @property
    def suffix(self) -> str:
        """The usual ending of its files."""
        return self.suffixes[0]

    @property
    def filter(self) -> str:
        """What a dialog shows: title and patterns."""
        return f"{self.title} ({' '.join(f'*{suffix}' for suffix in self.suffixes)})"

    def ending(self, path: str | os.PathLike[str]) -> str:
        """Return the ending of a file if it is one of its own, else ""."""
        name = Path(path).name.lower()
        return max((end for end in self.suffixes if name.endswith(end)), key=len, default="")

    def write(self, thing: Scan | Reconstruction, path: str | os.PathLike[str]) -> None:
        """Write.

        Raises:
            FileError: The folder is missing, the disk is full, or the thing is read from this file.
            ScanError: It lacks what the form needs.
        """
        module, _, name = self.function.partition(":")
        write: Callable[[Any, Any], None]
        write = getattr(importlib.import_module(f"napari_ptycho.io.{module}"), name)
        write(thing, path)


WRITERS = (
    Writer(
        "product",
        "Ptychodus product, with all there is",
        (".h5", ".hdf5"),
        ("reconstruction",),
        "forms.product:write",
        reader="product",
        checked="Ptychodus 1.7",
    ),
    Writer(
        "product-npz",
        "Ptychodus product, NumPy",
        (".npz",),
        ("reconstruction",),
        "forms.product:write_archive",
        reader="product",
        checked="Ptychodus 1.7",
    ),
    Writer(
        "ptyr", "PtyPy result", (".ptyr",), ("reconstruction",), "forms.ptyr:write", reader="ptypy"
    ),
    Writer(
        "cxi",
        "CXI result",
        (".cxi",),
        ("reconstruction",),
        "forms.cxi_result:write",
        reader="cxi_result",
        checked="Ptychodus 1.7, silx, nexusformat",
    ),
    Writer(
        "nexus",
        "NeXus",
        (".nxs",),
        ("reconstruction",),
        "forms.nexus:write",
        reader="nexus",
        checked="silx, nexusformat",
    ),
    Writer(
        "ome-tiff",
        "OME-TIFF, phase and amplitude",
        (".ome.tif", ".ome.tiff"),
        ("reconstruction",),
        "forms.ometiff:write_ome",
        checked="tifffile",
    ),
    Writer(
        "imagej-tiff",
        "ImageJ TIFF, phase and amplitude",
        (".tif", ".tiff"),
        ("reconstruction",),
        "forms.ometiff:write_imagej",
        checked="tifffile",
    ),
    Writer(
        "npz",
        "plain NumPy arrays",
        (".npz",),
        ("reconstruction",),
        "forms.npz:write_arrays",
        reader="npz_result",
        checked="NumPy",
    ),
    Writer(
        "ours",
        "scan of napari-ptycho",
        (".h5", ".hdf5"),
        ("scan",),
        "formats.scanfile:write",
        reader="scanfile",
    ),
    Writer(
        "cxi",
        "CXI data",
        (".cxi",),
        ("scan",),
        "forms.cxi:write",
        reader="cxi",
        checked="Ptychodus 1.7",
    ),
    Writer(
        "positions",
        "table of positions",
        (".csv",),
        BOTH,
        "forms.npz:write_positions",
        checked="NumPy",
    ),
    Writer(
        "probe", "probe modes, NumPy", (".npy",), BOTH, "forms.npz:write_probe", checked="NumPy"
    ),
)


def of_kind(kind: Kind) -> tuple[Writer, ...]:
    """Return the forms in which a scan or a reconstruction is written, the usual one first."""
    return tuple(writer for writer in WRITERS if kind in writer.writes)


def kind_of(thing: Scan | Reconstruction) -> Kind:
    """Return what something is called in this table."""
    return "scan" if isinstance(thing, Scan) else "reconstruction"


def named(kind: Kind, key: str) -> Writer:
    """Return a form by its key.

    Raises:
        OptionsError: There is none of this key for what is to be written.
    """
    known = of_kind(kind)
    found = next((writer for writer in known if writer.key == key), None)
    if found is None:
        keys = ", ".join(writer.key for writer in known)
        raise OptionsError(f"a {kind} cannot be written as '{key}'; it can as {keys}")
    return found


def by_name(kind: Kind, path: str | os.PathLike[str]) -> Writer:
    """Return the form that the ending of a file names.

    Raises:
        OptionsError: No form has this ending, or more than one.
    """
    endings = {writer: writer.ending(path) for writer in of_kind(kind)}
    longest = max(endings.values(), key=len)  # .ome.tif, not .tif
    fitting = [writer for writer, ending in endings.items() if ending == longest != ""]
    if len(fitting) == 1:
        return fitting[0]
    name = Path(path).name
    if fitting:
        keys = " or ".join(writer.key for writer in fitting)
        raise OptionsError(f"{name}: more than one format ends so; name one of {keys}")
    known = ", ".join(dict.fromkeys(writer.suffix for writer in of_kind(kind)))
    raise OptionsError(f"{name}: no format of a {kind} ends so; there are {known}")
