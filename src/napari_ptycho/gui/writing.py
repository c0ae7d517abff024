"""What napari's *Save selected layers* calls: writers of our layers (npe2).

An image goes into a TIFF with the size of its pixels. Positions go into a table. And any of our
layers can stand for the scan or the reconstruction that it shows, which is then written as a whole.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_ptycho import io
from napari_ptycho.errors import FileError
from napari_ptycho.gui import canvas
from napari_ptycho.gui.planes import metres
from napari_ptycho.gui.saving import chosen_form
from napari_ptycho.model import Scan

LayerData = tuple[Any, Mapping[str, Any], str]
WHOLE = (".h5", ".hdf5", ".npz", ".ptyr", ".cxi", ".nxs")
"""Endings under which the whole is written, as napari.yaml lists them."""
TIFF = (".tif", ".tiff")


def write_image(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write an image or frames as OME-TIFF.

    Raises:
        FileError: The folder is missing, the disk is full, or the image is no (H, W) or (N, H, W).
    """
    target = _with_ending(path, TIFF, ".ome.tif")
    if data.ndim not in (2, 3) or meta.get("rgb") or meta.get("multiscale"):
        raise FileError(
            f"{target.name}: the layer has shape {tuple(data.shape)}; need (H, W) or (N, H, W)"
        )
    io.write_tiff(_values(data, meta), target, _pixel_m(meta))
    return [str(target)]


def write_labels(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write labels as OME-TIFF, in the smallest whole numbers that hold them.

    Raises:
        FileError: As `write_image`.
    """
    ends = (np.min_scalar_type(int(end)) for end in (data.min(), data.max()))
    return write_image(path, data.astype(np.result_type(*ends)), meta)


def write_positions(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write the positions that a points layer shows as a table.

    Raises:
        FileError: The folder is missing, the disk is full, or the points are no positions of ours.
    """
    thing = meta.get("metadata", {}).get(canvas.KEY)
    target = _with_ending(path, (".csv",), ".csv")
    if thing is None:
        raise FileError(
            f"{target.name}: '{meta.get('name')}' shows no positions of a scan or reconstruction; "
            "choose napari's own CSV"
        )
    if isinstance(thing, Scan):
        io.write_scan(thing, target, "positions")
    else:
        io.write_reconstruction(thing, target, "positions")
    return [str(target)]


def write_whole(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write the scan or the reconstruction that the layers show.

    Raises:
        FileError: They show none, or more than one; the folder is missing or the disk is full.
        ScanError: It lacks what the format needs.
    """
    name = Path(path).name
    found = [meta.get("metadata", {}).get(canvas.KEY) for _, meta, _ in layers]
    things = list({id(thing): thing for thing in found}.values())
    if len(things) != 1 or things[0] is None:
        told = ", ".join(dict.fromkeys(getattr(thing, "name", "none") for thing in things))
        raise FileError(
            f"{name}: the layers show {told}; select only layers of one scan or one reconstruction"
        )
    target = _with_ending(path, WHOLE, WHOLE[0])
    kind: Literal["scan", "reconstruction"]
    kind = "scan" if isinstance(things[0], Scan) else "reconstruction"
    forms = io.writers(kind)
    if not any(form.ending(target) for form in forms):
        known = ", ".join(dict.fromkeys(form.suffix for form in forms))
        raise FileError(f"{target.name}: a {kind} is not written so; there are {known}")
    target, form = chosen_form(forms, target, "")
    form.write(things[0], target)
    return [str(target)]


def _with_ending(path: str, endings: tuple[str, ...], usual: str) -> Path:
    """Return a path that ends as it must; napari has not asked about one that gets its ending.

    Raises:
        FileError: There is a file of this name already.
    """
    if path.lower().endswith(endings):
        return Path(path)
    target = Path(f"{path}{usual}")
    if target.exists():
        raise FileError(
            f"{target.name} exists already; type the name with its ending to replace it"
        )
    return target


def _values(data: Any, meta: Mapping[str, Any]) -> Any:
    """Return what to write: patterns and their mean are drawn as logarithms of counts."""
    own = meta.get("metadata", {})
    thing, role = own.get(canvas.KEY), own.get(canvas.ROLE)
    if isinstance(thing, Scan) and role == canvas.PATTERNS:
        return thing.patterns
    return 10.0**data - 1 if role == canvas.MEAN else data


def _pixel_m(meta: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the pixel of a layer in metres, None where it is unknown.

    Patterns are drawn over the object, where their scale means nothing: theirs is that of the
    detector. Of our other layers the thing they show tells it, in whatever unit they are drawn.
    """
    own = meta.get("metadata", {})
    thing = own.get(canvas.KEY)
    if own.get(canvas.ROLE) in canvas.DETECTOR:
        return None if thing is None else thing.geometry.detector_pixel_m
    if thing is not None:
        pixel = thing.pixel_size_m
        stretch = own.get(canvas.STRETCH, (1, 1))
        return None if pixel is None else (pixel[0] * stretch[0], pixel[1] * stretch[1])
    units, scale = tuple(meta.get("units") or ())[-2:], tuple(meta.get("scale", ()))[-2:]
    return metres(units, scale) if len(units) == 2 else None
