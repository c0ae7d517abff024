"""Reconstructions in every form: back as they were, and laid out as each format wants it."""

import csv
import dataclasses
import json

import h5py
import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.errors import FileError, OptionsError, ScanError
from napari_ptycho.io.forms import table as writing
from napari_ptycho.model import Geometry, Reconstruction

FAR = Geometry(8000.0, 1.5, (55e-6, 75e-6))
NEAR = Geometry(12658.0, 1.12, (55e-6, 55e-6), "near", 3.65e-3)
N, SHAPE, WINDOW = 7, (40, 31), (8, 6)
READABLE = ["product", "product-npz", "cxi", "nexus", "npz", "ptyr"]


def made(geometry=FAR, pixel=True, **more):
    """A reconstruction with random contents and a pixel that fits its geometry."""
    rng = np.random.default_rng(4)

    def noise(*lengths):
        return (rng.normal(size=lengths) + 1j * rng.normal(size=lengths)).astype(np.complex64)

    values = {
        "object": noise(*SHAPE),
        "probe": noise(3, *WINDOW),
        "positions_px": rng.uniform(0, np.subtract(SHAPE, WINDOW), (N, 2)),
        "pixel_size_m": geometry.pixel_size_m(WINDOW) if pixel else None,
        "errors": (0.5, 0.25, 0.125),
        "geometry": geometry,
        "name": "star µ",
        "provenance": {"engine": "rpie", "options": {"epochs": 3}, "seed": 7},
    }
    return Reconstruction(**{**values, **more})


def path_of(folder, form):
    return folder / f"out{writing.named('reconstruction', form).suffix}"


def written(folder, reconstruction, form):
    io.write_reconstruction(reconstruction, path_of(folder, form), form)
    return path_of(folder, form)


@pytest.mark.parametrize("geometry", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("form", READABLE)
def test_it_comes_back(tmp_path, form, geometry):
    one = made(geometry)
    back = io.read_reconstruction(written(tmp_path, one, form))
    np.testing.assert_array_equal(back.object, one.object)
    np.testing.assert_allclose(back.probe, one.probe, rtol=0, atol=2e-6)
    np.testing.assert_allclose(back.positions_px, one.positions_px, rtol=0, atol=1e-6)
    assert back.pixel_size_m == pytest.approx(one.pixel_size_m)
    assert back.errors == one.errors
    assert (back.geometry, back.name, back.provenance) == (geometry, "star µ", one.provenance)


@pytest.mark.parametrize("form", [form for form in READABLE if form != "ptyr"])
def test_an_unknown_scale_stays_unknown(tmp_path, form):
    one = made(Geometry(), pixel=False)
    back = io.read_reconstruction(written(tmp_path, one, form))
    assert back.pixel_size_m is None
    assert back.geometry == Geometry()
    np.testing.assert_allclose(back.positions_px, one.positions_px, rtol=0, atol=1e-9)


def extras_of(rng):
    return {
        "position_moves_px": rng.normal(size=(N, 2)),
        "background": rng.uniform(size=WINDOW),
        "flux": rng.uniform(1, 2, N),
        "frame_errors": rng.uniform(size=N),
        "variations": (rng.normal(size=(2, 3, *WINDOW)) + 0j).astype(np.complex64),
        "variation_weights": (rng.normal(size=(N, 2)) + 1j).astype(np.complex64),
    }


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        ("product", 6),
        ("product-npz", 6),
        ("npz", 6),
        ("cxi", 3),  # what PyNX has a place for: moves, background, flux
    ],
)
def test_what_else_was_found_comes_back(tmp_path, rng, form, kept):
    one = made(extras=extras_of(rng))
    back = io.read_reconstruction(written(tmp_path, one, form))
    assert len(back.extras) == kept
    for name, value in back.extras.items():
        np.testing.assert_allclose(value, one.extras[name], rtol=0, atol=1e-6, err_msg=name)


def test_the_names_that_ptychodus_1_7_changed_are_there_beside_the_old_ones(tmp_path, rng):
    one = made(NEAR, extras=extras_of(rng))
    with h5py.File(written(tmp_path, one, "product")) as file:
        root = dict(file.attrs)
        assert root["photon_energy_eV"] == root["probe_energy_eV"] == 12658
        assert root["mass_attenuation_m2_per_kg"] == root["mass_attenuation_m2_kg"] == 0
        assert root["focus_object_distance_m"] == -3.65e-3  # before the object
        assert not root["far_field"]
        assert file["loss_epochs"][()].tolist() == [0, 1, 2]
        assert file["opr_weights"].shape == (N, 5)  # shared, 2 real, 2 imaginary
        np.testing.assert_array_equal(file["probe"].attrs["opr_weights"], file["opr_weights"])
    with np.load(written(tmp_path, one, "product-npz"), allow_pickle=False) as archive:
        assert archive["photon_energy_eV"] == archive["probe_energy_eV"] == 12658
        assert str(archive["name"]) == "star µ"
        assert archive["probe"].shape == (5, 3, *WINDOW)
        assert archive["opr_weights"].shape == (N, 5)
        height, width = one.pixel_size_m
        assert archive["object_pixel_height_m"] == archive["probe_pixel_height_m"] == height
        assert archive["object_pixel_width_m"] == archive["probe_pixel_width_m"] == width
        column = archive["probe_position_x_m"] / width + SHAPE[1] / 2
    np.testing.assert_allclose(column, one.positions_px[:, 1] + WINDOW[1] / 2)


def test_a_product_of_ptychodus_1_7_is_read(tmp_path):
    one = made(NEAR)
    path = written(tmp_path, one, "product")
    with h5py.File(path, "r+") as file:
        del file["napari_ptycho"], file.attrs["probe_energy_eV"]
    expected = dataclasses.replace(NEAR, detector_pixel_m=None)
    assert io.read_reconstruction(path).geometry == expected


def test_electrons_are_not_told_as_photons(tmp_path):
    electrons = Geometry(300e3, detector_pixel_rad=(1e-3, 1e-3), particle="electron")
    one = made(electrons)
    for form in ("product", "cxi"):
        path = written(tmp_path, one, form)
        assert io.read_reconstruction(path).geometry == electrons
    with h5py.File(tmp_path / "out.h5") as file:
        assert file.attrs["photon_energy_eV"] == 0
    with h5py.File(tmp_path / "out.cxi") as file:
        assert list(file["entry_1/instrument_1/source_1"]) == []


def test_a_ptyr_has_the_documented_layout(tmp_path):
    one = made()
    pixel, z = np.array(one.pixel_size_m), 1.5
    with h5py.File(written(tmp_path, one, "ptyr")) as file:
        assert file.attrs["h5rw_version"] == "0.1"
        assert {"ctime", "mtime"} <= set(file.attrs)
        assert file["header/kind"][()] == b"minimal"
        assert file["header/description"][()] == b"Ptypy .h5 compatible storage format"
        kinds = {}
        file.visititems(lambda name, node: kinds.update({name: node.attrs.get("type")}))
        assert set(kinds.values()) == {"array", "scalar", "string", "dict", "param", "list"}
        assert kinds["content"] == kinds["content/pars"] == "param"
        (name,) = file["content/obj"]
        assert name.startswith("S")
        assert name.endswith("G00")
        assert list(file["content/probe"]) == [name]
        store, probe = file[f"content/obj/{name}"], file[f"content/probe/{name}"]
        assert (store["data"].shape, store["data"].dtype) == ((1, *SHAPE), np.complex64)
        assert store["data"].compression == "gzip"
        assert store["_energy"][()] == 8.0
        np.testing.assert_array_equal(store["_psize"], pixel)
        np.testing.assert_allclose(store["_origin"], -store["_center"][()] * pixel)
        places = file[f"content/positions/{name}"][()]
        centre = (places - store["_origin"][()]) / store["_psize"][()]
        np.testing.assert_allclose(centre - np.array(WINDOW) // 2, one.positions_px)
        y, x = np.indices(WINDOW) - np.reshape(WINDOW, (2, 1, 1)) // 2
        squares = (y * pixel[0]) ** 2 + (x * pixel[1]) ** 2
        curved = np.exp(1j * np.pi * squares / (FAR.wavelength_m * z))
        np.testing.assert_allclose(probe["data"] * curved, one.probe, rtol=0, atol=1e-6)
        assert file["content/runtime/iter_info/00002/error"][0] == 0.125
        assert file["content/runtime/iter_info/00002/iteration"][()] == 3
        scan = file["content/pars/scans/0000/data"]
        assert (scan["distance"][()], scan["propagation"][()]) == (1.5, b"farfield")
        said = json.loads(file["content/pars/napari_ptycho"][()])
        assert said["provenance"]["engine"] == "rpie"


@pytest.mark.parametrize("geometry", [FAR, NEAR], ids=["far", "near"])
def test_a_ptyr_means_the_same_to_those_who_do_not_know_us(tmp_path, geometry):
    """PtyPy knows no diverging beam, but the parallel one that is equivalent; and no detector."""
    one = made(geometry)
    path = written(tmp_path, one, "ptyr")
    with h5py.File(path, "r+") as file:
        del file["content/pars/napari_ptycho"]
    back = io.read_reconstruction(path)
    assert back.geometry.energy_ev == pytest.approx(geometry.energy_ev)
    assert back.geometry.distance_m == pytest.approx(geometry.effective_distance_m)
    assert back.geometry.propagation == geometry.propagation
    np.testing.assert_allclose(back.probe, one.probe, rtol=0, atol=2e-6)
    np.testing.assert_allclose(back.positions_px, one.positions_px, rtol=0, atol=1e-6)
    assert back.errors == one.errors


def test_a_ptyr_needs_a_scale(tmp_path):
    with pytest.raises(ScanError, match=r"a .ptyr has all lengths in metres and the pixel size is"):
        io.write_reconstruction(made(Geometry(), pixel=False), tmp_path / "a.ptyr", "ptyr")
    lost = made(geometry=Geometry(8000.0), pixel=False, pixel_size_m=(1e-8, 1e-8))
    with pytest.raises(ScanError, match="the distance is unknown, by which the probe"):
        io.write_reconstruction(lost, tmp_path / "a.ptyr", "ptyr")
    assert list(tmp_path.iterdir()) == []


def test_a_cxi_result_has_the_layout_of_pynx(tmp_path, rng):
    one = made(extras={"position_moves_px": rng.normal(size=(N, 2))})
    height, width = one.pixel_size_m
    with h5py.File(written(tmp_path, one, "cxi")) as file:
        assert file["cxi_version"][()] == 150
        entry = file["entry_last"]
        assert entry == file["entry_1"]
        assert (entry.attrs["NX_class"], entry.attrs["default"]) == ("NXentry", "object")
        for name, number, shape in (("object", 1, (1, *SHAPE)), ("probe", 2, (3, *WINDOW))):
            group = entry[name]
            assert group == entry[f"result_{number}"]
            assert (group.attrs["NX_class"], group.attrs["signal"]) == ("NXdata", "data")
            assert (group["data"].shape, group["data"].dtype) == (shape, np.complex64)
            assert group["data_space"][()] == b"real"
            assert group["x_pixel_size"][()], group["y_pixel_size"][()] == (width, height)
            np.testing.assert_allclose(group["image_size"], (width * shape[-1], height * shape[-2]))
            assert group["row_coords"].attrs["units"] == "m"
        np.testing.assert_array_equal(entry["object/data"][0], one.object)
        # Lower edges, y up: the first row is the upper one.
        rows, columns = (entry[f"object/{name}_coords"][()] for name in ("row", "col"))
        np.testing.assert_allclose(rows, (SHAPE[0] / 2 - 1 - np.arange(SHAPE[0])) * height)
        np.testing.assert_allclose(columns, (np.arange(SHAPE[1]) - SHAPE[1] / 2) * width)
        x, y, dx, dy = entry["positions/data"][()]
        np.testing.assert_allclose(x / width + SHAPE[1] / 2, one.positions_px[:, 1] + WINDOW[1] / 2)
        np.testing.assert_allclose(
            -y / height + SHAPE[0] / 2, one.positions_px[:, 0] + WINDOW[0] / 2
        )
        np.testing.assert_allclose(dx / width, one.extras["position_moves_px"][:, 1])
        np.testing.assert_allclose(-dy / height, one.extras["position_moves_px"][:, 0])
        source = entry["instrument_1/source_1"]
        assert source["energy"][()] == pytest.approx(8000 * 1.602176634e-19)
        assert entry["process_1/program"][()] == b"napari-ptycho"


def write_pynx(path, one, middle):
    """As its `save_ptycho_data_cxi` lays it out: coordinates in nm around a middle of their own."""
    (rows, columns), (height, width) = SHAPE, one.pixel_size_m
    centres = one.positions_px + np.array(WINDOW) / 2 - np.array(SHAPE) / 2
    x, y = centres[:, 1] * width + middle[0], -centres[:, 0] * height + middle[1]
    up = (np.arange(rows) * height + middle[1] - rows * height / 2) * 1e9
    across = (np.arange(columns) * width + middle[0] - columns * width / 2) * 1e9
    values = {
        "result_1/data": one.object[np.newaxis],
        "result_2/data": one.probe,
        "result_1/x_pixel_size": width,
        "result_1/y_pixel_size": height,
        "result_1/row_coords": up[::-1],
        "result_1/col_coords": across,
        "result_5/data": np.array([x, y, 0 * x, 0 * y]),
        "instrument_1/source_1/energy": 8000 * 1.602176634e-19,
        "instrument_1/detector_1/distance": 1.5,
        "instrument_1/detector_1/x_pixel_size": 75e-6,
        "instrument_1/detector_1/y_pixel_size": 55e-6,
    }
    units = {"result_1/row_coords": "nm", "result_1/col_coords": "nm"}
    units["instrument_1/source_1/energy"] = "J"
    with h5py.File(path, "w") as file:
        file["entry_1/instrument_1/source_1/energy"] = 1.0  # of another run
        file["entry_last"] = h5py.SoftLink("/entry_2")
        entry = file.create_group("entry_2")
        for name, value in values.items():
            entry[name] = value
        for name, unit in units.items():
            entry[name].attrs["units"] = unit
        entry["object"], entry["probe"] = (h5py.SoftLink(f"/entry_2/result_{n}") for n in (1, 2))
        entry["data_1/data"] = h5py.SoftLink("/entry_2/result_1/data")


def test_a_result_of_pynx_is_read(tmp_path):
    one, path = made(), tmp_path / "theirs.cxi"
    write_pynx(path, one, (3e-6, -2e-6))
    back = io.read_reconstruction(path)
    np.testing.assert_array_equal(back.object, one.object)
    np.testing.assert_array_equal(back.probe, one.probe)
    np.testing.assert_allclose(back.positions_px, one.positions_px, rtol=0, atol=1e-6)
    assert back.pixel_size_m == one.pixel_size_m
    assert back.geometry.energy_ev == pytest.approx(8000)
    assert (back.geometry.distance_m, back.geometry.detector_pixel_m) == (1.5, (55e-6, 75e-6))
    assert back.extras == {}
    assert back.provenance["format"] == "result of PyNX"


def test_a_broken_result_of_pynx_is_refused_in_a_sentence(tmp_path):
    write_pynx(tmp_path / "theirs.cxi", made(), (0, 0))
    with h5py.File(tmp_path / "theirs.cxi", "r+") as file:
        file["entry_2/result_5/data"][0] = np.nan
    with pytest.raises(ScanError, match=r"result_5/data has shape \(4, 7\); need"):
        io.read_reconstruction(tmp_path / "theirs.cxi")


def followed(file):
    """What a NeXus reader shows first: the signal and axes at the end of the defaults."""
    group = file
    while group.attrs["NX_class"] != "NXdata":
        group = group[group.attrs["default"]]
    axes = [group[name] for name in group.attrs["axes"]]
    return group[group.attrs["signal"]], axes


@pytest.mark.parametrize("known", [True, False])
def test_nexus_is_found_by_its_defaults(tmp_path, known):
    one = made(FAR if known else Geometry(), pixel=known)
    with h5py.File(written(tmp_path, one, "nexus")) as file:
        assert {"default", "file_name", "HDF5_Version"} <= set(file.attrs)
        signal, (y, x) = followed(file)
        assert signal.dtype.kind == "c"
        np.testing.assert_array_equal(signal, one.object)
        pixel, unit = (one.pixel_size_m, "m") if known else ((1, 1), "pixel")
        for places, length, side in zip((y, x), SHAPE, pixel, strict=True):
            assert places.attrs["units"] == unit
            np.testing.assert_allclose(places, (np.arange(length) + 0.5 - length / 2) * side)
        entry = file["entry"]
        np.testing.assert_allclose(entry["object_phase/data"], np.angle(one.object))
        assert entry["object_phase/data"].attrs["units"] == "rad"
        np.testing.assert_allclose(entry["object_modulus/data"], np.abs(one.object))
        assert entry["probe"].attrs["axes"].tolist() == ["mode", "y", "x"]
        assert entry["process_1"].attrs["NX_class"] == "NXprocess"
        assert entry["process_1/program"][()] == b"napari-ptycho"
        assert {"version", "date"} <= set(entry["process_1"])
        said = json.loads(entry["process_1/parameters/data"][()])
        assert said["provenance"] == one.provenance
        assert ("incident_energy" in entry["instrument/beam"]) == known
        assert ("distance" in entry["instrument/detector"]) == known


def test_an_ome_tiff_has_phase_amplitude_and_their_pixel(tmp_path):
    one = made()
    with tifffile.TiffFile(written(tmp_path, one, "ome-tiff")) as file:
        assert file.is_ome
        assert file.series[0].axes == "CYX"
        phase, amplitude = file.asarray()
        said = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]
    assert phase.dtype == np.float32
    np.testing.assert_allclose(phase, np.angle(one.object), rtol=0, atol=1e-6)
    np.testing.assert_allclose(amplitude, np.abs(one.object), rtol=1e-6)
    pixels = said["Pixels"]
    height, width = one.pixel_size_m
    assert pixels["PhysicalSizeX"] == pytest.approx(width * 1e9)
    assert pixels["PhysicalSizeY"] == pytest.approx(height * 1e9)
    assert pixels["PhysicalSizeXUnit"] == pixels["PhysicalSizeYUnit"] == "nm"
    assert [channel["Name"] for channel in pixels["Channel"]] == ["phase_rad", "amplitude"]
    about = json.loads(said["Description"])
    assert (about["errors"], about["provenance"]["seed"]) == ([0.5, 0.25, 0.125], 7)


def test_an_imagej_tiff_has_its_unit(tmp_path):
    one = made()
    with tifffile.TiffFile(written(tmp_path, one, "imagej-tiff")) as file:
        assert file.is_imagej
        assert file.imagej_metadata["unit"] == "um"
        assert file.imagej_metadata["Labels"] == ["phase_rad", "amplitude"]
        top, bottom = file.pages[0].tags["XResolution"].value
        np.testing.assert_allclose(file.asarray()[0], np.angle(one.object), rtol=0, atol=1e-6)
    assert bottom / top == pytest.approx(one.pixel_size_m[1] * 1e6, rel=1e-3)


def test_a_tiff_without_a_scale_says_none(tmp_path):
    one = made(Geometry(), pixel=False)
    with tifffile.TiffFile(written(tmp_path, one, "ome-tiff")) as file:
        assert "PhysicalSize" not in file.ome_metadata
    with tifffile.TiffFile(written(tmp_path, one, "imagej-tiff")) as file:
        assert "unit" not in file.imagej_metadata


def test_plain_arrays_have_the_documented_names(tmp_path):
    one = made()
    with np.load(written(tmp_path, one, "npz"), allow_pickle=False) as archive:
        held = {name: archive[name] for name in archive.files}
    np.testing.assert_array_equal(held["object_pixel_m"], one.pixel_size_m)
    np.testing.assert_allclose(held["positions_m"], one.positions_px * one.pixel_size_m)
    assert held["wavelength_m"] == FAR.wavelength_m
    assert held["distance_m"] == 1.5
    assert json.loads(str(held["settings_json"]))["provenance"] == one.provenance
    plain = written(tmp_path, made(Geometry(), pixel=False), "npz")
    with np.load(plain, allow_pickle=False) as archive:
        assert set(archive.files) == {
            "object",
            "probe",
            "positions_px",
            "errors",
            "settings_json",
        }


def test_the_table_of_positions_tells_the_moves(tmp_path, rng):
    moves = rng.normal(size=(N, 2))
    one = made(extras={"position_moves_px": moves})
    with written(tmp_path, one, "positions").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:3] == ["index", "y_m", "x_m"]
    table = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    height, width = one.pixel_size_m
    assert table["index"].tolist() == list(range(N))
    np.testing.assert_allclose(table["y_m"], one.positions_px[:, 0] * height)
    np.testing.assert_allclose(table["x_m"], one.positions_px[:, 1] * width)
    np.testing.assert_allclose(table["moved_x_m"], moves[:, 1] * width)
    np.testing.assert_allclose(table["original_y_m"], table["y_m"] - table["moved_y_m"])


def test_without_a_scale_the_table_is_in_pixels(tmp_path):
    path = written(tmp_path, made(Geometry(), pixel=False), "positions")
    assert path.read_text().splitlines()[0] == "index,y_px,x_px"


def test_the_probe_alone(tmp_path):
    one = made()
    probe = np.load(written(tmp_path, one, "probe"), allow_pickle=False)
    assert probe.dtype == np.complex64
    np.testing.assert_array_equal(probe, one.probe)


def test_wrong_forms_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(OptionsError, match="a reconstruction cannot be written as 'ours'; it can"):
        io.write_reconstruction(made(), tmp_path / "a.h5", "ours")
    with pytest.raises(OptionsError, match=r"a.npz: more than one format ends so; name one of pro"):
        writing.by_name("reconstruction", "a.npz")
    with pytest.raises(OptionsError, match=r"a.dat: no format of a scan ends so; there are .h5"):
        writing.by_name("scan", "a.dat")
    assert writing.by_name("reconstruction", "a.ome.tif").key == "ome-tiff"
    assert writing.by_name("reconstruction", "A.TIFF").key == "imagej-tiff"


def test_the_table_names_functions_that_are_there():
    for writer in writing.WRITERS:
        module, name = writer.function.split(":")
        assert callable(getattr(__import__(f"napari_ptycho.io.{module}", fromlist=[name]), name))


def test_damaged_files_of_ours_are_refused(tmp_path):
    path = written(tmp_path, made(), "nexus")
    with h5py.File(path, "r+") as file:
        del file["entry/positions/x"]
    with pytest.raises(ScanError, match=r"no dataset 'entry/positions/x', which a reconstruction"):
        io.read_reconstruction(path)
    path = written(tmp_path, made(), "npz")
    with np.load(path) as archive:
        held = {**archive, "settings_json": np.array("{}")}
    np.savez(path, **held)
    with pytest.raises(FileError, match=r"out.npz: could not read it"):
        io.read_reconstruction(path)
