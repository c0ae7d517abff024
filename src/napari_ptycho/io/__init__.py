"""Files in, models out, and back: scans and reconstructions.

A file is recognised by its content; the extension is ignored. A new format is one module with a
`FORMAT` and one line in `FORMATS`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_ptycho.errors import FileError
from napari_ptycho.model import Geometry, Reconstruction, Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ptycho.io.forms.table import Writer
    from napari_ptycho.io.growing import Growing
    from napari_ptycho.io.layout import Layout
    from napari_ptycho.io.saved_layouts import SavedLayout
    from napari_ptycho.prepare.detector import DetectorOptions

__all__ = [
    "about_image",
    "delete_layout",
    "is_image",
    "load_layouts",
    "open_growing",
    "read_image",
    "read_reconstruction",
    "read_scan",
    "save_layout",
    "write_image",
    "write_reconstruction",
    "write_scan",
    "write_tiff",
    "writers",
]

FORMATS = (
    "scanfile",
    "foldslice",
    "ptyd",
    "ptypy",
    "dectris",
    "ptylab",
    "product",
    "shelves",
    "shelves_result",
    "ptyrex",
    "stem",
    "hyperspy",
    "pppc",
    "nexus",
    "cxi_result",
    "npz_result",
    "nxptycho",
    "beamlines",
    "cxi",
    "arrays",
    "matlab",
    "tiffs",
    "npys",
    "merlin",
    "empad",
)
"""Modules, in the order in which they are asked."""
_LAZY_ABOVE_BYTES = 2**30


def read_scan(
    path: str | os.PathLike[str],
    geometry: Geometry | Mapping[str, Any] | None = None,
    lazy_above_bytes: int = _LAZY_ABOVE_BYTES,
    layout: "Layout | None" = None,
    positions: str | os.PathLike[str] | None = None,
    detector: "DetectorOptions | None" = None,
) -> Scan:
    """Read a scan from a file of any format in `FORMATS`.

    Where zero frequency is, whether counts or amplitudes are stored, and which values mark dead
    pixels is found from the data; each decision is a sentence in `Scan.notes`, and
    `Scan.sources` says where each field came from.

    Args:
        path: The file.
        geometry: What the file does not say or says wrongly. A mapping replaces the `Geometry`
            fields it names; a `Geometry` replaces those it knows, and always the propagation.
            Near-field frames are taken as images, without a zero frequency to look for.
        lazy_above_bytes: Patterns in HDF5 larger than this stay on disk until they are read.
        layout: How the file is to be read, where the person says it; what it leaves open, the
            format or a saved layout that fits the file (`saved_layouts`) decides.
        positions: A second file with the positions: HDF5, CSV, TXT, NPY.
        detector: How the frames are cut out and masked once they are read.

    Raises:
        FileError: The file is absent, broken, or of no known format; `NeedsLayout` where the HDF5
            browser could help.
        ScanError: It lacks or contradicts what a scan needs; `NeedsPositions` where only the
            positions are missing.
        OptionsError: `geometry` names an unknown field or holds no number.
    """
    from napari_ptycho.io.draft import Request
    from napari_ptycho.io.files import translated
    from napari_ptycho.io.layout import Layout
    from napari_ptycho.io.opened import opened
    from napari_ptycho.io.reading import Reading

    second = None if positions is None else Path(positions)
    request = Request(geometry, lazy_above_bytes, layout or Layout(), second)
    reading = Reading(request, detector, by_saved=layout is None)
    with opened(path, reading.form) as (form, content):
        if form.read_scan is None:
            raise FileError(
                f"{Path(path).name}: holds a reconstruction ({form.title}), not a scan; "
                "open it with read_reconstruction"
            )
        with translated(Path(path)):
            return reading.scan(form, content)


def open_growing(
    path: str | os.PathLike[str],
    geometry: Geometry | Mapping[str, Any] | None = None,
    layout: "Layout | None" = None,
    positions: str | os.PathLike[str] | None = None,
    detector: "DetectorOptions | None" = None,
) -> "Growing":
    """Open a scan that is still being written; arguments and errors are those of `read_scan`."""
    from napari_ptycho.io.growing.opening import opened

    return opened(path, geometry, layout, positions, detector)


def read_reconstruction(path: str | os.PathLike[str]) -> Reconstruction:
    """Read a reconstruction from a file of any format in `FORMATS` that holds one.

    Raises:
        FileError: The file is absent, broken, or holds no reconstruction.
        ScanError: What it holds contradicts itself.
    """
    from napari_ptycho.io.files import translated
    from napari_ptycho.io.opened import opened

    with opened(path) as (form, content):
        if form.read_reconstruction is None:
            raise FileError(
                f"{Path(path).name}: holds a scan ({form.title}), not a reconstruction; "
                "open it with read_scan"
            )
        with translated(Path(path)):
            return form.read_reconstruction(content)


def write_scan(scan: Scan, path: str | os.PathLike[str], form: str = "ours") -> None:
    """Write a scan, block by block, so that a lazy one never fills the memory.

    Args:
        scan: The scan.
        path: The file to write; its name does not choose the form.
        form: Key of one of `writers("scan")`; "ours" keeps all there is.

    Raises:
        FileError: The folder is missing, the disk is full, or the scan is read from this file.
        ScanError: The scan lacks what the form needs.
        OptionsError: There is no such form.
    """
    from napari_ptycho.io.forms import table as writing

    writing.named("scan", form).write(scan, path)


def write_reconstruction(
    reconstruction: Reconstruction, path: str | os.PathLike[str], form: str = "product"
) -> None:
    """Write a reconstruction.

    Args:
        reconstruction: The reconstruction.
        path: The file to write; its name does not choose the form.
        form: Key of one of `writers("reconstruction")`; "product", an HDF5 file that Ptychodus
            opens, keeps all there is.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The provenance holds what JSON cannot, or it lacks what the form needs.
        OptionsError: There is no such form.
    """
    from napari_ptycho.io.forms import table as writing

    writing.named("reconstruction", form).write(reconstruction, path)


def writers(kind: Literal["scan", "reconstruction"]) -> "tuple[Writer, ...]":
    """Return the forms in which a scan or a reconstruction is written, the usual one first."""
    from napari_ptycho.io.forms import table as writing

    return writing.of_kind(kind)


def write_tiff(
    image: Any,
    path: str | os.PathLike[str],
    pixel_m: tuple[float, float] | None,
    names: tuple[str, ...] = (),
) -> None:
    """Write an image or a stack as OME-TIFF with the size of its pixels, frame by frame.

    Args:
        image: (H, W), or (K, H, W) frames or channels; real, numpy or lazy.
        path: The file to write.
        pixel_m: Pixel (height, width) in metres, None where it is unknown.
        names: Of the channels; empty for the frames of a stack.

    Raises:
        FileError: The folder is missing, the disk is full, or the image is complex.
    """
    from napari_ptycho.io.forms import ometiff

    ometiff.write_tiff(image, path, pixel_m, names)


def load_layouts() -> "tuple[SavedLayout, ...]":
    """Return the saved layouts by name; files that are none are left out."""
    from napari_ptycho.io import saved_layouts

    return tuple(saved_layouts.load()[0])


def save_layout(saved: "SavedLayout") -> Path:
    """Write a saved layout, in place of one of the same name, and return its file.

    Raises:
        OptionsError: The name makes no file name, or another saved layout has it.
        FileError: The folder cannot be made or written.
    """
    from napari_ptycho.io import saved_layouts

    return saved_layouts.save(saved)


def delete_layout(name: str) -> None:
    """Remove a saved layout.

    Raises:
        OptionsError: There is none of this name.
        FileError: Its file cannot be removed.
    """
    from napari_ptycho.io import saved_layouts

    saved_layouts.delete(name)


def is_image(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a single image (TIFF or NPY), by its first bytes.

    Raises:
        FileError: It is absent or cannot be read.
    """
    from napari_ptycho.io import images

    return images.is_image(path)


def read_image(path: str | os.PathLike[str]) -> "NDArray[Any]":
    """Read an image (H, W), real or complex, from TIFF or NPY.

    Raises:
        FileError: The file is absent or broken, or holds no single image.
    """
    from napari_ptycho.io import images

    return images.read_image(path)


def about_image(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how a TIFF came about, as `write_image` noted it; empty where nothing is noted.

    Raises:
        FileError: The file is absent or broken.
    """
    from napari_ptycho.io import images

    return images.about_image(path)


def write_image(
    image: "NDArray[Any]", path: str | os.PathLike[str], about: Mapping[str, Any]
) -> None:
    """Write an image or a stack as TIFF (or NPY, by its name), with how it came about.

    Raises:
        FileError: The folder is missing, the disk is full, or a complex image has no ".npy".
    """
    from napari_ptycho.io import images

    images.write_image(image, path, about)
