"""Frames that judge a denoiser: which they are, and that the object has not seen them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_ptycho.engines import ENGINES, reconstruct, regularise
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.regularise import Denoiser, held_out
from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.engines.state import begin
from napari_ptycho.engines.table import method_of
from napari_ptycho.engines.work import Work
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.physics.propagate import Propagator

from .conftest import phase_error
from .denoisers import FEW, begun, notes_of
from .low_dose import low_dose

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene():
    return low_dose()


@pytest.fixture(scope="module")
def small():
    return low_dose(lines=5)


@pytest.mark.parametrize("photons", [300.0, 1e4, 1e6])
def test_held_out_frames_tell_the_truth_from_what_fits_the_noise(photons):
    """The frames that an object was made from prefer it to the truth; those held out do not."""
    scan, truth = low_dose(photons=photons)
    flat = replace(truth, object=np.ones_like(truth.object))
    options = replace(FEW, probe_start=100)
    found = {}

    def judge(state, work):
        image = state.object.clone()
        found["held"] = work.unlikelihood()
        others, held = work.order, work.held
        work.held = others
        found["seen"] = work.unlikelihood()
        state.object.copy_(torch.from_numpy(truth.object.copy()))
        found["seen, truth"] = work.unlikelihood()
        work.held = held
        found["held, truth"] = work.unlikelihood()
        state.object.copy_(image)

    with torch.inference_mode():
        frames = load(scan, CPU)
        state = begin(flat, frames, options)
        work = Work(frames, state, Propagator(), options)
        Denoiser(work)
        method = method_of(work)
        for epoch in range(40):
            work.begin_epoch(epoch)
            method.begin_epoch(1.0, False)
            for ids in method.batches(torch.Generator().manual_seed(epoch)):
                method.step(ids)
        judge(state, work)
    assert found["held, truth"] < found["held"]
    if photons == 300:
        assert found["seen"] < found["seen, truth"]


@pytest.mark.parametrize("name", list(ENGINES))
def test_held_out_frames_never_reach_the_object_before_the_last_denoising(name, small, monkeypatch):
    """Their counts may be anything: object, probe and error stay what they are until they join."""
    scan, _, start = begun(small)
    monkeypatch.setattr(regularise, "FIRST", 3)
    monkeypatch.setattr(regularise, "STEPS", 1)
    own = {"pretrain": 3, "steps": 1} if name == "dip" else {}
    options = ENGINES[name](
        **own,
        epochs=10,
        batch=16,
        modes=2,
        denoiser="dip",
        denoise_every=3,
        background=True,
        flux=True,
        positions="annealing",
        positions_affine=True,
        positions_start=1,
    )
    held = held_out(start.positions_px, ALONE, options)
    spoilt = scan.patterns.copy()
    spoilt[held] = np.random.default_rng(0).permuted(spoilt[held] + 3, axis=0)[:, ::-1]
    runs = []
    for patterns in (scan.patterns, spoilt):
        falling = iter(range(100, 0, -1))
        monkeypatch.setattr(Work, "unlikelihood", lambda self, falling=falling: next(falling))
        seen = {}

        def watch(state, seen=seen):
            seen[len(state.history["error"])] = (
                state.object.numpy().copy(),
                state.probe.numpy().copy(),
                state.background.numpy().copy(),
                state.history["error"][-1],
            )

        seen["end"] = run_to_end(
            reconstruct(replace(scan, patterns=patterns), options, start, "cpu", hook=watch)
        )
        runs.append(seen)
    for epoch in range(1, 7):
        for one, other in zip(runs[0][epoch], runs[1][epoch], strict=True):
            np.testing.assert_array_equal(one, other)
    assert np.abs(runs[0]["end"].object - runs[1]["end"].object).max() > 1e-4
    assert (runs[0]["end"].extras["frame_errors"] > 0).all()


def test_positions_of_held_out_frames_are_refined_too(scene):
    scan, truth, start = begun(scene)
    rng = np.random.default_rng(0)
    moved = truth.positions_px + rng.normal(scale=0.7, size=truth.positions_px.shape)
    start = replace(start, object=truth.object, positions_px=np.maximum(moved, 0))
    options = replace(
        FEW, epochs=12, positions="gradient", positions_start=0, probe_start=100, denoise_every=9
    )
    seen = {}

    def watch(state):
        seen[len(state.history["error"])] = state.positions - state.grown

    run_to_end(reconstruct(scan, options, start, "cpu", hook=watch))
    held = held_out(start.positions_px, ALONE, options)
    off = [
        np.linalg.norm((places - truth.positions_px)[held], axis=1).mean()
        for places in (start.positions_px, seen[9])
    ]
    assert off[1] < 0.9 * off[0]


def test_frames_that_are_held_out_have_an_error_too(scene):
    scan, _, start = begun(scene)
    for update in reconstruct(scan, replace(FEW, denoise_every=8), start, "cpu"):
        if update.done in range(1, 9):
            assert (update.result.extras["frame_errors"] > 0).all()


def test_too_few_frames_are_refused(scene):
    scan, truth = scene
    few = replace(
        scan, patterns=scan.patterns[:3], positions_px=scan.positions_px[[0, 1, 2]], valid=None
    )
    with pytest.raises(OptionsError, match=r"needs frames to judge it by; 3 frames in 1 process"):
        run_to_end(
            reconstruct(few, FEW, replace(truth, positions_px=truth.positions_px[:3]), "cpu")
        )


def test_every_process_judges_by_frames_of_its_own():
    scan, truth = low_dose()
    options = replace(FEW, denoise_held_out=0.1, modes=2, epochs=8)
    *_, last = reconstruct(scan, options, device="cpu,cpu")
    assert len(notes_of(last)) == 1
    assert phase_error(truth, last.result) < 0.2
    assert (last.result.extras["frame_errors"] > 0).all()


@given(st.integers(4, 300), st.integers(1, 4), st.floats(0.01, 0.5), st.integers(0, 99))
def test_held_out_frames_are_spread_and_shared(n, size, asked, seed):
    if n // size < 4:
        return
    options = replace(FEW, denoise_held_out=asked, seed=seed)
    positions = np.random.default_rng(seed).uniform(0, 100, (n, 2))
    held = held_out(positions, Share(0, size), options)
    np.testing.assert_array_equal(held, np.unique(held))
    own = [np.intersect1d(held, Share(rank, size).frames(n)) for rank in range(size)]
    assert len({len(ids) for ids in own}) == 1
    assert len(held) <= max(0.25 * n, 1)
    assert len(held) >= min(4, 0.25 * (n // size)) or size > 1
    np.testing.assert_array_equal(held, held_out(positions, Share(size - 1, size), options))
    for rank in range(size):
        left = np.setdiff1d(Share(rank, size).frames(n), held)
        steps = Share(rank, size).steps(n - len(held), 1)
        assert len(left) >= steps or size == 1


def test_every_part_of_the_area_has_a_judge():
    grid = np.stack(np.meshgrid(*[np.arange(20.0)] * 2, indexing="ij"), -1).reshape(-1, 2)
    held = grid[held_out(grid, ALONE, replace(FEW, denoise_held_out=0.04))]
    assert len(held) == 16
    quarters = np.unique((held >= 10) @ [2, 1], return_counts=True)[1]
    np.testing.assert_array_equal(quarters, [4, 4, 4, 4])
