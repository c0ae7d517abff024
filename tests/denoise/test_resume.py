"""Denoisings that were killed and went on: N + M iterations are N, kill, resume, M, bit by bit."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.engines.denoising import denoise_reconstruction
from napari_ptycho.errors import JobError
from napari_ptycho.io.autosave import Autosave, read_checkpoint
from napari_ptycho.job import run_to_end
from napari_ptycho.phantoms import noisy, phantom
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.prepare import first_guess

TINY = DenoiseOptions(
    architecture="arch1-bilinear", iterations=14, inputs=1, history_every=3, stop="none"
)


def part(n, seed=0):
    return tuple(image[40 : 40 + n, 40 : 40 + n] for image in noisy("fibres", 128, seed=seed))


def same(one, other):
    for name in ("image", "latest", "members"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("iteration", "done", "rule", "stopped", "grid", "curves", "settings", "notes"):
        assert getattr(one, name) == getattr(other, name)
    assert one.past.iterations == other.past.iterations
    for kept, again in zip(one.past.outputs, other.past.outputs, strict=True):
        np.testing.assert_array_equal(kept, again)


def goes_on(kept, options, image, at=(5,), **beside):
    """Run with checkpoints, and from each of them; return the result of the whole."""
    autosave = kept(*at)
    whole = run_to_end(dip(image, options, device="cpu", autosave=autosave, **beside))
    assert len(autosave.all) == len(at)
    for checkpoint in autosave.all:
        *_, last = dip(image, options, device="cpu", resume=checkpoint, **beside)
        same(last.result, whole)
        assert last.done == whole.done
    return whole


@pytest.mark.parametrize("rule", ["second-copy", "holdout", "discrepancy", "wmv", "loss", "none"])
def test_every_rule_goes_on_where_it_was(kept, rule, monkeypatch):
    monkeypatch.setattr("napari_ptycho.denoise.run.WMV_WINDOW", 4)
    monkeypatch.setattr("napari_ptycho.denoise.stopping.WMV_PATIENCE", 6)
    image, clean = part(32)
    second = part(32, seed=1)[0] if rule == "second-copy" else None
    options = replace(TINY, stop=rule, patience=6, rate=0.03, iterations=40)
    whole = goes_on(kept, options, image, reference=clean, second=second)
    assert whole.rule == rule
    plain = run_to_end(dip(image, options, clean, second=second, device="cpu"))
    same(plain, whole)  # saving changes nothing


@pytest.mark.parametrize("name", ["skip", "arch1"])
def test_architectures_and_noise_on_their_inputs_go_on(kept, name):
    options = replace(TINY, architecture=name, jitter=0.1, inputs=3, averaging=0.5)
    goes_on(kept, options, np.exp(1j * part(32)[0]), at=(1, 13, 14))


def test_an_ensemble_of_architectures_goes_on(kept):
    options = replace(TINY, ensemble=2, mix="architectures", iterations=8)
    goes_on(kept, options, part(32)[0])


def test_two_halves_go_on(kept):
    (image, _), (half, _), (other, _) = part(32), part(32, seed=1), part(32, seed=2)
    options = replace(TINY, stop="auto", patience=8, rate=0.03, iterations=20)
    whole = goes_on(kept, options, image, at=(12,), second=(half, other))
    assert whole.rule == "second-copy"


def scene():
    """A tiny scan, and a reconstruction of it."""
    image = np.exp(-1j * phantom("fibres", 40))
    y, x = np.indices((16, 16)) - 8
    probe = np.exp(-(y**2 + x**2) / 18 + 0.03j * (y**2 + x**2))
    places = np.stack(np.mgrid[0:25:4, 0:25:4], axis=-1).reshape(-1, 2).astype(float)
    scan = simulate(image, probe, places, photons=1e5, seed=0)
    options = RpieOptions(epochs=2)
    return scan, run_to_end(reconstruct(scan, options, first_guess(scan), device="cpu"))


class Some(Autosave):
    """Keeps every n-th checkpoint of the halves, and of what follows."""

    def __init__(self, path, n):
        super().__init__(path, every_s=0)
        self.n, self.seen, self.all = n, 0, []

    def save(self, checkpoint):
        self.seen += 1
        if self.seen % self.n == 1:
            super().save(checkpoint)
            self.all.append(read_checkpoint(self.path))


def test_half_count_reconstructions_that_were_made_are_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_ptycho.engines.halves.EPOCHS", 3)
    scan, found = scene()
    options = replace(TINY, stop="auto", iterations=6)
    words, autosave = (found, "phase", options, scan), Some(tmp_path / "job.autosave", 4)
    *_, whole = denoise_reconstruction(*words, device="cpu", autosave=autosave)
    for checkpoint in autosave.all:
        *_, last = denoise_reconstruction(*words, device="cpu", resume=checkpoint)
        same(last.result.denoised, whole.result.denoised)
        for half, again in zip(last.result.halves, whole.result.halves, strict=True):
            np.testing.assert_array_equal(half.object, again.object)
            assert half.provenance["half"] == again.provenance["half"]
    branches = [set(checkpoint.tree) for checkpoint in autosave.all]
    assert branches[0] == {"making"}
    assert branches[-1] == {"halves", "denoising"}
    firsts = [one.tree["making"]["tree"]["first"] for one in autosave.all if "making" in one.tree]
    assert firsts[0] is None
    assert firsts[-1] is not None  # half A is done
    monkeypatch.setattr("napari_ptycho.engines.denoising.any_halves", None)
    *_, last = denoise_reconstruction(*words, device="cpu", resume=autosave.all[-1])
    assert last.done == 6
    with pytest.raises(JobError, match="of another denoising"):
        next(denoise_reconstruction(found, "amplitude", *words[2:], resume=autosave.all[0]))


def test_what_went_on_in_its_session_goes_on_from_a_checkpoint(kept):
    image, more = part(32)[0], replace(TINY, iterations=6)
    first, again = (run_to_end(dip(image, TINY, device="cpu")) for _ in range(2))
    autosave = kept(3)
    whole = run_to_end(dip(image, more, device="cpu", resume=first, autosave=autosave))
    assert whole.done == 20
    same(run_to_end(dip(image, more, device="cpu", resume=autosave.all[0])), whole)
    same(run_to_end(dip(image, more, device="cpu", resume=again)), whole)


def test_tiles_that_are_done_are_not_denoised_again(kept):
    image = part(80)[0]
    options = replace(TINY, tile=64, iterations=3)
    autosave = kept(2, 7, 12)
    whole = run_to_end(dip(image, options, device="cpu", autosave=autosave))
    for checkpoint, before in zip(autosave.all, (0, 2, 3), strict=True):
        updates = list(dip(image, options, device="cpu", resume=checkpoint))
        same(updates[-1].result, whole)
        assert min(update.done for update in updates) >= 3 * before


def test_the_checkpoint_of_another_denoising_is_refused(kept):
    image = part(32)[0]
    autosave = kept(2)
    run_to_end(dip(image, replace(TINY, iterations=3), device="cpu", autosave=autosave))
    for other, options in ((image + 1, replace(TINY, iterations=3)), (image, TINY)):
        with pytest.raises(JobError, match="of another denoising"):
            next(dip(other, options, device="cpu", resume=autosave.all[0]))
    strange = replace(autosave.all[0], kind="training")
    with pytest.raises(JobError, match="of a training, this job is a denoising"):
        next(dip(image, replace(TINY, iterations=3), device="cpu", resume=strange))


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_job_goes_on(tmp_path):
    autosave = Autosave(tmp_path / "no folder" / "job.autosave", every_s=0)
    *_, last = dip(part(32)[0], replace(TINY, iterations=3), device="cpu", autosave=autosave)
    assert last.done == 3
    assert "not autosaved" in last.notes[-1]


KILLED = """
from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.phantoms import noisy

def job(autosave):
    options = DenoiseOptions.from_dict({options})
    return dip(noisy("fibres", 128)[0][40:72, 40:72], options, device="cpu", autosave=autosave)
"""


def test_what_was_killed_goes_on_to_the_same_bits(killed):
    options = replace(TINY, stop="holdout", ensemble=2)
    checkpoint = killed(KILLED.replace("{options}", repr(options.as_dict())), 5, 9)
    whole = run_to_end(dip(part(32)[0], options, device="cpu"))
    same(run_to_end(dip(part(32)[0], options, device="cpu", resume=checkpoint)), whole)
