"""Starts workers in their environments and reads what they wrote."""

import itertools
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import PEERS, python_of
from plan import MARKS, Run

HERE = Path(__file__).parent
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
COUNT = itertools.count()


@dataclass
class Runner:
    """Where everything is, and how a worker is called."""

    envs: Path
    only: tuple[str, ...] = ()
    pictures: Path | None = None
    jobs: int = 1
    """Runs at a time, where time is counted over a whole run."""
    data: dict[str, Path] = field(default_factory=dict)

    @property
    def peers(self) -> list[str]:
        """Return the packages to compare with."""
        return [name for name in PEERS if not self.only or name in self.only]

    @property
    def work(self) -> Path:
        """Return the folder of tasks and checkpoints."""
        return self.envs / "work"

    def wants(self, run: Run) -> bool:
        """Tell whether a run's package was asked for."""
        return run.package == "ours" or run.package in self.peers

    def run(
        self,
        run: Run,
        data: str,
        threads: int = 1,
        epochs: int = 0,
        part: str = "all",
        seed: int = 0,
    ) -> dict[str, Any] | None:
        """Run a worker to its end; return the arrays it wrote, or None if it failed (told)."""
        self.work.mkdir(parents=True, exist_ok=True)
        name = f"{next(COUNT):03d}-{run.name.replace(' ', '-')}-{data}-{part}-{threads}"
        print(name, flush=True)
        epochs = epochs or run.epochs
        task = {
            "data": str(self.data[data]),
            "out": str(self.work / f"{name}.npz"),
            "algorithm": run.algorithm,
            "batch": run.batch,
            "epochs": epochs,
            "checkpoints": sorted({mark for mark in MARKS if mark < epochs} | {epochs}),
            "settings": run.settings,
            "part": part,
            "seed": seed,
        }
        file = self.work / f"{name}.json"
        file.write_text(json.dumps(task))
        python = python_of(self.envs, run.package)
        done = subprocess.run(
            [str(python), "-W", "ignore", str(HERE / f"worker_{run.package}.py"), str(file)],
            env={**os.environ, **dict.fromkeys(THREADS, str(threads))},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"{name} failed:\n{done.stderr[-2000:]}", flush=True)
            return None
        import numpy as np  # late, so that whoever imports this can still set the threads

        with np.load(self.work / f"{name}.npz") as made:
            return dict(made)
