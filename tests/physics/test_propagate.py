import numpy as np
import pytest
import torch

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry
from napari_ptycho.physics import kernels
from napari_ptycho.physics.propagate import (
    Propagator,
    abs2,
    modulus_change_,
    propagator,
    replace_modulus,
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
    projected = replace_modulus(wave, amplitude, valid)
    assert torch.equal(wave, before)
    good = valid[0].bool()
    seen = abs2(projected).sum(dim=1).sqrt()
    torch.testing.assert_close(seen[:, good], amplitude[:, good], atol=2e-4, rtol=1e-3)
    kept, model = projected[..., ~good], wave[..., ~good]
    torch.testing.assert_close(kept, model)
    # One real factor for all modes: phases and the ratios between modes stay.
    ratio = projected / wave
    assert ratio.imag.abs().max() < 1e-3
    torch.testing.assert_close(ratio[:, :1].expand_as(ratio), ratio, atol=1e-3, rtol=1e-3)


def test_misfit_is_the_squared_change_and_the_definition(path, rng):
    wave = waves(rng, 3, 2, 16, 16)
    amplitude = torch.from_numpy(rng.uniform(0, 3, (5, 16, 16)).astype(np.float32))
    valid = torch.from_numpy((rng.uniform(size=(5, 16, 16)) > 0.3).astype(np.float32))
    ids = np.array([4, 0, 2])
    model = abs2(wave).sum(dim=1).sqrt()
    expected = (valid[ids] * (model - amplitude[ids]) ** 2).sum().item()
    misfit = modulus_change_(wave, amplitude, valid, ids)
    assert float(misfit) == pytest.approx(expected, rel=1e-4)
    assert abs2(wave).sum().item() == pytest.approx(expected, rel=1e-3)
