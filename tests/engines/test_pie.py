from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho.engines import EpieOptions, MpieOptions, RpieOptions, reconstruct
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.pie import Mpie, Pie
from napari_ptycho.engines.state import begin
from napari_ptycho.engines.work import Work
from napari_ptycho.job import run_to_end
from napari_ptycho.physics import kernels
from napari_ptycho.physics.propagate import Propagator
from napari_ptycho.prepare import first_guess


def textbook(scan, start, options, order):
    """Return object and probe after one batch per entry of `order`, in plain numpy."""
    image, probe = start.object.astype(complex), start.probe.astype(complex)
    corners = np.rint(start.positions_px).astype(int)
    amplitude = np.fft.ifftshift(np.sqrt(scan.patterns), axes=(1, 2))
    valid = np.fft.ifftshift(scan.valid)
    alpha, beta = getattr(options, "object_alpha", 1), getattr(options, "probe_alpha", 1)
    h, w = scan.frame_shape
    for ids in order:
        up, down = np.zeros_like(image), np.zeros(image.shape)
        probe_up, probe_down = np.zeros_like(probe), np.zeros((h, w))
        for j in ids:
            here = (
                slice(corners[j, 0], corners[j, 0] + h),
                slice(corners[j, 1], corners[j, 1] + w),
            )
            over, back = shifted(probe, start.positions_px[j] - corners[j], options.subpixel)
            wave = np.fft.fft2(over * image[here], norm="ortho")
            modulus = np.sqrt((np.abs(wave) ** 2).sum(axis=0))
            projected = np.where(valid, wave * amplitude[j] / modulus, wave)
            change = np.fft.ifft2(projected - wave, norm="ortho")
            up[here] += (over.conj() * change).sum(axis=0)
            down[here] += (np.abs(over) ** 2).sum(axis=0)
            probe_up += back(image[here].conj() * change)
            probe_down += np.abs(image[here]) ** 2
        image = image + options.object_step * up / ((1 - alpha) * down + alpha * down.max())
        floor = beta * probe_down.max()
        probe = probe + options.probe_step * probe_up / ((1 - beta) * probe_down + floor)
    return image, probe


def shifted(probe, by, subpixel):
    """Return the probe shifted by a fraction of a pixel, and the adjoint of that shift."""
    if not subpixel:
        return probe, lambda wave: wave
    ky, kx = np.fft.fftfreq(probe.shape[1])[:, None], np.fft.fftfreq(probe.shape[2])
    ramp = np.exp(-2j * np.pi * (ky * by[0] + kx * by[1]))
    return (
        np.fft.ifft2(np.fft.fft2(probe) * ramp),
        lambda wave: np.fft.ifft2(np.fft.fft2(wave) * ramp.conj()),
    )


def work_on(scan, start, options):
    """Return what an engine works with, on the CPU."""
    frames = load(scan, torch.device("cpu"))
    return Work(frames, begin(start, frames, options), Propagator(), options)


def one_epoch(scan, start, options):
    """Return object and probe after one epoch, before the scale is fixed, and the batches taken."""
    work = work_on(scan, start, options)
    engine = Pie(work)
    engine.begin_epoch(1.0, with_probe=True)
    taken = list(engine.batches(torch.Generator().manual_seed(0)))
    for ids in taken:
        engine.step(ids)
    return work.state.object.numpy(), work.state.probe.numpy(), taken


@pytest.mark.parametrize("modes", [1, 2], ids=["one mode", "two modes"])
@pytest.mark.parametrize("batch", [1, 5], ids=["batch 1", "batch 5"])
@pytest.mark.parametrize("path", ["fused", "torch"])
@pytest.mark.parametrize("engine", [EpieOptions, RpieOptions], ids=["ePIE", "rPIE"])
@pytest.mark.parametrize("subpixel", [False, True], ids=["whole pixels", "sub-pixel"])
def test_an_epoch_is_the_textbook_update(subpixel, engine, path, batch, modes, make, monkeypatch):
    scan, _ = make(modes=modes, lines=4, fraction=0.5)
    valid = np.ones(scan.frame_shape, bool)
    valid[10:13, 4:20] = False
    scan = replace(scan, valid=valid)
    start = first_guess(scan, modes)
    options = engine(
        epochs=1, batch=batch, modes=modes, anneal=0.0, object_step=0.9, probe_step=0.7
    )
    if path == "torch":
        monkeypatch.setattr(kernels, "FUSED", set())
    image, probe, order = one_epoch(scan, start, options)
    assert sorted(np.concatenate(order).tolist()) == list(range(len(scan)))
    expected, expected_probe = textbook(scan, start, options, order)
    np.testing.assert_allclose(image, expected, atol=2e-3)
    np.testing.assert_allclose(probe, expected_probe, atol=2e-3 * np.abs(probe).max())


def test_the_buffers_are_no_larger_than_the_scan(make):
    scan, _ = make(lines=4, fraction=0.4)
    options = RpieOptions(batch=4096, subpixel=True)
    work = work_on(scan, first_guess(scan), options)
    engine = Pie(work)
    with torch.inference_mode():
        engine.step(np.arange(len(scan)))
    assert len(work.waves) == len(scan)


def test_a_batch_larger_than_the_scan_is_the_whole_scan(make):
    scan, _ = make(lines=4)
    whole, larger = (
        run_to_end(reconstruct(scan, RpieOptions(epochs=2, batch=batch), device="cpu"))
        for batch in (len(scan), 4096)
    )
    np.testing.assert_array_equal(larger.object, whole.object)


def test_momentum_pushes_by_maidens_rule(make):
    """V <- friction V + (X - X at the last push), X <- X + push V, every `period` positions."""
    scan, _ = make(lines=4)
    options = MpieOptions(
        batch=4, period=8, friction=0.7, object_push=0.4, probe_push=0.2, probe_start=0
    )
    work, plain = (work_on(scan, first_guess(scan), options) for _ in range(2))
    engine, step = Mpie(work), Pie(plain)
    batches = [np.arange(at, at + 4) for at in range(0, 16, 4)]
    anchors = [plain.state.object.clone(), plain.state.probe.clone()]
    velocities = [torch.zeros_like(anchor) for anchor in anchors]
    for number, ids in enumerate(batches):
        engine.step(ids)
        step.step(ids)
        if number % 2:
            waves = (plain.state.object, plain.state.probe)
            for at, (wave, push) in enumerate(zip(waves, (0.4, 0.2), strict=True)):
                velocities[at] = 0.7 * velocities[at] + wave - anchors[at]
                wave += push * velocities[at]
                anchors[at] = wave.clone()
    torch.testing.assert_close(work.state.object, plain.state.object)
    torch.testing.assert_close(work.state.probe, plain.state.probe)


def test_momentum_gets_there_sooner(make):
    scan, _ = make(photons=1e7)
    plain = run_to_end(reconstruct(scan, RpieOptions(epochs=20, anneal=0.0)))
    pushed = run_to_end(reconstruct(scan, MpieOptions(epochs=20, anneal=0.0)))
    assert pushed.errors[-1] < 0.6 * plain.errors[-1]
