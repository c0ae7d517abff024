"""Checkpoints: written whole, read back bit by bit, offered once their process is dead."""

import json
import math
import os
import platform
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
from safetensors.numpy import save_file

from napari_ptycho.errors import FileError
from napari_ptycho.io import autosave
from napari_ptycho.io.autosave import Autosave, Checkpoint, flat, read_checkpoint

TREE = {
    "object": np.exp(1j * np.arange(12).reshape(3, 4)).astype(np.complex64),
    "network": {"weight": torch.full((2, 1), 0.1), "steps": [torch.tensor(3.0), None]},
    "empty": np.zeros((0, 3)),
    "mask": np.array([True, False]),
    "random": {"state": 2**127 + 1, "name": "PCG64"},
    "best": math.inf,
    "history": {"error": [0.1, 1 / 3]},
    "count": np.int64(7),
}


def a_checkpoint(done=2.0, tree=TREE):
    return Checkpoint("reconstruction", done, 5.0, "key", *flat(tree))


def assert_same(one, other):
    """Compare what was read with what was written."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list):
        for first, second in zip(one, other, strict=True):
            assert_same(first, second)
    elif isinstance(one, np.ndarray):
        other = np.asarray(other)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def test_a_tree_comes_back_as_it_was(tmp_path):
    saved = Autosave(tmp_path / "run.autosave", about={"title": "rPIE"})
    saved.save(a_checkpoint())
    found = read_checkpoint(saved.path)
    assert_same(found.tree, TREE)
    assert (found.kind, found.done, found.total, found.key) == ("reconstruction", 2, 5, "key")
    assert found.about["title"] == "rPIE"
    assert "network/steps/0" in found.arrays
    glance = read_checkpoint(saved.path, arrays=False)
    assert glance.arrays == {}
    assert glance.about == found.about


def test_checkpoints_come_at_most_every_so_often_and_cost_a_hundredth(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def slow(checkpoint, path, about):
        clock[0] += 3.0

    monkeypatch.setattr(autosave, "write_checkpoint", slow)
    saved = Autosave(tmp_path / "run.autosave", every_s=60)
    assert not saved.due
    clock[0] = 60.0
    assert saved.due
    saved.save(a_checkpoint())
    assert saved.cost_s == 3.0
    clock[0] = 63.0 + 299
    assert not saved.due
    clock[0] = 63.0 + 300
    assert saved.due
    always = Autosave(tmp_path / "run.autosave", every_s=0)
    always.save(a_checkpoint())
    assert always.due


def test_a_checkpoint_that_cannot_be_written_is_a_note_until_one_can(tmp_path):
    saved = Autosave(tmp_path / "gone" / "run.autosave", every_s=0)
    saved.save(a_checkpoint())
    assert saved.notes[0].startswith("not autosaved: ")
    assert "does not exist" in saved.notes[0]
    saved.path.parent.mkdir()
    saved.save(a_checkpoint())
    assert saved.notes == []
    saved.discard()
    saved.discard()
    assert not saved.path.exists()


def test_the_last_checkpoint_stays_whole_when_the_next_one_fails(tmp_path, monkeypatch):
    saved = Autosave(tmp_path / "run.autosave", every_s=0)
    saved.save(a_checkpoint(done=2.0))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(autosave, "save_file", full)
    saved.save(a_checkpoint(done=3.0))
    assert "No space left on device" in saved.notes[0]
    assert read_checkpoint(saved.path).done == 2.0
    assert list(tmp_path.iterdir()) == [saved.path]


def test_what_is_no_checkpoint_is_a_sentence(tmp_path):
    path = tmp_path / "run.autosave"
    with pytest.raises(FileError, match=r"run\.autosave"):
        read_checkpoint(path)
    path.write_bytes(b"rubbish")
    with pytest.raises(FileError, match="no checkpoint, or a damaged one"):
        read_checkpoint(path)
    save_file({"weights": np.zeros(3)}, path)
    with pytest.raises(FileError, match="no checkpoint that this version knows"):
        read_checkpoint(path)
    header = {"format": autosave.FORMAT, "kind": "training"}
    save_file({}, path, {autosave.ENTRY: json.dumps(header)})
    with pytest.raises(FileError, match="its 'done' is missing"):
        read_checkpoint(path)
    Autosave(path).save(a_checkpoint())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FileError, match="a damaged one"):
        read_checkpoint(path)


WRITER = """
import sys
import numpy as np
from napari_ptycho.io.autosave import Autosave, Checkpoint

Autosave(sys.argv[1]).save(Checkpoint("training", 1.0, 2.0, "", {"a": np.ones(3)}, {}))
print("written", flush=True)
sys.stdin.read()
"""


def test_what_a_dead_process_left_is_found_and_not_what_a_living_one_writes(tmp_path, monkeypatch):
    monkeypatch.setenv(autosave.FOLDER, str(tmp_path / "autosaves"))
    path = autosave.folder() / "one.autosave"
    (autosave.folder() / "other.autosave").write_bytes(b"rubbish")
    words = [sys.executable, "-c", WRITER, str(path)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "written\n"
        assert list(autosave.interrupted()) == []
    finally:
        process.kill()
        process.wait()
    ((found, checkpoint),) = autosave.interrupted()
    assert found == path
    assert checkpoint.kind == "training"


def test_who_is_alive():
    me = psutil.Process()
    about = {"host": platform.node(), "pid": os.getpid(), "created": me.create_time()}
    assert autosave.alive(about)
    assert not autosave.alive({**about, "created": me.create_time() - 100})  # the id was used again
    assert not autosave.alive({"host": platform.node()})
    assert autosave.alive({**about, "host": "another", "pid": 2**22 + 1})


def test_a_command_keeps_its_checkpoint_beside_its_output(tmp_path):
    assert autosave.beside(tmp_path / "out.h5") == tmp_path / "out.h5.autosave"
