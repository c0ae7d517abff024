"""What it takes to open a scan of 20 GB and to scroll in it: time, memory, bytes read.

Makes CXI files of 40,000 x 512 x 512 uint16 of which only some frames were ever written (the others
are zeros that lie nowhere), one with a chunk per frame and one chunked badly, opens each in a
process of its own, and writes `sparse_scan.md` beside this file. The system's cache holds what was
just written: times are of our own code and of HDF5, not of a disk.

    python benchmarks/formats/sparse_scan.py [--frames 40000] [--folder FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIDE = 512
LAYOUTS = {"one frame per chunk": (1, SIDE, SIDE), "63 x 16 x 32 (h5py's own choice)": (63, 16, 32)}
LAYOUTS["all frames in each chunk"] = (0, 16, 16)
KINDS = ("cpu", "s")
WRITTEN = 64  # runs of frames that are written
DETECTOR = "entry_1/instrument_1/detector_1"


def make(path: Path, frames: int, chunks: tuple[int, ...]) -> None:
    """Write a scan; of its frames only some lie in the file."""
    import h5py
    import hdf5plugin
    import numpy as np

    y, x = np.indices((SIDE, SIDE)) - SIDE // 2
    mean = 500 * np.exp(-(y**2 + x**2) / 400) + 0.1
    random = np.random.default_rng(0)
    together = min(chunks[0] or frames, 2000)
    chunks = (together, *chunks[1:])
    places = np.stack([*np.divmod(np.arange(frames), 200), np.zeros(frames)], axis=1) * 1e-6
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            f"{DETECTOR}/data", (frames, SIDE, SIDE), "u2", chunks=chunks, **hdf5plugin.Bitshuffle()
        )
        few = random.poisson(mean, (4, SIDE, SIDE)).astype("u2")
        for first in np.linspace(0, frames - together, WRITTEN).astype(int) // together * together:
            if together <= 64 or first in (0, frames // 2 // together * together):
                data[first : first + together] = np.resize(few, (together, SIDE, SIDE))
        file["entry_1/data_1/data"] = h5py.SoftLink(f"/{DETECTOR}/data")
        file["entry_1/data_1/translation"] = places
        file[f"{DETECTOR}/distance"] = 2.0
        file[f"{DETECTOR}/x_pixel_size"] = file[f"{DETECTOR}/y_pixel_size"] = 75e-6
        file["entry_1/instrument_1/source_1/wavelength"] = 1.55e-10


def _read_so_far() -> int:
    """Return how many bytes this process has asked the system for."""
    return int(Path("/proc/self/io").read_text().split()[1])


def _peak() -> int:
    """Return the largest memory of this process so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(path: str) -> dict[str, float | str]:
    """Open a file as the window does; what it took."""
    began = time.perf_counter()
    import dask.array
    import h5py
    import hdf5plugin
    import scipy.constants

    from napari_ptycho import io
    from napari_ptycho.gui.views import view_scan
    from napari_ptycho.io import FORMATS

    for name in FORMATS:
        __import__(f"napari_ptycho.io.formats.{name}")
    del dask, h5py, hdf5plugin, scipy
    found: dict[str, float | str] = {
        "import_s": time.perf_counter() - began,
        "import_peak": _peak(),
    }

    def timed(name: str, action: Callable[[], Any]) -> Any:
        began, used, read = time.perf_counter(), time.process_time(), _read_so_far()
        result = action()
        found[f"{name}_s"] = time.perf_counter() - began
        found[f"{name}_cpu"] = time.process_time() - used
        found[f"{name}_read"], found[f"{name}_peak"] = _read_so_far() - read, _peak()
        return result

    scan = timed("open", lambda: io.read_scan(path))
    view = timed("view", lambda: view_scan(scan))
    timed("first", lambda: view.patterns[0])
    timed("next", lambda: view.patterns[1])
    timed("jump", lambda: view.patterns[len(scan) // 2])
    timed("after", lambda: view.patterns[len(scan) // 2 + 1])
    found["view_frames"] = view.frames_read
    found["note"] = next((note for note in scan.notes if "chunk" in note), "none")
    return found


def main() -> None:
    """Make, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=40_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return
    rows = []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for name, chunks in LAYOUTS.items():
            path = Path(folder) / "sparse.cxi"
            path.unlink(missing_ok=True)
            make(path, given.frames, chunks)
            command = [sys.executable, __file__, "--measure", str(path)]
            said = subprocess.run(
                command,
                check=True,
                stdout=subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            ).stdout
            found = {**json.loads(said), "layout": name, "on_disk": path.stat().st_blocks * 512}
            print(found)
            rows.append(found)
    Path(__file__).with_suffix(".md").write_text(table(rows, given.frames))


def _step(row: dict, name: str) -> str:
    cpu, clock, read = (row[f"{name}_{what}"] for what in ("cpu", "s", "read"))
    return f"{cpu:.2f} s ({clock:.2f}), {read / 1e6:.1f} MB"


def table(rows: list[dict], frames: int) -> str:
    """Return the figures as a page."""
    size = frames * SIDE * SIDE * 2 / 1e9
    lines = [
        "# Opening a scan larger than the memory",
        "",
        f"{frames} frames of {SIDE} x {SIDE} uint16 ({size:.1f} GB), bitshuffle-LZ4 in CXI, only",
        "some of them written. `read_scan`, then what the window makes of it (`view_scan`), then",
        "frame 0, 1, the middle one, and the one after it. Seconds are of one CPU thread (in",
        f"brackets: by the clock, with load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs);",
        "memory is the peak of the whole process, of which the imports take "
        f"{rows[0]['import_peak'] / 1e6:.0f} MB; files are in the system's cache. Beside them,",
        "bytes read from the file.",
        "",
        "| chunks | read_scan | view_scan | first frame | **until it is there** | next | jump "
        "| next | memory |",
        "|" + "---|" * 9,
    ]
    for row in rows:
        steps = " | ".join(_step(row, name) for name in ("open", "view", "first"))
        total = [sum(row[f"{name}_{what}"] for name in ("open", "view", "first")) for what in KINDS]
        later = " | ".join(_step(row, name) for name in ("next", "jump", "after"))
        lines.append(
            f"| {row['layout']} | {steps} | **{total[0]:.2f} s** ({total[1]:.2f}) | {later} "
            f"| {row['after_peak'] / 1e6:.0f} MB |"
        )
    lines += ["", "What the person is told:", ""]
    lines += [f"- {row['layout']}: {row['note']}" for row in rows]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
