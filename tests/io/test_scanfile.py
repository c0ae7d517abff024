import dataclasses
import json
from functools import partial

import dask.array as da
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ptycho.errors import FileError, OptionsError, ScanError
from napari_ptycho.io import read_scan, write_scan
from napari_ptycho.model import Scan


def assert_same(one, other):
    for field in dataclasses.fields(Scan):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray | da.Array):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=field.name)
        else:
            assert a == b, field.name


def test_a_scan_comes_back_as_it_was(scan, tmp_path):
    write_scan(scan, tmp_path / "scan.h5")
    assert_same(scan, read_scan(tmp_path / "scan.h5"))


def test_a_scan_in_pixels_with_a_mask_per_frame(scan, tmp_path):
    valid = np.ones(scan.patterns.shape, bool)
    valid[3, 4, 5] = False
    other = dataclasses.replace(
        scan, positions_m=None, positions_px=scan.positions_m * 1e8, valid=valid, probe=None
    )
    write_scan(other, tmp_path / "scan.h5")
    assert_same(other, read_scan(tmp_path / "scan.h5"))
    lazy = read_scan(tmp_path / "scan.h5", lazy_above_bytes=0)
    assert isinstance(lazy.valid, da.Array)
    assert_same(other, lazy)


@given(
    arrays(
        st.sampled_from([np.dtype(t) for t in ("u1", "u2", "u4", "u8", "i4", "f4", "f8")]),
        (3, 5, 4),
        elements={"min_value": 0, "max_value": 200},
    )
)
def test_any_counts_survive(tmp_path_factory, patterns):
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    write_scan(Scan(patterns, positions_px=np.zeros((3, 2))), path)
    back = read_scan(path).patterns
    assert back.dtype == patterns.dtype
    np.testing.assert_array_equal(back, patterns)


def test_a_lazy_scan_is_written_block_by_block(scan, tmp_path, monkeypatch):
    read = []
    source = da.map_blocks(
        lambda block: read.append(len(block)) or block,
        da.from_array(scan.patterns, chunks=(4, -1, -1)),
        dtype=scan.patterns.dtype,
        meta=np.empty((0, 0, 0), scan.patterns.dtype),
    )
    lazy = dataclasses.replace(scan, patterns=source)
    blocks = partial(Scan.blocks, lazy, 1)
    monkeypatch.setattr(Scan, "blocks", lambda self: blocks())
    write_scan(lazy, tmp_path / "scan.h5")
    assert read == [4, 4, 4]
    assert_same(scan, read_scan(tmp_path / "scan.h5"))


def test_frames_lie_in_small_packed_chunks(scan, tmp_path):
    write_scan(scan, tmp_path / "scan.h5")
    big = Scan(np.zeros((2, 600, 600), np.uint16), positions_px=np.zeros((2, 2)))
    write_scan(big, tmp_path / "big.h5")
    with h5py.File(tmp_path / "scan.h5") as file, h5py.File(tmp_path / "big.h5") as other:
        assert file["patterns"].chunks == (12, 32, 24)
        assert other["patterns"].chunks == (1, 600, 600)
        assert other["patterns"].id.get_create_plist().get_filter(0)[0] == 32008
        assert file.attrs["format"] == "napari-ptycho scan"
        assert file.attrs["version"] == 1


def test_the_user_may_correct_what_is_stored(scan, tmp_path):
    write_scan(scan, tmp_path / "scan.h5")
    back = read_scan(tmp_path / "scan.h5", {"distance_m": 3, "energy_ev": None})
    assert back.geometry == dataclasses.replace(scan.geometry, distance_m=3.0, energy_ev=None)
    assert back.sources["distance_m"] == "user"
    assert back.sources["patterns"] == "file: somewhere"


@pytest.mark.parametrize(
    ("geometry", "sentence"),
    [
        ({"colour": 3}, "geometry has no 'colour'; it has energy_ev, distance_m"),
        ({"energy_ev": "high"}, "need a number"),
        ({"energy_ev": [1, 2]}, "need one number"),
        ({"detector_pixel_m": [1, 2, 3]}, "need one number"),
    ],
)
def test_a_senseless_geometry_is_refused(scan, tmp_path, geometry, sentence):
    write_scan(scan, tmp_path / "scan.h5")
    with pytest.raises(OptionsError) as caught:
        read_scan(tmp_path / "scan.h5", geometry)
    assert sentence in str(caught.value)


def test_an_impossible_geometry_is_refused(scan, tmp_path):
    write_scan(scan, tmp_path / "scan.h5")
    with pytest.raises(ScanError, match="energy_ev is -3"):
        read_scan(tmp_path / "scan.h5", {"energy_ev": -3})


def test_a_newer_version_is_refused(scan, tmp_path):
    write_scan(scan, tmp_path / "scan.h5")
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        file.attrs["version"] = 2
    with pytest.raises(FileError, match="written in version 2"):
        read_scan(tmp_path / "scan.h5")


@pytest.mark.parametrize("name", ["patterns", "valid", "geometry", "sources", "notes"])
def test_a_lost_part_is_named(scan, tmp_path, name):
    write_scan(scan, tmp_path / "scan.h5")
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        del file[name]
    with pytest.raises(ScanError, match=f"no dataset '{name}'"):
        read_scan(tmp_path / "scan.h5")


def test_broken_json_is_one_sentence(scan, tmp_path):
    write_scan(scan, tmp_path / "scan.h5")
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        del file["notes"]
        file["notes"] = json.dumps(["x"])[:-1]
    with pytest.raises(FileError, match=r"scan.h5: could not read it"):
        read_scan(tmp_path / "scan.h5")
