"""Traps that files set: positions and units.

Every test makes the trap in a file, opens it as a user does, and compares with what was put in.
"""

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import NeedsPositions
from napari_ptycho.io import (
    read_scan,
)
from napari_ptycho.model.summary import summary

from .conftest import DETECTOR, H, N, W
from .traps import PLACES, RASTER, SOURCE, told, translation

# positions


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_positions_that_are_no_numbers(cxi, counts, positions, value):
    stored = translation(positions)
    stored[[3, 7], 0] = value
    scan = read_scan(cxi({PLACES: stored}))
    kept = [number for number in range(N) if number not in (3, 7)]
    np.testing.assert_array_equal(scan.patterns, counts[kept])
    np.testing.assert_allclose(scan.positions_m, positions[kept])
    assert "2 patterns have no finite position and were dropped: 3, 7." in told(scan)


def test_three_frames_too_many(cxi, counts, positions):
    scan = read_scan(cxi({PLACES: translation(positions[:-3])}))
    np.testing.assert_array_equal(scan.patterns, counts[:-3])
    np.testing.assert_allclose(scan.positions_m, positions[:-3])
    assert "12 patterns but 9 positions: only the first 9 of both are used" in told(scan)


def test_three_positions_too_many(cxi, counts, positions):
    more = np.concatenate([positions, positions[:3]])
    scan = read_scan(cxi({PLACES: translation(more)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert "12 patterns but 15 positions: only the first 12 of both are used" in told(scan)


def test_several_samples_of_the_encoder_for_each_frame(cxi, positions):
    jitter = np.array([-1e-8, 0, 1e-8])[:, np.newaxis]
    samples = (positions[:, np.newaxis] + jitter).reshape(-1, 2)
    scan = read_scan(cxi({PLACES: translation(samples)}))
    np.testing.assert_allclose(scan.positions_m, positions, atol=1e-15)
    assert "36 positions for 12 frames: the mean of each 3 that follow one another" in told(scan)


def test_several_frames_for_each_position_are_told_not_guessed(cxi, positions):
    scan = read_scan(cxi({PLACES: translation(positions[:4])}))
    assert len(scan) == 4
    assert "there are exactly 3 frames for each position" in told(scan)


def test_several_rows_for_each_trigger(npz, counts, positions, tmp_path):
    path = tmp_path / "triggers.csv"
    rows = ["trigger,y_m,x_m"]
    for number, (y, x) in enumerate(positions):
        rows += [f"{number},{y - 1e-8:.12g},{x:.12g}", f"{number},{y + 1e-8:.12g},{x:.12g}"]
    path.write_text("\n".join(rows))
    np.save(tmp_path / "frames.npy", counts.astype(np.uint16))
    scan = read_scan(tmp_path / "frames.npy", positions=path)
    np.testing.assert_allclose(scan.positions_m, positions, atol=1e-13)
    assert "24 samples of 12 frames" in told(scan)


def test_an_encoder_that_was_off(cxi, positions):
    stored = np.stack([positions[:, 0], np.zeros(N)], axis=1)
    scan = read_scan(cxi({PLACES: translation(stored)}))
    assert f"x is 0 at all {N} positions: was the encoder or interferometer off?" in told(scan)


def test_a_readback_of_zeros_falls_back_to_the_set_values(tmp_path, counts):
    path = tmp_path / "i14.nxs"
    with h5py.File(path, "w") as file:
        file["entry/diamond_scan/scan_shape"] = [3, 4]
        file["entry/merlin_addetector/data"] = counts.reshape(3, 4, H, W).astype(np.uint16)
        for axis, length in (("Y", 3), ("X", 4)):
            file[f"entry/merlin_addetector/Sample{axis}_value_set"] = np.arange(length) * 1e-3
            file[f"entry/instrument/Sample{axis}/value"] = np.zeros((3, 4))
    scan = read_scan(path)
    expected = np.stack(np.divmod(np.arange(N), 4), axis=1) * 1e-6
    np.testing.assert_allclose(scan.positions_m, expected)
    assert "was the encoder off?" in told(scan)


def test_frames_without_positions_ask_for_them(tmp_path, counts):
    np.save(tmp_path / "frames.npy", counts.astype(np.uint16))
    with pytest.raises(NeedsPositions, match=r"holds .*\(12, 32, 24\).* but no positions; give a"):
        read_scan(tmp_path / "frames.npy")


# units


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (8000 * 1.602176634e-19, ""),
        (8.0, "was taken as keV: 8000 eV"),
        (8000.0, "was taken as eV: 8000 eV"),
        (8000 * 1.602176634e-9, "was taken as joules, 1e10 times too large: 8000 eV"),
    ],
)
def test_an_energy_in_another_unit(cxi, value, words):
    scan = read_scan(cxi({f"{SOURCE}/energy": value}))
    assert scan.geometry.energy_ev == pytest.approx(8000)
    assert words in told(scan)


def test_the_energy_of_the_machine_is_not_that_of_the_photons(cxi):
    scan = read_scan(cxi({f"{SOURCE}/energy": 6e9}))
    assert scan.geometry.energy_ev is None
    assert scan.sources["energy_ev"] == "unknown"
    assert "is no photon energy (the machine's?); not used" in told(scan)


def test_a_distance_in_millimetres_without_a_unit(cxi):
    scan = read_scan(cxi({f"{DETECTOR}/distance": 1500.0}))
    assert "distance: 1500 m? Here usual are 0.001 to 50 m; a unit slip by a factor" in told(scan)
    assert "0.001 is likely" in told(scan)


def test_positions_in_micrometres_where_metres_are_meant(cxi, positions):
    scan = read_scan(cxi({PLACES: translation(positions * 1e6)}))
    warning = next(row.warning for row in summary(scan) if row.name == "span")
    assert "a unit slip by a factor of 1e-06 is likely" in warning


def test_a_pixel_size_in_micrometres(cxi):
    parts = {f"{DETECTOR}/{axis}_pixel_size": 55.0 for axis in "xy"}
    warning = next(
        row.warning for row in summary(read_scan(cxi(parts))) if row.name == "detector pixel"
    )
    assert "a unit slip by a factor of 1e-06 is likely" in warning


def test_units_that_are_told_are_honoured(cxi, positions):
    scan = read_scan(
        cxi({f"{DETECTOR}/distance": 1500.0, PLACES: translation(positions * 1e6)}),
        geometry=None,
    )
    assert scan.geometry.distance_m == 1500
    told_units = {f"{DETECTOR}/distance": "mm", PLACES: "um"}
    path = cxi(
        {f"{DETECTOR}/distance": 1500.0, PLACES: translation(positions * 1e6)}, units=told_units
    )
    scan = read_scan(path)
    assert scan.geometry.distance_m == pytest.approx(1.5)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert "slip" not in told(scan)


def test_a_distance_that_is_called_millimetres_but_is_in_metres(tmp_path, counts, positions):
    path = tmp_path / "isn.h5"
    with h5py.File(tmp_path / "line.h5", "w") as file:
        file["entry/data/data"] = counts.astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["PTYCHO/line"] = h5py.ExternalLink("line.h5", "/entry/data/data")
        file["configs/det_dist_mm"] = 0.95
    np.save(tmp_path / "places.npy", positions)
    scan = read_scan(path, positions=tmp_path / "places.npy")
    assert scan.geometry.distance_m == 0.95
    assert "/configs/det_dist = 0.95 was taken as m." in told(scan)


def test_a_distance_against_the_beam(cxi):
    scan = read_scan(cxi({f"{DETECTOR}/distance": -1.5}))
    assert scan.geometry.distance_m == 1.5
    assert "The distance in the file is negative (-1.5 m); its size is used." in told(scan)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_values_that_say_nothing_stay_unknown(cxi, value):
    names = [f"{DETECTOR}/distance", f"{SOURCE}/energy"]
    names += [f"{DETECTOR}/{axis}_pixel_size" for axis in "xy"]
    scan = read_scan(cxi(dict.fromkeys(names, value)))
    geometry = scan.geometry
    assert (geometry.distance_m, geometry.energy_ev, geometry.detector_pixel_m) == (None,) * 3
    assert scan.pixel_size_m is None
    assert scan.sources["distance_m"] == "unknown"
    assert told(scan).count("says nothing (zero, not a number, or no known unit)") == 4


def test_a_detector_that_writes_zeros_for_what_it_does_not_know(master):
    scan = read_scan(master, layout=RASTER)
    assert scan.geometry.distance_m is None
    assert scan.sources["distance_m"] == "unknown"
    assert "beam centre" not in told(scan)
