import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_ptycho.io import open_growing, read_scan

WAYS = {
    "one by one": (),
    "announced": ("--announced",),
    "positions before": ("--planned",),
    "shape is final at once": ("--full", "--planned"),
    "many frames in a chunk": ("--chunk", "16", "--flush-every", "7"),
    "compressed": ("--compress", "--flush-every", "5"),
}


@pytest.mark.parametrize("flags", WAYS.values(), ids=WAYS)
def test_no_frame_is_lost_and_the_end_is_what_read_scan_says(source, run, seen, tmp_path, flags):
    n, path = 300, tmp_path / "live.h5"
    made, patterns, positions = source(n)
    watched = seen(open_growing(path))
    process = run("swmr", made, path, "--rate", "200", *flags)
    watched.until(lambda: watched.arrived is not None and watched.arrived.complete)
    process.wait(60)
    watched.until(lambda: len(watched) == n)
    watched.equals(patterns, positions)
    assert watched.looks > 5
    finished, last = read_scan(path), watched.arrived.scan
    np.testing.assert_array_equal(finished.patterns, np.asarray(last.patterns))
    np.testing.assert_array_equal(finished.positions_m, last.positions_m)
    np.testing.assert_array_equal(finished.valid, last.valid)
    assert finished.geometry == last.geometry
    announced = "--announced" in flags or "--full" in flags
    assert watched.growing.expected == (n if announced else None)


@pytest.mark.parametrize("flags", [(), ("--full", "--planned"), ("--chunk", "16")])
def test_a_dead_writer_loses_nothing_that_it_wrote_and_goes_on(source, run, seen, tmp_path, flags):
    n, dies, path = 240, 120, tmp_path / "live.h5"
    made, patterns, positions = source(n)
    watched = seen(open_growing(path))
    process = run("swmr", made, path, "--die-at", str(dies), *flags)
    watched.until(lambda: len(watched) == dies)
    assert process.wait(60) == -signal.SIGKILL
    watched.equals(patterns, positions)
    silent = watched.growing.silent_s
    watched.until(lambda: watched.growing.silent_s > silent + 0.2)
    assert len(watched) == dies
    assert not watched.arrived.complete
    process = run("swmr", made, path, "--begin", str(dies), *flags)
    watched.until(lambda: len(watched) == n and watched.arrived.complete)
    watched.equals(patterns, positions)


def test_frames_are_read_by_threads_while_more_come(source, run, seen, tmp_path):
    n, path = 200, tmp_path / "live.h5"
    made, patterns, positions = source(n)
    watched = seen(open_growing(path))
    run("swmr", made, path, "--announced")
    over = threading.Event()

    def read():
        wrong = []
        while not over.is_set():
            if watched.arrived is not None:
                scan = watched.arrived.scan
                if (np.asarray(scan.patterns) != patterns[: len(scan)]).any():
                    wrong.append(len(scan))
            over.wait(0.01)
        return wrong

    with ThreadPoolExecutor() as pool:
        reading = [pool.submit(read) for _ in range(3)]
        try:
            watched.until(lambda: watched.arrived is not None and watched.arrived.complete)
        finally:
            over.set()
        assert [done.result(60) for done in reading] == [[], [], []]
    watched.equals(patterns, positions)
