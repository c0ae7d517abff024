"""Runs napari-ptycho: its public job, driven to the end, with its live updates."""

import dataclasses
import time

import bench
import numpy as np

from napari_ptycho.engines import ENGINES, PRESETS, EngineOptions, reconstruct
from napari_ptycho.job import Update
from napari_ptycho.model import Scan


def scan_of(data: bench.Data) -> Scan:
    """Return the data as a scan."""
    return Scan(data.patterns, positions_px=data.corners, probe=data.probe[None], name="benchmark")


def stages(task: bench.Task) -> tuple[EngineOptions, ...]:
    """Return the chain: a preset by its name, or one engine."""
    if task.algorithm in PRESETS:
        chain = PRESETS[task.algorithm].stages
        return tuple(dataclasses.replace(stage, seed=task.seed) for stage in chain)
    kind = ENGINES[task.algorithm]
    return (kind(epochs=task.epochs, batch=task.batch, seed=task.seed, **task.settings),)


def drive(data: bench.Data, chain: tuple[EngineOptions, ...]) -> tuple[list, Update]:
    """Run; return (epochs done, CPU s, wall s) at every update, and the last update."""
    marks, last = [(0.0, time.process_time(), time.perf_counter())], None
    for last in reconstruct(scan_of(data), chain, device="cpu"):
        marks.append((last.done, time.process_time(), time.perf_counter()))
    assert last is not None
    return marks, last


def main() -> None:
    """Warm up, run, write. The time of an epoch is taken between updates, which come late."""
    task, data = bench.read()
    chain = stages(task)
    drive(data.few(), tuple(dataclasses.replace(stage, epochs=1) for stage in chain))
    recorder = bench.Recorder(task)
    recorder.start()
    marks, last = drive(data, chain)
    total = (time.process_time() - recorder.began[0], time.perf_counter() - recorder.began[1])
    done, cpu, wall = np.array(marks[1:]).T
    epochs = np.arange(np.ceil(done[0]), np.floor(done[-1]) + 1)
    recorder.cpu = np.diff(np.interp(epochs, done, cpu)).tolist()
    recorder.wall = np.diff(np.interp(epochs, done, wall)).tolist()
    result = last.result
    recorder.kept.append(
        (int(last.total), total[0], result.object, result.probe, result.positions_px)
    )
    recorder.save("napari-ptycho", total_cpu=total[0], total_wall=total[1])


if __name__ == "__main__":
    main()
