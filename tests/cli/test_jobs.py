"""`napari-ptycho jobs`: list, add, stop, again, first, remove."""

import json
import sys
from pathlib import Path

import pytest

from napari_ptycho import recipes
from napari_ptycho.cli.app import run
from napari_ptycho.engines import RpieOptions
from napari_ptycho.jobs import Store, lock


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "fast.toml"
    recipes.write(recipes.Recipe(title="fast", stages=(RpieOptions(epochs=2),)), path)
    return path


@pytest.fixture
def started(monkeypatch):
    """Folders whose agent was asked for; none starts."""
    found = []
    monkeypatch.setattr(lock, "start", found.append)
    return found


def listed(capsys, *words):
    assert run(["jobs", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["jobs"]


def test_a_queue_from_the_command_line(capsys, recipe, tmp_path, started, jobs_folder):
    assert run(["jobs"]) == 0
    assert capsys.readouterr().out == "Nothing is queued.\n"
    scans = ["sample:siemens-star", "sample:fibres"]
    found = listed(capsys, "--add", str(recipe), "--output-folder", str(tmp_path / "out"), *scans)
    assert [job["title"] for job in found] == ["siemens-star · fast", "fibres · fast"]
    assert [job["rank"] for job in found] == [1, 2]
    assert found[0]["task"]["output"] == str(tmp_path / "out" / "siemens-star.h5")
    assert started == [jobs_folder]
    star, fibres = (job["id"] for job in found)
    assert [job["id"] for job in listed(capsys, "--first", fibres)] == [fibres, star]
    assert [job["state"] for job in listed(capsys, "--stop", star[:6])] == ["waiting", "stopped"]
    assert len(started) == 1
    assert run(["jobs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:2] == [star, "stopped"]
    assert [job["state"] for job in listed(capsys, "--again", star)] == ["waiting"] * 2
    assert len(started) == 2
    listed(capsys, "--stop", star)
    assert [job["id"] for job in listed(capsys, "--remove", star)] == [fibres]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["scan.h5"], "--add RECIPE and SCANS"),
        (["--add", "recipe.toml"], "--add RECIPE and SCANS"),
        (["--runs-on", "tcp://a:1"], "--runs-on is for --add"),
        (["--stop", "abc"], "no job begins with 'abc'"),
        (["--add", "absent.toml", "sample:fibres"], "absent.toml"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(capsys, words, why, started):
    assert run(["jobs", *words]) == 2
    assert why in capsys.readouterr().err
    assert (Store().all(), started) == ((), [])


def test_a_job_runs_after_the_command_has_ended(recipe, tmp_path):
    """A real command, a real agent, a real reconstruction."""
    import subprocess
    import time

    words = ["--add", str(recipe), "sample:star-64", "--output-folder", str(tmp_path)]
    command = [sys.executable, "-c", "from napari_ptycho import cli; cli.main()", "jobs", *words]
    subprocess.run(command, check=True, capture_output=True)
    store, end = Store(), time.monotonic() + 120
    while not store.all()[0].has_ended and time.monotonic() < end:
        time.sleep(0.1)
    [job] = store.all()
    assert (job.state, job.message) == ("done", "")
    report = recipes.read_report(Path(job.task.output))
    assert (report.state, report.epochs) == ("done", 2)
    assert job.text.startswith("2 epochs · error ")
