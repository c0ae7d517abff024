import h5py
import numpy as np
import pytest

from napari_ptycho.errors import NeedsPositions, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout


@pytest.fixture
def ptylab(tmp_path, counts, positions):
    """Write a PtyLab file and return its path; keywords replace (None: leave out) datasets."""

    def write(**parts):
        path = tmp_path / "cp.hdf5"
        usual = {
            "ptychogram": counts.astype(np.uint16),
            "encoder": positions,
            "dxd": 72e-6,
            "zo": 50e-3,
            "wavelength": 632.8e-9,
            "entrancePupilDiameter": 1e-3,
        }
        with h5py.File(path, "w") as file:
            for name, value in {**usual, **parts}.items():
                if value is not None:
                    file[name] = value
        return path

    return write


def test_a_usual_file(ptylab, counts, positions):
    scan = read_scan(ptylab())
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.geometry.wavelength_m == pytest.approx(632.8e-9)
    assert scan.geometry.particle == "photon"
    assert scan.geometry.distance_m == 50e-3
    assert scan.geometry.detector_pixel_m == (72e-6, 72e-6)
    assert scan.sources["positions_m"] == "file: /encoder"
    assert scan.sources["energy_ev"] == "file: /wavelength"
    assert scan.notes == ()


def test_positions_in_two_rows_are_from_their_mean(ptylab, positions):
    scan = read_scan(ptylab(encoder=positions.T))
    np.testing.assert_allclose(scan.positions_m, positions - positions.mean(axis=0))


@pytest.mark.parametrize("parts", [{"zled": 0.05}, {"magnification": 4.0, "zo": None}])
def test_fourier_ptychography_is_refused(ptylab, parts):
    with pytest.raises(ScanError, match=r"cp.hdf5: is a measurement of Fourier ptychography"):
        read_scan(ptylab(**parts))


def test_an_orientation_is_told_unless_the_person_set_one(ptylab, counts):
    scan = read_scan(ptylab(orientation=3))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert any("PtyLab turns these frames by orientation 3" in note for note in scan.notes)
    told = read_scan(ptylab(orientation=3), layout=Layout(orientation=3)).notes
    assert not any("PtyLab turns" in note for note in told)
    assert not any("PtyLab turns" in note for note in read_scan(ptylab(orientation=0)).notes)


def test_several_wavelengths_are_told(ptylab):
    notes = read_scan(ptylab(spectralDensity=np.array([6e-7, 7e-7]))).notes
    assert any("has 2 wavelengths (spectralDensity)" in note for note in notes)


def test_what_is_missing_or_wrong_is_said(ptylab):
    with pytest.raises(NeedsPositions, match="holds 12 frames but no positions"):
        read_scan(ptylab(encoder=None))
    with pytest.raises(ScanError, match=r"'encoder' has shape \(12, 3\); need \(12, 2\)"):
        read_scan(ptylab(encoder=np.zeros((12, 3))))
    with pytest.raises(ScanError, match=r"'ptychogram' has shape \(9, 9\); need \(N, H, W\)"):
        read_scan(ptylab(ptychogram=np.ones((9, 9))))
    scan = read_scan(ptylab(zo=0.0, wavelength=None))
    assert (scan.geometry.distance_m, scan.geometry.energy_ev) == (None, None)
