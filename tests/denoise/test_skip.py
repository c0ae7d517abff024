import numpy as np
import pytest
import torch
from torch import nn

from napari_ptycho.denoise.skip import SkipNet


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def weights_of(channels_in, channels_out, widths, skips):
    """Count the weights of Ulyanov's `skip()` by hand: convolutions with bias, norms 2 each."""

    def conv(before, after, size):
        return before * after * size**2 + after

    total, before = conv(widths[0], channels_out, 1), channels_in
    for level, (width, skip) in enumerate(zip(widths, skips, strict=True)):
        below = widths[min(level + 1, len(widths) - 1)]
        total += conv(before, width, 3) + conv(width, width, 3)  # down
        total += conv(skip + below, width, 3) + conv(width, width, 1)  # up
        total += 4 * 2 * width + 2 * (skip + below)  # their norms, and that of both joined
        if skip:
            total += conv(before, skip, 1) + 2 * skip
        before = width
    return total


@pytest.mark.parametrize(
    ("channels", "widths", "skips", "count"),
    [
        ((2, 2), (8, 16, 32, 64, 128), (0, 0, 0, 4, 4), 572_746),
        ((32, 3), (8, 16, 32, 64, 128), (0, 0, 0, 4, 4), 574_915),
        ((2, 2), (8, 16, 32, 64), (0, 0, 4, 4), None),
        ((1, 1), (16, 32), (4, 4), None),
    ],
)
def test_it_has_the_weights_of_the_published_network(channels, widths, skips, count):
    net = SkipNet(*channels, random(), widths, skips)
    found = sum(weight.numel() for weight in net.parameters())
    assert found == weights_of(*channels, widths, skips)
    assert count in (None, found)
    assert not any(isinstance(module, nn.ConvTranspose2d) for module in net.modules())


@pytest.mark.parametrize("shape", [(64, 64), (70, 101), (33, 5), (1, 1)])
def test_an_image_of_any_size_comes_out_as_large_as_it_went_in(shape, rng):
    net = SkipNet(3, 2, random())
    image = torch.from_numpy(rng.normal(size=(1, 3, *shape)).astype(np.float32))
    out = net(image)
    assert out.shape == (1, 2, *shape)
    assert out.isfinite().all()


def test_the_edges_are_mirrored(rng):
    net = SkipNet(1, 1, random(), (4, 8), (0, 2))
    image = rng.normal(size=(10, 13)).astype(np.float32)
    mirrored = np.pad(image, ((1, 1), (1, 2)), mode="reflect")
    small, large = (net(torch.from_numpy(x)[None, None]) for x in (image, mirrored))
    torch.testing.assert_close(small[0, 0], large[0, 0, 1:-1, 1:-2])


def test_the_weights_come_from_the_generator_alone():
    before = torch.random.get_rng_state()
    one, same, other = (SkipNet(2, 2, random(seed)).last.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)
