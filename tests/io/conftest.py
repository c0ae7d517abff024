import h5py
import numpy as np
import pytest

from napari_ptycho.io import hdf5
from napari_ptycho.model import Geometry, Scan

N, H, W = 12, 32, 24
DETECTOR = "entry_1/instrument_1/detector_1"


@pytest.fixture
def counts(rng):
    """(N, H, W) int64 counts, bright in the middle."""
    y, x = np.ogrid[:H, :W]
    mean = 900 * np.exp(-((y - H // 2) ** 2 + (x - W // 2) ** 2) / 20) + 0.2
    return rng.poisson(np.broadcast_to(mean, (N, H, W)))


@pytest.fixture
def positions(rng):
    """(N, 2) float64, metres."""
    return rng.uniform(-2e-6, 2e-6, (N, 2))


@pytest.fixture
def scan(rng, counts, positions):
    """A scan with everything in it."""
    valid = np.ones((H, W), bool)
    valid[3, 4] = False
    return Scan(
        patterns=counts.astype(np.uint16),
        positions_m=positions,
        valid=valid,
        geometry=Geometry(8000.0, 1.5, (55e-6, 75e-6), "near", 3e-3),
        probe=(rng.normal(size=(2, H, W)) + 1j).astype(np.complex64),
        exposure=rng.uniform(1, 2, N),
        name="made up",
        sources={"energy_ev": "user", "patterns": "file: somewhere"},
        notes=("Nothing was done.", "µ is a letter."),
    )


@pytest.fixture
def npz(tmp_path):
    """Write arrays to an .npz and return its path."""

    def write(**arrays):
        path = tmp_path / "made.npz"
        np.savez(path, **arrays)
        return path

    return write


@pytest.fixture
def cxi(tmp_path, counts, positions):
    """Write a CXI file and return its path; keyword arguments replace (None: leave out) parts."""
    usual = {
        f"{DETECTOR}/data": counts.astype(np.int32),
        f"{DETECTOR}/distance": 1.5,
        f"{DETECTOR}/x_pixel_size": 75e-6,
        f"{DETECTOR}/y_pixel_size": 55e-6,
        f"{DETECTOR}/mask": np.zeros((H, W), np.uint32),
        "entry_1/instrument_1/source_1/energy": 8000 * 1.602176634e-19,
        "entry_1/data_1/translation": np.column_stack([positions[:, ::-1], np.zeros(N)]),
    }

    def write(parts=None, link=True, units=None):
        path = tmp_path / "made.cxi"
        with h5py.File(path, "w") as file:
            for name, value in {**usual, **(parts or {})}.items():
                if value is not None:
                    file[name] = value
            for name, unit in (units or {}).items():
                file[name].attrs["units"] = unit
            if link:
                file["entry_1/data_1/data"] = h5py.SoftLink(f"/{DETECTOR}/data")
        return path

    return write


@pytest.fixture
def made(tmp_path, counts, positions):
    """Write HDF5 with frames `f`, positions `p` and other parts, and return its path."""

    def write(parts=None, units=None):
        path = tmp_path / "made.h5"
        with h5py.File(path, "w") as file:
            for name, value in {
                "f": counts.astype(np.uint16),
                "p": positions,
                **(parts or {}),
            }.items():
                file[name] = value
            for name, unit in (units or {}).items():
                file[name].attrs["units"] = unit
        return path

    return write


@pytest.fixture
def master(tmp_path, counts):
    """A DECTRIS master and three data files of four frames each; returns the master."""
    for number in range(3):
        with h5py.File(tmp_path / f"scan_data_{number + 1:06d}.h5", "w") as file:
            part = counts[4 * number : 4 * number + 4].astype(np.uint16)
            file.create_dataset("entry/data/data", data=part, chunks=(1, H, W), **hdf5.BITSHUFFLE)
    path = tmp_path / "scan_master.h5"
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXmx"
        for number in range(1, 4):
            link = h5py.ExternalLink(f"scan_data_{number:06d}.h5", "/entry/data/data")
            file[f"entry/data/data_{number:06d}"] = link
        specific = file.create_group("entry/instrument/detector/detectorSpecific")
        specific["nimages"], specific["ntrigger"] = N, 1
        specific["photon_energy"] = 8000.0
        for name in ("detector_distance", "beam_center_x", "beam_center_y"):
            file[f"entry/instrument/detector/{name}"] = 0.0
    return path
