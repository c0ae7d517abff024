import numpy as np
import pytest
import torch
from scipy import special

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry
from napari_ptycho.physics import kernels
from napari_ptycho.physics.propagate import (
    FLOOR,
    TINY,
    Propagator,
    abs2,
    modulus_change_,
    poisson_change_,
    propagator,
    unlikelihood,
)

CPU = torch.device("cpu")
NEAR = Geometry(12_000.0, 0.5, (50e-6, 50e-6), "near", focus_to_sample_m=5e-3)


def waves(rng, *shape):
    values = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return torch.from_numpy(values.astype(np.complex64))


def inner(a, b):
    return torch.vdot(a.flatten(), b.flatten()).item()


@pytest.fixture(params=["far", "near"])
def beam(request):
    return Propagator() if request.param == "far" else propagator(NEAR, (24, 20), CPU)


def test_to_sample_is_the_adjoint_of_to_detector(beam, rng):
    x, y = waves(rng, 3, 24, 20), waves(rng, 3, 24, 20)
    assert inner(beam.to_detector(x), y) == pytest.approx(inner(x, beam.to_sample(y)), rel=1e-4)


def test_photons_are_kept_and_the_way_back_is_the_inverse(beam, rng):
    x = waves(rng, 2, 24, 20)
    seen = beam.to_detector(x)
    assert abs2(seen).sum().item() == pytest.approx(abs2(x).sum().item(), rel=1e-5)
    torch.testing.assert_close(beam.to_sample(seen), x, atol=1e-5, rtol=1e-4)


def test_the_near_field_refuses_an_unknown_distance():
    geometry = Geometry(12_000.0, None, (50e-6, 50e-6), "near")
    with pytest.raises(ScanError, match="near field needs energy_ev, distance_m"):
        propagator(geometry, (8, 8), CPU)


@pytest.fixture(params=["fused", "torch"])
def path(request, monkeypatch):
    """Both ways of computing: the loops of the CPU and the torch expressions of a GPU."""
    if request.param == "torch":
        monkeypatch.setattr(kernels, "FUSED", set())
    return request.param


@pytest.mark.parametrize("modes", [1, 3], ids=["one mode", "three modes"])
def test_projection_has_the_measured_modulus_where_valid_and_the_model_elsewhere(path, modes, rng):
    wave = waves(rng, 4, modes, 16, 12)
    amplitude = torch.from_numpy(rng.uniform(0, 3, (4, 16, 12)).astype(np.float32))
    valid = torch.from_numpy((rng.uniform(size=(1, 16, 12)) > 0.3).astype(np.float32))
    before = wave.clone()
    modulus_change_(wave, amplitude, valid, np.arange(4), torch.full((16, 12), TINY))
    projected = before + wave
    good = valid[0].bool()
    seen = abs2(projected).sum(dim=1).sqrt()
    torch.testing.assert_close(seen[:, good], amplitude[:, good], atol=2e-4, rtol=1e-3)
    kept, model = projected[..., ~good], before[..., ~good]
    torch.testing.assert_close(kept, model)
    # One real factor for all modes: phases and the ratios between modes stay.
    ratio = projected / before
    assert ratio.imag.abs().max() < 1e-3
    torch.testing.assert_close(ratio[:, :1].expand_as(ratio), ratio, atol=1e-3, rtol=1e-3)


def some_frames(rng, count=5, per_frame=True):
    amplitude = rng.uniform(0, 3, (count, 23, 29)).astype(np.float32)
    valid = rng.uniform(size=(count if per_frame else 1, 23, 29)) > 0.3
    return torch.from_numpy(amplitude), torch.from_numpy(valid.astype(np.float32))


def test_misfit_is_the_squared_change_and_the_definition(path, rng):
    wave, ids = waves(rng, 3, 2, 23, 29), np.array([4, 0, 2])
    amplitude, valid = some_frames(rng)
    model = abs2(wave).sum(dim=1).sqrt()
    expected = (valid[ids] * (model - amplitude[ids]) ** 2).sum(dim=(1, 2))
    misfits_ = modulus_change_(wave, amplitude, valid, ids, torch.full((23, 29), TINY))
    torch.testing.assert_close(misfits_, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(abs2(wave).sum(dim=(1, 2, 3)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("change_", [modulus_change_, poisson_change_])
@pytest.mark.parametrize("modes", [1, 3], ids=["one mode", "three modes"])
@pytest.mark.parametrize("per_frame", [False, True], ids=["one mask", "a mask each"])
def test_fused_changes_agree_with_torch(per_frame, modes, change_, rng, monkeypatch):
    amplitude, valid = some_frames(rng, per_frame=per_frame)
    amplitude[:, :3] *= -1  # saturated
    amplitude[:, 3] = 0
    background = torch.from_numpy(rng.uniform(0.1, 2, (23, 29)).astype(np.float32))
    wave, ids = waves(rng, 3, modes, 23, 29), np.array([4, 0, 2])

    def both():
        change = wave.clone()
        return change, change_(change, amplitude, valid, ids, background)

    fused = both()
    monkeypatch.setattr(kernels, "FUSED", set())
    for one, other in zip(fused, both(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_background_is_part_of_the_modelled_counts(path, rng):
    wave, ids = waves(rng, 2, 1, 8, 8), np.arange(2)
    background = torch.full((8, 8), 3.0)
    amplitude = (abs2(wave).sum(dim=1) + background).sqrt()
    for change_, extra in ((modulus_change_, 0), (poisson_change_, FLOOR)):
        change, target = wave.clone(), (amplitude.square() + extra).sqrt()
        found = change_(change, target, torch.ones(1, 8, 8), ids, background)
        assert change.abs().max() < 1e-5
        assert found.max() < 1e-8


def test_saturated_pixels_pull_up_a_darker_model_and_leave_a_brighter_one(path, rng):
    wave, ids = waves(rng, 2, 1, 8, 8), np.arange(2)
    model = abs2(wave).sum(dim=1).sqrt()
    factor = torch.where(torch.rand(2, 8, 8) < 0.5, 0.5, 2.0)
    amplitude, none = model * factor, torch.full((8, 8), TINY)
    plain, censored = wave.clone(), wave.clone()
    modulus_change_(plain, amplitude, torch.ones(1, 8, 8), ids, none)
    found = modulus_change_(censored, -amplitude, torch.ones(1, 8, 8), ids, none)
    darker = (factor > 1).unsqueeze(1)
    torch.testing.assert_close(censored, torch.where(darker, plain, torch.zeros_like(plain)))
    expected = torch.where(factor > 1, model, torch.zeros_like(model)).square().sum(dim=(1, 2))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    likely = wave.clone()
    poisson_change_(likely, -amplitude, torch.ones(1, 8, 8), ids, none)
    ratio = (amplitude.square() / (model.square() + FLOOR) - 1).unsqueeze(1)
    pulled = torch.where(darker & (ratio > 0), ratio * wave, torch.zeros_like(wave))
    torch.testing.assert_close(likely, pulled, rtol=1e-4, atol=1e-4)


def test_poisson_change_is_minus_the_slope_of_the_likelihood(path, rng):
    amplitude, valid = some_frames(rng, 2)
    wave, ids, background = waves(rng, 2, 2, 23, 29), np.arange(2), torch.full((23, 29), 0.3)
    free = wave.clone().requires_grad_()
    model = abs2(free).sum(dim=1) + background + FLOOR
    (valid * (model - amplitude.square() * model.log())).sum().backward()
    change = wave.clone()
    poisson_change_(change, amplitude, valid, ids, background)
    # torch's gradient of a real number by a complex one is twice the conjugate derivative.
    torch.testing.assert_close(change, -free.grad / 2, rtol=1e-3, atol=1e-3)


def counted(rng, mean=5.0):
    """Return waves of two modes of 6 frames, amplitudes of counts, valid pixels and background."""
    wave = waves(rng, 6, 2, 8, 8) * mean**0.5
    counts = rng.poisson(mean, (6, 8, 8)).astype(np.float32)
    valid = torch.from_numpy((rng.uniform(size=(1, 8, 8)) > 0.1).astype(np.float32))
    return wave, torch.from_numpy(np.sqrt(counts)), valid, torch.full((8, 8), 0.3)


def test_unlikelihood_is_that_of_poisson_counts(rng):
    wave, amplitude, valid, background = counted(rng)
    ids = np.array([4, 0, 2])
    found = unlikelihood(wave[:3], amplitude, valid, ids, background)
    model = abs2(wave[:3]).sum(dim=1).double().numpy() + 0.3 + FLOOR
    y = amplitude[ids].double().numpy() ** 2
    good = valid.numpy()
    cost = (good * (model - special.xlogy(y, model))).sum(axis=(1, 2))
    least = (good * (y - special.xlogy(y, y))).sum(axis=(1, 2))
    np.testing.assert_allclose(found.numpy(), cost - least, rtol=1e-5)


def test_unlikelihood_tells_small_differences_of_bright_frames(rng):
    counts = torch.full((1, 64, 64), 1e6)
    for off in (1e-3, 2e-3):
        wave = ((counts - FLOOR) * (1 + off)).sqrt().unsqueeze(1).to(torch.complex64)
        none = torch.zeros((64, 64))
        found = unlikelihood(wave, counts.sqrt(), torch.ones(1, 64, 64), np.array([0]), none)
        assert found.item() == pytest.approx(64**2 * 1e6 * off**2 / 2, rel=0.01)


def test_a_saturated_pixel_is_unlikely_only_where_the_model_is_darker():
    level, none = 9.0, torch.zeros((1, 2))
    wave = torch.tensor([[[[2.0, 4.0]]]], dtype=torch.complex64)
    amplitude, valid = torch.full((1, 1, 2), -(level**0.5)), torch.ones((1, 1, 2))
    found = unlikelihood(wave, amplitude, valid, np.array([0]), none)
    dark = 4 + FLOOR
    assert found.item() == pytest.approx(
        dark - level * np.log(dark) - level + level * np.log(level)
    )


def test_an_unknown_flux_is_the_most_likely_one(rng):
    wave, amplitude, valid, background = counted(rng)
    frames = (amplitude, valid, np.arange(6), background)
    best = unlikelihood(wave, *frames, scaled=True)
    for factor in (0.5, 0.9, 1.1, 2.0):
        off = torch.sqrt(factor * (abs2(wave) + (0.3 + FLOOR) / 2) - (0.3 + FLOOR) / 2 + 0j)
        assert (best <= unlikelihood(off, *frames) + 1e-3).all()
    dimmed = wave * 0.5
    torch.testing.assert_close(
        unlikelihood(
            dimmed, amplitude, valid, np.arange(6), (background + FLOOR) / 4 - FLOOR, True
        ),
        best,
        rtol=1e-4,
        atol=1e-3,
    )
