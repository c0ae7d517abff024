"""4D-STEM in EMD files, laid out as py4DSTEM and Prismatic write them."""

import math

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout

WAVELENGTH_300_KV = 1.9687e-12
ROOT = "dm_dataset_root"
CALIBRATION = {
    "R_pixel_size": 0.5,
    "R_pixel_units": "nm",
    "Q_pixel_size": 0.02,
    "Q_pixel_units": "A^-1",
}


@pytest.fixture
def cube(counts):
    """(3, 4, 32, 24): rows, columns of the scan and of the detector."""
    return counts.reshape(3, 4, *counts.shape[1:]).astype(np.uint16)


@pytest.fixture
def emd(tmp_path, cube):
    """Write a file of py4DSTEM 0.14 and return its path."""

    def write(calibration=CALIBRATION, cubes=("datacube",), data=cube, dims=None):
        path = tmp_path / "made.h5"
        with h5py.File(path, "w") as file:
            file.attrs.update(emd_group_type="file", version_major=1, version_minor=0)
            root = file.create_group(ROOT)
            root.attrs.update(emd_group_type="root", python_class="Root")
            bundle = root.create_group("metadatabundle")
            bundle.attrs["emd_group_type"] = "metadatabundle"
            group = bundle.create_group("calibration")
            group.attrs.update(emd_group_type="metadata", python_class="Calibration")
            for name, value in calibration.items():
                group[name] = value
            for name in cubes:
                group = root.create_group(name)
                group.attrs.update(emd_group_type="array", python_class="DataCube")
                group["data"] = data
                for number, (step, unit) in enumerate(dims or [(1, "pixels")] * 4):
                    group[f"dim{number}"] = np.arange(data.shape[number]) * step
                    group[f"dim{number}"].attrs.update(name=f"dim{number}", units=unit)
        return path

    return write


def test_a_calibrated_cube(emd, counts):
    scan = read_scan(emd(), {"energy_ev": 300e3})
    np.testing.assert_array_equal(scan.patterns, counts)
    places = [(row * 0.5e-9, column * 0.5e-9) for row in range(3) for column in range(4)]
    np.testing.assert_allclose(scan.positions_m, places)
    assert scan.geometry.particle == "electron"
    assert scan.geometry.wavelength_m == pytest.approx(WAVELENGTH_300_KV, rel=1e-4)
    angle = 0.02e10 * WAVELENGTH_300_KV
    assert scan.geometry.detector_pixel_rad == pytest.approx((angle, angle), rel=1e-4)
    pixel = WAVELENGTH_300_KV / (32 * angle), WAVELENGTH_300_KV / (24 * angle)
    assert scan.pixel_size_m == pytest.approx(pixel)
    assert scan.pixel_size_m == pytest.approx((1e-10 / (32 * 0.02), 1e-10 / (24 * 0.02)))
    assert scan.sources["patterns"] == f"file: /{ROOT}/datacube/data"
    assert scan.sources["positions_m"] == "file: calibration of the scan's axes"
    assert scan.sources["energy_ev"] == "user"


def test_without_an_energy_the_angle_is_unknown_and_that_is_said(emd):
    scan = read_scan(emd())
    assert scan.geometry.energy_ev is None
    assert scan.geometry.detector_pixel_rad is None
    assert scan.pixel_size_m is None
    assert any("calibrated in A^-1" in note and "energy_ev" in note for note in scan.notes)


def test_milliradians_need_no_energy(emd):
    scan = read_scan(emd({**CALIBRATION, "Q_pixel_size": 0.8, "Q_pixel_units": "mrad"}))
    assert scan.geometry.detector_pixel_rad == pytest.approx((0.8e-3, 0.8e-3))


def test_an_angle_that_is_none_stays_unknown(emd):
    scan = read_scan(emd({**CALIBRATION, "Q_pixel_size": 0.8, "Q_pixel_units": "rad"}))
    assert scan.geometry.detector_pixel_rad is None
    assert any("A detector pixel of 0.8 rad is none" in note for note in scan.notes)


@pytest.mark.parametrize("name", ["QR_rotation", "QR_rotation_degrees"])
def test_the_scan_is_turned_to_the_detector(emd, name):
    value = math.radians(90) if name == "QR_rotation" else 90.0
    scan = read_scan(emd({**CALIBRATION, name: value, "QR_flip": False}))
    places = [(column * 0.5e-9, -row * 0.5e-9) for row in range(3) for column in range(4)]
    np.testing.assert_allclose(scan.positions_m, places, atol=1e-24)
    assert any("turned by 90 degrees" in note for note in scan.notes)


def test_a_flip_swaps_rows_and_columns_after_the_turn(emd):
    scan = read_scan(emd({**CALIBRATION, "QR_rotation": math.radians(90), "QR_flip": True}))
    places = [(-row * 0.5e-9, column * 0.5e-9) for row in range(3) for column in range(4)]
    np.testing.assert_allclose(scan.positions_m, places, atol=1e-24)
    assert any("swapped (QR_flip)" in note for note in scan.notes)


def test_an_uncalibrated_cube_names_its_raster(emd, counts):
    path = emd({"R_pixel_size": 1, "R_pixel_units": "pixels", "QR_flip": "_None"})
    with pytest.raises(NeedsPositions, match=r"a data cube of \(3, 4, 32, 24\) .* of 3 x 4"):
        read_scan(path)
    scan = read_scan(path, layout=Layout(step_y=2, step_x=1, position_unit="A"))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m[[1, 4]], [(0, 1e-10), (2e-10, 0)])


def test_axes_say_the_steps_where_no_calibration_does(emd):
    dims = [(3, "A"), (0.2, "nm"), (0.5, "mrad"), (0.7, "mrad")]
    scan = read_scan(emd({}, dims=dims))
    np.testing.assert_allclose(scan.positions_m[[1, 4]], [(0, 2e-10), (3e-10, 0)])
    assert scan.geometry.detector_pixel_rad == pytest.approx((0.5e-3, 0.7e-3))


def test_a_detector_on_the_first_axes_is_told_by_the_units(emd, cube, counts):
    dims = [(0.1, "1/nm"), (0.2, "1/nm"), (0.3, "nm"), (0.4, "nm")]
    scan = read_scan(emd({}, data=cube.transpose(2, 3, 0, 1), dims=dims), {"energy_ev": 200e3})
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m[[1, 4]], [(0, 0.4e-9), (0.3e-9, 0)])
    angles = (0.1e9 * 2.5079e-12, 0.2e9 * 2.5079e-12)
    assert scan.geometry.detector_pixel_rad == pytest.approx(angles, rel=1e-4)
    assert any("first two axes are the detector's" in note for note in scan.notes)


def test_of_several_cubes_the_first_is_read(emd):
    scan = read_scan(emd(cubes=("cube_a", "cube_b")))
    assert scan.sources["patterns"].endswith("cube_a/data")
    assert any("more data cubes" in note and "cube_b" in note for note in scan.notes)


def test_a_cube_stays_on_disk(emd, counts):
    scan = read_scan(emd(), lazy_above_bytes=0)
    assert scan.is_lazy
    np.testing.assert_array_equal(scan.patterns[5].compute(), counts[5])


@pytest.fixture
def prismatic(tmp_path, rng):
    """A simulation of Prismatic: 11 x 11 frames of 8 x 8."""
    data = rng.uniform(0, 1e-3, (11, 11, 8, 8)).astype(np.float32)
    path = tmp_path / "sim.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("4DSTEM_simulation/data/datacubes/CBED_array_depth0000")
        group.attrs["emd_group_type"] = 1
        group["datacube"] = data
        steps = [(0.02, "R_x", "[n_m]"), (0.03, "R_y", "[n_m]"), (0.5, "Q_x", "[n_m^-1]")]
        for number, (step, name, unit) in enumerate([*steps, (0.5, "Q_y", "[n_m^-1]")], 1):
            group[f"dim{number}"] = np.arange(data.shape[number - 1], dtype=np.float32) * step
            group[f"dim{number}"].attrs.update(name=name, units=unit)
        meta = "4DSTEM_simulation/metadata/metadata_0/original/simulation_parameters"
        file.create_group(meta).attrs["E"] = np.float32(80)
    return path, data


def test_prismatic(prismatic):
    path, data = prismatic
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.patterns, data.reshape(121, 8, 8))
    np.testing.assert_allclose(scan.positions_m[[1, 11]], [(0, 3e-11), (2e-11, 0)], rtol=1e-6)
    assert scan.geometry.energy_ev == 80e3
    assert scan.sources["energy_ev"].endswith("simulation_parameters: E")
    wavelength = scan.geometry.wavelength_m
    assert wavelength == pytest.approx(4.1757e-12, rel=1e-4)
    assert scan.geometry.detector_pixel_rad[0] == pytest.approx(0.5e9 * wavelength, rel=1e-6)


def test_an_impossible_energy_stays_unknown(prismatic):
    path, _ = prismatic
    with h5py.File(path, "a") as file:
        name = "4DSTEM_simulation/metadata/metadata_0/original/simulation_parameters"
        file[name].attrs["E"] = 80_000.0
    scan = read_scan(path)
    assert scan.geometry.energy_ev is None
    assert any("80000 keV is none" in note for note in scan.notes)


def test_an_emd_file_without_a_cube_is_of_no_known_layout(emd, cube):
    with pytest.raises(FileError, match="no known layout"):
        read_scan(emd(data=cube[0], dims=[(1, "pixels")] * 3))
