import shutil

import h5py
import hdf5plugin
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import read_reconstruction, read_scan
from napari_ptycho.io.layout import Layout

H, W = 20, 26
DETECTOR = "entry/instrument/detector"
SPECIFIC = f"{DETECTOR}/detectorSpecific"
RASTER = Layout(raster_rows=1, step_y=1.0)


@pytest.fixture
def frames(rng):
    """(12, H, W) uint32, bright in the middle."""
    y, x = np.ogrid[:H, :W]
    mean = 300 * np.exp(-((y - H // 2) ** 2 + (x - W // 2) ** 2) / 16) + 0.5
    return rng.poisson(np.broadcast_to(mean, (12, H, W))).astype(np.uint32)


@pytest.fixture
def series(tmp_path, frames):
    """Write a legacy series: a master and one data file per three frames; return the master."""

    def write(linked=4, written=4, parts=None, units=None):
        master = tmp_path / "run_master.h5"
        usual = {
            "entry/definition": np.bytes_("NXmx"),
            f"{DETECTOR}/description": "Dectris EIGER2 Si 1M",
            f"{DETECTOR}/detector_distance": 2.5,
            f"{DETECTOR}/x_pixel_size": 75e-6,
            f"{DETECTOR}/y_pixel_size": 70e-6,
            f"{DETECTOR}/beam_center_x": float(W // 2),
            f"{DETECTOR}/beam_center_y": float(H // 2),
            f"{SPECIFIC}/photon_energy": 9000.0,
            f"{SPECIFIC}/nimages": np.uint64(3 * linked),
            f"{SPECIFIC}/ntrigger": np.uint64(1),
            f"{SPECIFIC}/pixel_mask": np.zeros((H, W), np.uint32),
        }
        with h5py.File(master, "w") as file:
            file.create_group("entry/data")
            for name, value in {**usual, **(parts or {})}.items():
                if value is not None:
                    file[name] = value
            for name, unit in (units or {}).items():
                file[name].attrs["units"] = np.bytes_(unit)
            for number in range(1, linked + 1):
                name = f"run_data_{number:06d}.h5"
                link = h5py.ExternalLink(name, "/entry/data/data")
                file[f"entry/data/data_{number:06d}"] = link
        for number in range(1, written + 1):
            with h5py.File(tmp_path / f"run_data_{number:06d}.h5", "w") as file:
                data = file.create_dataset(
                    "entry/data/data",
                    data=frames[3 * number - 3 : 3 * number],
                    chunks=(1, H, W),
                    **hdf5plugin.Bitshuffle(),
                )
                data.attrs["image_nr_low"] = np.uint64(3 * number - 2)
                data.attrs["image_nr_high"] = np.uint64(3 * number)
        return master

    return write


def test_a_legacy_series(series, frames):
    mask = np.zeros((H, W), np.uint32)
    mask[1, 2], mask[3, 4], mask[5, 6] = 1, 1 << 4, 1 << 16
    master = series(
        parts={f"{SPECIFIC}/pixel_mask": mask},
        units={f"{SPECIFIC}/photon_energy": "eV", f"{DETECTOR}/detector_distance": "m"},
    )
    scan = read_scan(master, layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, frames)
    np.testing.assert_array_equal(~scan.valid, (mask & 0xFFFF) != 0)
    assert scan.geometry.energy_ev == 9000
    assert scan.geometry.particle == "photon"
    assert scan.geometry.distance_m == 2.5
    assert scan.geometry.detector_pixel_m == (70e-6, 75e-6)
    assert scan.sources["patterns"] == "file: /entry/data/data_000001, ..."
    assert scan.sources["valid"] == f"file: /{SPECIFIC}/pixel_mask"
    assert scan.sources["energy_ev"] == f"file: /{SPECIFIC}/photon_energy"
    assert not any("expected" in note or "centre" in note for note in scan.notes)


def test_positions_are_asked_for(series):
    with pytest.raises(NeedsPositions, match=r"run_master.h5: holds 12 frames but no positions"):
        read_scan(series())
    with pytest.raises(FileError, match=r"holds a scan .masters of DECTRIS.*not a reconstruction"):
        read_reconstruction(series())


def test_links_at_the_end_without_files_are_the_end(series, frames):
    scan = read_scan(series(linked=7, written=3), layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, frames[:9])
    assert (
        "3 of 7 data files are there; the first that is not: run_data_000004.h5 ('data_000004')."
        in scan.notes
    )
    assert "9 of 21 frames expected are there." in scan.notes


def test_a_file_missing_in_the_middle_is_named(series, tmp_path):
    master = series()
    (tmp_path / "run_data_000002.h5").unlink()
    with pytest.raises(
        FileError, match=r"run_data_000002.h5 \('data_000002'\) is not there, but l"
    ):
        read_scan(master, layout=RASTER)


def test_a_link_missing_in_the_middle_is_named(series):
    master = series()
    with h5py.File(master, "a") as file:
        del file["entry/data/data_000003"]
    with pytest.raises(FileError, match="'data_000003' is not there, but later files are"):
        read_scan(master, layout=RASTER)


def test_no_data_file_at_all_is_named(series):
    with pytest.raises(
        FileError, match=r"none of the 4 files .* first: run_data_000001.h5 .*put them beside"
    ):
        read_scan(series(written=0), layout=RASTER)


@pytest.mark.parametrize("kept", ["RUN_data_000001.H5", "run_data_000001.h5"])
def test_files_are_looked_for_beside_the_master(series, frames, tmp_path, kept):
    master = series(linked=1, written=1)
    with h5py.File(master, "a") as file:
        del file["entry/data/data_000001"]
        lost = h5py.ExternalLink("/gone/to/tape/run_data_000001.h5", "/entry/data/data")
        file["entry/data/data_000001"] = lost
    (tmp_path / "run_data_000001.h5").rename(tmp_path / kept)
    np.testing.assert_array_equal(read_scan(master, layout=RASTER).patterns, frames[:3])


def test_a_lazy_series_reads_from_all_files(series, frames):
    scan = read_scan(series(), layout=RASTER, lazy_above_bytes=0)
    assert scan.is_lazy
    np.testing.assert_array_equal(scan.patterns[2:8].compute(), frames[2:8])


def test_files_of_another_series_are_told(series, tmp_path, frames):
    master = series()
    with h5py.File(tmp_path / "run_data_000003.h5", "a") as file:
        file["entry/data/data"].attrs["image_nr_low"] = np.uint64(101)
    notes = read_scan(master, layout=RASTER).notes
    assert any("first image is number 101, but 6 images lie before it" in note for note in notes)
    with h5py.File(tmp_path / "run_data_000003.h5", "w") as file:
        file["entry/data/data"] = frames[:3, :-1]
    with pytest.raises(ScanError, match=r"data_000003 has frames of \(19, 26\) uint32, but the fi"):
        read_scan(master, layout=RASTER)


def test_zero_means_missing(series):
    master = series(
        parts={
            f"{DETECTOR}/detector_distance": 0.0,
            f"{SPECIFIC}/photon_energy": 0.0,
            f"{DETECTOR}/beam_center_x": 0.0,
            f"{DETECTOR}/beam_center_y": 0.0,
            f"{DETECTOR}/x_pixel_size": np.nan,
            f"{DETECTOR}/y_pixel_size": 0.0,
        }
    )
    scan = read_scan(master, layout=RASTER)
    geometry = scan.geometry
    assert (geometry.energy_ev, geometry.distance_m, geometry.detector_pixel_m) == (None,) * 3
    assert scan.sources["distance_m"] == "unknown"
    assert not any("centre" in note for note in scan.notes)


def test_a_wavelength_stands_for_the_energy(series):
    wave = "entry/instrument/beam/incident_wavelength"
    master = series(parts={f"{SPECIFIC}/photon_energy": None, wave: 1.5})
    scan = read_scan(master, layout=RASTER)
    assert scan.geometry.energy_ev == pytest.approx(12398.42 / 1.5, rel=1e-6)
    assert scan.sources["energy_ev"] == f"file: /{wave}"
    scan = read_scan(series(parts={wave: 1.5}, units={wave: "angstrom"}), layout=RASTER)
    assert scan.geometry.energy_ev == 9000
    assert any("9000 eV, but its wavelength means 8265.61 eV" in note for note in scan.notes)


def test_a_beam_off_the_middle_is_told(series):
    master = series(parts={f"{DETECTOR}/beam_center_x": 20.5, f"{DETECTOR}/beam_center_y": 7.0})
    notes = read_scan(master, layout=RASTER).notes
    assert (
        "The beam centre is at (7, 20.5) (y, x), the middle of a frame at (10, 13): centre and "
        "crop in the Detector section." in notes
    )
    x, y = f"{DETECTOR}/beam_center_x", f"{DETECTOR}/beam_center_y"
    master = series(parts={x: 20 * 75e-3, y: 7 * 70e-3}, units={x: "mm", y: "mm"})
    assert any("is at (7, 20) (y, x)" in note for note in read_scan(master, layout=RASTER).notes)


def test_limits_and_masks_of_another_size_are_told(series):
    master = series(
        parts={
            f"{DETECTOR}/saturation_value": 8352,
            f"{SPECIFIC}/pixel_mask": np.zeros((H + 1, W), np.uint32),
        }
    )
    scan = read_scan(master, layout=RASTER)
    assert any("cannot be trusted from 8352 counts per pixel" in note for note in scan.notes)
    assert any(f"does not fit frames of ({H}, {W}) and was not" in note for note in scan.notes)
    assert scan.valid.all()


def test_codes_mask_in_the_frames_where_they_stand(series, tmp_path):
    master = series()
    with h5py.File(tmp_path / "run_data_000002.h5", "a") as file:
        file["entry/data/data"][1, 4, 5] = 2**32 - 1
        file["entry/data/data"][:, 0, 0] = 2**32 - 1
    scan = read_scan(master, layout=RASTER)
    assert np.argwhere(~scan.valid).tolist() == [[3, 0, 0], [4, 0, 0], [4, 4, 5], [5, 0, 0]]


def test_electrons_are_told_from_photons(series):
    parts = {f"{DETECTOR}/description": "Dectris ARINA CZT", f"{SPECIFIC}/photon_energy": 300e3}
    scan = read_scan(series(parts=parts), layout=RASTER)
    assert scan.geometry.particle == "electron"
    assert scan.geometry.wavelength_m == pytest.approx(1.9687e-12, rel=1e-4)
    assert any("counts electrons: 300000 eV is taken as theirs" in note for note in scan.notes)


def test_one_of_the_data_files_alone(series, frames, tmp_path):
    series()
    scan = read_scan(tmp_path / "run_data_000002.h5", layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, frames[3:6])
    assert (
        "This file has frames only; its master has the mask and the experiment too." in scan.notes
    )


@pytest.mark.real
def test_a_real_arina(real_data, tmp_path):
    folder = real_data / "dectris_arina_bslz4"
    master = folder / "test_00_master.h5"
    with pytest.raises(NeedsPositions, match="holds 16 frames but no positions"):
        read_scan(master)
    scan = read_scan(master, layout=Layout(raster_rows=4, raster_columns=4, step_y=1.0))
    assert scan.patterns.shape == (16, 192, 192)
    assert not scan.patterns.any()
    assert any("There is no count in any of 16 frames" in note for note in scan.notes)
    np.testing.assert_array_equal(scan.positions_px[[1, 4]], [[0, 1], [1, 0]])
    geometry = scan.geometry
    assert (geometry.particle, geometry.energy_ev) == ("electron", 300e3)
    assert geometry.detector_pixel_m == (1e-4, 1e-4)
    assert geometry.distance_m is None
    shutil.copy(master, tmp_path)
    with pytest.raises(FileError, match=r"the first: test_00_data_000001.h5"):
        read_scan(tmp_path / master.name)
    shutil.copy(folder / "test_00_data_000001.h5", tmp_path / "TEST_00_data_000001.h5")
    with pytest.raises(NeedsPositions):
        read_scan(tmp_path / master.name)
