"""What all workers share: the task, the clock, checkpoints. Needs only numpy and scipy.

A worker is called with one JSON file that says what to do (see `Task`) and writes one .npz of
checkpoints. All workers speak the same conventions: windows by their upper left corner in object
pixels (y, x), the probe in the middle of its window (index n // 2), sum |probe|^2 = photons per
frame (an "ortho" FFT), patterns with zero frequency in the middle.
"""

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from scipy import fft


@dataclass
class Task:
    """One run of one package."""

    data: str
    """.npz with patterns, corners, probe, shape."""
    out: str
    """.npz to write."""
    algorithm: str
    batch: int
    epochs: int
    checkpoints: list[int] = field(default_factory=list)
    """Epochs after which object and probe are kept."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Step sizes and the like, by the package's own names."""
    part: str = "all"
    """"all", or "first" or "second" half of the positions, of near pairs one each."""
    seed: int = 0


@dataclass
class Data:
    """A data set as the packages get it."""

    patterns: np.ndarray
    """(N, n, n) float32 counts, zero frequency in the middle."""
    corners: np.ndarray
    """(N, 2) float64 upper left corners of the windows, in object pixels."""
    probe: np.ndarray
    """(n, n) complex64 first guess."""
    shape: tuple[int, int]
    """Of the object."""

    def few(self, count: int = 64) -> "Data":
        """Return the first positions only, to warm up."""
        return Data(self.patterns[:count], self.corners[:count], self.probe, self.shape)


def read() -> tuple[Task, Data]:
    """Read the task named on the command line, and its data."""
    task = Task(**json.loads(Path(sys.argv[1]).read_text()))
    with np.load(task.data) as file:
        rows = {"all": slice(None), "first": file["half"] == 0, "second": file["half"] == 1}
        chosen = rows[task.part]
        data = Data(
            np.ascontiguousarray(file["patterns"][chosen], np.float32),
            np.ascontiguousarray(file["corners"][chosen], np.float64),
            np.ascontiguousarray(file["probe"], np.complex64),
            (int(file["shape"][0]), int(file["shape"][1])),
        )
    return task, data


class Recorder:
    """Takes the CPU time of epochs and keeps checkpoints, whose cost does not count."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.cpu: list[float] = []
        self.wall: list[float] = []
        self.kept: list[tuple[int, float, np.ndarray, np.ndarray, np.ndarray]] = []
        self.before_mb = peak_mb()
        self.began = (0.0, 0.0)

    def start(self) -> None:
        """Begin an epoch."""
        self.began = (time.process_time(), time.perf_counter())

    def stop(self) -> int:
        """End an epoch; return how many there were."""
        self.cpu.append(time.process_time() - self.began[0])
        self.wall.append(time.perf_counter() - self.began[1])
        return len(self.cpu)

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """Time what is inside as one epoch."""
        self.start()
        yield
        self.stop()

    @property
    def wanted(self) -> bool:
        """Whether a checkpoint is asked for after the epochs so far."""
        return len(self.cpu) in self.task.checkpoints

    def keep(self, image: np.ndarray, probe: np.ndarray, corners: np.ndarray) -> None:
        """Keep a checkpoint: (H, W) object, (M, n, n) probe, (N, 2) corners."""
        values = (np.array(image, np.complex64), np.array(probe, np.complex64), np.array(corners))
        self.kept.append((len(self.cpu), sum(self.cpu), *values))

    def save(self, package: str, **more: Any) -> None:
        """Write the result of an installed package."""
        epochs, cpu, objects, probes, corners = (
            zip(*self.kept, strict=True) if self.kept else [()] * 5
        )
        np.savez(
            self.task.out,
            epoch_cpu=self.cpu,
            epoch_wall=self.wall,
            epochs=epochs,
            cpu=cpu,
            objects=np.array(objects),
            probes=np.array(probes),
            corners=np.array(corners),
            peak_mb=peak_mb(),
            before_mb=self.before_mb,
            fft_us=fft_us(),
            version=metadata.version(package),
            **more,
        )


def peak_mb() -> float:
    """Return the most memory this process had, in MB.

    `ru_maxrss` of a process begins at what its parent had (Linux keeps it over exec), so the
    system's own record is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    scale = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def fft_us() -> float:
    """Return microseconds per pattern of scipy's FFT, the same in every environment: the mood."""
    waves = np.random.default_rng(0).normal(size=(8, 128, 256)).astype(np.float32)
    waves = waves.view(np.complex64)
    times = []
    for _ in range(60):
        began = time.process_time()
        fft.fft2(waves, workers=1)
        times.append((time.process_time() - began) / len(waves) * 1e6)
    return statistics.median(times)


def torch_threads() -> None:
    """Let torch use as many threads as the environment says."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))  # noqa: TID251 - own process
