"""Scans in every form: back as they were, laid out as each format wants it, lazy ones by blocks."""

import dataclasses

import h5py
import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.model import Geometry

from .conftest import DETECTOR, H, N, W

FAR = Geometry(8000.0, 1.5, (55e-6, 75e-6))


@pytest.fixture
def far(scan):
    return dataclasses.replace(scan, geometry=FAR)


def test_a_cxi_file_has_the_documented_layout(far, tmp_path):
    io.write_scan(far, tmp_path / "a.cxi", "cxi")
    with h5py.File(tmp_path / "a.cxi") as file:
        assert file["cxi_version"][()] == 160
        data = file[f"{DETECTOR}/data"]
        assert data.dtype == np.uint16
        assert data.chunks == (1, H, W)
        assert data.compression == "gzip"
        np.testing.assert_array_equal(data, far.patterns)
        assert file["entry_1/data_1/data"] == data
        # The sample moves against the probe, x points left, y up: the signs cancel.
        moved = file["entry_1/data_1/translation"]
        assert moved.shape == (N, 3)
        np.testing.assert_array_equal(moved[:, 0], far.positions_m[:, 1])
        np.testing.assert_array_equal(moved[:, 1], far.positions_m[:, 0])
        assert not moved[:, 2].any()
        assert moved == file["entry_1/sample_1/geometry_1/translation"]
        mask = file[f"{DETECTOR}/mask"]
        assert mask.dtype == np.uint32
        assert mask[3, 4] != 0
        assert np.count_nonzero(mask) == 1
        source = file["entry_1/instrument_1/source_1"]
        assert source["energy"][()] == pytest.approx(8000 * 1.602176634e-19)
        assert source["wavelength"][()] == pytest.approx(FAR.wavelength_m)
        detector = file[DETECTOR]
        assert detector["distance"][()] == 1.5
        assert (detector["y_pixel_size"][()], detector["x_pixel_size"][()]) == (55e-6, 75e-6)
        np.testing.assert_array_equal(detector["basis_vectors"], [[0, -55e-6, 0], [-75e-6, 0, 0]])
        np.testing.assert_array_equal(source["illumination"], far.probe)


@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize("lazy", [False, True])
def test_cxi_comes_back(far, tmp_path, lazy, per_frame):
    if per_frame:
        valid = np.repeat(far.valid[np.newaxis], N, axis=0)
        valid[5, 7, 8] = False
        far = dataclasses.replace(far, valid=valid)
    if lazy:
        io.write_scan(far, tmp_path / "ours.h5")
        far = io.read_scan(tmp_path / "ours.h5", lazy_above_bytes=0)
        assert far.is_lazy
    io.write_scan(far, tmp_path / "a.cxi", "cxi")
    back = io.read_scan(tmp_path / "a.cxi")
    np.testing.assert_array_equal(back.patterns, far.patterns)
    np.testing.assert_allclose(back.positions_m, far.positions_m, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(back.valid, far.valid)
    assert back.geometry.energy_ev == pytest.approx(8000)
    assert (back.geometry.distance_m, back.geometry.detector_pixel_m) == (1.5, (55e-6, 75e-6))


def test_cxi_tells_only_what_is_known(far, tmp_path):
    bare = dataclasses.replace(far, geometry=Geometry(), probe=None, exposure=None)
    io.write_scan(bare, tmp_path / "a.cxi", "cxi")
    with h5py.File(tmp_path / "a.cxi") as file:
        assert list(file["entry_1/instrument_1/source_1"]) == []
        assert sorted(file[DETECTOR]) == ["data", "mask"]
    assert io.read_scan(tmp_path / "a.cxi").geometry == Geometry()


def test_cxi_knows_no_electrons(far, tmp_path):
    electrons = Geometry(300e3, 1.5, (55e-6, 75e-6), particle="electron")
    io.write_scan(dataclasses.replace(far, geometry=electrons), tmp_path / "a.cxi", "cxi")
    assert io.read_scan(tmp_path / "a.cxi").geometry.energy_ev is None


def in_pixels(scan, geometry):
    return dataclasses.replace(
        scan, positions_m=None, positions_px=np.full((N, 2), 3.0), geometry=geometry
    )


def test_positions_in_pixels_need_a_scale_for_cxi(far, tmp_path):
    with pytest.raises(ScanError, match="its positions are in object pixels of unknown size and"):
        io.write_scan(in_pixels(far, Geometry()), tmp_path / "a.cxi", "cxi")
    assert list(tmp_path.iterdir()) == []
    io.write_scan(in_pixels(far, FAR), tmp_path / "a.cxi", "cxi")
    height, width = FAR.pixel_size_m((H, W))
    with h5py.File(tmp_path / "a.cxi") as file:
        np.testing.assert_allclose(
            file["entry_1/data_1/translation"][0], (3 * width, 3 * height, 0)
        )


def test_the_table_of_positions(far, tmp_path):
    io.write_scan(far, tmp_path / "a.csv", "positions")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "index,y_m,x_m"
    table = np.array([[float(word) for word in line.split(",")] for line in lines[1:]])
    np.testing.assert_array_equal(table, np.column_stack([np.arange(N), far.positions_m]))
    io.write_scan(in_pixels(far, Geometry()), tmp_path / "b.csv", "positions")
    assert (tmp_path / "b.csv").read_text().splitlines()[:2] == ["index,y_px,x_px", "0,3.0,3.0"]


def test_the_table_is_read_as_the_positions_of_frames(far, tmp_path):
    io.write_scan(far, tmp_path / "a.csv", "positions")
    np.save(tmp_path / "frames.npy", far.patterns)
    back = io.read_scan(tmp_path / "frames.npy", positions=tmp_path / "a.csv")
    np.testing.assert_allclose(back.positions_m, far.positions_m, rtol=0, atol=1e-15)


def test_a_probe_alone_or_none(far, tmp_path):
    io.write_scan(far, tmp_path / "a.npy", "probe")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), far.probe)
    with pytest.raises(ScanError, match="made up: has no probe to write"):
        io.write_scan(dataclasses.replace(far, probe=None), tmp_path / "b.npy", "probe")


@pytest.mark.parametrize("form", ["ours", "cxi"])
def test_a_lazy_scan_is_never_whole_in_memory(far, tmp_path, form, monkeypatch):
    many = dataclasses.replace(
        far,
        patterns=np.tile(far.patterns, (40, 1, 1)),
        positions_m=np.tile(far.positions_m, (40, 1)),
        exposure=None,
    )
    io.write_scan(many, tmp_path / "ours.h5")
    lazy = io.read_scan(tmp_path / "ours.h5", lazy_above_bytes=0)
    lazy = dataclasses.replace(lazy, patterns=lazy.patterns.rechunk((50, H, W)))
    sizes = []

    def noted(array, *args, **kwargs):
        block = compute(array, *args, **kwargs)
        sizes.append(len(block))
        return block

    compute = type(lazy.patterns).__array__
    monkeypatch.setattr(type(lazy.patterns), "__array__", noted)
    monkeypatch.setattr("napari_ptycho.model.scan.BLOCK_BYTES", 1)
    monkeypatch.setattr(type(lazy).blocks, "__defaults__", (1,))
    io.write_scan(lazy, tmp_path / "copy", form)
    monkeypatch.undo()
    assert sum(sizes) == len(many)
    assert max(sizes) == 50
    back = io.read_scan(tmp_path / "copy")
    np.testing.assert_array_equal(back.patterns, many.patterns)


def test_the_file_it_is_read_from_is_refused_in_any_form(far, tmp_path):
    io.write_scan(far, tmp_path / "a.cxi", "cxi")
    lazy = io.read_scan(tmp_path / "a.cxi", lazy_above_bytes=0)
    with pytest.raises(FileError, match="an open scan still reads its patterns from this file"):
        io.write_scan(lazy, tmp_path / "a.cxi", "cxi")


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        (np.uint32, np.uint32),
        (np.uint16, np.uint16),
        (np.int64, np.float64),
        (np.float64, np.float32),
        (bool, np.uint8),
    ],
)
def test_a_tiff_of_frames(tmp_path, counts, dtype, stored):
    frames = counts.astype(dtype)
    io.write_tiff(frames, tmp_path / "a.ome.tif", (55e-6, 75e-6))
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert (file.series[0].axes, file.series[0].dtype) == ("TYX", stored)
        np.testing.assert_array_equal(file.asarray(), frames)
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == pytest.approx((55e3, 75e3))


def test_a_tiff_holds_no_complex_numbers(tmp_path):
    with pytest.raises(FileError, match=r"a.tif: a TIFF cannot hold complex numbers"):
        io.write_tiff(np.ones((4, 4), complex), tmp_path / "a.tif", None)


@pytest.mark.real
def test_the_measured_near_field_scan_comes_back(real_data, tmp_path):
    (source,) = (real_data / "p25_nearfield").glob("*.cxi")
    scan = io.read_scan(source, {"propagation": "near", "focus_to_sample_m": 3.65e-3})
    io.write_scan(scan, tmp_path / "a.cxi", "cxi")
    back = io.read_scan(tmp_path / "a.cxi", scan.geometry)
    np.testing.assert_array_equal(back.patterns, scan.patterns)
    np.testing.assert_array_equal(back.positions_m, scan.positions_m)
    np.testing.assert_array_equal(back.valid, scan.valid)
