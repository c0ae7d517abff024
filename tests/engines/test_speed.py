"""What keeps an engine fast, held by counts, and by CPU time against the same work done plainly.

Ratios are taken within one process, round by round, and only gross losses fail: the figures
themselves are in docs/performance.md.
"""

import time

import numpy as np
import pytest
import torch

from napari_ptycho.engines import PRESETS, RpieOptions, reconstruct
from napari_ptycho.engines.chain import guarded
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.loop import epochs
from napari_ptycho.engines.state import begin
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Scan
from napari_ptycho.physics import simulate
from napari_ptycho.physics.propagate import Propagator
from napari_ptycho.prepare import first_guess

from .conftest import an_object

CPU = torch.device("cpu")


def a_scan(n=64, size=128):
    rng = np.random.default_rng(0)
    side = int(np.sqrt(n))
    grid = np.stack(np.divmod(np.arange(n), side), axis=1) * 9.0 + 2
    positions = grid + rng.integers(0, 4, grid.shape)
    shape = positions.max(axis=0).astype(int) + size + 2
    y, x = np.indices((size, size)) - size / 2
    probe = np.exp(-(y**2 + x**2) / (size / 5) ** 2) * np.exp(0.002j * (y**2 + x**2))
    return simulate(an_object(tuple(shape), rng), probe, positions, photons=1e6)


def naive_epoch(amplitude, image, probe, corners, batch=8, alpha=0.5):
    """rPIE as one would write it down: no fused loops, no buffers."""
    h, w = probe.shape
    for ids in torch.randperm(len(corners)).split(batch):
        places = [(slice(y, y + h), slice(x, x + w)) for y, x in corners[ids].tolist()]
        windows = torch.stack([image[place] for place in places])
        wave = torch.fft.fft2(windows * probe, norm="ortho")
        wave = wave * (amplitude[ids] / (wave.abs() + 1e-10))
        change = torch.fft.ifft2(wave, norm="ortho") - windows * probe
        light = probe.abs() ** 2
        weight = probe.conj() / ((1 - alpha) * light + alpha * light.max())
        for place, part in zip(places, change, strict=True):
            image[place] += weight * part
        power = (windows.abs() ** 2).sum(dim=0)
        probe += (windows.conj() * change).sum(dim=0) / power.max()


def endless(scan, options):
    """Yield the CPU seconds of each epoch."""
    with torch.inference_mode():
        frames = load(scan, CPU)
        state = begin(first_guess(scan), frames, options)
    finished, began = 0, time.process_time()
    for live in guarded(epochs(frames, state, Propagator(), options), 1):
        if live.done >= finished + 1:
            yield time.process_time() - began
            finished, began = finished + 1, time.process_time()


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # noqa: TID251 - what is measured
    yield
    torch.set_num_threads(before)  # noqa: TID251


def test_an_epoch_is_faster_than_the_plain_way_to_the_same_result(one_thread):
    scan = a_scan()
    ours = endless(scan, RpieOptions(epochs=1000, anneal=0.0))
    start = first_guess(scan)
    amplitude = torch.from_numpy(
        np.sqrt(np.fft.ifftshift(scan.patterns, axes=(1, 2))).astype(np.float32)
    )
    image, probe = torch.tensor(start.object), torch.tensor(start.probe[0])
    corners = torch.from_numpy(np.rint(start.positions_px).astype(int))
    next(ours)
    ratios = []
    for _ in range(7):
        began = time.process_time()
        naive_epoch(amplitude, image, probe, corners)
        ratios.append((time.process_time() - began) / next(ours))
    assert np.median(ratios) > 1.5


def test_an_epoch_is_two_transforms_per_batch(one_thread):
    scan = a_scan()
    options = RpieOptions(epochs=3, batch=8, anneal=0.0)
    epoch = endless(scan, options)
    next(epoch)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        next(epoch)
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls["aten::_fft_c2c"] == 2 * 8
    assert sum(count for name, count in calls.items() if name.startswith("aten::")) < 8 * 120


def test_the_work_per_pattern_does_not_grow_with_the_scan(one_thread):
    """Four times the patterns on four times the area: the same time for each."""
    epochs_of = [endless(a_scan(n, size=64), RpieOptions(epochs=1000)) for n in (100, 1600)]
    for epoch in epochs_of:
        next(epoch)
    ratios = []
    for _ in range(7):
        small, large = (next(epoch) for epoch in epochs_of)
        ratios.append(large / 16 / small)
    assert np.median(ratios) < 1.6


def test_what_the_engine_reads_is_contiguous():
    scan = a_scan(16)
    fortran = np.asfortranarray(scan.probe)
    with torch.inference_mode():
        frames = load(scan, CPU)
        state = begin(
            first_guess(Scan(scan.patterns, positions_px=scan.positions_px, probe=fortran)),
            frames,
            RpieOptions(),
        )
    for tensor in (frames.amplitude, frames.valid, state.object, state.probe):
        assert tensor.is_contiguous()


def test_the_quick_look_is_better_than_as_many_fine_epochs():
    scan = a_scan()
    quick = run_to_end(reconstruct(scan, PRESETS["quick"].stages, device="cpu"))
    stages = PRESETS["quick"].stages
    as_long = RpieOptions(epochs=sum(stage.epochs for stage in stages))
    alone = run_to_end(reconstruct(scan, as_long, device="cpu"))
    assert quick.errors[-1] < alone.errors[-1]
