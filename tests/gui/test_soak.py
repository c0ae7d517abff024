"""A few cycles of the soak test: nothing is left of runs, docks and windows that were closed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "benchmarks" / "scale" / "soak.py"


@pytest.mark.timeout(1800)
def test_nothing_is_left_of_runs_docks_and_windows(tmp_path):
    """Start and stop jobs, click about, close docks and windows, as benchmarks/scale/soak.py does.

    In a process of its own: what other tests have left of theirs is not looked at.
    """
    words = [sys.executable, str(SOAK), "--only", "ours", "--cycles", "10", "--seed", "3"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    *under_way, closed = (json.loads(line) for line in done.stdout.splitlines())
    assert under_way[-1]["cycle"] == 10
    left = ("own threads", "tasks", "docks left", "windows left")
    assert {name: closed[name] for name in left} == dict.fromkeys(left, 0)
