import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 60
SIDE = 128


@pytest.fixture(scope="session")
def writers():
    """The writer processes of the benchmarks."""
    path = ROOT / "benchmarks" / "scale" / "writers.py"
    spec = importlib.util.spec_from_file_location("scale_writers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path, writers, rng):
    """Make n frames, each different and bright in the middle, and their positions."""

    def make(n, side=SIDE):
        y, x = np.ogrid[:side, :side]
        mean = 900 * np.exp(-((y - side // 2) ** 2 + (x - side // 2) ** 2) / 60) + 0.2
        some = rng.poisson(np.broadcast_to(mean, (16, side, side))).astype(np.uint16)
        patterns = some[np.arange(n) % 16].copy()
        patterns[:, 2, 3] = np.arange(n) + 1
        positions = rng.uniform(-2e-6, 2e-6, (n, 2))
        path = writers.save(
            tmp_path / "source.npz",
            patterns=patterns,
            positions_m=positions,
            energy_ev=8000.0,
            distance_m=2.0,
            pixel_m=75e-6,
        )
        return path, patterns, positions

    return make


@pytest.fixture
def run(writers):
    """Start a writer; it is stopped when the test ends."""
    running = []

    def start(*arguments):
        running.append(writers.start(*arguments))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


class Seen:
    """Looks at a growing scan, and checks that what it shows only ever gets longer."""

    def __init__(self, growing):
        self.growing = growing
        self.arrived = None
        self.counts = []
        self.looks = 0

    def __len__(self):
        return 0 if self.arrived is None else len(self.arrived.scan)

    def look(self):
        self.looks += 1
        new = self.growing.look()
        if new is None:
            return
        assert new.first == len(self)
        if len(new.scan) > new.first:
            self.counts.append(np.asarray(new.scan.patterns[new.first :]))
        self.arrived = new

    def until(self, condition):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, (len(self), self.growing.waiting)
            self.look()
            time.sleep(0.02)

    def equals(self, patterns, positions):
        """Compare frames as they were when they came, and as they are read now."""
        scan = self.arrived.scan
        n = len(scan)
        np.testing.assert_array_equal(np.concatenate(self.counts), patterns[:n])
        np.testing.assert_array_equal(np.asarray(scan.patterns), patterns[:n])
        np.testing.assert_array_equal(scan.positions_m, positions[:n])


@pytest.fixture
def seen():
    return Seen
