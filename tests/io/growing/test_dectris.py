import signal

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import NeedsPositions
from napari_ptycho.io import open_growing, read_scan
from napari_ptycho.io.formats import external


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


def test_a_frame_that_comes_after_its_file_was_opened_is_before_those_of_the_next(
    source, seen, tmp_path, monkeypatch
):
    """The detector ends a file and begins the next while a look goes from one to the other."""
    n, master, cut, late = 24, tmp_path / "run_master.h5", 12, 3
    _, patterns, positions = source(n)
    names = [f"run_data_{number:06d}.h5" for number in (1, 2)]
    with h5py.File(master, "w") as file:
        file["entry/definition"] = np.bytes_("NXmx")
        for number, name in enumerate(names, 1):
            link = h5py.ExternalLink(name, "/entry/data/data")
            file[f"entry/data/data_{number:06d}"] = link

    def write(name, frames):
        with h5py.File(tmp_path / name, "w", libver="latest") as file:
            file["entry/data/data"] = frames

    followed = external.followed

    def meanwhile(group, name, *rest):
        if name == "data_000002" and not (tmp_path / names[1]).exists():
            write(names[0], patterns[:cut])
            write(names[1], patterns[cut:])
        return followed(group, name, *rest)

    write(names[0], patterns[: cut - late])
    monkeypatch.setattr(external, "followed", meanwhile)
    table = tmp_path / "positions.csv"
    np.savetxt(table, 1e6 * positions[:, ::-1], delimiter=",", header="x_um,y_um", comments="")
    watched = seen(open_growing(master, positions=table))
    watched.until(lambda: len(watched) == n)
    np.testing.assert_array_equal(np.concatenate(watched.counts), patterns)


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
