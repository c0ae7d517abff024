"""What autosaves cost a training and a denoising: their share of the time, at the default pace.

    python benchmarks/scale/learning_autosave.py --seconds 180

Every job runs once, for some minutes, and writes checkpoints as the window and the commands do (one
a minute at most). What stands in the table is the time inside them over the time of the job: a
comparison of two runs would be lost in the noise of the machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from napari_ptycho import networks
from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.io.autosave import EVERY_S, Autosave, Checkpoint
from napari_ptycho.networks import SimulationOptions, TrainOptions
from napari_ptycho.phantoms import noisy

Job = Callable[[Autosave], Iterator[Any]]


class Timed(Autosave):
    """Adds up what its checkpoints take, with what collects them."""

    def __init__(self, path: Path, every_s: float) -> None:
        super().__init__(path, every_s)
        self.spent, self.written, self._asked = 0.0, 0, 0.0

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint; then the clock runs."""
        self._asked = time.monotonic()
        return super().due

    def save(self, checkpoint: Checkpoint) -> None:
        """Write, and stop the clock."""
        super().save(checkpoint)
        self.spent += time.monotonic() - self._asked
        self.written += 1


def training(autosave: Autosave) -> Iterator[Any]:
    """Teach a PtyNet-S 4000 simulated patterns."""
    options = TrainOptions(epochs=100_000)
    return networks.train(networks.simulated_pairs(SimulationOptions()), options, autosave=autosave)


def large(autosave: Autosave) -> Iterator[Any]:
    """Teach a W3-Net, which has the most weights of those trained here."""
    options = TrainOptions.of("w3net", epochs=100_000)
    pairs = networks.simulated_pairs(SimulationOptions(patterns=1000))
    return networks.train(pairs, options, autosave=autosave)


def denoising(autosave: Autosave) -> Iterator[Any]:
    """Denoise 256 x 256 pixels by the skip network, with a long history of outputs."""
    options = DenoiseOptions(iterations=1_000_000, stop="none")
    return dip(noisy("fibres", 256)[0], options, autosave=autosave)


def ensemble(autosave: Autosave) -> Iterator[Any]:
    """Denoise them by four networks."""
    options = DenoiseOptions(iterations=1_000_000, stop="none", ensemble=4)
    return dip(noisy("fibres", 256)[0], options, autosave=autosave)


JOBS: dict[str, Job] = {
    "training, PtyNet-S, 64 x 64": training,
    "training, W3-Net, 64 x 64": large,
    "denoising, skip, 256 x 256": denoising,
    "denoising, four networks, 256 x 256": ensemble,
}


def measured(title: str, job: Job, seconds: float, every_s: float) -> str:
    """Return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        autosave = Timed(Path(folder) / "job.autosave", every_s)
        updates = job(autosave)
        next(updates)
        autosave._next = time.monotonic() + every_s
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            next(updates)
        spent, whole = autosave.spent, time.monotonic() - began
        size = autosave.path.stat().st_size / 1e6
        getattr(updates, "close", lambda: None)()
    each = 1e3 * spent / autosave.written
    return f"| {title} | {size:.1f} | {autosave.written} | {each:.0f} | {100 * spent / whole:.2f} |"


def main() -> None:
    """Measure and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=180, help="of each job")
    arguments.add_argument("--every", type=float, default=EVERY_S, help="between checkpoints")
    given = arguments.parse_args()
    print("| job | checkpoint, MB | written | ms each | share of the time, % |")
    print("|---|---|---|---|---|")
    for title, job in JOBS.items():
        print(measured(title, job, given.seconds, given.every), flush=True)


if __name__ == "__main__":
    main()
