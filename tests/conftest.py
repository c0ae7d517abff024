import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from napari_ptycho.io.autosave import Autosave, alive, read_checkpoint

settings.register_profile("ours", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("ours")


def pytest_addoption(parser):
    parser.addoption(
        "--pictures",
        help="folder for the pictures of the stories, which are then walked at full length",
    )


@pytest.fixture(scope="session")
def real_data():
    """The folder of real scans, see its README.md."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NAPARI_PTYCHO_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there; set NAPARI_PTYCHO_DATA")
    return folder


@pytest.fixture(scope="module")
def rare_collections():
    """Look for garbage less often, and not among what is imported.

    napari makes a full collection for each layer that goes: with the modules of torch and napari
    it takes a third of a second. Windows make new objects faster than the usual threshold is for.
    """
    before = gc.get_threshold()
    gc.collect()  # what earlier tests have left is not kept
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.fixture(autouse=True)
def layouts_folder(tmp_path_factory, monkeypatch):
    """An empty folder for saved layouts of files: the user's own is never touched."""
    folder = tmp_path_factory.mktemp("saved layouts")
    monkeypatch.setenv("NAPARI_PTYCHO_LAYOUTS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def autosaves_folder(tmp_path_factory, monkeypatch):
    """An empty folder for checkpoints: what the user's own windows have left is never touched."""
    folder = tmp_path_factory.mktemp("autosaves")
    monkeypatch.setenv("NAPARI_PTYCHO_AUTOSAVES", str(folder))
    return folder


@pytest.fixture(autouse=True)
def window_folder(tmp_path_factory, monkeypatch):
    """An empty folder for what is chosen in the docks: no test sees another's choices."""
    folder = tmp_path_factory.mktemp("window")
    monkeypatch.setenv("NAPARI_PTYCHO_WINDOW", str(folder))
    return folder


@pytest.fixture(autouse=True)
def jobs_folder(tmp_path_factory, monkeypatch):
    """An empty queue of jobs: the user's own is never touched."""
    folder = tmp_path_factory.mktemp("jobs")
    monkeypatch.setenv("NAPARI_PTYCHO_JOBS", str(folder))
    return folder


class Kept(Autosave):
    """Keeps the checkpoints of some points, as they were read from the file."""

    def __init__(self, path, at):
        super().__init__(path, every_s=0)
        self.at, self.all = list(at), []

    def save(self, checkpoint):
        if self.at and checkpoint.done >= self.at[0]:
            self.at.pop(0)
            super().save(checkpoint)
            assert not self.notes
            self.all.append(read_checkpoint(self.path))


@pytest.fixture
def kept(tmp_path):
    """Return an autosave that keeps the first checkpoints at or after these epochs done."""
    return lambda *at: Kept(tmp_path / "job.autosave", at)


DYING = """
import os, signal, sys
from napari_ptycho import device
from napari_ptycho.io.autosave import Autosave


class Dying(Autosave):
    def save(self, checkpoint):
        if not self.path.exists() and checkpoint.done >= float(sys.argv[2]):
            super().save(checkpoint)
        elif checkpoint.done >= float(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)


autosave = Dying(sys.argv[1], every_s=0)
with device.threads(1):
    for update in job(autosave):
        pass
"""


@pytest.fixture
def killed(tmp_path):
    """Run a script with a `job(autosave)` in a process that dies by kill -9 after a checkpoint.

    Give the script, when a checkpoint is written and when it dies (epochs done); get what it left.
    """

    def left(script, saved, died):
        path = tmp_path / "killed.autosave"
        words = [sys.executable, "-c", script + DYING, str(path), str(saved), str(died)]
        process = subprocess.run(words, capture_output=True, text=True, check=False)
        assert process.returncode == -9, process.stderr
        checkpoint = read_checkpoint(path)
        assert not alive(checkpoint.about)
        assert saved <= checkpoint.done < died
        return checkpoint

    return left


@pytest.fixture
def rng():
    return np.random.default_rng(20)
