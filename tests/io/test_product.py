import dataclasses
import json
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import read_reconstruction, read_scan, write_reconstruction, write_scan
from napari_ptycho.model import Geometry, Reconstruction

PIXEL = (12e-9, 9e-9)


def made_of(rng, windows=(8, 6), shape=(40, 31), positions=None, **more):
    """A reconstruction with random contents."""

    def noise(*lengths):
        return (rng.normal(size=lengths) + 1j * rng.normal(size=lengths)).astype(np.complex64)

    if positions is None:
        positions = rng.uniform(0, np.subtract(shape, windows), (7, 2))
    return Reconstruction(noise(*shape), noise(3, *windows), positions, **more)


@pytest.fixture
def whole(rng):
    return made_of(
        rng,
        pixel_size_m=PIXEL,
        errors=(0.5, 0.25, 0.125),
        geometry=Geometry(8000.0, 1.5, (55e-6, 75e-6), "near", 3e-3),
        name="star µ",
        provenance={"engine": "rpie", "options": {"epochs": 3}, "seed": 7},
    )


def assert_same(one, other):
    for field in dataclasses.fields(Reconstruction):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "positions_px":
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=field.name)
        elif field.name == "extras":
            assert set(a) == set(b)
            for name in a:
                assert b[name].dtype == a[name].dtype
                np.testing.assert_array_equal(a[name], b[name], err_msg=name)
        else:
            assert a == b, field.name


def test_a_reconstruction_comes_back_as_it_was(whole, tmp_path):
    write_reconstruction(whole, tmp_path / "result.h5")
    assert_same(whole, read_reconstruction(tmp_path / "result.h5"))


def test_an_unknown_pixel_size_stays_unknown(rng, tmp_path):
    plain = made_of(rng)
    write_reconstruction(plain, tmp_path / "result.h5")
    assert_same(plain, read_reconstruction(tmp_path / "result.h5"))
    with h5py.File(tmp_path / "result.h5") as file:
        assert "object pixels" in file.attrs["lengths_in_pixels"]
        assert file["object"].attrs["pixel_width_m"] == 1


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 3),
    st.sampled_from([PIXEL, (1e-11, 3e-6), None]),
    st.floats(0, 3, width=32),
)
def test_corners_survive_whatever_is_odd_or_even(tmp_path_factory, window, extra, n, pixel, where):
    rng = np.random.default_rng(n)
    place = np.full((1, 2), where)
    shape = (window + extra + 3, window + extra + n + 3)
    one = made_of(rng, (window, window), shape, place, pixel_size_m=pixel)
    path = tmp_path_factory.mktemp("product") / "result.h5"
    write_reconstruction(one, path)
    back = read_reconstruction(path).positions_px
    np.testing.assert_allclose(back, place, rtol=0, atol=1e-9)
    if where == round(where):
        np.testing.assert_array_equal(back, place)


def test_half_pixels_come_back_exactly(rng, tmp_path):
    corners = np.array([[0.5, 1.5], [30.5, 2.0]])
    write_reconstruction(made_of(rng, positions=corners, pixel_size_m=PIXEL), tmp_path / "r.h5")
    np.testing.assert_array_equal(read_reconstruction(tmp_path / "r.h5").positions_px, corners)


def test_ptychodus_finds_all_it_reads(whole, tmp_path):
    """What its HDF5 product reader looks up without a fallback, and its formula for pixels."""
    write_reconstruction(whole, tmp_path / "result.h5")
    with h5py.File(tmp_path / "result.h5") as file:
        assert file.attrs["name"] == "star µ"
        assert isinstance(file.attrs["comments"], str)
        assert float(file.attrs["detector_object_distance_m"]) == 1.5
        assert float(file.attrs["probe_energy_eV"]) == 8000
        assert float(file.attrs["exposure_time_s"]) == 0
        photons = np.square(np.abs(whole.probe)).sum()
        assert file.attrs["probe_photon_count"] == pytest.approx(photons)
        assert file["probe"].shape == (1, 3, 8, 6)
        assert file["object"].shape == (1, 40, 31)
        assert file["probe_position_indexes"][()].tolist() == list(range(7))
        assert file["object_layer_spacing_m"].shape == (0,)
        assert file["loss_values"][()].tolist() == [0.5, 0.25, 0.125]
        assert file["loss_epochs"][()].tolist() == [0, 1, 2]
        assert file["probe"].attrs["pixel_width_m"] == PIXEL[1]
        about = file["object"].attrs
        column = (file["probe_position_x_m"][()] - about["center_x_m"]) / about["pixel_width_m"]
        row = (file["probe_position_y_m"][()] - about["center_y_m"]) / about["pixel_height_m"]
    np.testing.assert_allclose(column + 31 / 2, whole.positions_px[:, 1] + 6 / 2)
    np.testing.assert_allclose(row + 40 / 2, whole.positions_px[:, 0] + 8 / 2)


def foreign(rng, **replaced):
    """A product as Ptychodus writes it, flat as in its .npz."""
    one = made_of(rng, positions=np.array([[0.0, 0.0], [3.25, 4.0]]))
    centre = np.array([1e-3, -2e-3])
    places = (one.positions_px - (16, 12.5)) * PIXEL + centre
    values = {
        "name": "theirs",
        "comments": "",
        "detector_object_distance_m": 2.0,
        "probe_energy_eV": 9000.0,
        "probe_photon_count": 1e6,
        "exposure_time_s": 0.0,
        "mass_attenuation_m2_kg": 0.0,
        "probe_position_indexes": [0, 5],
        "probe_position_x_m": places[:, 1],
        "probe_position_y_m": places[:, 0],
        "probe": one.probe,
        "probe_pixel_width_m": PIXEL[1],
        "probe_pixel_height_m": PIXEL[0],
        "object": one.object,
        "object_center_x_m": centre[1],
        "object_center_y_m": centre[0],
        "object_pixel_width_m": PIXEL[1],
        "object_pixel_height_m": PIXEL[0],
        "object_layer_spacing_m": [],
        "loss_epochs": [0, 1],
        "loss_values": [0.5, 0.25],
    }
    values |= replaced
    return one, {name: value for name, value in values.items() if value is not None}


def write_foreign(path, values):
    if path.suffix == ".npz":
        np.savez(path, **values)
        return
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            part, _, rest = name.partition("_")
            if part in ("probe", "object") and rest.startswith(("pixel", "center", "opr")):
                continue
            (file.attrs if np.ndim(value) == 0 else file)[name] = value
        for name, value in values.items():
            part, _, rest = name.partition("_")
            if part in ("probe", "object") and rest.startswith(("pixel", "center", "opr")):
                file[part].attrs[rest] = value


@pytest.mark.parametrize("suffix", ["h5", "npz"])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_products_of_ptychodus_are_read(rng, tmp_path, suffix, dtype):
    one, values = foreign(rng)
    values |= {name: values[name].astype(dtype) for name in ("probe", "object")}
    path = tmp_path / f"theirs.{suffix}"
    write_foreign(path, values)
    back = read_reconstruction(path)
    np.testing.assert_array_equal(back.object, one.object)
    np.testing.assert_array_equal(back.probe, one.probe)
    np.testing.assert_allclose(back.positions_px, one.positions_px, rtol=0, atol=1e-6)
    assert back.pixel_size_m == PIXEL
    assert back.errors == (0.5, 0.25)
    assert back.geometry == Geometry(9000.0, 2.0)
    assert back.name == "theirs"
    assert back.provenance == {"format": "Ptychodus product"}


@pytest.mark.parametrize("suffix", ["h5", "npz"])
@pytest.mark.parametrize("weights", ["opr_weights", "probe_opr_weights"])
def test_every_number_of_axes(rng, tmp_path, suffix, weights):
    one, values = foreign(rng)
    write_foreign(tmp_path / f"flat.{suffix}", values | {"probe": one.probe[0]})
    np.testing.assert_array_equal(
        read_reconstruction(tmp_path / f"flat.{suffix}").probe, one.probe[:1]
    )
    thick = np.stack([one.object, np.full_like(one.object, 2)])
    probes = np.stack([one.probe, 0 * one.probe])
    write_foreign(
        tmp_path / f"thick.{suffix}",
        values | {"probe": probes, "object": thick, weights: np.ones((2, 2))},
    )
    back = read_reconstruction(tmp_path / f"thick.{suffix}")
    np.testing.assert_array_equal(back.object, 2 * one.object)
    np.testing.assert_array_equal(back.probe, one.probe)
    assert "2 layers" in back.provenance["notes"][0]
    assert "2 coherent modes are its variations" in back.provenance["notes"][1]
    assert back.extras == {}  # the second mode is dark
    write_foreign(tmp_path / f"lost.{suffix}", values | {"probe": probes})
    assert "no weights" in read_reconstruction(tmp_path / f"lost.{suffix}").provenance["notes"][0]


@pytest.mark.parametrize("suffix", ["h5", "npz"])
def test_old_costs_and_unknown_metadata(rng, tmp_path, suffix):
    _, values = foreign(
        rng,
        loss_values=None,
        loss_epochs=None,
        costs=[[1.0, 3.0], [0.5, 0.5]],
        probe_energy_eV=0.0,
        detector_object_distance_m=0.0,
        name="",
    )
    write_foreign(tmp_path / f"old.{suffix}", values)
    back = read_reconstruction(tmp_path / f"old.{suffix}")
    assert back.errors == (2.0, 0.5)
    assert back.geometry == Geometry()
    assert back.name == "old"


@pytest.mark.parametrize("suffix", ["h5", "npz"])
@pytest.mark.parametrize(
    ("replaced", "sentence"),
    [
        ({"probe": None}, "'probe', which a product must have"),
        ({"object_pixel_width_m": 0.0}, "the positions mean nothing without the pixel size"),
        ({"object_pixel_width_m": None}, "the positions mean nothing without the pixel size"),
        ({"object": np.ones((1, 1, 9, 9), complex)}, "object has shape (1, 1, 9, 9)"),
        ({"probe": np.ones(9, complex)}, "probe has shape (9,)"),
        ({"object": np.ones((9, 9), complex)}, "every window must lie inside it"),
    ],
)
def test_broken_products_are_refused_in_a_sentence(rng, tmp_path, suffix, replaced, sentence):
    _, values = foreign(rng, **replaced)
    if "probe" in replaced and replaced["probe"] is None:
        values = {name: value for name, value in values.items() if "probe_pixel" not in name}
    write_foreign(tmp_path / f"bad.{suffix}", values)
    with pytest.raises(ScanError) as caught:
        read_reconstruction(tmp_path / f"bad.{suffix}")
    assert sentence in str(caught.value)


def test_provenance_may_hold_arrays_and_paths(whole, tmp_path):
    provenance = {"path": Path("a/b"), "bins": np.array([2, 3]), "dose": np.float32(0.5)}
    provenance["options"] = MappingProxyType({"epochs": 3})
    write_reconstruction(dataclasses.replace(whole, provenance=provenance), tmp_path / "result.h5")
    back = read_reconstruction(tmp_path / "result.h5").provenance
    assert back == {"path": "a/b", "bins": [2, 3], "dose": 0.5, "options": {"epochs": 3}}
    with h5py.File(tmp_path / "result.h5") as file:
        assert json.loads(file["napari_ptycho"][()])["provenance"] == back


def test_provenance_that_is_no_json_is_refused(whole, tmp_path):
    odd = dataclasses.replace(whole, provenance={"what": object()})
    with pytest.raises(ScanError, match="provenance cannot be written as JSON"):
        write_reconstruction(odd, tmp_path / "result.h5")
    assert list(tmp_path.iterdir()) == []


def test_scans_and_reconstructions_are_told_apart(whole, scan, tmp_path):
    write_scan(scan, tmp_path / "scan.h5")
    write_reconstruction(whole, tmp_path / "result.h5")
    with pytest.raises(FileError, match=r"holds a scan .* open it with read_scan"):
        read_reconstruction(tmp_path / "scan.h5")
    with pytest.raises(FileError, match=r"holds a reconstruction .* read_reconstruction"):
        read_scan(tmp_path / "result.h5")
