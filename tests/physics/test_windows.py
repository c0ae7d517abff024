import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_ptycho.physics import kernels, windows

SHAPE = (9, 7)


def waves(rng, *shape):
    values = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return torch.from_numpy(values.astype(np.complex64))


def some_corners(rng, count, image=(20, 18)):
    high = np.array(image) - SHAPE + 1
    return rng.integers(0, high, (count, 2))


@given(seed=st.integers(0, 2**16), count=st.integers(1, 12))
def test_add_is_the_adjoint_of_cut(seed, count):
    rng = np.random.default_rng(seed)
    corners = some_corners(rng, count)
    image, stack = waves(rng, 20, 18), waves(rng, count, *SHAPE)
    there = torch.vdot(windows.cut(image, corners, SHAPE).flatten(), stack.flatten())
    back = windows.add_(torch.zeros(20, 18, dtype=torch.complex64), corners, stack)
    torch.testing.assert_close(
        there, torch.vdot(image.flatten(), back.flatten()), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("modes", [1, 3], ids=["one mode", "three modes"])
@pytest.mark.parametrize("probes", [1, 5], ids=["one probe", "a probe each"])
def test_fused_loops_agree_with_torch(modes, probes, rng, monkeypatch):
    image, probe = waves(rng, 20, 18), waves(rng, probes, modes, *SHAPE)
    corners, change = some_corners(rng, 5), waves(rng, 5, modes, *SHAPE)

    def everything():
        target, moved = image.clone(), probe[0].clone()
        pull, power = torch.zeros_like(moved), torch.ones(SHAPE)
        waves_ = windows.exit_waves(image, probe, corners, torch.empty_like(change), power)
        lit = windows.light_of(probe, torch.empty(probes, *SHAPE))
        top = float(windows.brightest(lit, corners, (20, 18)))
        weights = (0.7, 0.4, 0.6 * top)
        windows.update_(target, change, probe, corners, lit, weights, pull)
        windows.move_probe_(moved, pull, power, 0.8, 0.3)
        return [waves_, lit, torch.tensor(top), target, pull, power, moved]

    fused = everything()
    monkeypatch.setattr(kernels, "FUSED", set())
    for one, other in zip(fused, everything(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_exit_waves_are_window_times_probe(rng):
    image, probe = waves(rng, 20, 18), waves(rng, 1, 2, *SHAPE)
    corners = some_corners(rng, 3)
    out = torch.empty(3, 2, *SHAPE, dtype=torch.complex64)
    made = windows.exit_waves(image, probe, corners, out, torch.empty(SHAPE))
    for b, (y, x) in enumerate(corners):
        expected = image[y : y + SHAPE[0], x : x + SHAPE[1]] * probe[0]
        torch.testing.assert_close(made[b], expected)


def test_loops_compile_where_no_cache_can_be_written(monkeypatch):
    real = kernels.numba.njit

    def no_cache(cache=False, **settings):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**settings)

    monkeypatch.setattr(kernels.numba, "njit", no_cache)
    assert kernels.compiled(lambda x: x + 1)(2) == 3
