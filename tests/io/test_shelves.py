import pickle

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.io import read_scan

N, S = 12, 32


@pytest.fixture
def shifted(rng):
    """(12, 32, 32) counts with zero frequency at the corner."""
    y, x = np.ogrid[:S, :S]
    mean = 900 * np.exp(-((y - S // 2) ** 2 + (x - S // 2) ** 2) / 20) + 0.2
    return np.fft.ifftshift(rng.poisson(np.broadcast_to(mean, (N, S, S))), axes=(1, 2))


@pytest.fixture
def places(rng):
    """(12, 2) windows (row, column) in pixels."""
    return rng.integers(0, 100, (N, 2)).astype(np.uint32)


@pytest.fixture
def prepared(tmp_path, shifted, places):
    """Write prepared data in the newer layout and return its path."""

    def write(parts=None):
        path = tmp_path / "S00001_data_32x32.h5"
        usual = {
            "measurement/n0/data": shifted.astype(np.uint16),
            "measurement/n0/positions": places,
            "detector/n0/modules": np.array([[S, S, 0, 0]]),
            "objects": np.array([[200, 220]]),
            "probes": np.array([S, S]),
        }
        with h5py.File(path, "w") as file:
            for name, value in {**usual, **(parts or {})}.items():
                if value is not None:
                    file[name] = value
        return path

    return write


def test_the_newer_layout(prepared, shifted, places):
    scan = read_scan(prepared())
    np.testing.assert_array_equal(scan.patterns, np.fft.fftshift(shifted, axes=(1, 2)))
    np.testing.assert_array_equal(scan.positions_px, places)
    assert scan.positions_m is None
    assert scan.valid.all()
    assert scan.geometry.energy_ev is None
    assert scan.sources["positions_px"] == "file: /measurement/n0/positions"


def test_zero_frequency_is_at_the_corner_whatever_the_frames_look_like(prepared, rng):
    flat = rng.poisson(20, (N, S, S)).astype(np.uint16)
    scan = read_scan(prepared({"measurement/n0/data": flat}))
    np.testing.assert_array_equal(scan.patterns, np.fft.fftshift(flat, axes=(1, 2)))


def test_gaps_and_bad_pixels_are_masked_as_they_are_stored(prepared):
    modules = np.array([[S, 10, 0, 0], [S, 20, 0, 12]])
    bad = np.array([[4, 5], [0, 31]])
    parts = {"detector/n0/modules": modules, "detector/n0/bad_pixels": bad}
    scan = read_scan(prepared(parts))
    stored = np.ones((S, S), bool)
    stored[:, 10:12] = False
    stored[4, 5] = stored[0, 31] = False
    np.testing.assert_array_equal(scan.valid, np.fft.fftshift(stored))
    assert scan.sources["valid"] == "file: /detector/n0"


def test_without_modules_all_is_good(prepared):
    assert read_scan(prepared({"detector/n0/modules": None})).valid.all()


def test_one_of_several_scans_is_read_and_told(prepared, shifted, places):
    parts = {"measurement/n1/data": shifted[:3], "measurement/n1/positions": places[:3]}
    scan = read_scan(prepared(parts))
    assert len(scan) == N
    assert "The file has 2 scans (n0, n1); n0 was read." in scan.notes


def test_what_is_missing_or_wrong_is_said(prepared):
    with pytest.raises(ScanError, match="no dataset 'measurement/n0/positions', which a scan pre"):
        read_scan(prepared({"measurement/n0/positions": None}))
    with pytest.raises(ScanError, match=r"n0/data' has shape \(32, 32\); need \(N, H, W\)"):
        read_scan(prepared({"measurement/n0/data": np.ones((S, S))}))
    with pytest.raises(ScanError, match=r"bad_pixels' has shape \(3, 3\); need \(k, 2\) rows"):
        read_scan(prepared({"detector/n0/bad_pixels": np.ones((3, 3))}))


@pytest.fixture
def old(tmp_path, shifted, places):
    """Write prepared data in the older layout and return its path."""

    def write(power=250.0, bad=None):
        path = tmp_path / "old.h5"
        with h5py.File(path, "w") as file:
            for number in range(N):
                group = file.create_group(f"measurements/measurement_{number}")
                group["diff_pat"] = np.sqrt(shifted[number] / (power or 1.0)).astype(np.float32)
                group.attrs["position"] = places[number]
                group.attrs["detector"] = 0
            if power:
                file["measurements"].attrs["max_power"] = power
            if bad is not None:
                file["measurements/measurement_2/bad_pixels"] = bad
            file["detectors/detector_0/modules"] = np.array([S, S, 0, 0])
        return path

    return write


@pytest.mark.parametrize("limit", [0, 2**30])
def test_the_older_layout(old, shifted, places, limit):
    scan = read_scan(old(), lazy_above_bytes=limit)
    assert scan.is_lazy == (limit == 0)
    expected = np.fft.fftshift(shifted, axes=(1, 2))
    np.testing.assert_array_equal(np.asarray(scan.patterns), expected)
    np.testing.assert_array_equal(np.asarray(scan.patterns[10]), expected[10])
    np.testing.assert_array_equal(scan.positions_px, places)
    assert any("holds amplitudes; they were squared and scaled" in note for note in scan.notes)
    again = pickle.loads(pickle.dumps(scan.patterns))
    np.testing.assert_allclose(np.asarray(again[3]), expected[3], rtol=1e-5)


def test_the_older_layout_without_power(old):
    notes = read_scan(old(power=None)).notes
    assert any("no max_power: the frames are no counts, but relative" in note for note in notes)


def test_the_older_layout_masks_frame_by_frame(old):
    scan = read_scan(old(bad=np.array([[0, 1]])))
    assert np.argwhere(~scan.valid).tolist() == [[2, S // 2, S // 2 + 1]]
