import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "scale" / "slurm.py"


def test_the_example_for_slurm_asks_for_a_gpu_per_worker():
    spec = importlib.util.spec_from_file_location("slurm", SCRIPT)
    slurm = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(slurm)
    with slurm.workers() as cluster:
        script = cluster.job_script()
        address = cluster.scheduler_address
    assert "#SBATCH --gres=gpu:1" in script
    assert "#SBATCH --cpus-per-task=8" in script
    worker = script.strip().splitlines()[-1]
    assert address in worker
    assert "--nthreads 8" in worker
    assert "--resources GPU=1" in worker
