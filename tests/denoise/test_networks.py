"""The networks: what MONAI builds, weight for weight, and what has no grid."""

import numpy as np
import pytest
import torch

from napari_ptycho.denoise.grid import grid_db
from napari_ptycho.denoise.layers import make_quick
from napari_ptycho.denoise.members import build

WEIGHTS = {"arch1": 406_804, "arch2": 3_989_152}
SEEDS = 8


def random(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", WEIGHTS)
def test_as_many_weights_as_monai(name):
    for kind in (name, f"{name}-bilinear"):
        assert sum(w.numel() for w in build(kind, 1, 1, random()).parameters()) == WEIGHTS[name]
    with_inputs = sum(w.numel() for w in build("arch1", 32, 1, random()).parameters())
    assert with_inputs == 411_268


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", WEIGHTS)
def test_outputs_and_slopes_are_those_of_monai(name, quick):
    monai = pytest.importorskip("monai.networks.nets", reason="MONAI is not installed")
    widths = {"arch1": (8, 16, 32, 64, 128), "arch2": (128,) * 6}[name]
    theirs = monai.UNet(2, 1, 1, channels=widths, strides=(2,) * (len(widths) - 1), num_res_units=2)
    ours = build(name, 1, 1, random())
    if quick:
        make_quick(ours)
    for mine, weight in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.data.copy_(weight.data)
    image = torch.rand((1, 1, 64, 96), generator=random(1))
    torch.testing.assert_close(ours(image), theirs(image), rtol=1e-4, atol=2e-5)
    one, other = ours.double()(image.double()), theirs.double()(image.double())
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    one.square().mean().backward()
    other.square().mean().backward()
    largest = max(float(weight.grad.norm()) for weight in theirs.parameters())
    for mine, weight in zip(ours.parameters(), theirs.parameters(), strict=True):
        if mine.grad is not None:  # a bias before a normalisation has a slope of 0 and rounding
            assert float((mine.grad - weight.grad).norm()) < 1e-9 * largest


@pytest.mark.parametrize("name", ["arch1-bilinear", "arch2-bilinear", "skip"])
def test_the_others_have_no_transposed_convolution(name):
    kinds = {type(module) for module in build(name, 1, 1, random()).modules()}
    assert torch.nn.ConvTranspose2d not in kinds


@pytest.mark.parametrize(("name", "low", "high"), [("arch1", 12, 30), ("arch1-bilinear", -20, 6)])
def test_an_untaught_network_prints_a_grid_only_if_it_has_transposed_convolutions(name, low, high):
    scores = []
    for seed in range(SEEDS):
        draw = random(seed)
        net = build(name, 1, 1, draw)
        with torch.inference_mode():
            image = net(torch.rand((1, 1, 128, 128), generator=draw))[0, 0].numpy()
        scores.append(grid_db(image)[4])
    assert low < np.median(scores) < high


@pytest.mark.parametrize("name", ["arch1", "arch2-bilinear", "skip"])
@pytest.mark.parametrize("shape", [(8, 8), (33, 70), (97, 64)])
def test_any_size_and_any_channels(name, shape):
    net = build(name, 2, 2, random())
    with torch.inference_mode():
        assert net(torch.rand((1, 2, *shape), generator=random())).shape == (1, 2, *shape)
