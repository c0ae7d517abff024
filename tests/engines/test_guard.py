"""What happens when a run goes wrong."""

import numpy as np
import pytest
import torch

from napari_ptycho.engines import EpieOptions, MpieOptions, RpieOptions, reconstruct
from napari_ptycho.engines.pie import Pie
from napari_ptycho.errors import JobError
from napari_ptycho.job import run_to_end

from .conftest import phase_error


def blow_up(monkeypatch, at_epochs, factor):
    """Multiply the object after the first step of some epochs."""
    begin, step = Pie.begin_epoch, Pie.step
    seen = {"epoch": 0, "due": False}

    def begin_epoch(self, share, with_probe):
        seen["epoch"] += 1
        seen["due"] = seen["epoch"] in at_epochs
        begin(self, share, with_probe)

    def spoilt(self, ids):
        step(self, ids)
        if seen["due"]:
            seen["due"] = False
            self.work.state.object.mul_(factor)

    monkeypatch.setattr(Pie, "begin_epoch", begin_epoch)
    monkeypatch.setattr(Pie, "step", spoilt)


@pytest.mark.parametrize("factor", [20.0, float("nan")], ids=["exploding", "not a number"])
def test_a_run_that_diverges_goes_back_and_says_so(factor, make, monkeypatch):
    scan, truth = make(photons=1e6)
    blow_up(monkeypatch, {12}, factor)
    *_, last = reconstruct(scan, RpieOptions(epochs=40), device="cpu")
    assert np.isfinite(last.result.object).all()
    assert phase_error(truth, last.result) < 0.06
    assert [note for note in last.notes if note.startswith("epoch 12: the error rose")]
    assert len(last.notes) == 1


def test_a_run_without_trouble_says_nothing(make):
    scan, _ = make(photons=1e6)
    for options in (RpieOptions(epochs=30), MpieOptions(epochs=30), EpieOptions(epochs=30)):
        *_, last = reconstruct(scan, options, device="cpu")
        assert last.notes == ()


def test_momentum_that_is_too_strong_is_calmed(make):
    scan, truth = make(photons=1e6)
    wild = MpieOptions(epochs=40, period=5, friction=0.98, object_push=1.0, probe_push=0.5)
    *_, last = reconstruct(scan, wild, device="cpu")
    assert last.result.errors[-1] < 0.1 * last.result.errors[0]
    assert phase_error(truth, last.result) < 0.1


def test_out_of_memory_halves_the_batch_and_goes_on(make, monkeypatch):
    scan, truth = make(photons=1e6)
    step, sizes = Pie.step, []

    def crowded(self, ids):
        sizes.append(len(ids))
        if len(ids) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        step(self, ids)

    monkeypatch.setattr(Pie, "step", crowded)
    *_, last = reconstruct(scan, RpieOptions(epochs=20, batch=12), device="cpu")
    assert sizes[:3] == [12, 6, 3]
    assert max(sizes[3:]) == 3
    assert phase_error(truth, last.result) < 0.08
    assert any("3 positions at once" in note for note in last.notes)


def test_no_room_for_a_single_frame_is_an_error(make, monkeypatch):
    scan, _ = make(lines=4)

    def crowded(self, ids):
        raise torch.OutOfMemoryError("CUDA out of memory (injected)")

    monkeypatch.setattr(Pie, "step", crowded)
    with pytest.raises(JobError, match="not enough memory for a single frame"):
        run_to_end(reconstruct(scan, RpieOptions(epochs=2)))
