import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_ptycho import device, io, recipes
from napari_ptycho.cli.app import run
from napari_ptycho.engines import ENGINES
from napari_ptycho.recipes.tasks import Task, run_task

DEADLINE_S = 120.0


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    recipes.write(recipes.Recipe(title="quick", stages=(ENGINES["epie"](epochs=2),)), path)
    return path


@pytest.fixture
def scans(tmp_path, star_file):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "good.h5").write_bytes(star_file.read_bytes())
    (folder / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\nbroken")
    return folder


def batch(recipe, scans, out, *more):
    words = ["batch", str(recipe), str(scans / "*.h5"), "-o", str(out), "--json", *more]
    return run([*words, "--device", "cpu"])


def test_a_batch_and_again(recipe, scans, tmp_path, capsys):
    out = tmp_path / "out"
    assert batch(recipe, scans, out, "--workers", "1") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["failed"], told["skipped"]) == (1, 1, 0)
    [good] = [row for row in told["scans"] if row["state"] == "done"]
    [bad] = [row for row in told["scans"] if row["state"] == "failed"]
    assert bad["scan"] == str(scans / "bad.h5")
    assert "bad.h5" in bad["message"]
    with device.threads(os.cpu_count()):
        task = Task(recipes.dumps(recipes.read(recipe)), good["scan"], str(tmp_path / "here.h5"))
        assert run_task(task, lambda _: None, lambda: False).state == "done"
    there, here = (io.read_reconstruction(path) for path in (good["output"], task.output))
    assert np.array_equal(there.object, here.object)
    with Path(told["table"]).open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["failed", "done"]
    page = Path(told["page"]).read_text(encoding="utf-8")
    assert f'src="{good["thumbnail"]}"' in page
    (scans / "bad.h5").unlink()
    assert batch(recipe, scans, out) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["failed"], told["skipped"]) == (0, 0, 1)


def test_ctrl_c_stops_all_and_leaves_no_process(tmp_path, star_file):
    recipe, out = tmp_path / "recipe.toml", tmp_path / "out"
    recipes.write(recipes.Recipe(stages=(ENGINES["epie"](epochs=100_000),)), recipe)
    words = ["batch", recipe, star_file, "sample:star-64", "-o", out, "--workers", "1", "--json"]
    code = "from napari_ptycho.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, words), "--device", "cpu"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert "star-64" in process.stderr.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        said, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert json.loads(said)["stopped"] == 2
    assert children
    assert psutil.wait_procs(children, timeout=DEADLINE_S)[1] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--runs-on", "elsewhere"], "neither 'local' nor an address"),
        (["--memory", "much"], "--memory much: it must be a size"),
        (["--retries", "-1"], "--retries"),
    ],
)
def test_what_is_wrong_with_the_command(recipe, scans, tmp_path, capsys, words, sentence):
    assert batch(recipe, scans, tmp_path / "out", *words) == 2
    assert sentence in capsys.readouterr().err


def test_no_scan(recipe, tmp_path, capsys):
    assert run(["batch", str(recipe), str(tmp_path / "no*.h5"), "-o", str(tmp_path / "out")]) == 2
    assert "names no scan" in capsys.readouterr().err
