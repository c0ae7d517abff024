import shutil
import signal
import time

import numpy as np
import pytest
import tifffile

from napari_ptycho.io import open_growing, read_scan
from napari_ptycho.io.growing import queue


@pytest.mark.parametrize("kind", ["tiff", "npy"])
@pytest.mark.parametrize("flags", [(), ("--planned",)], ids=["positions grow", "planned"])
def test_half_written_files_are_waited_for(source, run, seen, tmp_path, kind, flags):
    n, folder = 300, tmp_path / "run"
    made, patterns, positions = source(n)
    watched = seen(open_growing(folder))
    process = run(kind, made, folder, "--rate", "200", *flags)
    watched.until(lambda: len(watched) == n)
    watched.equals(patterns, positions)
    assert process.wait(60) == 0
    assert watched.growing.expected == (n if flags else None)
    assert watched.arrived.complete == bool(flags)
    finished = read_scan(folder)
    np.testing.assert_array_equal(finished.patterns, np.asarray(watched.arrived.scan.patterns))
    np.testing.assert_array_equal(finished.positions_m, watched.arrived.scan.positions_m)


def test_a_writer_that_dies_and_goes_on(source, run, seen, tmp_path):
    n, folder = 160, tmp_path / "run"
    made, patterns, positions = source(n)
    watched = seen(open_growing(folder))
    process = run("npy", made, folder, "--die-at", "80")
    watched.until(lambda: len(watched) == 80)
    assert process.wait(60) == -signal.SIGKILL
    assert not watched.arrived.complete
    run("npy", made, folder, "--begin", "80")
    watched.until(lambda: len(watched) == n)
    watched.equals(patterns, positions)


@pytest.fixture
def folder(source, tmp_path):
    """A folder with all positions, and a function that makes a frame."""
    _, patterns, positions = source(40, side=32)
    place = tmp_path / "frames"
    place.mkdir()
    np.savetxt(place / "positions.csv", positions, "%.17g", ",", header="y_m,x_m", comments="")

    def put(*numbers, name="scan_07_{:05d}.tif"):
        for number in numbers:
            tifffile.imwrite(place / name.format(number), patterns[number])

    return place, put, patterns, positions


def looked(watched, n):
    watched.until(lambda: len(watched) == n)
    for _ in range(3):  # and no further
        watched.look()
    assert len(watched) == n


def test_a_late_frame_keeps_its_place(folder, seen):
    place, put, patterns, positions = folder
    watched = seen(open_growing(place))
    put(*range(8), 9, 10)
    looked(watched, 8)
    put(8)
    looked(watched, 11)
    watched.equals(patterns, positions)


def test_a_frame_that_never_comes_is_left_out_with_its_position(folder, seen, monkeypatch):
    monkeypatch.setattr(queue, "GAP_S", 0.2)
    place, put, patterns, positions = folder
    watched = seen(open_growing(place))
    put(*range(8), *range(9, 20))
    looked(watched, 19)
    there = np.delete(np.arange(20), 8)
    np.testing.assert_array_equal(np.asarray(watched.arrived.scan.patterns), patterns[there])
    np.testing.assert_array_equal(watched.arrived.scan.positions_m, positions[there])
    assert "never came and were left out: 8" in " ".join(watched.arrived.scan.notes)
    put(8)  # too late
    looked(watched, 19)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99, 0.9999])
def test_no_part_of_a_file_is_taken_for_a_frame(folder, seen, tmp_path, share):
    place, put, patterns, positions = folder
    watched = seen(open_growing(place))
    put(*range(12))
    last = place / "scan_07_00011.tif"
    whole = last.read_bytes()
    last.write_bytes(whole[: int(share * len(whole))])
    looked(watched, 11)
    last.write_bytes(whole)
    looked(watched, 12)
    watched.equals(patterns, positions)


def test_numbers_that_are_times_do_not_make_gaps(folder, seen):
    place, put, patterns, positions = folder
    watched = seen(open_growing(place))
    put(*range(12))
    times = np.cumsum([100, 103, 109, 101, 120, 105, 131, 102, 115, 140, 104, 107])
    for number, moment in enumerate(times):
        (place / f"scan_07_{number:05d}.tif").rename(place / f"at_{moment:08d}.tif")
    looked(watched, 12)
    watched.equals(patterns, positions)


def test_a_cut_line_of_the_positions_is_not_read(folder, seen):
    place, put, patterns, positions = folder
    table = place / "positions.csv"
    text = table.read_text().splitlines(keepends=True)
    head, cut = "".join(text[:11]), text[11][: len(text[11]) // 2]
    table.write_text(head + cut)
    watched = seen(open_growing(place))
    put(*range(20))
    watched.until(lambda: len(watched) == 10)
    np.testing.assert_array_equal(watched.arrived.scan.positions_m, positions[:10])
    table.write_text("".join(text))
    looked(watched, 20)
    watched.equals(patterns, positions)


def test_a_folder_that_is_not_there_yet(folder, seen, tmp_path):
    place, put, *_ = folder
    put(*range(10))
    later = tmp_path / "later"
    growing = open_growing(later)
    assert growing.look() is None
    assert "no such folder yet" in growing.waiting
    shutil.copytree(place, later)
    watched = seen(growing)
    began = time.monotonic()
    looked(watched, 10)
    assert growing.silent_s <= time.monotonic() - began
