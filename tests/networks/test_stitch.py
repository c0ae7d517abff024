"""Stitching: what is put together is what was cut."""

import numpy as np
import pytest
import torch

from napari_ptycho.errors import JobError
from napari_ptycho.networks import synchronise
from napari_ptycho.networks.stitch import LEAST, Stitcher, cut, weight_of
from napari_ptycho.networks.synchronise import synchronised
from napari_ptycho.physics import kernels

SIDE, SHAPE = 24, (62, 66)


@pytest.fixture(autouse=True, params=["fused", "torch"])
def both_ways(request, monkeypatch):
    """Run each test with the CPU's loop, and with the expressions that GPUs use."""
    if request.param == "torch":
        monkeypatch.setattr(kernels, "FUSED", set())


@pytest.fixture
def gauss():
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return torch.from_numpy(np.exp(-(y**2 + x**2) / 2 / 5.0**2))


@pytest.fixture
def positions(rng):
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 2)
    return torch.from_numpy(grid * 4.5 + rng.uniform(0, 4, (64, 2)) + 0.5)


def stitched(weight, patches, corners, whole=False):
    stitcher = Stitcher(SHAPE, weight, whole)
    for first in range(0, len(patches), 10):
        stitcher.add(patches[first : first + 10], corners[first : first + 10])
    return stitcher.result()


def smooth(y, x):
    """An object that has a value everywhere, with no symmetry."""
    phase = 0.8 * np.sin(0.11 * y + 0.03 * x) + 0.5 * np.cos(0.05 * y - 0.13 * x + 0.4)
    return (0.8 + 0.15 * np.sin(0.07 * x + 0.02 * y)) * np.exp(1j * phase)


def patches_of(function, corners):
    inner = np.arange(SIDE)
    y = corners[:, :1].numpy() + inner
    x = corners[:, 1:].numpy() + inner
    return torch.from_numpy(function(y[:, :, None], x[:, None, :]))


def test_a_constant_comes_back(gauss, positions):
    value = 0.6 - 0.7j
    patches = torch.full((64, SIDE, SIDE), value, dtype=torch.complex128)
    for weight in (gauss, torch.ones_like(gauss)):
        result = stitched(weight, patches, positions)
        assert (result.object[result.known] - value).abs().max() < 1e-12
        assert result.spread[result.known].max() < 1e-7
        assert (result.object[~result.known] == 1).all()


def test_whole_pixels_return_any_object(gauss, rng):
    truth = torch.from_numpy(rng.normal(size=(*SHAPE, 2)) @ np.array([1, 1j]))
    corners = torch.from_numpy(
        rng.integers(0, (SHAPE[0] - SIDE, SHAPE[1] - SIDE), (80, 2))
    ).double()
    patches = torch.stack([truth[y : y + SIDE, x : x + SIDE] for y, x in corners.long().tolist()])
    for weight in (gauss, torch.ones_like(gauss)):
        result = stitched(weight, patches, corners)
        assert result.known.double().mean() > 0.8
        assert (result.object - truth)[result.known].abs().max() < 1e-10


def test_fractions_of_a_pixel_count(gauss, positions):
    patches = patches_of(smooth, positions)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth = torch.from_numpy(smooth(y, x))
    error = {}
    for whole in (False, True):
        result = stitched(gauss, patches, positions, whole)
        well = result.coverage > 0.2
        error[whole] = float((result.object - truth)[well].abs().square().mean().sqrt())
    assert error[False] < 5e-3
    assert error[False] < error[True] / 4


def test_an_asymmetric_object_keeps_its_orientation(gauss, positions):
    patches = patches_of(smooth, positions)
    found = stitched(gauss, patches, positions)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth = torch.from_numpy(smooth(y, x))
    well = found.coverage > 0.2

    def off(image):
        return float((image - truth)[well].abs().mean())

    flipped = [found.object.flip(0), found.object.flip(1), found.object.flip(0, 1)]
    assert all(off(other) > 20 * off(found.object) for other in flipped)


def test_zeros_survive(gauss, positions):
    patches = torch.zeros((64, SIDE, SIDE), dtype=torch.complex128)
    result = stitched(gauss, patches, positions)
    assert (result.object[result.known] == 0).all()


def test_phases_that_wrap_are_not_averaged_away(gauss, positions):
    corners = torch.cat([positions, positions])
    turn = torch.ones(128, 1, 1) * (np.pi - 0.1)
    turn[64:] *= -1  # +-0.1 rad around pi: the mean of the numbers would be 0
    patches = torch.polar(torch.ones(128, SIDE, SIDE), turn.expand(-1, SIDE, SIDE))
    result = stitched(gauss, patches, corners)
    assert (result.object[result.known].angle().abs() - np.pi).abs().max() < 1e-4
    assert torch.allclose(result.object[result.known].abs(), torch.tensor(np.cos(0.1)), atol=1e-4)


def test_order_does_not_matter(gauss, positions, rng):
    patches = patches_of(smooth, positions)
    order = torch.from_numpy(rng.permutation(64))
    one, other = (
        stitched(gauss, patches, positions),
        stitched(gauss, patches[order], positions[order]),
    )
    assert (one.object - other.object).abs().max() < 1e-12
    assert (one.spread - other.spread).abs().max() < 1e-6


def test_cut_is_the_adjoint_of_adding(positions, rng):
    image = torch.from_numpy(rng.normal(size=(*SHAPE, 2)) @ np.array([1, 1j]))
    windows = torch.from_numpy(rng.normal(size=(64, SIDE, SIDE, 2)) @ np.array([1, 1j]))
    left = (cut(image, positions, (SIDE, SIDE)) * windows.conj()).sum()
    stitcher = Stitcher(SHAPE, torch.ones(SIDE, SIDE))
    stitcher.add(windows, positions)
    right = (image * torch.view_as_complex(stitcher.sums[..., :2].contiguous()).conj()).sum()
    assert abs(left - right) < 1e-9 * abs(left)


def test_cut_interpolates(positions):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]

    def plane(y, x):
        return 0.3 * y - 0.2j * x + 1

    windows = cut(torch.from_numpy(plane(y, x)), positions, (SIDE, SIDE))
    assert (windows - patches_of(plane, positions)).abs().max() < 1e-12


def test_spread_shows_where_one_patch_deviates(gauss):
    corners = torch.tensor([[4.0, 4], [4, 20], [20, 4], [20, 20], [12, 12]])
    patches = torch.ones((5, SIDE, SIDE), dtype=torch.complex128)
    alike = stitched(torch.ones_like(gauss), patches, corners)
    assert alike.spread.max() < 1e-7
    patches[4] *= 1j
    result = stitched(torch.ones_like(gauss), patches, corners)
    # in the middle lie four ones and one i: mean (4 + i) / 5, variance 1 - 17/25
    assert float(result.spread[23, 23]) == pytest.approx(np.sqrt(8 / 25), abs=1e-9)
    assert result.spread[:12, :12].max() < 1e-7
    alone = stitched(gauss, patches[4:] * torch.rand(SIDE, SIDE), corners[4:] + 0.3)
    assert alone.spread.max() < 1e-6


def test_what_is_far_from_the_light_is_blank(gauss):
    result = stitched(gauss**4, torch.full((1, SIDE, SIDE), 1j), torch.tensor([[3.0, 5.0]]))
    dark = result.coverage < LEAST
    assert dark[:3].all()
    assert dark[3:27, 5:29].any()
    assert (result.object[dark] == 1).all()
    assert (result.object[~dark] - 1j).abs().max() < 1e-6


def test_random_global_phases_are_undone(gauss, positions, rng):
    patches = patches_of(smooth, positions).to(torch.complex64)
    turned = (
        patches
        * torch.polar(torch.ones(64), torch.from_numpy(rng.uniform(-3, 3, 64)).float())[
            :, None, None
        ]
    )
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth = torch.from_numpy(smooth(y, x)).to(torch.complex64)

    def off(some):
        result = stitched(gauss, some, positions)
        well = result.coverage > 0.2
        image, true = result.object[well].to(torch.complex64), truth[well]
        turn = (image.conj() * true).sum()
        return float((image * turn / turn.abs() - true).abs().square().mean().sqrt())

    assert off(turned) > 0.3
    undone = synchronised(turned, positions, SHAPE, gauss)
    assert off(undone) < 0.02
    same = synchronised(patches, positions, SHAPE, gauss)
    assert (same - patches).abs().max() < 0.1


def test_too_many_patches_are_refused(monkeypatch):
    monkeypatch.setattr(synchronise.devices, "free_ram", lambda: 10**6)
    with pytest.raises(JobError, match="100 patches in memory"):
        synchronise.check_room(100, (64, 64))


def test_weights():
    probe = np.zeros((2, 60, 60), np.complex64)
    probe[0, 30, 30], probe[1, 20, 20] = 2, 1j
    positions = np.stack(np.meshgrid([0, 3, 6], [0, 3, 6]), -1).reshape(-1, 2).astype(float)
    light = weight_of("probe", probe, positions)
    assert light[30, 30] == 1
    assert light[20, 20] == 0.25
    assert light.sum() == 1.25
    assert weight_of("uniform", probe, positions).sum() == 3600
    centre = weight_of("centre", probe, positions)  # 12 of 60 pixels; steps of 3 need only 6
    assert centre.sum() == 144
    assert centre[24:36, 24:36].all()
    assert weight_of("centre", probe, positions * 4).sum() == 24**2
