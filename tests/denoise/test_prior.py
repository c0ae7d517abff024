import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_ptycho.denoise.prior import Lessons, Prior


@pytest.fixture
def pictures(rng):
    """Discs of different height, and the same with noise: (48, 50) complex."""
    y, x = np.mgrid[:48, :50]
    phase = sum(
        height * (np.hypot(y - cy, x - cx) < radius)
        for cy, cx, radius, height in ((12, 14, 8, 0.8), (30, 34, 11, 0.5), (36, 10, 6, 0.9))
    )
    clean = np.exp(-1j * gaussian_filter(phase, 0.7))
    noise = rng.normal(scale=0.15, size=(2, *clean.shape))
    both = (clean, clean + noise[0] + 1j * noise[1])
    return [torch.from_numpy(image.astype(np.complex64)) for image in both]


def taught(image, steps, weight=None, **lessons):
    weight = torch.ones(image.shape) if weight is None else weight
    prior = Prior(image, weight, Lessons(**lessons))
    for _ in range(steps):
        prior.learn(image, weight)
    return prior


def distance(one, other):
    return float((one - other).abs().square().mean().sqrt())


def test_the_picture_is_learnt_before_its_noise(pictures):
    clean, noisy = pictures
    assert distance(taught(noisy, 100).image, clean) < 0.6 * distance(noisy, clean)


def test_it_works_where_gradients_are_off(pictures):
    with torch.inference_mode():
        inside = taught(pictures[1].clone(), 3).image
    assert torch.equal(inside, taught(pictures[1], 3).image)


def test_what_has_no_weight_does_not_matter(pictures):
    _, noisy = pictures
    weight = torch.ones(noisy.shape)
    weight[:20] = 0
    spoilt = torch.where(weight > 0, noisy, torch.full_like(noisy, 50.0))
    results = []
    for target in (noisy, spoilt):
        prior = Prior(noisy, weight, Lessons())
        for _ in range(3):
            prior.learn(target, weight)
        results.append(prior.image)
    assert torch.equal(*results)


def test_a_scale_is_taken_along(pictures):
    prior = taught(pictures[1], 3)
    before = prior.image
    prior.scaled(3.0)
    torch.testing.assert_close(prior.image, 3 * before)


@pytest.mark.parametrize(
    "change", [{"feed": "noise"}, {"jitter": 0.1}, {"rate": 0.02}, {"averaging": 0.5}, {"seed": 1}]
)
def test_every_lesson_matters_and_can_be_repeated(change, pictures):
    _, noisy = pictures
    one, again = (taught(noisy, 3, **change).image for _ in range(2))
    assert torch.equal(one, again)
    assert distance(one, taught(noisy, 3).image) > 1e-4


def test_the_factor_scales_the_rate(pictures):
    _, noisy = pictures
    weight = torch.ones(noisy.shape)
    halved, half = Prior(noisy, weight, Lessons()), Prior(noisy, weight, Lessons(rate=0.005))
    for _ in range(3):
        halved.learn(noisy, weight, factor=0.5)
        half.learn(noisy, weight)
    assert torch.equal(halved.image, half.image)


def test_a_broken_network_is_known(pictures):
    prior = taught(pictures[1], 1)
    assert prior.sound
    prior.learn(pictures[1] * float("nan"), torch.ones(pictures[1].shape))
    prior.learn(pictures[1], torch.ones(pictures[1].shape))
    assert not prior.sound


def test_a_flat_image_can_be_learnt():
    flat = torch.ones((20, 20), dtype=torch.complex64)
    prior = taught(flat, 5)
    assert prior.image.isfinite().all()
