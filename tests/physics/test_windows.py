import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numba.core.errors import TypingError

from napari_ptycho.physics import kernels, loops, windows

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


@pytest.mark.parametrize("shape", [SHAPE, (11, 21)], ids=["narrow", "wider than a vector"])
@pytest.mark.parametrize("modes", [1, 3], ids=["one mode", "three modes"])
@pytest.mark.parametrize("probes", [1, 6], ids=["one probe", "a probe each"])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_fused_loops_agree_with_torch(alpha, modes, probes, shape, rng, monkeypatch):
    image, probe = waves(rng, 50, 70), waves(rng, probes, modes, *shape)
    change = waves(rng, 6, modes, *shape)
    corners = rng.integers(0, np.array([50, 70]) - shape + 1, (6, 2))
    corners[1] = corners[0]  # twice the same window, and one that begins where it ends
    corners[0, 1] = corners[1, 1] = min(corners[0, 1], 70 - 2 * shape[1])
    corners[2] = corners[0] + [0, shape[1]]

    def everything():
        target, moved = image.clone(), probe[0].clone()
        pull, power = torch.ones_like(moved), torch.ones(shape)
        waves_ = windows.exit_waves(image, probe, corners, torch.empty_like(change), power)
        windows.update_(target, change, probe, corners, (0.7, alpha), pull)
        windows.move_probe_(moved, pull, power, 0.8, 0.3)
        return [waves_, power, target - image, pull, moved]

    fused = everything()
    monkeypatch.setattr(kernels, "FUSED", set())
    for one, other in zip(fused, everything(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@given(seed=st.integers(0, 2**16), count=st.integers(1, 12), narrow=st.floats(0.3, 5))
def test_brightest_is_the_largest_sum_of_the_light_of_all_windows(seed, count, narrow):
    rng = np.random.default_rng(seed)
    corners = some_corners(rng, count)
    y, x = np.indices(SHAPE) - np.array(SHAPE)[:, None, None] / 2
    lit = rng.uniform(size=(1, *SHAPE)) * np.exp(-(y**2 + x**2) / narrow**2)
    lit = lit.astype(np.float32)
    total = np.zeros((20, 18), np.float32)
    for top, left in corners:
        total[top : top + SHAPE[0], left : left + SHAPE[1]] += lit[0]
    order = kernels.by_column(corners)
    assert corners[order.astype(int), 1].tolist() == sorted(corners[:, 1])
    found = kernels.brightest(lit.ravel(), corners, order, SHAPE, 18)
    assert found == pytest.approx(total.max(), rel=1e-5)


def test_loops_refuse_what_they_would_misread(rng):
    image, probe = waves(rng, 20, 18), waves(rng, 1, 1, *SHAPE)
    change, pull = waves(rng, 3, 1, *SHAPE), torch.zeros(1, *SHAPE, dtype=torch.complex64)
    for strange in (change.to(torch.complex128), change.transpose(2, 3).contiguous().mT):
        with pytest.raises(TypingError, match="contiguous arrays of single precision"):
            windows.update_(image, strange, probe, some_corners(rng, 3), (1.0, 0.5), pull)


def test_exit_waves_are_window_times_probe(rng):
    image, probe = waves(rng, 20, 18), waves(rng, 1, 2, *SHAPE)
    corners = some_corners(rng, 3)
    out = torch.empty(3, 2, *SHAPE, dtype=torch.complex64)
    made = windows.exit_waves(image, probe, corners, out, torch.empty(SHAPE))
    for b, (y, x) in enumerate(corners):
        expected = image[y : y + SHAPE[0], x : x + SHAPE[1]] * probe[0]
        torch.testing.assert_close(made[b], expected)


def test_the_cache_knows_the_loops_again_in_another_process():
    # numba keys closures by what they hold, and a compiled function is another in every process.
    loops = [value for value in vars(kernels).values() if hasattr(value, "py_func")]
    assert len(loops) > 5
    assert all(loop.py_func.__closure__ is None for loop in loops)


def test_loops_compile_where_no_cache_can_be_written(monkeypatch):
    real = loops.numba.njit

    def no_cache(cache=False, **settings):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**settings)

    monkeypatch.setattr(loops.numba, "njit", no_cache)
    assert loops.compiled(lambda x: x + 1)(2) == 3
