import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import read_scan

N, H, W = 12, 32, 24


def put(group, name, value, kind="array"):
    """Write a value as PtyPy does."""
    if kind == "None":
        value = np.array([np.nan])
    group[name] = value
    group[name].attrs["type"] = kind


def put_chunk(group, number, counts, positions, per=4, parts=None):
    """Write chunk `number` of `per` frames; None leaves a part out."""
    at = slice(per * number, per * (number + 1))
    usual = {
        "data": counts[at].astype(np.uint16),
        "positions": positions[at],
        "weights": np.empty(0),
        "indices": np.arange(at.start, at.stop),
    }
    for name, value in {**usual, **(parts or {})}.items():
        if value is not None:
            put(group, name, value)
    group.attrs["type"] = "dict"


@pytest.fixture
def ptyd(tmp_path, counts, positions):
    """Write a .ptyd of some chunks and return its path; keywords replace parts of the meta data."""

    def write(chunks=range(3), chunk=None, info=None, **meta):
        path = tmp_path / "run.ptyd"
        usual = {
            "energy": 6.2,
            "distance": 7.0,
            "psize": np.array([172e-6, 100e-6]),
            "shape": np.array([H, W]),
            "center": np.array([H / 2, W / 2]),
            "num_frames": N,
        }
        with h5py.File(path, "w") as file:
            file.attrs["h5rw_version"] = "0.1"
            file.create_group("meta").attrs["type"] = "param"
            file.create_group("info").attrs["type"] = "param"
            for name, value in {**usual, **meta}.items():
                if value is not None:
                    put(file["meta"], name, value, "scalar" if np.ndim(value) == 0 else "array")
            put(file["meta"], "label", None, "None")
            for name, value in (info or {}).items():
                put(file["info"], name, value)
            for number in chunks:
                group = file.create_group(f"chunks/{number}")
                put_chunk(group, number, counts, positions, parts=(chunk or {}).get(number))
        return path

    return write


def test_a_usual_file(ptyd, counts, positions):
    scan = read_scan(ptyd())
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.geometry.energy_ev == pytest.approx(6200)
    assert scan.geometry.distance_m == 7
    assert scan.geometry.detector_pixel_m == (172e-6, 100e-6)
    assert scan.geometry.propagation == "far"
    assert scan.valid.all()
    assert scan.sources["energy_ev"] == "file: /meta/energy"
    assert scan.sources["positions_m"] == "file: /chunks"
    assert scan.notes == ()


def test_chunks_are_sorted_as_numbers(tmp_path, counts, positions):
    path = tmp_path / "many.ptyd"
    with h5py.File(path, "w") as file:
        file.create_group("meta")
        for number in range(12):
            put_chunk(file.create_group(f"chunks/{number}"), number, counts, positions, per=1)
    scan = read_scan(path, lazy_above_bytes=0)
    np.testing.assert_array_equal(scan.patterns.compute(), counts)
    np.testing.assert_allclose(scan.positions_m, positions)


def test_what_is_none_or_zero_is_unknown(ptyd):
    path = ptyd(energy=0.0, distance=None, psize=None, center=None)
    with h5py.File(path, "a") as file:
        put(file["meta"], "distance", None, "None")
        put(file["meta"], "psize", None, "None")
    scan = read_scan(path)
    geometry = scan.geometry
    assert (geometry.energy_ev, geometry.distance_m, geometry.detector_pixel_m) == (None,) * 3
    assert scan.sources["detector_pixel_m"] == "unknown"


def test_one_pixel_size_and_near_field(ptyd):
    scan = read_scan(ptyd(psize=55e-6, propagation="nearfield"))
    assert scan.geometry.detector_pixel_m == (55e-6, 55e-6)
    assert scan.geometry.propagation == "near"
    assert scan.sources["propagation"] == "file: /meta/propagation"


def test_a_centre_off_the_middle_is_told(ptyd):
    notes = read_scan(ptyd(center=np.array([10.0, 12.0]))).notes
    assert any(
        "beam centre is at (10, 12) (y, x), the middle of a frame at (16, 12)" in n for n in notes
    )


def test_weights_above_zero_are_good(ptyd):
    weights = np.full((4, H, W), 0.5)
    weights[:, 3, 4] = 0
    scan = read_scan(ptyd(chunk={number: {"weights": weights} for number in range(3)}))
    assert scan.valid.shape == (H, W)
    assert np.argwhere(~scan.valid).tolist() == [[3, 4]]
    assert scan.sources["valid"] == "file: /chunks"


def test_weights_that_differ_are_kept_for_each_frame(ptyd):
    weights = np.ones((4, H, W), np.float32)
    weights[2, 5, 6] = 0
    scan = read_scan(ptyd(chunk={1: {"weights": weights}}))
    assert np.argwhere(~scan.valid).tolist() == [[6, 5, 6]]


def test_of_very_many_weights_some_are_looked_at(ptyd, monkeypatch):
    monkeypatch.setattr("napari_ptycho.io.formats.ptyd.MOST_WEIGHTS", 100)
    weights = np.ones((4, H, W), np.float32)
    weights[3, 5, 6] = weights[1, 7, 8] = 0
    scan = read_scan(ptyd(chunk={1: {"weights": weights}}))
    assert np.argwhere(~scan.valid).tolist() == [[5, 6]]
    assert any("first, middle and last frame were looked at" in note for note in scan.notes)


def test_one_weight_for_all_frames(ptyd):
    path = ptyd()
    weights = np.ones((H, W))
    weights[0, 1] = 0
    with h5py.File(path, "a") as file:
        put(file, "common/weight2d", weights)
    scan = read_scan(path)
    assert np.argwhere(~scan.valid).tolist() == [[0, 1]]


def test_weights_of_another_shape_are_refused(ptyd):
    with pytest.raises(ScanError, match=r"the weights of chunk 1 are float64 of shape \(2, 3\); n"):
        read_scan(ptyd(chunk={1: {"weights": np.ones((2, 3))}}))


def test_planned_positions_stand_for_those_of_the_chunks(ptyd, positions):
    without = {number: {"positions": None} for number in range(3)}
    scan = read_scan(ptyd(chunk=without, info={"positions_scan": positions}))
    np.testing.assert_allclose(scan.positions_m, positions)
    with pytest.raises(NeedsPositions, match=r"run.ptyd: holds 12 frames but no positions"):
        read_scan(ptyd(chunk=without))
    np.savetxt(path := ptyd().with_suffix(".txt"), positions)
    assert len(read_scan(ptyd(chunk=without), positions=path)) == N


def test_frames_without_positions_are_left_out(ptyd, counts, positions):
    scan = read_scan(ptyd(chunk={1: {"positions": positions[4:6]}}))
    kept = [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]
    np.testing.assert_array_equal(scan.patterns, counts[kept])
    np.testing.assert_allclose(scan.positions_m, positions[kept])
    assert any("has 4 frames but 2 positions" in note for note in scan.notes)


@pytest.fixture
def linked(tmp_path, counts, positions):
    """Write a .ptyd whose chunks lie in files of their own, and return its path."""

    def write(folder):
        path = tmp_path / "run.ptyd"
        with h5py.File(path, "w") as file:
            file.create_group("meta")
            for number in range(3):
                name = f"run.ptyd.part{number:03d}"
                with h5py.File(tmp_path / name, "w") as part:
                    put_chunk(part, number, counts, positions)
                file[f"chunks/{number}"] = h5py.ExternalLink(f"{folder}{name}", "/")
        return path

    return write


@pytest.mark.parametrize("folder", ["", "/gone/elsewhere/", "C:\\data\\"])
@pytest.mark.parametrize("limit", [0, 2**30])
def test_linked_chunks_are_found_beside_the_file(linked, counts, positions, folder, limit):
    scan = read_scan(linked(folder), lazy_above_bytes=limit)
    np.testing.assert_array_equal(np.asarray(scan.patterns), counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.notes == ()


def test_a_missing_chunk_is_told(linked, counts, positions, tmp_path):
    path = linked("")
    (tmp_path / "run.ptyd.part001").unlink()
    scan = read_scan(path)
    kept = [0, 1, 2, 3, 8, 9, 10, 11]
    np.testing.assert_array_equal(scan.patterns, counts[kept])
    np.testing.assert_allclose(scan.positions_m, positions[kept])
    assert scan.notes == ("Chunk 1 of 3 is missing: frames 4..7 are left out.",)
    (tmp_path / "run.ptyd.part002").unlink()
    notes = read_scan(path).notes
    assert "Chunk 1 of 3 is missing: its frames are left out." in notes
    assert "Chunk 2 of 3 is missing: its frames are left out." in notes
    (tmp_path / "run.ptyd.part000").unlink()
    with pytest.raises(FileError, match=r"first lies in run.ptyd.part000, which is not there; put"):
        read_scan(path)


def test_a_chunk_that_is_not_in_the_file_is_told(ptyd, counts):
    scan = read_scan(ptyd(chunks=[0, 2]))
    np.testing.assert_array_equal(scan.patterns, np.delete(counts, range(4, 8), axis=0))
    assert scan.notes == ("Chunk 1 of 3 is missing: frames 4..7 are left out.",)


def test_a_damaged_chunk_is_named(linked, tmp_path):
    path = linked("")
    whole = (tmp_path / "run.ptyd.part001").read_bytes()
    (tmp_path / "run.ptyd.part001").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"run.ptyd.part001: the file is incomplete"):
        read_scan(path)


def test_pickles_are_never_opened(ptyd):
    path = ptyd(chunk={0: {"positions": None}})
    with h5py.File(path, "a") as file:
        put(file["chunks/0"], "positions", np.bytes_(b"cos\nsystem\n(S'false'\ntR."), "pickle")
    with pytest.raises(ScanError, match="is stored as a pickle, which is never opened"):
        read_scan(path)


def test_chunks_must_be_alike(ptyd, counts):
    with pytest.raises(ScanError, match=r"chunk 2 has frames of \(16, 24\) int64, but the first h"):
        read_scan(ptyd(chunk={2: {"data": counts[8:, :16]}}))
    with pytest.raises(ScanError, match=r"data of chunk 0 have shape \(32, 24\); need \(M, h, w\)"):
        read_scan(ptyd(chunk={0: {"data": counts[0]}}))
    empty = {number: {"data": np.empty((0, H, W))} for number in range(3)}
    with pytest.raises(FileError, match="none of its chunks holds a frame"):
        read_scan(ptyd(chunk=empty))
