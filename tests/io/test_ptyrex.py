import h5py
import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.io import read_reconstruction

OUTPUT = "entry_1/process_1/output_1"


@pytest.fixture
def waves(rng):
    """Object (40, 50) and probe (2, 16, 12), complex."""
    return tuple(
        (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
        for shape in ((40, 50), (2, 16, 12))
    )


@pytest.fixture
def ptyrex(tmp_path, waves):
    """Write a result of PtyREX and return its path."""

    def write(parts=None):
        path = tmp_path / "ptyrex.hdf"
        seven = {
            "object": waves[0].reshape(1, 1, 1, 1, 1, 40, 50),
            "probe": waves[1].reshape(2, 1, 1, 1, 1, 16, 12),
        }
        usual = {
            "entry_1/process_1/common_1/dx": np.array([4e-8, 3e-8]),
            "entry_1/process_1/common_1/save_dir": "/somewhere",
            "entry_1/experiment_1/data/data_ID": "12345",
            "entry_1/experiment_1/detector/distance": 14.5,
        }
        for name, wave in seven.items():
            usual[f"{OUTPUT}/{name}_modulus"] = np.abs(wave)
            usual[f"{OUTPUT}/{name}_phase"] = np.angle(wave)
        with h5py.File(path, "w") as file:
            for name, value in {**usual, **(parts or {})}.items():
                file[name] = value
        return path

    return write


def test_modulus_and_phase_make_complex_waves(ptyrex, waves):
    found = read_reconstruction(ptyrex())
    np.testing.assert_allclose(found.object, waves[0], rtol=1e-5)
    np.testing.assert_allclose(found.probe, waves[1], rtol=1e-5)
    assert found.pixel_size_m == (4e-8, 3e-8)
    assert found.geometry.distance_m == 14.5
    assert found.geometry.energy_ev is None
    assert any("has no positions" in note for note in found.provenance["notes"])
    assert (found.positions_px >= 0).all()
    assert (found.positions_px.max(axis=0) == (24, 38)).all()


def test_the_first_of_several_object_modes_is_read(ptyrex, waves):
    twice = np.stack([waves[0], 3 * waves[0]]).reshape(2, 1, 1, 1, 1, 40, 50)
    parts = {f"{OUTPUT}/object_modulus": np.abs(twice), f"{OUTPUT}/object_phase": np.angle(twice)}
    found = read_reconstruction(ptyrex(parts))
    np.testing.assert_allclose(found.object, waves[0], rtol=1e-5)
    assert "The object has 2 modes; the first is shown." in found.provenance["notes"]


def test_what_contradicts_itself_is_refused(ptyrex):
    with pytest.raises(ScanError, match=r"modulus of the probe has shape .*, its phase \(3,\); ne"):
        read_reconstruction(ptyrex({f"{OUTPUT}/probe_phase": np.zeros(3)}))
    large = np.ones((1, 1, 1, 1, 1, 60, 12))
    parts = {f"{OUTPUT}/probe_modulus": large, f"{OUTPUT}/probe_phase": large}
    with pytest.raises(ScanError, match=r"probe of \(60, 12\) is larger than the object of \(40,"):
        read_reconstruction(ptyrex(parts))
