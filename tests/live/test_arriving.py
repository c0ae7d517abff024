from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho.engines import RpieOptions
from napari_ptycho.engines.arriving import FIRST, Arriving
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.live import LiveEngine
from napari_ptycho.engines.memory import estimate
from napari_ptycho.live.arrivals import Arrivals
from napari_ptycho.live.patterns import first_frames, joined, part_of
from napari_ptycho.prepare import first_guess

CPU = torch.device("cpu")


def parts(scan, size):
    """The frames of a scan, so many at a time."""
    for stop in range(size, len(scan) + size, size):
        so_far = first_frames(scan, min(stop, len(scan)))
        yield part_of(so_far, stop - size)


def varied(scan, kind, rng):
    if kind == "exposure":
        return replace(scan, exposure=rng.uniform(1, 2, len(scan)))
    if kind == "masks":
        return replace(scan, valid=rng.random(scan.patterns.shape) > 0.05)
    return scan


@pytest.mark.parametrize("kind", ["plain", "exposure", "masks"])
def test_what_arrives_in_parts_is_the_whole(star, rng, kind):
    scan = varied(star[0], kind, rng)
    assert len(scan) > FIRST, "the room doubles"
    options = RpieOptions(saturation=500.0)
    arriving = Arriving(options, CPU)
    start = first_guess(scan)
    for part in parts(scan, 50):
        arriving.append(part, start)
    whole, frames = load(scan, CPU, options.saturation), arriving.frames
    # Exposures are relative: all counts may differ by one factor.
    factor = whole.total / frames.total
    np.testing.assert_allclose(frames.totals * factor, whole.totals, rtol=1e-5)
    torch.testing.assert_close(frames.amplitude * factor**0.5, whole.amplitude)
    torch.testing.assert_close(frames.valid, whole.valid)
    assert frames.checksum == whole.checksum
    rows = np.array([7, 270])
    amplitude, _, at = arriving.some(rows).pick(np.array([1, 0]))
    torch.testing.assert_close(amplitude[at], frames.amplitude[rows[::-1].copy()])


def test_frames_that_do_not_fit_lie_on_disk_and_the_result_is_the_same(star):
    scan, _ = star
    options = RpieOptions(epochs=2)
    needed = estimate(scan, options, first_guess(scan).object.shape)
    results = []
    for limit in (None, needed.total - needed.frames // 2):
        engine = LiveEngine((options,), CPU, len(scan), limit)
        for part in parts(scan, 100):
            engine.extend(part, scan.in_pixels()[: len(engine) + len(part)])
        for _ in engine.finish(scan, 2):
            pass
        results.append(engine.result(scan))
    assert any("read from disk" in note for note in engine.notes)
    np.testing.assert_array_equal(results[0].object, results[1].object)


def test_parts_join_to_the_scan(star, rng):
    scan = varied(star[0], "masks", rng)
    whole = joined(list(parts(scan, 64)))
    np.testing.assert_array_equal(whole.patterns, scan.patterns)
    np.testing.assert_array_equal(whole.valid, scan.valid)
    np.testing.assert_array_equal(whole.positions_px, scan.positions_px)


def test_new_frames_are_gone_over_first(star):
    scan, _ = star
    engine = LiveEngine((RpieOptions(),), CPU)
    first, second, *_ = parts(scan, 100)
    engine.extend(first, scan.in_pixels()[:100])
    for _ in range(5):
        for _ in engine.round():
            pass
    engine.extend(second, scan.in_pixels()[:200])
    engine._pace = 1.0  # so slow that a round takes a batch
    before = engine.visits.copy()
    for _ in engine.round():
        pass
    gone = np.flatnonzero(engine.visits > before)
    batch = engine.options.batch
    assert len(gone) == batch
    assert (gone >= 100).sum() >= batch // 2


def test_arrivals_tell_rate_and_age():
    now = [0.0]
    arrivals = Arrivals(lambda: now[0])
    assert arrivals.per_second == 0
    for second in range(10):
        now[0] = float(second)
        arrivals.note(100 * (second + 1))
    assert arrivals.per_second == pytest.approx(100)
    assert arrivals.age_s(950) == 0
    assert arrivals.age_s(750) == 2
    now[0] = 60.0
    assert arrivals.per_second == 0
