"""Runs phaser: ePIE and LSQ-ML of its conventional engine, on numpy.

Object pixels are length units here; the corner of the object is (0, 0), so that a window of even
size has its middle at corner + (n - 1) / 2. "ortho" FFTs; patterns with zero frequency in the
corner. phaser rescales the probe to the counts by itself.
"""

import bench
import numpy as np
from phaser.engines.conventional.run import run_engine
from phaser.observer import Observer
from phaser.plan import ConventionalEnginePlan
from phaser.state import (
    IterState,
    Patterns,
    PixelatedObjectState,
    PixelatedProbeState,
    ReconsState,
    ScanState,
)
from phaser.utils.num import Sampling
from phaser.utils.object import ObjectSampling


class Watch(Observer):
    """Times the iterations of the engine and keeps checkpoints."""

    def __init__(self, recorder: bench.Recorder, corners: np.ndarray) -> None:
        self.recorder, self.corners = recorder, corners

    def start_engine(self, init_state: ReconsState) -> None:
        """Begin the first epoch."""
        self.recorder.start()

    def update_iteration(self, state: ReconsState, i: int, n: int, errors: dict) -> None:
        """End an epoch, begin the next."""
        self.recorder.stop()
        if self.recorder.wanted:
            self.recorder.keep(state.object.data[0], state.probe.data, self.corners)
        self.recorder.start()


def run(task: bench.Task, data: bench.Data, recorder: bench.Recorder, epochs: int) -> None:
    """Run phaser's engine."""
    n, one = len(data.probe), (1.0, 1.0)
    places = (data.corners + (n - 1) / 2).astype(np.float32)
    image = np.ones((1, *data.shape), np.complex64)
    state = ReconsState(
        iter=IterState.empty(),
        wavelength=1.0,
        probe=PixelatedProbeState(Sampling((n, n), sampling=one), data.probe[None].copy()),
        object=PixelatedObjectState(
            ObjectSampling(data.shape, one, corner=(0.0, 0.0)), image, np.zeros(0, np.float32)
        ),
        scan=ScanState(places, places.copy()),
    )
    plan = ConventionalEnginePlan.from_data(
        {
            "niter": epochs,
            "grouping": task.batch,
            "noise_model": "amplitude",
            "solver": {"type": task.algorithm, **task.settings},
            "group_constraints": [],
            "iter_constraints": [],
            "bwlim_frac": None,
        }
    )
    patterns = np.fft.ifftshift(data.patterns, axes=(-2, -1))
    run_engine(
        {
            "data": Patterns(patterns, np.ones((n, n), np.float32)),
            "state": state,
            "dtype": np.float32,
            "xp": np,
            "recons_name": "benchmark",
            "observer": Watch(recorder, data.corners),
            "seed": task.seed,
        },
        plan,
    )


def main() -> None:
    """Warm up, run, write."""
    task, data = bench.read()
    run(task, data.few(), bench.Recorder(task), 1)
    recorder = bench.Recorder(task)
    run(task, data, recorder, task.epochs)
    recorder.save("phaserEM")


if __name__ == "__main__":
    main()
