"""What the browser shows of an HDF5 file, and what it proposes."""

import h5py
import hdf5plugin
import numpy as np
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io import browse, read_scan, tree
from napari_ptycho.io.browse import contents, positions_for

N, H, W = 12, 32, 40


def written(tmp_path, parts, name="made.h5", units=()):
    path = tmp_path / name
    with h5py.File(path, "w") as file:
        for inside, value in parts.items():
            file[inside] = value
        for inside, unit in dict(units).items():
            file[inside].attrs["units"] = unit
    return path


def nodes(path):
    return {node.path: node for node in contents(path).nodes}


@pytest.fixture
def frames(rng):
    return rng.poisson(5, (N, H, W)).astype(np.uint16)


@pytest.fixture
def line():
    return np.linspace(0, 1, N) ** 2


def test_a_dataset_is_told_with_shape_chunks_filters_and_units(tmp_path, frames):
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a/gz", data=frames, chunks=(1, 8, 8), compression=5, shuffle=True)
        file.create_dataset("a/bs", data=frames, chunks=(2, H, W), **hdf5plugin.Bitshuffle())
        file.create_dataset("a/zstd", data=frames, **hdf5plugin.Bitshuffle(cname="zstd"))
        file["e"] = 8.5
        file["e"].attrs["units"] = "keV"
        file["who"] = "Röntgen"
        file["long"] = "x" * 5000
        file["v"] = np.zeros(2, [("real", "f4"), ("imag", "f4")])
        file["c"] = np.zeros(2, np.complex64)
        file["empty"] = h5py.Empty("f4")
        file["kind"] = np.dtype("f8")
    found = nodes(path)
    assert list(found)[:3] == ["a", "a/bs", "a/gz"]
    assert found["a"].kind == "group"
    gz = found["a/gz"]
    assert (gz.kind, gz.shape, gz.dtype) == ("dataset", (N, H, W), "uint16")
    assert (gz.chunks, gz.filters) == ((1, 8, 8), ("shuffle", "gzip 5"))
    assert found["a/bs"].filters == ("bitshuffle-LZ4",)
    assert found["a/zstd"].filters == ("bitshuffle-Zstd",)
    assert (found["e"].value, found["e"].units, found["e"].chunks) == ("8.5", "keV", ())
    assert (found["who"].value, found["who"].dtype) == ("Röntgen", "text")
    assert found["long"].value == "x" * 200 + "..."
    assert found["v"].dtype == "compound (real, imag)"
    assert found["c"].dtype == "complex64"
    assert found["empty"].value == "nothing"
    assert found["kind"].dtype == "a named type"
    assert not any(node.problem for node in found.values())


def test_links_are_listed_and_broken_ones_say_what_is_missing(tmp_path, frames):
    written(tmp_path, {"deep/data": frames}, "other.h5")
    path = written(tmp_path, {"here/data": frames})
    with h5py.File(path, "a") as file:
        file["soft"] = h5py.SoftLink("/here/data")
        file["soft_group"] = h5py.SoftLink("/here")
        file["lost"] = h5py.SoftLink("/nowhere")
        file["outside"] = h5py.ExternalLink("other.h5", "/deep")
        file["gone"] = h5py.ExternalLink("gone.h5", "/data")
    found = nodes(path)
    assert (found["soft"].kind, found["soft"].link) == ("dataset", "/here/data")
    assert (found["soft_group"].kind, found["soft_group"].link) == ("group", "/here")
    assert "soft_group/data" not in found
    assert (found["outside"].kind, found["outside"].link) == ("group", "other.h5:/deep")
    assert found["outside/data"].shape == (N, H, W)
    assert (found["lost"].kind, found["lost"].link) == ("missing", "/nowhere")
    assert found["lost"].problem == "'lost' is a link to '/nowhere', which is not in the file"
    assert found["gone"].kind == "missing"
    assert found["gone"].problem == (
        "'gone' lies in another file, gone.h5 (/data), which is not there or lacks it; "
        "put it beside this file"
    )


def test_a_virtual_dataset_names_its_files_and_those_that_are_missing(tmp_path, frames):
    for name in ("one.h5", "two.h5"):
        written(tmp_path, {"data": frames}, name)
    layout = h5py.VirtualLayout((2 * N, H, W), np.uint16)
    layout[:N] = h5py.VirtualSource("one.h5", "data", frames.shape)
    layout[N:] = h5py.VirtualSource("two.h5", "data", frames.shape)
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("data", layout)
    assert nodes(path)["data"].link == "virtual, of one.h5:data, two.h5:data"
    assert nodes(path)["data"].kind == "dataset"
    (tmp_path / "two.h5").unlink()
    found = nodes(path)["data"]
    assert (found.kind, found.shape) == ("missing", (2 * N, H, W))
    assert "1 are missing (two.h5, ...)" in found.problem
    assert contents(path).frames == ()


def test_a_missing_filter_is_a_problem_of_its_dataset_only(tmp_path, frames, monkeypatch):
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=frames, **hdf5plugin.Bitshuffle())
        file["plain"] = frames
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code != 32008)
    found = contents(path)
    node = next(node for node in found.nodes if node.path == "data")
    assert node.kind == "missing"
    assert "compressed with filter 32008" in node.problem
    assert [one.paths for one in found.frames] == [("plain",)]


def test_circles_end(tmp_path, frames):
    path = written(tmp_path, {"a/b/data": frames})
    with h5py.File(path, "a") as file:
        file["a/b/again"] = file["a"]
        file["a/root"] = file["/"]
        file["self"] = h5py.ExternalLink("made.h5", "/a")
        file["round"] = h5py.SoftLink("/round")
    found = nodes(path)
    assert found["a/b/again"].link == "listed elsewhere"
    assert found["a/root"].link == "listed elsewhere"
    assert found["self"].link == "made.h5:/a"
    assert found["round"].kind == "missing"
    assert len(found) == 7


def test_a_tree_without_end_is_cut_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "MOST_MEMBERS", 10)
    path = written(tmp_path, {f"many/{n:03}": n for n in range(25)})
    found = contents(path)
    assert len(found.nodes) == 11
    assert found.nodes[0].problem == "has 25 entries; the first 10 are listed"
    monkeypatch.setattr(tree, "MOST_NODES", 5)
    cut = contents(written(tmp_path, {"a/b/c": 1, "a/d": 1, "e/f": 1, "g": 1}, "wide.h5"))
    assert [node.path for node in cut.nodes] == ["a", "a/b", "a/d", "e", "g"]
    assert cut.notes == ("Only 5 entries of the file are listed.",)
    deep = written(tmp_path, {"/".join(["g"] * 200): 1}, "deep.h5")
    monkeypatch.setattr(tree, "MOST_NODES", 5000)
    last = contents(deep).nodes[-1]
    assert last.problem == f"deeper than {tree.DEEPEST} levels; not listed"


def test_frames_are_ranked_with_the_reason(tmp_path, frames, rng):
    path = written(
        tmp_path,
        {
            "entry/mask": np.ones((N, H, W), np.uint8),
            "entry/small": np.zeros((N, 9, 9), np.float32),
            "entry/line": np.zeros((N, 3, 4)),
            "entry/image": np.zeros((H, W)),
            "entry/object": rng.normal(size=(2, H, W)) + 1j,
            "entry/eiger/data": frames,
        },
    )
    found = contents(path).frames
    assert [one.paths[0] for one in found] == ["entry/eiger/data", "entry/mask", "entry/small"]
    assert found[0].why == (
        "3 axes, frames of 32 x 40 pixels, the largest, whole numbers, called 'data'"
    )
    assert found[0].score == 1.0
    assert found[1].why.endswith("but called 'mask'")
    assert sorted((one.score for one in found), reverse=True) == [one.score for one in found]


def test_a_dataset_with_many_links_is_one_candidate(tmp_path, frames, line):
    path = written(tmp_path, {"z/frames": frames, "z/pos": np.stack([line, line[::-1]], 1)})
    with h5py.File(path, "a") as file:
        file["a"] = h5py.SoftLink("/z/frames")
        file["b"] = h5py.SoftLink("/z/pos")
    found = contents(path)
    assert [one.paths for one in found.frames] == [("z/frames",)]
    assert [one.paths for one in found.positions] == [("z/pos",)]


@pytest.mark.parametrize("shape", [(N, 2), (2, N), (N, 3), (3, N), (3, 4, 2), (2, 3, 4)])
def test_one_dataset_of_positions(tmp_path, frames, rng, shape):
    parts = {"data": frames, "points": rng.normal(size=shape), "other": rng.normal(size=(N, 4))}
    found = contents(written(tmp_path, parts, units={"points": "um"}))
    assert [one.paths for one in found.positions] == [("points",)]
    assert found.positions[0].why.endswith(f"for {N} frames, in um, called 'points'")
    assert found.positions[0].count == N
    assert found.layout.positions == "points"
    assert found.layout.position_unit == "um"


def test_two_datasets_are_y_and_x_by_their_names(tmp_path, frames, line):
    parts = {
        "data": frames,
        "i/SampleX/SampleX_value": line,
        "i/SampleY/SampleY_value": line + 1,
        "exposure_time": line,
    }
    found = contents(written(tmp_path, parts, units={"i/SampleY/SampleY_value": "mm"}))
    assert found.positions[0].paths == ("i/SampleY/SampleY_value", "i/SampleX/SampleX_value")
    assert len(found.positions) == 1
    assert (found.layout.positions_y, found.layout.positions_x) == found.positions[0].paths
    assert found.layout.position_unit == "mm"


def test_rows_and_columns_whose_product_fits(tmp_path, rng):
    frames = rng.poisson(5, (3, 4, H, W)).astype(np.uint16)
    parts = {"data": frames, "y": np.arange(3.0), "x": np.arange(4.0)}
    found = contents(written(tmp_path, parts))
    assert found.positions[0].paths == ("y", "x")
    assert found.positions[0].why == "3 rows x 4 columns = 12 frames"
    assert found.layout.extra_axis == "none"


def test_positions_that_do_not_change_come_last(tmp_path, frames, line):
    parts = {
        "data": frames,
        "read/pos_x": np.zeros(N),
        "read/pos_y": np.zeros(N),
        "set/pos_x": line,
        "set/pos_y": line,
        "nan/pos_x": np.full(N, np.nan),
        "nan/pos_y": line,
    }
    found = contents(written(tmp_path, parts)).positions
    assert found[0].paths == ("set/pos_y", "set/pos_x")
    whys = {one.paths[0]: one.why for one in found}
    assert whys["read/pos_y"].endswith("but it does not change")
    assert whys["nan/pos_y"].endswith("but it holds no finite number")


def test_a_damaged_dataset_is_doubted_and_the_rest_is_shown(tmp_path, frames, line):
    path = written(tmp_path, {"data": frames})
    with h5py.File(path, "a") as file:
        made = file.create_dataset("pos", data=np.stack([line, -line], 1), compression="gzip")
        at = made.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(content)
    found = contents(path)
    assert found.frames[0].paths == ("data",)
    assert found.positions[0].why.endswith("but it cannot be read")
    assert found.layout.positions == ""


@pytest.mark.parametrize(("size", "told"), [(N + 2, "but 12 frames"), (3 * N, "3 for each of 12")])
def test_positions_of_other_sizes_are_offered_but_not_chosen(tmp_path, frames, size, told):
    many = np.linspace(0, 1, size)
    found = contents(written(tmp_path, {"data": frames, "pos_y": many, "pos_x": many}))
    assert told in found.positions[0].why
    assert found.positions[0].score < 0.5


def test_an_axis_that_is_neither_scan_nor_frame_is_found_by_the_positions(tmp_path, rng, line):
    frames = rng.poisson(5, (2, N, H, W)).astype(np.uint16)
    parts = {"data": frames, "pos": np.stack([line, -line], 1)}
    layout = contents(written(tmp_path, parts)).layout
    assert (layout.extra_axis, layout.frame_axes) == ("first", "last")
    parts["data"] = frames.transpose(1, 0, 2, 3)
    layout = contents(written(tmp_path, parts, "second.h5")).layout
    assert layout.extra_axis == "second"


def test_frames_in_the_first_axes_are_found_by_the_positions(tmp_path, frames, line):
    parts = {"data": frames.transpose(1, 2, 0), "pos": np.stack([line, -line], 1)}
    assert contents(written(tmp_path, parts)).layout.frame_axes == "first"
    square = {"data": np.zeros((H, H, W), np.uint16)}
    assert contents(written(tmp_path, square, "square.h5")).layout.frame_axes == "first"


def test_mask_and_numbers_are_proposed_unless_they_say_nothing(tmp_path, frames):
    parts = {
        "data": frames,
        "pixel_mask": np.zeros((H, W), np.uint32),
        "mask_other": np.zeros((3, 3)),
        "machine/energy": 6.0,
        "mono/energy": 8.5,
        "z/distance": 0.0,
        "cam/distance_mm": 1200.0,
        "ccd_pixel_um": 55.0,
        "x_pixel_size": 55.0,
    }
    layout = contents(written(tmp_path, parts, units={"machine/energy": "GeV"})).layout
    assert layout.mask == "pixel_mask"
    assert layout.energy == "mono/energy"
    assert layout.distance == "cam/distance_mm"
    assert layout.detector_pixel == "x_pixel_size"
    assert (layout.dark, layout.flat) == ("", "")


def test_positions_for_other_frames(tmp_path, frames, line):
    parts = {"big/data": np.zeros((20, 64, 64), np.uint16), "small/raw": frames, "pos": None}
    parts["pos"] = np.stack([line, -line], 1)
    path = written(tmp_path, parts)
    assert contents(path).positions == ()
    assert [one.paths for one in positions_for(path, "/small/raw")] == [("pos",)]
    assert positions_for(path, "nothing") == ()


def test_a_file_without_frames_has_a_tree(tmp_path):
    found = contents(written(tmp_path, {"a": 1}))
    assert [node.path for node in found.nodes] == ["a"]
    assert (found.frames, found.positions) == ((), ())
    assert found.layout == browse.Layout()


def test_what_is_no_hdf5_is_said_in_one_sentence(tmp_path):
    np.savez(tmp_path / "a.npz", a=1)
    (tmp_path / "b.h5").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(FileError, match=r"a\.npz: is a zip file; only HDF5 files have a tree"):
        contents(tmp_path / "a.npz")
    with pytest.raises(FileError, match=r"b\.h5: not an HDF5 file, but a Git LFS pointer"):
        contents(tmp_path / "b.h5")
    with pytest.raises(FileError, match="no such file"):
        positions_for(tmp_path / "c.h5", "data")


@pytest.mark.real
def test_what_is_proposed_for_a_real_file_reads_as_the_format_does(real_data):
    path = next((real_data / "p25_nearfield").glob("*.cxi"))
    found = contents(path)
    assert found.frames[0].paths == ("entry_1/instrument_1/detector_1/data",)
    assert found.positions[0].paths == ("entry_1/sample_1/geometry_1/translation",)
    ours, known = read_scan(path, layout=found.layout), read_scan(path)
    np.testing.assert_array_equal(ours.patterns, known.patterns)
    np.testing.assert_array_equal(ours.positions_m, known.positions_m)
    np.testing.assert_array_equal(ours.valid, known.valid)
    assert ours.geometry.distance_m == known.geometry.distance_m == 1.12
    assert ours.geometry.energy_ev == pytest.approx(known.geometry.energy_ev, rel=1e-6)


@pytest.mark.real
def test_a_detector_without_its_data_file(real_data, tmp_path):
    master = next((real_data / "dectris_arina_bslz4").glob("*master.h5"))
    whole = contents(master)
    assert whole.frames[0].paths == ("entry/data/data_000001",)
    (tmp_path / master.name).write_bytes(master.read_bytes())
    lost = contents(tmp_path / master.name)
    assert lost.frames == ()
    node = next(node for node in lost.nodes if node.path == "entry/data/data_000001")
    assert node.kind == "missing"
    assert "put it beside this file" in node.problem
