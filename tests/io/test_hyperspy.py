"""4D-STEM as HyperSpy writes it."""

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import NeedsPositions, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout

AXES = (
    ("y", 2.0, "nm", True),
    ("x", 1.0, "nm", True),
    ("ky", 0.02, "$A^{-1}$", False),
    ("kx", 0.03, "1/Å", False),
)


@pytest.fixture
def cube(counts):
    return counts.reshape(3, 4, *counts.shape[1:]).astype(np.uint16)


@pytest.fixture
def hspy(tmp_path, cube):
    def write(data=cube, axes=AXES, kilovolts=200.0, names=("scan",)):
        path = tmp_path / "made.hspy"
        with h5py.File(path, "w") as file:
            file.attrs.update(file_format="HyperSpy", file_format_version="3.3")
            for name in names:
                group = file.create_group(f"Experiments/{name}")
                group.create_dataset("data", data=data, chunks=True)
                for number, (label, scale, unit, navigate) in enumerate(axes):
                    group.create_group(f"axis-{number}").attrs.update(
                        name=label,
                        scale=scale,
                        offset=-1.0,
                        units=unit,
                        size=data.shape[number],
                        navigate=navigate,
                    )
                microscope = group.create_group("metadata/Acquisition_instrument/TEM")
                if kilovolts is not None:
                    microscope.attrs["beam_energy"] = kilovolts
        return path

    return write


@pytest.mark.parametrize("lazily", [False, True])
def test_a_calibrated_signal(hspy, counts, lazily):
    scan = read_scan(hspy(), lazy_above_bytes=0 if lazily else 2**30)
    assert scan.is_lazy == lazily
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m[[1, 4]], [(0, 1e-9), (2e-9, 0)])
    assert scan.geometry.particle == "electron"
    assert scan.geometry.energy_ev == 200e3
    assert scan.geometry.wavelength_m == pytest.approx(2.5079e-12, rel=1e-4)
    angles = (0.02e10 * 2.5079e-12, 0.03e10 * 2.5079e-12)
    assert scan.geometry.detector_pixel_rad == pytest.approx(angles, rel=1e-4)
    assert scan.pixel_size_m == pytest.approx((1e-10 / (32 * 0.02), 1e-10 / (24 * 0.03)))
    base = "Experiments/scan"
    assert scan.sources["patterns"] == f"file: /{base}/data"
    assert scan.sources["positions_m"] == f"file: {base}: steps of the scan's axes"
    where = f"file: {base}/metadata/Acquisition_instrument/TEM: beam_energy"
    assert scan.sources["energy_ev"] == where


def test_without_a_step_the_raster_is_named(hspy, counts):
    axes = [("y", 1.0, "<undefined>", True), ("x", 1.0, "<undefined>", True), *AXES[2:]]
    with pytest.raises(NeedsPositions, match="the steps of a raster of 3 x 4"):
        read_scan(hspy(axes=axes))
    scan = read_scan(hspy(axes=axes), layout=Layout(step_y=1, position_unit="nm"))
    np.testing.assert_array_equal(scan.patterns, counts)


def test_navigation_axes_need_not_come_first(hspy, cube, counts):
    data = cube.transpose(2, 3, 0, 1)
    axes = [(*axis[:3], axis[3]) for axis in (*AXES[2:], *AXES[:2])]
    scan = read_scan(hspy(data=data, axes=axes))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m[4], (2e-9, 0))


def test_units_tell_the_detector_where_the_flags_are_wrong(hspy, cube, counts):
    data = cube.transpose(2, 3, 0, 1)
    flags = (True, True, False, False)
    axes = [(*axis[:3], flag) for axis, flag in zip((*AXES[2:], *AXES[:2]), flags, strict=True)]
    scan = read_scan(hspy(data=data, axes=axes))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert any("By their units" in note for note in scan.notes)


def test_a_series_in_time_asks_which(hspy, cube, counts):
    data = np.stack([cube * 2, cube])
    axes = [("time", 1.0, "s", True), *AXES]
    with pytest.raises(ScanError, match="say which axis is left over"):
        read_scan(hspy(data=data, axes=axes))
    scan = read_scan(hspy(data=data, axes=axes), layout=Layout(extra_axis="first", extra_index=1))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m[[1, 4]], [(0, 1e-9), (2e-9, 0)])
    with pytest.raises(ScanError, match="it has no place 2 on its first scan axis"):
        read_scan(hspy(data=data, axes=axes), layout=Layout(extra_axis="first", extra_index=2))


def test_of_several_experiments_the_first_is_read(hspy):
    scan = read_scan(hspy(names=("a", "b")))
    assert any("more experiments (b); Experiments/a was read" in note for note in scan.notes)


def test_an_image_is_no_scan(hspy, tmp_path):
    with h5py.File(tmp_path / "image.hspy", "w") as file:
        file.attrs["file_format"] = "HyperSpy"
        file["Experiments/image/data"] = np.ones((64, 64))
    with pytest.raises(ScanError, match=r"image.hspy: none of its experiments has frames"):
        read_scan(tmp_path / "image.hspy")


def test_experiments_that_are_no_group_are_a_sentence(tmp_path):
    path = tmp_path / "endless.hspy"
    with h5py.File(path, "w") as file:
        file.attrs["file_format"] = "HyperSpy"
        file.create_dataset("Experiments", (10**12,), "u1", chunks=(10**6,))
    with pytest.raises(ScanError, match="none of its experiments has frames"):
        read_scan(path)
