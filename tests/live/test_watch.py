import hashlib
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.engines import LsqmlOptions, RaarOptions, RpieOptions, reconstruct
from napari_ptycho.errors import JobError, OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.live import WatchOptions, watch
from napari_ptycho.networks import shipped
from napari_ptycho.physics.align import illuminated
from tests.live.conftest import phase_error

WORSE = 1.15
"""The error of a watched scan is at most so many times that of a reconstruction from scratch."""
EPOCHS = 20


def digest(scan):
    return hashlib.blake2b(np.ascontiguousarray(scan.patterns).data, digest_size=16).hexdigest()


def test_every_frame_is_in_a_result_as_good_as_from_scratch(star, unveil):
    scan, truth = star
    growing = unveil(replace(scan, patterns=da.from_array(scan.patterns, chunks=(1, 64, 64))), 300)
    stages = RpieOptions(epochs=2 * EPOCHS)
    updates = list(watch(growing, stages=stages, options=WatchOptions(epochs=EPOCHS)))
    last = updates[-1].result
    assert (last.phase, last.arrived, growing.closed) == ("ended", len(scan), True)
    assert last.checksum == digest(scan)
    found = last.reconstruction
    assert found.provenance["scan_checksum"] == f"blake2b-128 {digest(scan)}"
    assert found.provenance["watched"]["frames"] == len(found.positions_px) == len(scan)
    assert found.object.shape == truth.object.shape
    np.testing.assert_allclose(found.positions_px, truth.positions_px, atol=1e-9)
    scratch = run_to_end(reconstruct(scan, stages))
    assert phase_error(truth, found) < WORSE * phase_error(truth, scratch)
    assert last.shown.counts.sum() == scan.patterns.sum()
    np.testing.assert_allclose(last.shown.mean, scan.patterns.mean(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(last.shown.newest, scan.patterns[-16:])


def test_it_is_shown_and_reconstructed_before_the_writer_has_ended(star, unveil):
    scan, _ = star
    job = watch(unveil(scan, per_second=150, expected=len(scan)), stages=RpieOptions())
    seen = [update for update in job if update.result.phase == "watching"]
    counts = [update.result.arrived for update in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) > 3
    assert {update.total for update in seen} == {len(scan)}
    early = [view for view in (u.result for u in seen) if view.reconstruction is not None]
    assert 0 < len(early[0].reconstruction.positions_px) < len(scan)
    shapes = {view.reconstruction.object.shape for view in early}
    assert len(shapes) > 1, "the object grows with the positions"
    assert "epoch" in early[-1].text()
    assert f"of {len(scan)} frames" in early[-1].text()


def test_a_writer_that_dies_leaves_what_it_wrote(star, unveil):
    scan, _ = star
    growing = unveil(scan, until=100)
    options = WatchOptions(patience_s=0.5, epochs=5)
    *_, last = watch(growing, stages=RpieOptions(), options=options)
    assert last.result.arrived == len(last.result.reconstruction.positions_px) == 100
    assert "the writer has stopped or died; going on with what is there" in last.notes[-1]
    assert last.result.reconstruction.provenance["watched"]["complete"] is False
    assert last.result.phase == "ended"


def test_nothing_comes(star, unveil):
    growing = unveil(star[0], until=0)
    with pytest.raises(JobError, match=r"star: no frame came in 0.2 s \(star: not there yet\)"):
        list(watch(growing, options=WatchOptions(wait_s=0.2)))
    assert growing.closed


def test_positions_that_come_late_are_waited_for(star, unveil):
    scan, _ = star
    growing = unveil(scan, late=1.0)
    options = WatchOptions(patience_s=0.2, epochs=1)  # of a writer that has begun
    updates = list(watch(growing, stages=RpieOptions(epochs=1), options=options))
    assert updates[0].result.phase == "waiting"
    assert updates[0].result.text() == "waiting: star: not there yet"
    assert updates[-1].result.arrived == len(scan)


def test_lines_that_come_from_below_move_what_was_reached(star, unveil):
    scan, truth = star
    back = replace(scan, patterns=scan.patterns[::-1], positions_px=scan.positions_px[::-1])
    options = WatchOptions(epochs=EPOCHS)
    *_, last = watch(unveil(back, 300), stages=RpieOptions(), options=options)
    found = last.result.reconstruction
    np.testing.assert_allclose(found.positions_px[::-1], truth.positions_px, atol=1e-9)
    scratch = run_to_end(reconstruct(scan, RpieOptions(epochs=2 * EPOCHS)))
    assert phase_error(truth, found) < WORSE * phase_error(truth, scratch)


def test_an_engine_that_needs_all_frames_ends_what_another_began(star, unveil):
    scan, truth = star
    stages = (RaarOptions(epochs=10), LsqmlOptions(epochs=10))
    *_, last = watch(unveil(scan), stages=stages)
    runs = [run["engine"] for run in last.result.reconstruction.provenance["runs"]]
    assert runs == ["LSQ-ML", "RAAR", "LSQ-ML"]
    assert last.total == len(scan)
    assert phase_error(truth, last.result.reconstruction) < 0.1


def test_dark_first_frames_are_kept(star, unveil):
    scan, _ = star
    patterns = scan.patterns.copy()
    patterns[:40] = 0
    dark = replace(scan, patterns=patterns)
    *_, last = watch(unveil(dark, 400), shipped(), RpieOptions(), WatchOptions(epochs=EPOCHS))
    assert last.result.checksum == digest(dark)
    assert len(last.result.reconstruction.positions_px) == len(scan)
    assert not [note for note in last.notes if note.startswith("nothing is")]


def test_only_new_frames_are_predicted(star, unveil, monkeypatch):
    from napari_ptycho.networks.patches import SingleShot

    seen = []
    call = SingleShot.__call__
    monkeypatch.setattr(
        SingleShot, "__call__", lambda self, counts: seen.append(len(counts)) or call(self, counts)
    )
    scan, truth = star
    updates = list(watch(unveil(scan, 300), shipped()))
    assert sum(seen) == len(scan)
    partial = [u.result for u in updates if u.result.predicted is not None]
    assert len(partial[0].predicted.frames) < len(scan)
    last = partial[-1].predicted
    assert last.reconstruction.object.shape == truth.object.shape
    np.testing.assert_allclose(last.reconstruction.positions_px, truth.positions_px, atol=1e-9)
    assert last.reconstruction.provenance["predicted"]["network"] == shipped().name
    assert np.isfinite(last.r_factor)


def test_stitched_piece_by_piece_it_is_the_whole(star, unveil):
    """With the scaling of the network (no mean pattern) both ways see the same patterns."""
    from napari_ptycho.networks import PredictOptions, predict

    scan, _ = star
    network = shipped()
    whole = run_to_end(predict(scan, network, PredictOptions()))
    *_, last = watch(unveil(scan), network)
    found = last.result.predicted
    area = illuminated(whole.reconstruction)
    difference = np.abs(found.reconstruction.object - whole.reconstruction.object)[area]
    assert found.reconstruction.object.shape == whole.reconstruction.object.shape
    assert np.median(difference) < 0.1
    assert found.r_factor == pytest.approx(whole.r_factor, rel=0.1)
    made, same = found.reconstruction.provenance, whole.reconstruction.provenance
    assert made["scan_checksum"] == same["scan_checksum"]


def test_a_network_of_another_size_is_a_sentence(star, unveil):
    scan, _ = star
    odd = replace(
        scan, patterns=scan.patterns[:, 2:-2, 2:-2], valid=None, probe=scan.probe[:, 2:-2, 2:-2]
    )
    *_, last = watch(unveil(odd), shipped(), RpieOptions(epochs=1))
    assert last.result.predicted is None
    assert "nothing is predicted: star: patterns are 60 x 60" in last.notes[0]
    assert last.result.reconstruction is not None


def test_without_a_pixel_size_frames_are_still_shown(star, unveil):
    scan, _ = star
    unscaled = replace(scan, positions_px=None, positions_m=scan.positions_px * 1e-8)
    *_, last = watch(unveil(unscaled), stages=RpieOptions())
    assert last.result.arrived == len(scan)
    assert last.result.reconstruction is None
    assert "nothing is reconstructed: star: positions are in metres" in last.notes[0]


def test_stopping_closes_the_files(star, unveil):
    growing = unveil(star[0], per_second=50)
    job = watch(growing, stages=RpieOptions())
    next(job)
    job.close()
    assert growing.closed


def test_options_of_nothing(star, unveil):
    with pytest.raises(OptionsError, match="not the options of an engine"):
        next(watch(unveil(star[0]), stages=[WatchOptions()]))
