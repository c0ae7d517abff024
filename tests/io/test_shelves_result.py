import h5py
import numpy as np
import pytest
from scipy.constants import c, e, h

from napari_ptycho.errors import ScanError
from napari_ptycho.io import read_reconstruction

H, W, S = 60, 52, 16
CORNERS = np.array([[0, 0], [10, 30], [44, 36], [7, 3]])


@pytest.fixture
def waves(rng):
    """Object (H, W) and probe (2, S, S)."""
    return tuple(
        (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
        for shape in ((H, W), (2, S, S))
    )


def matlab(file, name, value):
    """Write an array as MATLAB does: axes reversed, complex as (real, imag), 2-D at least."""
    value = np.asarray(value)
    value = value.reshape((1,) * (2 - value.ndim) + value.shape).T
    if np.iscomplexobj(value):
        made = np.empty(value.shape, [("real", "<f4"), ("imag", "<f4")])
        made["real"], made["imag"] = value.real, value.imag
        value = made
    file[name] = value


@pytest.fixture
def mat(tmp_path, waves):
    """Write Niter100.mat of version 7.3 and return its path."""

    def write(**parts):
        path = tmp_path / "Niter100.mat"
        middle = np.ceil((np.array([H, W]) - S) / 2)
        usual = {
            "object": waves[0],
            "probe": np.moveaxis(waves[1], 0, -1),
            "p/lambda": 1.4e-10,
            "p/dx_spec": [4e-8, 3e-8],
            "outputs/probe_positions": (CORNERS + 1 - middle)[:, ::-1],
            "outputs/fourier_error_out": [3.0, 2.0, 1.0],
        }
        header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, value in {**usual, **parts}.items():
                if value is not None:
                    matlab(file, name, value)
        with path.open("r+b") as file:
            file.write(header)
        return path

    return write


def test_a_matlab_result(mat, waves):
    found = read_reconstruction(mat())
    np.testing.assert_array_equal(found.object, waves[0])
    np.testing.assert_array_equal(found.probe, waves[1])
    np.testing.assert_array_equal(found.positions_px, CORNERS)
    assert found.pixel_size_m == (4e-8, 3e-8)
    assert found.errors == (3.0, 2.0, 1.0)
    assert found.geometry.energy_ev == pytest.approx(h * c / (1.4e-10 * e))
    assert found.name == "Niter100"
    assert any("has PtychoShelves' scale" in note for note in found.provenance["notes"])


def test_slices_are_multiplied_and_variations_told(mat, waves):
    slices = np.stack([waves[0], 2j * waves[0]], axis=-1)
    probe = np.moveaxis(waves[1], 0, -1)
    varied = np.stack([probe, 5 * probe, 6 * probe], axis=-1)
    found = read_reconstruction(mat(object=slices, probe=varied))
    np.testing.assert_allclose(found.object, 2j * waves[0] ** 2, rtol=1e-5)
    np.testing.assert_array_equal(found.probe, waves[1])
    notes = found.provenance["notes"]
    assert "The object has 2 slices; their product is shown." in notes
    assert "The probe has 3 variations along the scan; the first is read." in notes


def test_one_mode_and_no_positions(mat, waves):
    found = read_reconstruction(mat(probe=waves[1][0], **{"outputs/probe_positions": None}))
    np.testing.assert_array_equal(found.probe, waves[1][:1])
    assert any("has no positions" in note for note in found.provenance["notes"])


def test_electrons_have_lengths_in_angstrom(mat):
    found = read_reconstruction(mat(**{"p/lambda": 0.019687, "p/dx_spec": [0.5, 0.5]}))
    assert found.pixel_size_m == pytest.approx((0.5e-10, 0.5e-10))
    assert found.geometry.particle == "electron"
    assert found.geometry.energy_ev == pytest.approx(300e3, rel=1e-3)
    assert any("taken as angstrom" in note for note in found.provenance["notes"])


def test_what_is_no_wave_is_refused(mat):
    path = mat(object=None)
    with h5py.File(path, "a") as file:
        file["object"] = np.array([b"words"])
    with pytest.raises(ScanError, match=r"'/object' is \|S5; need complex numbers"):
        read_reconstruction(path)


@pytest.fixture
def result(tmp_path, waves):
    """Write a result .h5 and return its path."""

    def write(also=None):
        path = tmp_path / "S00001_recons.h5"
        with h5py.File(path, "w") as file:
            base = file.create_group("reconstruction/p")
            for name, wave in (("objects/object_0", waves[0]), ("probes/probe_0", waves[1])):
                base[name] = wave
                base[name].attrs["MATLAB_class"] = "complex"
            base["dx_spec"] = np.array([[4e-8], [3e-8]])
            base["lambda"] = 1.4e-10
            base["energy"] = 8.856
            base["asize"] = np.array([S, S])
            base["positions"] = CORNERS.astype(np.float64)
            file["reconstruction/object"] = h5py.SoftLink("/reconstruction/p/objects")
            file["reconstruction/probes"] = h5py.SoftLink("/reconstruction/p/probes")
            file["measurement/data"] = h5py.ExternalLink("S00001_data_16x16.h5", "/")
            if also is not None:
                also(base)
        return path

    return write


def test_an_hdf5_result(result, waves):
    found = read_reconstruction(result())
    np.testing.assert_array_equal(found.object, waves[0])
    np.testing.assert_array_equal(found.probe, waves[1])
    np.testing.assert_array_equal(found.positions_px, CORNERS)
    assert found.pixel_size_m == (4e-8, 3e-8)
    assert found.geometry.energy_ev == pytest.approx(8856, rel=1e-3)


def test_several_objects_and_slices(result, waves):
    def also(base):
        del base["objects/object_0"]
        base["objects/object_0"] = np.stack([waves[0], 2 * waves[0]])[:, np.newaxis]
        base["objects/object_1"] = waves[0]

    found = read_reconstruction(result(also))
    np.testing.assert_allclose(found.object, 2 * waves[0] ** 2, rtol=1e-5)
    notes = found.provenance["notes"]
    assert "The file has 2 objects and 1 probes; object_0 and probe_0 are read." in notes
