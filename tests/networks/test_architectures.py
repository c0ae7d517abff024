"""The architectures: as many weights as published, wired as specified, and what they cost."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as f

from napari_ptycho.errors import OptionsError
from napari_ptycho.networks import ARCHITECTURES
from napari_ptycho.networks.cost import cost
from napari_ptycho.networks.table import blank, build

# Published, or of our reconstruction; not taken from the table of the package.
COUNTS = {
    "ptychonn": 1_247_074,
    "ptychonn-keras": 1_154_210,
    "ptychonn2": 733_921,
    "ptychonn2-bn": 735_841,
    "ptychonn-package": 1_028_596,
    "ptychonn-package-nobn": 1_027_154,
    "ptychonn-uq": 313_076,
    "ptynet-s": 324_452,
    "ptynet-b": 20_657_526,
    "w1net": 3_112_048,
    "w2net": 6_938_759,
    "w3net": 103_006,
}
# Architecture -> least and largest amplitude, None where it is not predicted.
RANGES = {
    "ptychonn": (0, 1),
    "ptychonn2": None,
    "ptychonn2-bn": None,
    "ptychonn-package": (0, 1),
    "ptychonn-package-nobn": (0, 1),
    "ptychonn-uq": (0, 1),
    "ptynet-s": (-1, 1),
    "w1net": (0, 1),
    "w2net": (0, 1),
    "w3net": (0, 1),
}
# GFLOP per pattern of 64 x 64 and of 128 x 128, as measured from other implementations.
GFLOP = {
    "ptychonn": (0.805, 3.218),
    "ptychonn2": (0.158, 0.632),
    "ptychonn-package": (0.206, 0.826),
    "ptynet-s": (0.112, 0.449),
    "ptynet-b": (2.319, 9.276),
    "w1net": (0.844, 3.375),
    "w2net": (1.882, 7.528),
    "w3net": (0.031, 0.124),
}


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def weights(network):
    return sum(weight.numel() for weight in network.parameters())


def test_every_architecture_is_here():
    assert set(ARCHITECTURES) == set(COUNTS)


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_as_many_weights_as_published(name, count):
    assert weights(blank(name)) == count == ARCHITECTURES[name].parameters


def test_buffers_and_dead_weights_as_published():
    def buffers(name):
        return sum(buffer.numel() for buffer in blank(name).buffers())

    assert COUNTS["ptychonn2-bn"] + buffers("ptychonn2-bn") == 737_777
    assert buffers("ptynet-b") == 9_768
    assert weights(blank("ptynet-b").last_layer) == 4
    assert weights(blank("ptynet-s").encoder) == 101_792
    assert weights(blank("ptynet-s").decoder) == 222_660
    assert weights(blank("ptychonn").encoder) == 286_432
    assert weights(blank("ptychonn").decoder1) == weights(blank("ptychonn").decoder2) == 480_321


@pytest.mark.parametrize("name", COUNTS)
def test_one_patch_of_the_same_size_per_pattern(name):
    network = build(name).eval()
    with torch.inference_mode():
        output = network(random(3, 1, 32, 64))
        one = network(random(3, 1, 32, 64)[1:2])
    channels = 1 if ARCHITECTURES[name].phase_only else 2
    assert output.shape == (3, channels, 32, 64)
    torch.testing.assert_close(one[0], output[1])  # patterns do not see each other


@pytest.mark.parametrize(("name", "amplitudes"), RANGES.items())
def test_amplitude_comes_first_and_both_stay_in_range(name, amplitudes):
    """Outputs far off reach their limits, which tell the channels apart."""
    network = build(name).eval()
    convolutions = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    last = [m for m in network.modules() if isinstance(m, convolutions) and m.out_channels <= 2]
    outputs = []
    with torch.inference_mode():
        for sign in (1e15, -1):
            for layer in last:
                layer.weight *= sign
            outputs.append(network(random(2, 1, 32, 32)))
    output = torch.stack(outputs).transpose(0, 2)
    phase, amplitude = output[-1], output[0]
    assert float(phase.amin()) == pytest.approx(-math.pi)
    assert float(phase.amax()) == pytest.approx(math.pi)
    if amplitudes:
        assert (float(amplitude.amin()), float(amplitude.amax())) == amplitudes


def test_keras_form_and_ptynet_b_have_no_limits():
    for network in (build("ptychonn-keras").eval(), build("ptynet-b").eval()):
        with torch.inference_mode():
            assert float(network(1e6 * random(1, 1, 32, 32)).abs().amax()) > 10


@pytest.mark.parametrize("name", COUNTS)
def test_every_weight_learns_but_the_dead_ones(name):
    network = build(name).train()
    (network(random(2, 1, 32, 32)) - 0.3).square().mean().backward()
    dead = {key for key, weight in network.named_parameters() if weight.grad is None}
    assert dead == ({"last_layer.0.weight"} if name == "ptynet-b" else set())


@pytest.mark.parametrize("name", ["ptynet-s", "ptychonn-keras", "w3net", "ptychonn2-bn"])
def test_a_seed_gives_the_same_weights_and_leaves_the_generators_of_torch_alone(name):
    before = torch.random.get_rng_state()
    one, same, other = build(name, 5), build(name, 5), build(name, 6)
    assert torch.equal(before, torch.random.get_rng_state())
    for left, right in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(left, right)
    drawn = [w for w in one.state_dict().values() if w.dim() > 1]
    assert all(
        not torch.equal(left, right)
        for left, right in zip(
            drawn, [w for w in other.state_dict().values() if w.dim() > 1], strict=True
        )
    )


def test_weights_are_drawn_as_published():
    ptynet = build("ptynet-s")
    up = ptynet.decoder[2].weight.detach()
    assert float(up.std()) == pytest.approx(0.02, rel=0.03)
    dense = ptynet.encoder[5].conv.weight.detach()  # 64 -> 128
    assert float(dense.std()) == pytest.approx(math.sqrt(2 / (9 * (64 + 128))), rel=0.03)
    keras = build("ptychonn-keras").encoder[12].weight.detach()  # 128 -> 128
    assert float(keras.abs().max()) == pytest.approx(math.sqrt(6 / (9 * 256)), rel=0.01)
    torch_form = build("ptychonn").encoder[12].weight.detach()
    assert float(torch_form.abs().max()) == pytest.approx(1 / math.sqrt(9 * 128), rel=0.01)
    for network in (ptynet, build("ptychonn-keras")):
        assert not any(w.any() for key, w in network.state_dict().items() if key.endswith("bias"))
    norm = build("w3net").decoder1.state_dict()
    assert {float(v.mean()) for key, v in norm.items() if key.endswith("running_var")} == {1.0}


def test_no_architecture_of_that_name():
    with pytest.raises(OptionsError, match="no network is called 'unet'; there is ptynet-s"):
        build("unet")


def test_ptynet_s_has_the_published_weights():
    shapes = {key: tuple(weight.shape) for key, weight in blank("ptynet-s").state_dict().items()}
    down = [(16, 1), (16, 16), (16, 16), (32, 16), (64, 32), (128, 64)]
    expected = {}
    for number, (after, before) in enumerate(down):
        expected[f"encoder.{number}.conv.weight"] = (after, before, 3, 3)
        expected[f"encoder.{number}.conv.bias"] = (after,)
    for number, shape in ((0, (64, 128, 3, 3)), (4, (64, 64, 3, 3))):
        expected[f"decoder.{number}.conv.weight"] = shape
        expected[f"decoder.{number}.conv.bias"] = (64,)
        expected[f"decoder.{number + 1}.depthwise.weight"] = (64, 32, 3, 3)  # no bias
        expected[f"decoder.{number + 2}.weight"] = (64, 32, 4, 4)
        expected[f"decoder.{number + 2}.bias"] = (64,)
    expected |= {"decoder.8.weight": (16, 64, 3, 3), "decoder.8.bias": (16,)}
    expected |= {"decoder.10.weight": (2, 8, 3, 3), "decoder.10.bias": (2,)}
    expected |= {"decoder.12.weight": (2, 1, 4, 4), "decoder.12.bias": (2,)}
    assert shapes == expected


def test_ptynet_s_against_its_specification_written_as_functions():
    network = build("ptynet-s", 3).eval()
    w = network.state_dict()
    w = {key: value + 0.12 * random(*value.shape, seed=1) for key, value in w.items()}
    network.load_state_dict(w)
    pattern = random(2, 1, 32, 32)

    def conv(x, name, stride=1, groups=1):
        bias = w.get(f"{name}.bias")
        return f.leaky_relu(f.conv2d(x, w[f"{name}.weight"], bias, stride, 1, 1, groups), 0.2)

    def up(x, name):
        return f.conv_transpose2d(x, w[f"{name}.weight"], w[f"{name}.bias"], 2, 1, 0, groups=2)

    x = pattern
    for number, stride in enumerate((1, 2, 1, 2, 1, 2)):
        x = conv(x, f"encoder.{number}.conv", stride)
    for first in (0, 4):
        x = conv(x, f"decoder.{first}.conv")
        x = conv(x, f"decoder.{first + 1}.depthwise", groups=2)
        x = f.leaky_relu(up(x, f"decoder.{first + 2}"), 0.2)
    x = conv(conv(x, "decoder.8"), "decoder.10", groups=2)
    x = f.hardtanh(up(x, "decoder.12"), -1, 1)
    expected = torch.cat([x[:, :1], x[:, 1:] * torch.pi], dim=1)
    assert float(expected.std()) > 0.01
    with torch.inference_mode():
        assert torch.equal(network(pattern), expected)


def test_blocks_of_ptynet_b_against_their_specification_written_as_functions():
    network = build("ptynet-b", 1).eval()

    def bent(x):
        return f.leaky_relu(x, 0.2)

    def normal(x, block):
        norm = block.bn
        return f.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)

    stage = network.encoder[1]  # 32 -> 64
    x = random(1, 32, 16, 16)
    down = stage.down
    y = bent(f.conv2d(x, down.conv1.conv.weight, down.conv1.conv.bias, padding=2))
    y = bent(f.conv2d(y, down.conv2.conv.weight, down.conv2.conv.bias))
    y = y + f.conv2d(x, down.proj.weight)
    with torch.inference_mode():
        torch.testing.assert_close(down(x), f.conv2d(y, down.down.weight, stride=2))

    residual = network.decoder[2].blocks[0]  # 64 channels in two groups
    x = random(1, 64, 16, 16)
    residual.conv1.bn.running_mean += 0.1
    y = f.conv2d(x, residual.conv1.conv.weight, residual.conv1.conv.bias, padding=2)
    y = bent(normal(y, residual.conv1))
    y = f.conv2d(y, residual.conv2.depthwise.weight, None, padding=2, groups=2)
    y = bent(normal(y, residual.conv2)) + f.conv2d(x, residual.conv.depthwise.weight, groups=2)
    with torch.inference_mode():
        torch.testing.assert_close(residual(x), y)

    up = network.decoder[2].up  # 64 -> 32
    y = bent(f.conv2d(x, up.conv1.depthwise.weight, None, padding=2, groups=2))
    y = bent(f.conv2d(y, up.conv2.depthwise.weight, None, groups=2)) + f.conv2d(x, up.proj.weight)
    with torch.inference_mode():
        torch.testing.assert_close(up(x), f.conv_transpose2d(y, up.up.weight, stride=2))


def test_package_network_swaps_the_published_order():
    """Published: channel 0 is the phase, channel 1 the amplitude."""
    network = build("ptychonn-package-nobn").eval()
    with torch.inference_mode():
        network.decoder[-1].weight.zero_()
        network.decoder[-1].bias.copy_(torch.tensor([0.25, -2.0]))
        output = network(random(1, 1, 32, 32))
    np.testing.assert_allclose(output[0, 0], 1 / (1 + math.exp(2.0)), rtol=1e-6)
    np.testing.assert_allclose(output[0, 1], math.pi * math.tanh(0.25), rtol=1e-6)


def test_each_head_of_the_package_network_sees_half_of_the_encoder():
    network = build("ptychonn-package").eval()
    inner = network.encoder(random(1, 1, 32, 32)).detach().requires_grad_()
    network.decoder(inner)[:, 0].sum().backward()  # the phase
    assert inner.grad[:, :64].any()
    assert not inner.grad[:, 64:].any()


def test_uncertainties_come_with_means_and_dropout_only_in_training():
    network = build("ptychonn-uq").eval()
    pattern = 10 * random(2, 1, 32, 32)
    with torch.inference_mode():
        mean, log_variance = network.moments(pattern)
        assert mean.shape == log_variance.shape == (2, 2, 32, 32)
        assert torch.equal(network(pattern), mean)
        assert not torch.equal(mean, log_variance)
        network.train()
        with torch.random.fork_rng(devices=[]):
            assert not torch.equal(network(pattern), network(pattern))


def test_blocks_of_the_w_net_against_their_formulas():
    network = build("w3net", 2).double().eval()
    block = network.encoder[2][0]  # 12 channels
    x = random(1, 12, 8, 6).double()
    with torch.inference_mode():
        torch.nn.init.normal_(block.response.weight, generator=torch.Generator().manual_seed(1))
        torch.nn.init.normal_(block.response.bias, generator=torch.Generator().manual_seed(2))
        depthwise = block.depthwise
        y = f.conv2d(x, depthwise.weight, depthwise.bias, padding=3, groups=12)
        mean, variance = y.mean(dim=1, keepdim=True), y.var(dim=1, keepdim=True, unbiased=False)
        y = (y - mean) / (variance + 1e-6).sqrt()  # its weights are 1, its biases 0
        y = torch.einsum("oc,bchw->bohw", block.widen.weight, y)
        y = f.gelu(y + block.widen.bias[:, None, None])
        strength = y.square().sum(dim=(2, 3), keepdim=True).sqrt()
        share = strength / (strength.mean(dim=1, keepdim=True) + 1e-6)
        gamma, beta = (part[:, None, None] for part in block.response.parameters())
        y = gamma * (y * share) + beta + y
        y = torch.einsum("oc,bchw->bohw", block.narrow.weight, y)
        torch.testing.assert_close(block(x), x + y + block.narrow.bias[:, None, None])

        excite = network.encoder[3]
        s = torch.relu(excite.squeeze.weight @ x.mean(dim=(2, 3))[0] + excite.squeeze.bias)
        s = torch.sigmoid(excite.excite.weight @ s + excite.excite.bias)
        torch.testing.assert_close(excite(x), x * s[:, None, None])

        norm = network.encoder[4]
        centred = x - x.mean(dim=1, keepdim=True)
        deviation = (centred.square().mean(dim=1, keepdim=True) + 1e-6).sqrt()
        torch.testing.assert_close(norm(x), centred / deviation)


def test_w3_has_the_published_share_of_the_weights():
    assert COUNTS["w3net"] / COUNTS["ptychonn"] == pytest.approx(0.0826, abs=5e-5)
    stages = [len(m) for m in blank("w3net").encoder if isinstance(m, torch.nn.Sequential)]
    assert stages == [2, 2, 4, 2]
    assert {m.kernel_size for m in blank("w2net").encoder if isinstance(m, torch.nn.Conv2d)} == {
        (7, 7),
        (2, 2),
    }


@pytest.mark.parametrize(("name", "gflop"), GFLOP.items())
def test_operations_agree_with_the_reference_to_its_printed_digits(name, gflop):
    for side, expected in zip((64, 128), gflop, strict=True):
        assert cost(name, (side, side)).gflop == pytest.approx(expected, abs=5.1e-4)


def test_cost_in_words_and_numbers():
    small = cost("ptynet-s")
    assert small.text() == "324 k parameters, 0.11 GFLOP per pattern, 1.3 MB"
    assert cost("ptychonn", (64, 64)).text() == "1.25 M parameters, 0.8 GFLOP per pattern, 5 MB"
    assert small.parameters == 324_452
    assert small.weight_bytes == 4 * 324_452
    assert cost("ptychonn", (60, 60)) == cost("ptychonn", (64, 64))  # padded


def test_memory_of_a_training_step_is_what_autograd_keeps():
    """Against a sum by hand for two layers: the input, both activations, one more for pooling."""
    small, large = cost("ptychonn2", (64, 64)), cost("ptychonn2", (128, 128))
    assert large.train_bytes == pytest.approx(4 * small.train_bytes, rel=1e-3)
    first_block = (1 + 16 + 16) * 64 * 64 * 4 + 16 * 32 * 32 * (
        4 + 8
    )  # values, and pooling indices
    assert first_block < small.train_bytes < 12 * first_block


def test_cost_leaves_the_generators_of_torch_alone():
    before = torch.random.get_rng_state()
    cost("ptychonn-uq", (24, 24))
    assert torch.equal(before, torch.random.get_rng_state())
