"""Scans larger than the memory: the same result, and no more memory than was allowed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from napari_ptycho.engines import MpieOptions, RpieOptions, ahead, reconstruct, scratch
from napari_ptycho.engines.frames import Frames, load
from napari_ptycho.engines.memory import estimate, outlook, plan
from napari_ptycho.errors import JobError
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Scan
from napari_ptycho.prepare import first_guess

CPU = torch.device("cpu")

MEASURED = """
import json, re, sys, threading, time
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np

from napari_ptycho.engines import MpieOptions, RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Scan

counts, limit, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
stages = (MpieOptions(epochs=1, batch=4, resolution="half"), RpieOptions(epochs=2, batch=4))
patterns = da.from_array(np.load(counts, mmap_mode="r"), chunks=(16, -1, -1))
positions = np.random.default_rng(0).uniform(0, 120, (len(patterns), 2))
scan = Scan(patterns, positions_px=positions)


def taken():
    "Memory of the process's own: no pages of files, which the system takes back when it likes."
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]) * 1024


small = Scan(np.asarray(patterns[:40]), positions_px=positions[:40])
run_to_end(reconstruct(small, stages, device="cpu"))  # what torch itself takes
before, most, over = taken(), [0], threading.Event()


def watch():
    while not over.is_set():
        most[0] = max(most[0], taken() - before)
        time.sleep(0.002)


thread = threading.Thread(target=watch)
thread.start()
for last in reconstruct(scan, stages, device="cpu", memory_bytes=limit or None):
    pass
over.set()
thread.join()
np.savez(out, object=last.result.object, probe=last.result.probe)
print(json.dumps({"most": most[0], "notes": last.notes, "errors": last.result.errors}))
"""
FRAMES, SIDE, LIMIT = 3200, 128, 21_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Write counts whose amplitudes take 210 MB, ten times the limit."""
    rng = np.random.default_rng(0)
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    mean = 200 * np.exp(-(y**2 + x**2) / 300)
    counts = np.tile(rng.poisson(mean, (64, SIDE, SIDE)).astype(np.uint8), (FRAMES // 64, 1, 1))
    path = tmp_path_factory.mktemp("large") / "large.npy"
    np.save(path, counts)
    return path


def measured(path, limit, folder):
    out = folder / f"{limit}.npz"
    words = [sys.executable, "-c", MEASURED, str(path), str(limit), str(out)]
    # What is freed goes back at once: what is in use can be told from what is kept for later.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=500, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), np.load(out)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_scan_ten_times_larger_than_the_memory(large, tmp_path):
    amplitudes = FRAMES * SIDE**2 * 4
    assert amplitudes > 10 * LIMIT * 0.99
    streamed, found = measured(large, LIMIT, tmp_path)
    resident, whole = measured(large, 0, tmp_path)
    np.testing.assert_array_equal(found["object"], whole["object"])
    np.testing.assert_array_equal(found["probe"], whole["probe"])
    assert streamed["errors"] == resident["errors"]
    assert any("they are read from disk (210 MB in " in note for note in streamed["notes"])
    assert resident["most"] > amplitudes
    assert streamed["most"] < LIMIT


def a_scan(frames=40, side=32, valid=None):
    rng = np.random.default_rng(1)
    counts = rng.poisson(20, (frames, side, side)).astype(np.uint16)
    return Scan(counts, positions_px=rng.uniform(0, 30, (frames, 2)), valid=valid)


def too_little(scan, options):
    """Return a limit that lacks a little for all frames."""
    return estimate(scan, options, first_guess(scan).object.shape).total - 1000


def test_masks_of_every_frame_are_streamed_too(make):
    valid = np.random.default_rng(0).uniform(size=(40, 32, 32)) > 0.1
    scan = a_scan(valid=valid)
    one, other = (load(scan, CPU, keep=keep) for keep in ("device", "disk"))
    for whole, streamed in ((one, other), (one.central(2), other.central(2))):
        torch.testing.assert_close(streamed.amplitude, whole.amplitude, rtol=0, atol=0)
        torch.testing.assert_close(streamed.valid, whole.valid, rtol=0, atol=0)
        np.testing.assert_array_equal(streamed.totals, whole.totals)


def test_reading_ahead_changes_nothing_and_asks_for_the_next_batch(monkeypatch):
    scan, options = a_scan(), RpieOptions(epochs=2, batch=8)
    limit = too_little(scan, options)
    whole = run_to_end(reconstruct(scan, options, device="cpu"))
    asked = []
    monkeypatch.setattr("napari_ptycho.engines.frames.free_ram", lambda: 0)
    monkeypatch.setattr(
        "napari_ptycho.engines.frames.read_ahead",
        lambda frames, rows: (asked.extend(rows), ahead.read_ahead(frames, rows)),
    )
    job = reconstruct(scan, options, device="cpu", memory_bytes=limit)
    np.testing.assert_array_equal(run_to_end(job).object, whole.object)
    assert len(asked) == 2 * (40 - 8)


def test_batches_come_in_order_with_the_next_one():
    batches = [np.array([3, 1]), np.array([2]), np.array([0])]
    found = list(ahead.pairs(batches))
    assert [one for one, _ in found] == batches
    assert [two for _, two in found] == [*batches[1:], None]
    assert list(ahead.pairs([])) == []


def test_a_disk_that_is_too_small_is_a_sentence(monkeypatch):
    scan, options = a_scan(), RpieOptions(epochs=1)
    limit = too_little(scan, options)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(JobError, match=r"need 164 kB of scratch space, but .* has 1 kB free; set"):
        plan(scan, [options], first_guess(scan), CPU, limit)


def test_scratch_space_in_ram_is_told(monkeypatch, tmp_path):
    disk = [SimpleNamespace(mountpoint="/", fstype="ext4")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: disk)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert "in RAM" not in scratch.note(1000)
    disk.append(SimpleNamespace(mountpoint=str(tmp_path.parent), fstype="tmpfs"))
    assert scratch.note(1000).endswith("that folder lies in RAM, set TMPDIR to one on a disk")


def test_the_memory_is_told_before_the_start():
    scan, stages = a_scan(), (MpieOptions(), RpieOptions(modes=3))
    shape = first_guess(scan).object.shape
    most = max(estimate(scan, options, shape).total for options in stages)
    assert outlook(scan, stages, "cpu", most)[1] == ""
    text, warning = outlook(scan, stages, "cpu", most - 1)
    assert text.startswith("needs about ")
    assert "read from disk" in warning
    assert "read from RAM" in outlook(scan, stages, "cuda", most - 1)[1]


class Stream:
    """Stands for a stream of a GPU where there is none."""

    def __init__(self, device=None):
        self.waited = 0

    def record_event(self):
        return self

    def wait_event(self, event):
        self.waited += 1


@pytest.fixture
def sent(monkeypatch):
    """Return frames that are sent to a device as if it were a GPU."""
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda part, stream: None)
    monkeypatch.setattr(Frames, "resident", False)
    scan = a_scan(valid=np.random.default_rng(0).uniform(size=(40, 32, 32)) > 0.1)
    return replace(load(scan, CPU, keep="ram"), sender=ahead.Sender(CPU))


def threads():
    return [one.name for one in threading.enumerate() if one.name.startswith("frames")]


def test_a_thread_gathers_the_next_batch_and_ends_with_the_epoch(sent, monkeypatch):
    batches = [np.array([3, 1]), np.array([2, 39]), np.array([0])]
    gathered = []
    gather = Frames._gather
    monkeypatch.setattr(
        Frames, "_gather", lambda self, ids: (gathered.append(ids.tolist()), gather(self, ids))[1]
    )
    for ids in sent.ahead(batches):
        assert threads()
        for _ in range(2):  # DM looks at them twice
            amplitude, valid, at = sent.pick(ids)
            torch.testing.assert_close(amplitude[at], sent.amplitude[ids])
            torch.testing.assert_close(valid[at], sent.valid[ids])
    assert gathered == [ids.tolist() for ids in batches]
    assert not threads()
    assert not sent.sender.coming
    part = np.array([39])  # half a batch, where the memory does not suffice for a whole one
    torch.testing.assert_close(sent.pick(part)[0], sent.amplitude[part])
    stopped = sent.ahead(batches)
    next(stopped)
    stopped.close()
    assert not threads()


def test_what_goes_wrong_in_the_thread_is_told(sent, monkeypatch):
    def broken(self, ids):
        raise OSError("the disk is gone")

    monkeypatch.setattr(Frames, "_gather", broken)
    with closing(sent.ahead([np.array([3, 1])])) as batches:
        ids = next(batches)
        with pytest.raises(OSError, match="the disk is gone"):
            sent.pick(ids)
    assert not threads()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_the_same_frames_from_ram_and_no_thread_stays():
    scan, options = a_scan(200), RpieOptions(epochs=3, batch=16)
    need = estimate(scan, options, first_guess(scan).object.shape)
    whole = run_to_end(reconstruct(scan, options, device="cuda"))
    limit = need.total - need.frames // 2
    *_, last = reconstruct(scan, options, device="cuda", memory_bytes=limit)
    assert any("they are read from RAM" in note for note in last.notes)
    np.testing.assert_allclose(last.result.object, whole.object, atol=1e-4)
    job = reconstruct(scan, options, device="cuda", memory_bytes=limit)
    next(job)
    job.close()
    assert not threads()
