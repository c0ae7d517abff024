import signal

import numpy as np
import pytest

from napari_ptycho.errors import NeedsPositions
from napari_ptycho.io import open_growing, read_scan


@pytest.mark.parametrize("flags", [(), ("--part-swmr",)], ids=["closed one by one", "SWMR"])
def test_data_files_that_appear_one_after_another(source, run, seen, tmp_path, flags):
    n, master = 300, tmp_path / "run_master.h5"
    made, patterns, positions = source(n)
    table = tmp_path / "positions.csv"
    watched = seen(open_growing(master, positions=table))
    run("dectris", made, master, "--announced", "--per-file", "50", *flags)
    watched.until(lambda: watched.arrived is not None and watched.arrived.complete)
    assert len(watched) == n == watched.growing.expected
    watched.equals(patterns, positions)
    finished = read_scan(master, positions=table)
    np.testing.assert_array_equal(finished.patterns, np.asarray(watched.arrived.scan.patterns))
    np.testing.assert_array_equal(finished.positions_m, watched.arrived.scan.positions_m)


def test_a_detector_that_dies_in_a_data_file_and_goes_on(source, run, seen, tmp_path):
    n, master = 200, tmp_path / "run_master.h5"
    made, patterns, positions = source(n)
    watched = seen(open_growing(master, positions=tmp_path / "positions.csv"))
    flags = ("--announced", "--per-file", "50")
    process = run("dectris", made, master, "--die-at", "120", *flags)
    assert process.wait(60) == -signal.SIGKILL
    watched.until(lambda: len(watched) == 100)  # the third file was never closed
    assert not watched.arrived.complete
    run("dectris", made, master, "--begin", "100", *flags)
    watched.until(lambda: watched.arrived.complete)
    watched.equals(patterns, positions)


def test_a_master_without_positions_says_so(source, run, tmp_path):
    made, _, _ = source(60)
    master = tmp_path / "run_master.h5"
    assert run("dectris", made, master, "--rate", "1000").wait(60) == 0
    growing = open_growing(master)

    def look():
        while True:
            growing.look()

    with pytest.raises(NeedsPositions, match="no positions"):
        look()
