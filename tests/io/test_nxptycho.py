"""NXcxi_ptycho and NXptycho, built by their definitions."""

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import NeedsPositions
from napari_ptycho.io import read_scan
from napari_ptycho.io.formats import nxptycho

ROWS, COLUMNS, H, W = 3, 4, 16, 24
N = ROWS * COLUMNS
DETECTOR = "entry_1/instrument_1/detector_1"


@pytest.fixture
def frames(rng):
    y, x = np.ogrid[:H, :W]
    mean = 400 * np.exp(-((y - H // 2) ** 2 + (x - W // 2) ** 2) / 12) + 0.3
    return rng.poisson(np.broadcast_to(mean, (N, H, W))).astype(np.int32)


@pytest.fixture
def yx(rng):
    return rng.uniform(-3e-6, 3e-6, (N, 2))


@pytest.fixture
def made(tmp_path, frames, yx):
    """Write a file; arguments replace (None: leave out) parts; (number, unit) sets `units`."""
    usual = {
        "cxi_version": 160,
        "entry_1/definition": "NXptycho",
        "entry_1/instrument_1/source_1/energy": (3.0, "GeV"),
        "entry_1/instrument_1/beam_1/energy": (9.5, "keV"),
        "entry_1/instrument_1/beam_1/incident_beam_energy": (9500.0, "eV"),
        f"{DETECTOR}/data": frames,
        f"{DETECTOR}/translation": (np.column_stack([yx[:, ::-1] * 1e6, np.zeros(N)]), "um"),
        f"{DETECTOR}/x_pixel_size": (75.0, "um"),
        f"{DETECTOR}/y_pixel_size": (0.055, "mm"),
        f"{DETECTOR}/distance": (2130.0, "mm"),
        f"{DETECTOR}/beam_center_x": (12 * 75e-6, "m"),
        f"{DETECTOR}/beam_center_y": (8.0, "pixel"),
    }

    def write(parts=None):
        path = tmp_path / "made.nxs"
        with h5py.File(path, "w") as file:
            for name, value in {**usual, **(parts or {})}.items():
                if isinstance(value, tuple):
                    file[name] = value[0]
                    file[name].attrs["units"] = value[1]
                elif value is not None:
                    file[name] = value
            assert nxptycho.recognises(file)
        return path

    return write


def check(scan, frames, yx):
    np.testing.assert_array_equal(scan.patterns, frames)
    np.testing.assert_allclose(scan.positions_m, yx, rtol=1e-9, atol=1e-15)


def says(scan, words):
    return any(words in note for note in scan.notes)


@pytest.mark.parametrize("definition", ["NXptycho", "NXcxi_ptycho"])
def test_an_arbitrary_scan(made, frames, yx, definition):
    scan = read_scan(made({"entry_1/definition": definition}))
    check(scan, frames, yx)
    assert scan.geometry.energy_ev == pytest.approx(9500)
    assert scan.sources["energy_ev"].endswith("beam_1/incident_beam_energy")
    assert scan.geometry.distance_m == pytest.approx(2.13)
    assert scan.geometry.detector_pixel_m == pytest.approx((55e-6, 75e-6))
    assert scan.sources["patterns"] == f"file: /{DETECTOR}/data"
    assert not says(scan, "beam centre")


def test_a_raster_of_four_axes_with_links(made, frames, yx):
    path = made(
        {
            f"{DETECTOR}/data": frames.reshape(ROWS, COLUMNS, H, W),
            f"{DETECTOR}/translation": None,
            "entry_1/sample_1/transformations/y": (yx[:, 0].reshape(ROWS, COLUMNS) * 1e3, "mm"),
            "entry_1/sample_1/transformations/x": (yx[:, 1].reshape(ROWS, COLUMNS) * 1e9, "nm"),
        }
    )
    with h5py.File(path, "a") as file:
        file["entry_1/data/data"] = h5py.SoftLink(f"/{DETECTOR}/data")
        file["entry_1/data/x"] = h5py.SoftLink("/entry_1/sample_1/transformations/x")
        file["entry_1/data/y"] = h5py.SoftLink("/entry_1/sample_1/transformations/y")
    check(read_scan(path), frames, yx)


def test_axes_of_a_raster_whose_slow_one_is_x(made, frames):
    """By the definition the shape is (npts_x, npts_y, ...)."""
    path = made(
        {
            f"{DETECTOR}/data": frames.reshape(ROWS, COLUMNS, H, W),
            f"{DETECTOR}/translation": None,
            "entry_1/data/x": (np.arange(ROWS) * 2.0, "um"),
            "entry_1/data/y": (np.arange(COLUMNS) * 1.0, "um"),
        }
    )
    expected = [(fast * 1e-6, slow * 2e-6) for slow in range(ROWS) for fast in range(COLUMNS)]
    check(read_scan(path), frames, np.array(expected))


@pytest.mark.parametrize("named", [True, False])
def test_positioners_of_aps(made, frames, yx, named):
    """x is called by its name; without names the first positioner is taken as x."""
    first, second = (0, 1) if named else (1, 0)
    parts = {
        f"{DETECTOR}/translation": None,
        "entry_1/sample_1/positioner_1/raw_value": (yx[:, first] * 1e3, "mm"),
        "entry_1/sample_1/positioner_2/raw_value": (yx[:, second] * 1e3, "mm"),
    }
    if named:
        parts |= {"entry_1/sample_1/positioner_1/name": "sample_y"}
        parts |= {"entry_1/sample_1/positioner_2/name": "sample_x"}
    scan = read_scan(made(parts))
    check(scan, frames, yx)
    assert says(scan, "The positioners are not called x and y") != named


def test_the_energy_of_the_ring_is_never_taken(made):
    parts = {
        "entry_1/instrument_1/beam_1/energy": None,
        "entry_1/instrument_1/beam_1/incident_beam_energy": None,
    }
    scan = read_scan(made(parts))
    assert scan.geometry.energy_ev is None
    assert scan.sources["energy_ev"] == "unknown"


def test_a_beam_off_the_middle_is_told(made):
    scan = read_scan(made({f"{DETECTOR}/beam_center_x": (3 * 75e-6, "m")}))
    assert says(scan, "The beam centre is at (8, 3) (y, x)")


def test_the_bits_of_a_nexus_mask(made, frames):
    mask = np.zeros((H, W), np.uint32)
    mask[2, 3], mask[4, 5], mask[6, 7] = 1, 0b10000, 1 << 20
    scan = read_scan(made({f"{DETECTOR}/pixel_mask": mask}))
    assert np.argwhere(~np.asarray(scan.valid)).tolist() == [[2, 3], [4, 5]]


def test_the_monitor_is_the_exposure(made):
    values = np.linspace(90, 110, N)
    scan = read_scan(made({"entry_1/instrument_1/monitor_1/data": values.reshape(ROWS, COLUMNS)}))
    np.testing.assert_allclose(scan.exposure, values / np.median(values))


def test_no_positions_at_all(made):
    with pytest.raises(NeedsPositions, match="12 frames of NXcxi_ptycho / NXptycho without"):
        read_scan(made({f"{DETECTOR}/translation": None}))


def test_other_definitions_are_not_of_this_kind(tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["entry_1/definition"] = "NXmx"
        file[f"{DETECTOR}/data"] = np.zeros((2, 8, 8))
        assert not nxptycho.recognises(file)
