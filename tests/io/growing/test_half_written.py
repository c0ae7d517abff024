"""Files that are not whole: snapshots of what a writer leaves on the disk at some moment."""

import struct

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsLayout, NeedsPositions, OptionsError
from napari_ptycho.io import open_growing, read_scan
from napari_ptycho.io.growing import files, looking
from napari_ptycho.io.layout import Layout
from napari_ptycho.prepare.detector import DetectorOptions

N, SIDE = 24, 32
CLOSED, ALONE, SWMR = 0, 1, 5
LAYOUT = Layout(frames="stack", positions="places", position_unit="m")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(looking, "PATIENCE_S", 0.3)
    monkeypatch.setattr(files, "QUIET_S", 0.5)


@pytest.fixture
def frames(source):
    return source(N, side=SIDE)[1]


@pytest.fixture
def positions(source):
    return source(N, side=SIDE)[2]


@pytest.fixture
def snapshot(tmp_path, writers):
    """Write datasets into a file, say what its writer does, and put it in place at once."""

    def write(flags, datasets, name="live.h5"):
        path, made = tmp_path / name, tmp_path / "made.h5"
        with h5py.File(made, "w", libver="latest") as file:
            for key, value in datasets.items():
                if callable(value):
                    value(file, key)
                else:
                    file[key] = value
        head = bytearray(made.read_bytes()[:48])
        head[11] = flags
        struct.pack_into("<I", head, 44, writers.lookup3(bytes(head[:44])))
        with made.open("r+b") as file:
            file.write(head)
        made.replace(path)
        return path

    return write


def stack(frames, there, total, chunks=None, grows=True, early=False):
    """Of total frames by the shape, some are there."""

    def write(file, key):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if chunks:
            properties.set_chunk(chunks)
        if early:
            properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        shape = (total, SIDE, SIDE)
        most = (h5py.h5s.UNLIMITED if grows else total, SIDE, SIDE) if chunks else shape
        space = h5py.h5s.create_simple(shape, most)
        made = h5py.h5d.create(file.id, key.encode(), h5py.h5t.NATIVE_UINT16, space, properties)
        for number in range(there):
            h5py.Dataset(made)[number] = frames[number]

    return write


def looked(watched, n):
    """Look until n frames are there, and some times more."""
    watched.until(lambda: len(watched) == n)
    for _ in range(3):
        watched.look()
    assert len(watched) == n


KINDS = {
    "single frames": {"chunks": (1, SIDE, SIDE)},
    "tiles of many frames": {"chunks": (5, 16, 16)},
    "no chunks": {"grows": False},
    "chunks that are there at once": {"chunks": (1, SIDE, SIDE), "early": True, "grows": False},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_shape_runs_ahead_of_the_frames(snapshot, frames, positions, seen, kind):
    watched = seen(open_growing(snapshot(ALONE, {"x": 0}), layout=LAYOUT))
    total = None if kind.get("grows", True) else N
    for there in (9, 13, 22):
        held = stack(frames, there, total or min(N, there + 3), **kind)
        snapshot(SWMR, {"stack": held, "places": positions})
        looked(watched, there)
    watched.equals(frames, positions)
    assert watched.growing.expected == total
    snapshot(CLOSED, {"stack": stack(frames, N, N, **kind), "places": positions})
    watched.until(lambda: watched.arrived.complete)
    watched.equals(frames, positions)
    assert len(watched) == N


@pytest.mark.parametrize("early", [False, True])
def test_the_shutter_may_be_closed_for_a_while(snapshot, frames, positions, seen, early):
    frames = frames.copy()
    frames[9:15] = 0
    kind = {"chunks": (1, SIDE, SIDE), "grows": False, "early": early}
    held = {"stack": stack(frames, 15, N, **kind), "places": positions}
    watched = seen(open_growing(snapshot(SWMR, held), layout=LAYOUT))
    looked(watched, 9 if early else 15)  # the one cannot be told from frames that are to come
    snapshot(SWMR, {**held, "stack": stack(frames, 20, N, **kind)})
    looked(watched, 20)
    watched.equals(frames, positions)


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_positions_that_are_not_written_yet_are_waited_for(
    snapshot, frames, positions, seen, empty
):
    held = {"stack": frames}
    path = snapshot(SWMR, {**held, "places": np.full((N, 2), empty)})
    watched = seen(open_growing(path, layout=LAYOUT))
    watched.look()
    assert "0 frames with a position" in watched.growing.waiting
    places = np.full((N, 2), empty)
    places[:11] = positions[:11]
    snapshot(SWMR, {**held, "places": places})
    looked(watched, 11)
    snapshot(SWMR, {**held, "places": positions[:17]})
    looked(watched, 17)
    watched.equals(frames, positions)


def test_a_writer_can_say_how_far_it_is(snapshot, frames, positions, seen):
    dark = np.zeros_like(frames)
    dark[:12] = frames[:12]
    dark[10:12] = 0
    held = {"stack": dark, "places": positions, "frames_written": 12, "frames_expected": 20}
    watched = seen(open_growing(snapshot(SWMR, held), layout=LAYOUT))
    looked(watched, 12)
    assert watched.growing.expected == 20
    snapshot(SWMR, {**held, "stack": frames, "frames_written": 20})
    looked(watched, 20)
    assert watched.arrived.complete


def test_positions_of_a_second_file_that_grows(snapshot, frames, positions, seen):
    second = snapshot(SWMR, {"positions_m": positions[:10]}, "places.h5")
    path = snapshot(SWMR, {"stack": frames})
    watched = seen(open_growing(path, layout=Layout(frames="stack"), positions=second))
    looked(watched, 10)
    snapshot(SWMR, {"positions_m": positions[:19]}, "places.h5")
    looked(watched, 19)
    watched.equals(frames, positions)


def test_what_was_decided_stays(snapshot, frames, positions, seen):
    frames = frames.copy()
    frames[:, 5, 6] = 65535  # a dead pixel
    frames[12:] = np.roll(frames[12:], (9, -7), axis=(1, 2))  # and all moves, the dead one too
    frames[12:, 0, 0] = 40000
    options = DetectorOptions(centre="auto", size=16, dead=True)
    arguments = {"layout": LAYOUT, "detector": options}
    path = snapshot(SWMR, {"stack": frames[:10], "places": positions[:10]})
    watched = seen(open_growing(path, **arguments))
    looked(watched, 10)
    first = watched.arrived.scan
    finished = read_scan(path, **arguments)
    np.testing.assert_array_equal(np.asarray(first.patterns), finished.patterns)
    np.testing.assert_array_equal(first.valid, finished.valid)
    snapshot(SWMR, {"stack": frames, "places": positions})
    looked(watched, N)
    last = watched.arrived.scan
    np.testing.assert_array_equal(np.asarray(last.patterns[:10]), np.asarray(first.patterns))
    np.testing.assert_array_equal(last.valid, first.valid)
    assert last.patterns.shape == (N, 16, 16)


def test_the_usual_flux_stays(snapshot, frames, positions, seen):
    flux = np.linspace(1, 4, N)
    layout = Layout(frames="stack", positions="places", position_unit="m", monitor="flux")
    held = {"stack": frames, "places": positions}
    watched = seen(open_growing(snapshot(SWMR, {**held, "flux": flux[:9]}), layout=layout))
    looked(watched, 9)
    first = watched.arrived.scan.exposure
    snapshot(SWMR, {**held, "flux": flux})
    looked(watched, N)
    np.testing.assert_allclose(watched.arrived.scan.exposure, flux / flux[4])
    np.testing.assert_array_equal(watched.arrived.scan.exposure[:9], first)


def test_no_light_decides_nothing(snapshot, frames, positions, seen):
    held = {"stack": np.zeros_like(frames), "places": positions, "frames_written": N}
    growing = open_growing(snapshot(SWMR, held), layout=LAYOUT)
    assert growing.look() is None
    assert "without a single count" in growing.waiting
    snapshot(SWMR, {**held, "stack": frames})
    looked(seen(growing), N)


def test_a_file_that_is_closed_and_quiet_has_ended(snapshot, frames, positions, seen):
    path = snapshot(CLOSED, {"stack": frames, "places": positions})
    watched = seen(open_growing(path, layout=LAYOUT))
    watched.until(lambda: len(watched) == N and watched.arrived.complete)
    watched.equals(frames, positions)


def test_few_frames_are_shown_when_no_more_come(snapshot, frames, positions, seen):
    held = stack(frames, 3, 3, chunks=(1, SIDE, SIDE))
    path = snapshot(SWMR, {"stack": held, "places": positions[:3]})
    watched = seen(open_growing(path, layout=LAYOUT))
    watched.look()
    assert "3 frames" in watched.growing.waiting
    looked(watched, 3)
    assert not watched.arrived.complete


def test_what_cannot_be_read_yet_is_waited_for_and_said(snapshot, frames, positions, tmp_path):
    growing = open_growing(tmp_path / "live.h5", layout=LAYOUT)
    assert growing.look() is None
    assert growing.waiting == "live.h5: not there yet"
    held = {"stack": frames, "places": positions}
    path = snapshot(ALONE, held)
    assert growing.look() is None
    assert "being written without SWMR" in growing.waiting
    with pytest.raises(FileError, match=r"open for writing.*h5clear -s"):
        read_scan(path, layout=LAYOUT)
    whole = snapshot(CLOSED, held).read_bytes()
    path.write_bytes(whole[:-1000])
    assert growing.look() is None
    assert "incomplete" in growing.waiting
    path.write_bytes(whole)
    arrived = growing.look()
    np.testing.assert_array_equal(np.asarray(arrived.scan.patterns), frames)
    assert growing.waiting == ""


def test_a_file_of_the_old_format_is_read_when_its_lock_is_free(tmp_path, frames, positions):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file["stack"], file["places"] = frames, positions
    growing = open_growing(path, layout=LAYOUT)
    fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")
    with path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert growing.look() is None
        assert "being written without SWMR" in growing.waiting
    assert len(growing.look().scan) == N


def test_a_file_that_is_written_anew_is_another_scan(snapshot, frames, positions, seen):
    path = snapshot(SWMR, {"stack": frames, "places": positions})
    watched = seen(open_growing(path, layout=LAYOUT))
    looked(watched, N)
    snapshot(SWMR, {"stack": frames[:10], "places": positions[:10]})
    with pytest.raises(FileError, match="written anew"):
        watched.until(lambda: False)


def raised(growing, seen):
    seen(growing).until(lambda: False)


def test_what_is_wrong_for_good_is_said(snapshot, frames, positions, tmp_path, seen):
    held = {"stack": frames, "places": positions}
    path = snapshot(SWMR, held)
    with pytest.raises(NeedsLayout, match="no known layout"):
        raised(open_growing(path), seen)
    with pytest.raises(NeedsPositions, match="no positions"):
        raised(open_growing(path, layout=Layout(frames="stack")), seen)
    growing = snapshot(SWMR, {"stack": stack(frames, N, N, chunks=(1, SIDE, SIDE))})
    with pytest.raises(OptionsError, match="needs its columns"):
        raised(open_growing(growing, layout=Layout(frames="stack", raster_rows=4, step_y=1)), seen)
    with pytest.raises(OptionsError, match="geometry has no 'energy'"):
        open_growing(path, geometry={"energy": 8000})
    with pytest.raises(FileError, match="no such folder"):
        open_growing(tmp_path / "nowhere" / "live.h5")
    (tmp_path / "words.h5").write_text("some words")
    with pytest.raises(FileError, match="a text file"):
        open_growing(tmp_path / "words.h5")


def test_a_raster_needs_no_positions(snapshot, frames, seen):
    layout = Layout(frames="stack", raster_rows=4, raster_columns=6, step_y=2.0)
    path = snapshot(SWMR, {"stack": frames[:13]})
    watched = seen(open_growing(path, layout=layout))
    looked(watched, 13)
    row, column = np.divmod(np.arange(13), 6)
    np.testing.assert_array_equal(watched.arrived.scan.positions_px[:, 0], 2.0 * row)
    np.testing.assert_array_equal(watched.arrived.scan.positions_px[:, 1], 2.0 * column)


def test_a_nexus_scan_grows_too(snapshot, frames, positions, seen):
    entry = "entry_1"

    def held(n):
        return {
            f"{entry}/definition": "NXcxi_ptycho",
            f"{entry}/instrument_1/detector_1/data": frames[:n],
            f"{entry}/data_1/translation": np.c_[positions[:n, ::-1], np.zeros(n)],
            f"{entry}/instrument_1/detector_1/distance": 2.0,
        }

    watched = seen(open_growing(snapshot(SWMR, held(12))))
    looked(watched, 12)
    snapshot(CLOSED, held(N))
    watched.until(lambda: watched.arrived.complete)
    watched.equals(frames, positions)
    assert watched.arrived.scan.geometry.distance_m == 2.0
