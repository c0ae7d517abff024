"""One scan in several processes (gloo, on the CPU): the same result as in one."""

import os
import signal

import numpy as np
import pytest
import torch

from napari_ptycho.engines import (
    DmOptions,
    LbfgsOptions,
    LsqmlOptions,
    MpieOptions,
    RpieOptions,
    reconstruct,
)
from napari_ptycho.engines.share import Share
from napari_ptycho.errors import JobError
from napari_ptycho.job import run_to_end

from .conftest import phase_error

WHOLE = 1000  # a batch of all frames: the same steps however they are shared


@pytest.mark.parametrize(
    "options",
    [
        (
            MpieOptions(epochs=3, batch=WHOLE, period=50),
            RpieOptions(epochs=3, batch=WHOLE, modes=2, positions="gradient", positions_start=0),
        ),
        (
            DmOptions(epochs=3, background=True),
            LbfgsOptions(epochs=3, flux=True),
            LsqmlOptions(epochs=2, batch=WHOLE, variations=1),
        ),
    ],
    ids=["PIE, modes, positions", "DM, L-BFGS, LSQ-ML, beam"],
)
def test_two_processes_do_what_one_does(options, make):
    scan, _ = make(lines=5, fraction=0.3)
    one = run_to_end(reconstruct(scan, options, device="cpu"))
    two = run_to_end(reconstruct(scan, options, device="cpu,cpu"))
    np.testing.assert_allclose(two.errors, one.errors, rtol=2e-3)
    np.testing.assert_allclose(two.object, one.object, atol=5e-3)
    np.testing.assert_allclose(two.positions_px, one.positions_px, atol=5e-3)
    for name, known in one.extras.items():
        if name != "variations":
            scale = max(1e-3, np.abs(known).max())
            np.testing.assert_allclose(two.extras[name], known, atol=0.02 * scale, err_msg=name)


def test_small_batches_find_the_phase_together(make):
    scan, truth = make(photons=1e6)
    stages = (MpieOptions(epochs=6, resolution="half"), RpieOptions(epochs=24))
    result = run_to_end(reconstruct(scan, stages, device="cpu,cpu"))
    assert phase_error(truth, result) < 0.06


def test_every_process_has_frames_for_every_step():
    for n in (5, 16, 81):
        for size in (2, 3):
            for batch in (1, 4, 8, 100):
                shares = [Share(rank, size) for rank in range(size)]
                parts = [share.batches(share.frames(n), n, batch) for share in shares]
                assert {len(part) for part in parts} == {shares[0].steps(n, batch)}
                assert min(len(ids) for part in parts for ids in part) > 0
                every = np.concatenate([ids for part in parts for ids in part])
                assert sorted(every) == list(range(n))


def test_an_error_in_a_process_reaches_the_user(make):
    scan, _ = make(lines=4)
    with pytest.raises(JobError, match="but 0 MB are free"):
        run_to_end(reconstruct(scan, RpieOptions(), device="cpu,cpu", memory_bytes=1000))
    with pytest.raises(JobError, match="17 devices for 16 frames"):
        run_to_end(reconstruct(scan, RpieOptions(), device=",".join(["cpu"] * 17)))
    if not torch.cuda.is_available():
        with pytest.raises(JobError, match="no CUDA device"):
            run_to_end(reconstruct(scan, RpieOptions(), device="cuda:all"))


def test_a_process_that_dies_is_told(make):
    import multiprocessing

    def others():
        return [one for one in multiprocessing.active_children() if one not in before]

    before = multiprocessing.active_children()
    scan, _ = make(lines=4)
    job = reconstruct(scan, RpieOptions(epochs=100_000), device="cpu,cpu")
    next(job)
    os.kill(others()[1].pid, signal.SIGKILL)
    with pytest.raises(JobError, match="a process of the run has died"):
        run_to_end(job)
    assert not others()
