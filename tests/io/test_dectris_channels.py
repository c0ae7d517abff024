import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout

DETECTOR = "entry/instrument/detector"
RASTER = Layout(raster_rows=1, step_y=1.0)


@pytest.fixture
def frames(counts):
    """(N, H, W) uint32, bright in the middle."""
    return counts.astype(np.uint32)


@pytest.fixture
def channels(tmp_path, frames):
    """Write a v2024.2 file with two thresholds, virtual or not, and return its path."""

    def write(virtual):
        path = tmp_path / "new_master.h5"
        both = np.stack([frames, frames // 2], axis=1)
        with h5py.File(tmp_path / "new_data_000001.h5", "w") as file:
            file["data"] = both
        layout = h5py.VirtualLayout(both.shape, np.uint32)
        layout[:] = h5py.VirtualSource("new_data_000001.h5", "data", both.shape)
        with h5py.File(path, "w") as file:
            file["entry/definition"] = "NXmx"
            if virtual:
                file.create_virtual_dataset("entry/data/data", layout)
            else:
                file["entry/data/data"] = both
            file["entry/data/channel"] = [b"threshold_1", b"threshold_2"]
            for number in (1, 2):
                mask = np.zeros(frames.shape[1:], np.uint32)
                mask[number, 0] = 2
                file[f"{DETECTOR}/threshold_{number}_channel/pixel_mask"] = mask
            file["entry/instrument/beam/incident_energy"] = 8.0
            file["entry/instrument/beam/incident_energy"].attrs["units"] = "keV"
            file[f"{DETECTOR}/distance"] = 1.5
        return path

    return write


@pytest.mark.parametrize("virtual", [True, False])
def test_thresholds_are_chosen_by_their_index(channels, frames, virtual):
    path = channels(virtual)
    first = read_scan(path, layout=RASTER)
    np.testing.assert_array_equal(first.patterns, frames)
    assert np.argwhere(~first.valid).tolist() == [[1, 0]]
    assert first.geometry.energy_ev == 8000
    assert first.geometry.distance_m == 1.5
    assert any("channels threshold_1, threshold_2; threshold_1 was" in n for n in first.notes)
    second = read_scan(path, layout=Layout(raster_rows=1, step_y=1.0, extra_index=1))
    np.testing.assert_array_equal(second.patterns, frames // 2)
    assert np.argwhere(~second.valid).tolist() == [[2, 0]]
    with pytest.raises(ScanError, match=r"has 2 channels .threshold_1, threshold_2.; number 2"):
        read_scan(path, layout=Layout(raster_rows=1, step_y=1.0, extra_index=2))


def test_a_virtual_file_with_a_missing_part_is_not_read_as_zeros(channels, tmp_path):
    path = channels(True)
    (tmp_path / "new_data_000001.h5").unlink()
    with pytest.raises(FileError, match=r"put together from other files.*new_data_000001.h5"):
        read_scan(path, layout=RASTER)


def test_all_frames_in_the_master(tmp_path, frames):
    with h5py.File(tmp_path / "one_master.h5", "w") as file:
        file["entry/definition"] = "NXmx"
        file["entry/data/data_000001"] = frames
    np.testing.assert_array_equal(
        read_scan(tmp_path / "one_master.h5", layout=RASTER).patterns, frames
    )


def test_frames_without_a_stack_are_refused(tmp_path):
    with h5py.File(tmp_path / "one_master.h5", "w") as file:
        file["entry/definition"] = "NXmx"
        file["entry/data/data"] = np.zeros((20, 26), np.uint16)
    with pytest.raises(ScanError, match=r"has shape \(20, 26\); need frames \(n, H, W\)"):
        read_scan(tmp_path / "one_master.h5", layout=RASTER)
    with h5py.File(tmp_path / "one_master.h5", "a") as file:
        del file["entry/data/data"]
    with pytest.raises(ScanError, match="no dataset 'entry/data/data', which a DECTRIS master"):
        read_scan(tmp_path / "one_master.h5", layout=RASTER)
