"""A batch on the nodes of a Slurm cluster: workers are jobs, this process is their scheduler.

Change `workers` to what your cluster has; run it where `sbatch` works, for as long as the batch
takes (in tmux, or in a job of its own). What it is given is handed to `napari-ptycho batch`.

    pip install 'napari-ptycho[cluster]'
    python slurm.py recipe.toml 'scans/*.h5' -o results
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster

JOBS = 4


def workers() -> SLURMCluster:
    """Describe one job: a worker process with 8 cores, 64 GB and one GPU."""
    return SLURMCluster(
        queue="gpu",
        cores=8,
        processes=1,
        memory="64GB",
        walltime="08:00:00",
        job_extra_directives=["--gres=gpu:1"],
        worker_extra_args=["--resources", "GPU=1"],
    )


def main() -> int:
    """Ask Slurm for workers, run the batch on them, and give them back."""
    with workers() as cluster:
        cluster.scale(jobs=JOBS)
        words = ["batch", *sys.argv[1:], "--runs-on", cluster.scheduler_address]
        return subprocess.run(["napari-ptycho", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
