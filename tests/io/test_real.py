"""The real and third-party scans: see README.md beside them."""

import shutil

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import read_scan, write_scan
from napari_ptycho.model.summary import summary

pytestmark = pytest.mark.real
NEAR = {"propagation": "near", "focus_to_sample_m": 3.65e-3}
P25 = "p25_nearfield/PETRAIII_P25_Near_Field_Ptycho.cxi"


def test_tike(real_data):
    scan = read_scan(real_data / "tike_siemens" / "siemens-star-small.npz.bz2")
    assert scan.name == "siemens-star-small"
    assert scan.patterns.shape == (516, 128, 128)
    assert scan.patterns.dtype == np.uint16
    assert scan.patterns.max() == 963
    assert scan.patterns.sum() / 516 == pytest.approx(461_213, abs=1)
    assert scan.positions_px is not None
    assert scan.pixel_size_m is None
    assert scan.probe.shape == (1, 128, 128)
    mean = scan.patterns.mean(axis=0)
    assert mean[56:72, 56:72].mean() > 100 * mean[:8, :8].mean()
    rows = {row.name: row for row in summary(scan)}
    assert rows["object pixel"].value == "unknown"
    assert not any(row.warning for row in rows.values())


def test_p25_near_field(real_data):
    scan = read_scan(real_data / P25, NEAR)
    assert scan.patterns.shape == (200, 100, 100)
    assert np.multiply(scan.pixel_size_m, 1e9) == pytest.approx([178.66, 178.66], abs=0.005)
    assert scan.geometry.energy_ev == pytest.approx(12_658, abs=0.5)
    assert scan.geometry.distance_m == 1.12
    assert scan.geometry.effective_distance_m == pytest.approx(3.6381e-3, abs=1e-7)
    assert (~scan.valid).sum() == 5
    assert scan.sources["focus_to_sample_m"] == "user"
    with h5py.File(real_data / P25) as file:
        stored = file["entry_1/data_1/translation"][()]
        np.testing.assert_allclose(scan.positions_m, stored[:, [1, 0]])
        frames = file["entry_1/data_1/data"][()]
    np.testing.assert_array_equal(scan.patterns, frames)
    assert not any(row.warning for row in summary(scan))


def test_p25_with_translations_turned_as_pynx_writes_them(real_data, tmp_path):
    path = tmp_path / "turned.cxi"
    shutil.copy(real_data / P25, path)
    path.chmod(0o644)
    with h5py.File(path, "a") as file:
        name = "entry_1/sample_1/geometry_1/translation"
        stored = file[name][()]
        del file[name]
        file[name] = stored.T
    usual = read_scan(real_data / P25)
    np.testing.assert_array_equal(read_scan(path).positions_m, usual.positions_m)


def test_p25_lazily_and_written_again(real_data, tmp_path):
    lazy = read_scan(real_data / P25, NEAR, lazy_above_bytes=0)
    assert lazy.is_lazy
    assert any("25 frames in one chunk (25, 13, 25)" in note for note in lazy.notes)
    write_scan(lazy, tmp_path / "p25.h5")
    again = read_scan(tmp_path / "p25.h5")
    np.testing.assert_array_equal(again.patterns, read_scan(real_data / P25, NEAR).patterns)
    assert again.geometry == lazy.geometry
    assert again.sources == lazy.sources


def test_ptynet(real_data):
    scan = read_scan(real_data / "ptynet" / "ptynet75_poisson1e6.npz")
    assert scan.patterns.shape == (256, 128, 128)
    assert scan.patterns.sum() / 256 == pytest.approx(1e6, rel=1e-3)
    assert scan.positions_px.min() == 3
    assert scan.probe.shape == (1, 128, 128)
    assert any("object" in note for note in scan.notes)


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("ptynet/pxy_probe1000.npy", ScanError, "no positions"),
        ("ptynet/1diff_cat100_0overlap.npy", ScanError, "no positions"),
        ("dectris_arina_bslz4/test_00_master.h5", ScanError, "no positions"),
        ("ptychonn/cl_best_model.pth", FileError, "it holds: no arrays"),
        ("ptychonn/ptychonn_reference_io.npz", FileError, "no known layout"),
        ("README.md", FileError, "a text file"),
    ],
)
def test_the_other_files_get_a_sentence(real_data, name, error, sentence):
    with pytest.raises(error) as caught:
        read_scan(real_data / name)
    assert sentence in str(caught.value)
