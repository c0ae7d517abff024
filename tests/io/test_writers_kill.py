"""Processes that are killed while they write, and disks that are full: the old file stays whole."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io.atomic import STALE_S, written
from napari_ptycho.io.forms import table as writing
from napari_ptycho.model import Geometry, Reconstruction, Scan

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")

TASKS = [(kind, writer.key) for writer in writing.WRITERS for kind in writer.writes]
ATTEMPTS = 10
LIMIT = 100_000


class Server:
    """A process that writes large things, each in a child of its own."""

    def __init__(self):
        script = Path(__file__).with_name("writing_server.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self.answer() == "ready"

    def answer(self):
        return self._process.stdout.readline().strip()

    def ask(self, kind, form, path, limit=0):
        """Let it write; return the id of the child."""
        task = {"kind": kind, "form": form, "path": str(path), "limit": limit}
        self._process.stdin.write(json.dumps(task) + "\n")
        return int(self.answer())

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


def small(kind):
    geometry = Geometry(8000.0, 1.0, (50e-6, 50e-6))
    probe = np.ones((1, 8, 8), np.complex64)
    if kind == "scan":
        positions = np.zeros((3, 2))
        return Scan(np.ones((3, 8, 8), np.uint16), positions, geometry=geometry, probe=probe)
    pixel = geometry.pixel_size_m((8, 8))
    return Reconstruction(np.ones((9, 9)), probe, np.zeros((3, 2)), pixel, geometry=geometry)


def old_file(folder, kind, form):
    """Write a file that is there before; return its path and its checksum."""
    writer = writing.named(kind, form)
    path = folder / f"out{writer.suffix}"
    writer.write(small(kind), path)
    return path, checksum(path)


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left_in(folder):
    return [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def kill_in_the_middle(server, kind, form, path):
    """Kill a writer once its temporary file holds something; return whether it was in time."""
    child = server.ask(kind, form, path)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(left.stat().st_size for left in left_in(path.parent)):
            break
    os.kill(child, signal.SIGKILL)
    return server.answer() == "killed"


@pytest.mark.parametrize(("kind", "form"), TASKS)
def test_a_killed_writer_leaves_the_old_file_whole(server, tmp_path, kind, form):
    path, before = old_file(tmp_path, kind, form)
    for _ in range(ATTEMPTS):
        if kill_in_the_middle(server, kind, form, path):
            break
        path, before = old_file(tmp_path, kind, form)  # it was quicker than we
    else:
        pytest.fail("the writer always ended before it could be killed")
    assert checksum(path) == before
    assert left_in(tmp_path)


@pytest.mark.parametrize(("kind", "form"), TASKS)
def test_a_full_disk_is_a_sentence_and_leaves_the_old_file_whole(server, tmp_path, kind, form):
    path, before = old_file(tmp_path, kind, form)
    server.ask(kind, form, path, LIMIT)
    sentence = server.answer()
    assert server.answer() == "done"
    assert sentence.startswith(f"{path.name}: could not write it: ")
    assert "File too large" in sentence or "No space left on device" in sentence
    assert len(sentence) < 100
    assert checksum(path) == before
    assert left_in(tmp_path) == []


def test_what_the_dead_left_goes_when_it_is_old(tmp_path):
    path = tmp_path / "out.h5"
    fresh, stale, other = (
        tmp_path / name
        for name in (".out.h5.0011aabb.tmp", ".out.h5.ffffffff.tmp", ".out2.h5.ffffffff.tmp")
    )
    for left in (fresh, stale, other):
        left.write_text("half")
    old = time.time() - STALE_S - 60
    os.utime(stale, (old, old))
    os.utime(other, (old, old))
    with written(path) as temporary:
        temporary.write_text("new")
    assert sorted(left_in(tmp_path)) == sorted([fresh, other])
    assert path.read_text() == "new"


@pytest.mark.parametrize(("kind", "form"), TASKS)
def test_a_folder_that_may_not_be_written_is_a_sentence(kind, form):
    folder = Path("/proc/self")  # not even root makes files there
    if not folder.is_dir():
        pytest.skip("needs /proc")
    writer = writing.named(kind, form)
    path = folder / f"out{writer.suffix}"
    with pytest.raises(FileError) as caught:
        writer.write(small(kind), path)
    assert str(caught.value).startswith(f"{path.name}: could not write it: ")
