"""4D-STEM of HyperSpy (.hspy): scan axes first, each axis with its scale and unit."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format, electrons, rasters
from napari_ptycho.io.formats.electrons import Axis
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.io.layout import Layout
from napari_ptycho.model import Scan

ROOT = "Experiments"
MICROSCOPE = "metadata/Acquisition_instrument/TEM"


def recognises(file: h5py.File) -> bool:
    """Whether HyperSpy wrote the file."""
    return ROOT in file and hdf5.text(Attributes(file).get("file_format", "")) == "HyperSpy"


def read_scan(file: h5py.File, request: Request) -> Scan:
    """Read frames, raster and calibration of the first experiment that has frames.

    Raises:
        NeedsPositions: The step of the scan is not calibrated.
        ScanError: No experiment has three axes or more, or axes are left over.
    """
    path = Path(file.filename)
    names = [name for name in hdf5.names(file, ROOT) if _axes_count(file, name) > 2]
    if not names:
        raise ScanError(f"{path.name}: none of its experiments has frames on three axes or more")
    base = f"{ROOT}/{names[0]}"
    dataset = hdf5.require(file, f"{base}/data", "a HyperSpy signal")
    axes = [_axis(file, base, number) for number in range(dataset.ndim)]
    notes = []
    if len(names) > 1:
        notes.append(f"The file has more experiments ({', '.join(names[1:])}); {base} was read.")
    detector = _detector(file, base, axes, notes)
    fixed = _fixed(path, dataset, detector, request.layout)
    frames = Hdf5Frames(dataset, detector, fixed)
    draft = Draft(path, frames, None, "m", notes=notes)
    draft.sources |= {"patterns": f"file: {dataset.name}", "probe": "unknown"}
    electrons.geometry(draft, request, _kilovolts(file, base), [axes[axis] for axis in detector])
    if len(frames.scan_shape) > 2:
        raise ScanError(
            f"{path.name}: {dataset.name} has shape {dataset.shape}; need one or two scan axes: "
            "say which axis is left over and which place on it (extra_axis, extra_index)"
        )
    shape = None
    if len(frames.scan_shape) == 2:
        shape = (frames.scan_shape[0], frames.scan_shape[1])
        draft.positions = electrons.positions(shape, [axes[axis] for axis in frames.scan_axes])
        draft.sources["positions_m"] = f"file: {base}: steps of the scan's axes"
    if draft.positions is None:
        draft.sources.pop("positions_m", None)
    return rasters.scan(draft, electrons.intensities(request), f"frames of {dataset.shape}", shape)


def _axes_count(file: h5py.File, name: str) -> int:
    found = hdf5.find(file, f"{ROOT}/{name}/data")
    return 0 if found is None else found.ndim


def _attributes(file: h5py.File, name: str) -> Any:
    group = file.get(name)
    return {} if group is None else Attributes(group)


def _axis(file: h5py.File, base: str, number: int) -> Axis:
    attributes = _attributes(file, f"{base}/axis-{number}")
    return Axis(_number(attributes.get("scale", 0)), hdf5.text(attributes.get("units", "")))


def _number(value: Any) -> float:
    numbers = np.asarray(value)
    single = numbers.dtype.kind in "uif" and numbers.size == 1
    return float(numbers.ravel()[0]) if single else 0.0


def _detector(file: h5py.File, base: str, axes: list[Axis], notes: list[str]) -> tuple[int, int]:
    """Return the axes of a frame: those that are no navigation axes, by their units if in doubt."""
    last = (len(axes) - 2, len(axes) - 1)
    if len(axes) == 4 and electrons.frames_first(axes):
        notes.append("By their units, the first two axes are the detector's; they were taken so.")
        return 0, 1
    told = [
        _attributes(file, f"{base}/axis-{number}").get("navigate") for number in range(len(axes))
    ]
    signal = [number for number, flag in enumerate(told) if flag is not None and not flag]
    return (signal[0], signal[1]) if len(signal) == 2 else last


def _fixed(
    path: Path, dataset: h5py.Dataset, detector: tuple[int, int], layout: Layout
) -> dict[int, int]:
    """Return the axis that is neither scan nor frame and the place on it, as the person says."""
    place = layout.extra
    if place is None:
        return {}
    others = [axis for axis in range(dataset.ndim) if axis not in detector]
    if place >= len(others) or layout.extra_index >= dataset.shape[others[place]]:
        raise ScanError(
            f"{path.name}: {dataset.name} has shape {dataset.shape}; it has no place "
            f"{layout.extra_index} on its {layout.extra_axis} scan axis"
        )
    return {others[place]: layout.extra_index}


def _kilovolts(file: h5py.File, base: str) -> tuple[float, str] | None:
    name = f"{base}/{MICROSCOPE}"
    value = _attributes(file, name).get("beam_energy")
    return None if value is None else (_number(value), f"{name}: beam_energy")


FORMAT = Format(
    title="HyperSpy 4D-STEM (.hspy)",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read_scan,
)
