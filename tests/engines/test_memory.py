"""Where the frames go, and what it takes."""

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho.engines import ENGINES, DmOptions, RpieOptions, reconstruct
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.memory import estimate, plan
from napari_ptycho.errors import JobError
from napari_ptycho.job import run_to_end
from napari_ptycho.prepare import first_guess

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["rpie", "dm", "lsqml"])
def test_frames_on_disk_give_the_same_result(name, make):
    scan, _ = make(lines=6)
    options = ENGINES[name](epochs=3)
    need = estimate(scan, options, first_guess(scan).object.shape)
    plenty = run_to_end(reconstruct(scan, options, device="cpu"))
    limit = need.total - need.frames // 2
    *_, last = reconstruct(scan, options, device="cpu", memory_bytes=limit)
    assert any("they are read from disk" in note for note in last.notes)
    np.testing.assert_array_equal(last.result.object, plenty.object)


def test_frames_in_ram_are_sent_batch_by_batch(make, monkeypatch):
    scan, _ = make(lines=5)
    valid = np.random.default_rng(0).uniform(size=scan.patterns.shape) > 0.1
    scan = replace(scan, valid=valid)
    kept, sent = (load(scan, CPU, keep=keep) for keep in ("device", "ram"))
    monkeypatch.setattr(type(sent), "resident", property(lambda self: self is kept))
    ids = np.array([7, 3, 11])
    for one, other in zip(sent.pick(ids)[:2], kept.pick(ids)[:2], strict=True):
        torch.testing.assert_close(one, other[ids])
    assert sent.pick(ids)[2].tolist() == [0, 1, 2]


def test_a_batch_that_does_not_fit_is_made_smaller(make):
    scan, _ = make(lines=6)
    options = RpieOptions(batch=32, modes=4)
    start = first_guess(scan)
    need = estimate(scan, options, start.object.shape)
    fits = plan(scan, [options], start, CPU, need.total - need.frames - need.batch // 2)
    assert fits.stages[0].batch == 16
    assert any("16 positions at once" in note for note in fits.notes)
    with pytest.raises(JobError, match="but 0 MB are free"):
        plan(scan, [DmOptions()], start, CPU, 1000)


def storages():
    """Return where the tensors of this process lie, and how large they are.

    By ``type`` and not ``isinstance``: the latter asks a weak proxy for its
    class, and a proxy whose object is gone raises.
    """
    gc.collect()
    found = (thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor))
    return {one.untyped_storage().data_ptr(): one.numel() * one.element_size() for one in found}


@pytest.mark.parametrize("name", ["rpie", "dm", "mpie"])
def test_the_estimate_is_what_is_taken(name, make):
    """The tensors that live during a run, counted by size; within 10 %."""
    scan, _ = make(lines=12)
    scan = replace(scan, patterns=scan.patterns.astype(np.float32))
    options = ENGINES[name](epochs=2, batch=16)
    need = estimate(scan, options, first_guess(scan).object.shape)
    before = set(storages())
    job = reconstruct(scan, options, device="cpu")
    next(job)
    seen = {at: size for at, size in storages().items() if at not in before}
    job.close()
    frames = len(scan) * 32 * 32 * 4
    lasting = need.frames + need.waves
    assert lasting >= frames
    assert sum(size for size in seen.values() if size >= 0.9 * frames) == pytest.approx(
        lasting, rel=0.1
    )
    assert sum(seen.values()) < 1.1 * need.total


def test_loading_takes_little_more_than_the_frames(make):
    scan, _ = make(lines=4)
    rng = np.random.default_rng(0)
    large = replace(
        scan,
        patterns=rng.poisson(3, (2000, 64, 64)).astype(np.uint16),
        positions_px=rng.uniform(0, 50, (2000, 2)),
        positions_m=None,
        probe=None,
        valid=None,
    )
    tracemalloc.start()
    frames = load(large, CPU)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * frames.amplitude.nbytes + 200e6
