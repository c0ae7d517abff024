"""Watch a scan that a real process writes: frames lost, latency, error at the end, window gaps.

    python benchmarks/scale/live.py
    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/scale/live.py --window

Patterns of 128 x 128 pixels (simulated Siemens star, HDF5 by SWMR, bitshuffle-LZ4) at 200 frames a
second for 20 s; a shipped network predicts, rPIE reconstructs. Then the finished scan is
reconstructed from scratch, with as much CPU time as the watch has taken for everything. With
`--window` the same is watched in a real window, and the delays of a 10 ms timer are measured. The
writer notes when each frame was flushed; shown is a frame when an update with it is delivered (in
the window: when its layers are up to date). Writes live.json and live.md beside this script.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from live_writer import source_of, start_writer

from napari_ptycho import io, networks
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.live import WatchOptions, watch
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.samples import GEOMETRY

HERE = Path(__file__).parent
STAGES = RpieOptions(epochs=1000)
SECONDS_LEFT = 120.0


def phase_error(truth: Reconstruction, found: Reconstruction) -> float:
    """Return the rms phase error in rad over the illuminated area, aligned."""
    area, image = illuminated(truth), truth.object.astype(complex)
    moved = align(image, np.asarray(found.object, complex), area).image
    return float(np.sqrt((np.angle(moved * image.conj())[area] ** 2).mean()))


class Seen:
    """When how many frames were there to be seen."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.counts: list[int] = []

    def note(self, count: int) -> None:
        """So many are seen now."""
        self.moments.append(time.time())
        self.counts.append(count)

    def latency(self, written: Any) -> dict[str, float]:
        """Return median and 95th percentile of the seconds from written to seen."""
        first = np.searchsorted(np.array(self.counts), np.arange(1, len(written) + 1))
        late = np.array(self.moments)[np.minimum(first, len(self.counts) - 1)] - written
        return {"median_s": float(np.median(late)), "p95_s": float(np.percentile(late, 95))}


def watched(source: Path, folder: Path, truth: Reconstruction, given: Any) -> dict[str, Any]:
    """Watch a writer; return what was measured."""
    path = folder / "scan.h5"
    network, options = networks.shipped(), WatchOptions(epochs=given.epochs)
    # torch is imported and the network built before the clock runs, as in an open window
    next(networks.predict(io_scan(folder, source), network))
    process = start_writer(source, path, given.rate)
    shown, predicted = Seen(), Seen()
    cpu, last, epochs = time.process_time(), None, 0.0
    for last in watch(io.open_growing(path), network, STAGES, options, probe=truth.probe):
        found = last.result
        shown.note(found.arrived)
        predicted.note(0 if found.predicted is None else len(found.predicted.frames))
        if found.phase == "watching":
            epochs, there = found.epochs, found.arrived
    ended = time.time()
    assert last is not None  # a job has updates
    process.wait()
    written = np.load(path.with_suffix(".npy"))
    found = last.result
    return {
        "frames_written": len(written),
        "frames_lost": len(written) - found.arrived,
        "checksum_as_read_later": found.checksum == checksum_of(path),
        "written_per_second": (len(written) - 1) / float(written[-1] - written[0]),
        "to_shown": shown.latency(written),
        "to_predicted": predicted.latency(written),
        "updates": len(shown.counts),
        "epochs_when_the_last_frame_came": epochs,
        "frames_then": there,
        "seconds_after_the_last_frame": ended - float(written[-1]),
        "cpu_s": time.process_time() - cpu,
        "error_at_the_end_rad": phase_error(truth, found.reconstruction),
        "prediction_r_factor": found.predicted.r_factor,
        "prediction_r_flat": found.predicted.r_flat,
        "notes": list(last.notes),
    }


def io_scan(folder: Path, source: Path) -> Scan:
    """Return a few of the frames as a scan."""
    with np.load(source) as held:
        patterns, positions = held["patterns"][:32], held["positions_m"][:32]
    return Scan(patterns, positions_m=positions, geometry=GEOMETRY, name=folder.name)


def checksum_of(path: Path) -> str:
    """Return the BLAKE2 of the counts of a finished file."""
    digest = hashlib.blake2b(digest_size=16)
    for _, block in io.read_scan(path).blocks():
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def scratch(path: Path, truth: Reconstruction, cpu_s: float) -> dict[str, Any]:
    """Reconstruct the finished scan with so much CPU time."""
    began, cpu, last = time.monotonic(), time.process_time(), None
    scan = io.read_scan(path)
    job = reconstruct(replace(scan, probe=truth.probe), replace(STAGES, anneal=0.0))
    for update in job:
        last = update
        if time.process_time() - cpu > cpu_s:
            break
    assert last is not None  # a job has updates
    return {
        "epochs": last.done,
        "seconds_after_the_last_frame": time.monotonic() - began,
        "cpu_s": time.process_time() - cpu,
        "error_at_the_end_rad": phase_error(truth, last.result),
    }


def in_window(source: Path, folder: Path, truth: Reconstruction, given: Any) -> dict[str, Any]:
    """Watch a writer in a real window; return latency and delays of the event loop."""
    sys.path.append(str(HERE.parent))
    from event_loop import Gaps, wait

    from napari_ptycho.gui.app import open_docks, open_window

    path = folder / "window.h5"
    viewer = open_window()
    viewer.window.resize(1480, 900)
    dock, engines = open_docks(viewer)
    engines.stages.show_stages((STAGES,))
    dock.watcher.options = WatchOptions(epochs=1)
    start = folder / "start.h5"
    io.write_reconstruction(truth, start)
    engines.start_box.set_path(start)  # whose probe is taken
    dock.bar.predicting.setChecked(True)
    shown = Seen()
    runner = dock.watcher.runner
    runner.updated.connect(lambda update: shown.note(update.result.watched.arrived))
    dock.watch(path)
    wait(lambda: runner.last is not None, 120)
    process = start_writer(source, path, given.rate)
    wait(lambda: bool(shown.counts) and shown.counts[-1] > 0, 120)
    wait(lambda: False, 3)  # napari makes its layers
    gaps = Gaps()
    wait(lambda: process.poll() is not None, given.seconds + SECONDS_LEFT)
    p95 = gaps.report("a scan is watched")
    while_watching = list(gaps.values)
    wait(lambda: not runner.running, SECONDS_LEFT)
    wait(lambda: False, 2)
    frames = 0 if dock.session.scan is None else len(dock.session.scan)
    written = np.load(path.with_suffix(".npy"))
    wait(lambda: not engines.adviser.runner.running, SECONDS_LEFT)
    viewer.close()
    return {
        "frames_lost": len(written) - frames,
        "to_shown": shown.latency(written),
        "updates": len(shown.counts),
        "gap_median_ms": float(np.median(while_watching)),
        "gap_p95_ms": p95,
        "gap_max_ms": float(max(while_watching)),
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    live, scratched = result["watched"], result["from_scratch"]
    rows = [
        ("frames written, lost", f"{live['frames_written']}, {live['frames_lost']}"),
        ("written per second", f"{live['written_per_second']:.0f}"),
        ("from written to shown", latency(live["to_shown"])),
        ("from written to predicted", latency(live["to_predicted"])),
        (
            "epochs of what was there, when the last frame had come",
            f"{live['epochs_when_the_last_frame_came']:.1f}",
        ),
        (
            "phase error at the end, rms",
            f"{live['error_at_the_end_rad']:.4f} rad, "
            f"{live['seconds_after_the_last_frame']:.0f} s after the last frame",
        ),
        (
            "the finished scan from scratch, same CPU time",
            f"{scratched['error_at_the_end_rad']:.4f} rad ({scratched['epochs']:.1f} epochs), "
            f"{scratched['seconds_after_the_last_frame']:.0f} s after the last frame",
        ),
    ]
    if "window" in result:
        window = result["window"]
        rows += [
            ("in a window: frames lost", str(window["frames_lost"])),
            ("in a window: from written to shown", latency(window["to_shown"])),
            (
                "in a window: event-loop gap",
                f"median {window['gap_median_ms']:.1f} ms, 95 % {window['gap_p95_ms']:.0f} ms, "
                f"longest {window['gap_max_ms']:.0f} ms",
            ),
        ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"{result['what']}\n", "| | |", "| --- | --- |", *lines, ""])


def latency(values: dict[str, float]) -> str:
    """Return a latency in words."""
    return f"median {values['median_s']:.2f} s, 95 % {values['p95_s']:.2f} s"


def main() -> int:
    """Measure, write, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=float, default=200)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--epochs", type=int, default=10, help="over all frames at the end")
    arguments.add_argument("--window", action="store_true", help="watch in a window too")
    arguments.add_argument("--output", type=Path, default=HERE / "live.json")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, _, truth = source_of(folder, round(given.rate * given.seconds))
        live = watched(source, folder, truth, given)
        result: dict[str, Any] = {
            "what": f"{given.rate:.0f} frames of 128 x 128 a second for {given.seconds:.0f} s, "
            f"on {os.cpu_count()} CPU cores",
            "watched": live,
            "from_scratch": scratch(folder / "scan.h5", truth, live["cpu_s"]),
        }
        if given.window:
            result["window"] = in_window(source, folder, truth, given)
    given.output.write_text(json.dumps(result, indent=1) + "\n")
    given.output.with_suffix(".md").write_text(table(result))
    print(table(result))
    kept = result["watched"]["frames_lost"] == 0 and result["watched"]["checksum_as_read_later"]
    return int(not kept or result.get("window", {}).get("gap_p95_ms", 0) >= 50)


if __name__ == "__main__":
    sys.exit(main())
