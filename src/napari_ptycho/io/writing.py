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
    """Module of this package and function, imported when it is needed."""

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
        "product_write:write",
    ),
    Writer(
        "product-npz",
        "Ptychodus product, NumPy",
        (".npz",),
        ("reconstruction",),
        "product_write:write_archive",
    ),
    Writer("ptyr", "PtyPy result", (".ptyr",), ("reconstruction",), "ptyr_write:write"),
    Writer("cxi", "CXI result", (".cxi",), ("reconstruction",), "cxi_result_write:write"),
    Writer("nexus", "NeXus", (".nxs",), ("reconstruction",), "nexus_write:write"),
    Writer(
        "ome-tiff",
        "OME-TIFF, phase and amplitude",
        (".ome.tif", ".ome.tiff"),
        ("reconstruction",),
        "ometiff:write_ome",
    ),
    Writer(
        "imagej-tiff",
        "ImageJ TIFF, phase and amplitude",
        (".tif", ".tiff"),
        ("reconstruction",),
        "ometiff:write_imagej",
    ),
    Writer("npz", "plain NumPy arrays", (".npz",), ("reconstruction",), "npz_write:write_arrays"),
    Writer("ours", "scan of napari-ptycho", (".h5", ".hdf5"), ("scan",), "scanfile:write"),
    Writer("cxi", "CXI data", (".cxi",), ("scan",), "cxi_write:write"),
    Writer("positions", "table of positions", (".csv",), BOTH, "npz_write:write_positions"),
    Writer("probe", "probe modes, NumPy", (".npy",), BOTH, "npz_write:write_probe"),
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
