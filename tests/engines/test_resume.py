"""Runs that were killed and went on: N + M epochs are N, kill, resume, M, bit by bit."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.engines import ENGINES, DmOptions, MpieOptions, RpieOptions, reconstruct
from napari_ptycho.engines.memory import estimate
from napari_ptycho.errors import JobError, OptionsError
from napari_ptycho.io import read_scan, write_scan
from napari_ptycho.io.autosave import Autosave, alive, read_checkpoint
from napari_ptycho.job import run_to_end
from napari_ptycho.prepare import first_guess

COARSE = MpieOptions(epochs=3, resolution="half", anneal=0.0, period=10)
LEARNING = {
    "positions": {"positions": "gradient", "positions_start": 1},
    "places": {"positions": "annealing", "positions_start": 1, "positions_reach_px": 1.0},
    "affine": {"positions": "annealing", "positions_affine": True, "positions_start": 1},
    "modes": {"modes": 2, "subpixel": True},
    "variations": {"variations": 2, "flux": True, "epochs": 8},
    "background": {"background": True, "epochs": 8},
    "fly-scan": {"fly_points": 2},
    "constraints": {"total_variation": 0.001, "probe_centre": True, "amplitude_limit": 1.1},
    "denoiser": {"denoiser": "dip", "denoise_every": 2, "epochs": 6},
}
OWN = {
    "dm": {"average": 0.5},
    "raar": {"average": 0.5, "overlaps": 3},
    "lsqml": {"batches": "compact", "momentum": 0.5},
    "mpie": {"period": 10, "probe_push": 0.1},
    "dip": {"pretrain": 3, "steps": 2, "averaging": 0.3},
}


class Kept(Autosave):
    """Keeps all its checkpoints, as they were read from the file."""

    def __init__(self, folder):
        super().__init__(folder / "run.autosave", every_s=0)
        self.all = []

    def save(self, checkpoint):
        super().save(checkpoint)
        assert not self.notes
        self.all.append(read_checkpoint(self.path))


def same(one, other):
    np.testing.assert_array_equal(one.object, other.object)
    np.testing.assert_array_equal(one.probe, other.probe)
    np.testing.assert_array_equal(one.positions_px, other.positions_px)
    assert one.errors == other.errors
    assert one.extras.keys() == other.extras.keys()
    for name, extra in one.extras.items():
        np.testing.assert_array_equal(extra, other.extras[name])
    assert one.provenance["runs"] == other.provenance["runs"]


def whole_and_resumed(scan, stages, folder, at, **flags):
    """Compare a run with those that go on from its checkpoints `at`, in parts of an epoch done."""
    autosave = Kept(folder)
    whole = run_to_end(reconstruct(scan, stages, device="cpu", autosave=autosave, **flags))
    assert autosave.all[-1].done == autosave.all[-1].total
    for done in at:
        checkpoint = min(autosave.all, key=lambda one: abs(one.done - done))
        assert abs(checkpoint.done - done) < 0.3
        *_, last = reconstruct(scan, None, device="cpu", resume=checkpoint, **flags)
        same(last.result, whole)
        assert last.done == last.total
        assert last.history["error"] == whole.errors


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_goes_on_where_it_was(name, make, tmp_path):
    scan, _ = make(lines=5)
    options = ENGINES[name](**{"epochs": 4, "batch": 7, "modes": 2, **OWN.get(name, {})})
    whole_and_resumed(scan, options, tmp_path, at=(0.5, 2.5, 3))


@pytest.mark.parametrize("what", LEARNING)
def test_all_that_is_learnt_goes_on(what, make, tmp_path):
    scan, _ = make(lines=5, fraction=0.4)
    options = RpieOptions.from_dict({"epochs": 5, "batch": 7, **LEARNING[what]})
    at = (1, options.epochs - 1.5, options.epochs - 1)
    whole_and_resumed(scan, options, tmp_path, at)


def test_a_chain_goes_on_from_any_of_its_stages(make, tmp_path):
    scan, _ = make(photons=1e7, lines=5)
    last = RpieOptions(epochs=2, modes=2, positions="gradient", positions_start=0)
    stages = (COARSE, DmOptions(epochs=3), last)
    whole_and_resumed(scan, stages, tmp_path, at=(1.5, 3, 4.5, 6, 7.5, 8))


def test_a_given_start_is_kept_in_the_checkpoint(make, tmp_path):
    scan, _ = make(lines=5)
    start = run_to_end(reconstruct(scan, RpieOptions(epochs=2), device="cpu"))
    autosave, options = Kept(tmp_path), RpieOptions(epochs=3)
    whole = run_to_end(reconstruct(scan, options, start, "cpu", autosave=autosave))
    same(run_to_end(reconstruct(scan, None, device="cpu", resume=autosave.all[0])), whole)
    again = reconstruct(scan, options, start, "cpu", resume=autosave.all[0])
    same(run_to_end(again), whole)
    with pytest.raises(JobError, match="from another start"):
        next(reconstruct(scan, options, device="cpu", resume=autosave.all[0]))


@pytest.mark.parametrize("name", ["rpie", "lsqml"])
def test_frames_read_from_disk_go_on(name, make, tmp_path):
    scan, _ = make(lines=6)
    options = ENGINES[name](epochs=3, batch=7)
    need = estimate(scan, options, first_guess(scan).object.shape)
    limit = need.total - need.frames // 2
    whole_and_resumed(scan, options, tmp_path, at=(1.5, 2), memory_bytes=limit)


def test_a_run_that_diverged_goes_on_with_its_rescue(make, tmp_path):
    scan, _ = make(lines=5)

    def spoil(state):
        if len(state.history["error"]) == 4:
            state.object.mul_(30.0)

    options, autosave = MpieOptions(epochs=9, period=10), Kept(tmp_path)
    job = reconstruct(scan, options, device="cpu", hook=spoil, autosave=autosave)
    *_, last = job
    assert any("went back to the best state" in note for note in last.notes)
    later = next(one for one in autosave.all if one.done > 6)
    *_, again = reconstruct(scan, None, device="cpu", resume=later)
    same(again.result, last.result)
    assert again.notes == last.notes


def test_checkpoints_of_other_runs_are_refused(make, tmp_path):
    scan, _ = make(lines=4)
    autosave, options = Kept(tmp_path), RpieOptions(epochs=1)
    run_to_end(reconstruct(scan, options, device="cpu", autosave=autosave))
    checkpoint = autosave.all[0]
    with pytest.raises(OptionsError, match=r"rPIE \(1 epochs\) .* not of the rPIE \(2 epochs\)"):
        next(reconstruct(scan, RpieOptions(epochs=2), device="cpu", resume=checkpoint))
    other = [
        replace(scan, patterns=scan.patterns + 1),
        replace(scan, positions_px=scan.in_pixels() * 1.01, positions_m=None),
        replace(scan, valid=np.arange(32) > np.zeros((32, 1))),
    ]
    for one in other:
        with pytest.raises(JobError, match="other counts, positions, geometry or another mask"):
            next(reconstruct(one, options, device="cpu", resume=checkpoint))
    with pytest.raises(JobError, match="is of a training"):
        next(reconstruct(scan, None, resume=replace(checkpoint, kind="training")))
    with pytest.raises(OptionsError, match="no engine was named"):
        next(reconstruct(scan, None))
    with pytest.raises(JobError, match="on one device only"):
        next(reconstruct(scan, None, device="cpu,cpu", resume=checkpoint))


def test_a_disk_that_is_full_is_a_note_and_the_run_goes_on(make, tmp_path):
    scan, _ = make(lines=4)
    options = RpieOptions(epochs=2)
    whole = run_to_end(reconstruct(scan, options, device="cpu"))
    autosave = Autosave(tmp_path / "gone" / "run.autosave", every_s=0)
    *_, last = reconstruct(scan, options, device="cpu", autosave=autosave)
    assert [note for note in last.notes if note.startswith("not autosaved: ")]
    same(last.result, whole)


def test_several_devices_say_that_nothing_is_saved(make, tmp_path):
    scan, _ = make(lines=4)
    autosave = Autosave(tmp_path / "run.autosave", every_s=0)
    job = reconstruct(scan, RpieOptions(epochs=1), device="cpu,cpu", autosave=autosave)
    *_, last = job
    assert "not autosaved: several devices share the frames" in last.notes
    assert not autosave.path.exists()


KILLED = """
import sys
from napari_ptycho import io
from napari_ptycho.engines import MpieOptions, reconstruct
from napari_ptycho.io.autosave import Autosave

autosave = Autosave(sys.argv[2], every_s=0)
options = MpieOptions(epochs=300, modes=2)
for update in reconstruct(io.read_scan(sys.argv[1]), options, device="cpu", autosave=autosave):
    pass
"""


def test_a_killed_process_is_gone_on_with(make, tmp_path):
    scan, _ = make(lines=4)
    path, saved = tmp_path / "scan.h5", tmp_path / "run.autosave"
    write_scan(scan, path)
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(saved)])
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if saved.exists() and read_checkpoint(saved, arrays=False).done >= 3:
                break
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -9
    checkpoint = read_checkpoint(saved)
    assert not alive(checkpoint.about)
    assert 3 <= checkpoint.done < checkpoint.total
    scan = read_scan(path)
    whole = run_to_end(reconstruct(scan, MpieOptions(epochs=300, modes=2), device="cpu"))
    same(run_to_end(reconstruct(scan, None, device="cpu", resume=checkpoint)), whole)
