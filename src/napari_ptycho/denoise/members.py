"""The networks of a run: one, or an ensemble, that learn side by side."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from napari_ptycho.denoise.layers import make_quick
from napari_ptycho.denoise.options import ARCHITECTURES, DenoiseOptions
from napari_ptycho.denoise.skip import SkipNet
from napari_ptycho.denoise.unet import ARCH1, ARCH2, UNet
from napari_ptycho.torch_state import adam_state, load_adam, load_random, put, random_state

SETTLING = 10.0  # the mean output forgets the first ones faster


def build(architecture: str, inputs: int, outputs: int, random: torch.Generator) -> nn.Module:
    """Return an untaught network.

    Args:
        architecture: One of `ARCHITECTURES`.
        inputs: Channels of its input.
        outputs: Channels of its output.
        random: Draws the weights, on the CPU.
    """
    if architecture == "skip":
        return SkipNet(inputs, outputs, random)
    widths = ARCH1 if architecture.startswith("arch1") else ARCH2
    up: Any = "bilinear" if architecture.endswith("bilinear") else "transposed"
    return UNet(inputs, outputs, random, widths, up)


@dataclass(frozen=True)
class Shape:
    """What all networks of a run have in common."""

    channels: int
    """Of the output."""
    size: tuple[int, int]
    """Pixels (H, W)."""
    copies: int
    """Images that are learnt, the image itself first: each member has a network per copy."""
    device: torch.device
    limits: Tensor | None = None
    """(2, C, 1, 1) between which outputs lie."""

    @property
    def batched(self) -> bool:
        """Whether networks of one architecture are computed together: GPUs are wide, CPUs not."""
        return self.device.type != "cpu"


class Members:
    """K networks of an ensemble for each copy of the image: M = K x copies in all.

    No two networks have the same seed: the same seed makes the same inventions of either copy.
    """

    def __init__(self, options: DenoiseOptions, shape: Shape) -> None:
        self.options, self.shape = options, shape
        names = [name for name in options.members() for _ in range(shape.copies)]
        seeds = [options.seed + number for number in range(len(names))]
        self.of_copy = torch.arange(len(names)) % shape.copies
        """(M,) which copy each network learns."""
        self.groups = [
            _Group(name, [i for i, n in enumerate(names) if n == name], seeds, (options, shape))
            for name in dict.fromkeys(names)
        ]
        self.optimiser = torch.optim.Adam(
            [{"params": group.weights, "lr": group.rate} for group in self.groups],
            fused=shape.device.type in ("cpu", "cuda"),
        )
        where = (len(names), shape.channels, *shape.size)
        self.output = torch.zeros(where, device=shape.device)
        """(M, C, H, W) the newest outputs."""
        self.mean = torch.zeros(where, device=shape.device)
        """(M, C, H, W) the outputs averaged over the iterations, as the options ask for it."""
        self.done = 0

    def __len__(self) -> int:
        return len(self.of_copy)

    def learn(self, copies: Tensor, weight: Tensor) -> Tensor:
        """Take one step; return the loss averaged over the networks, before the step.

        Args:
            copies: (copies, C, H, W) images to come closer to.
            weight: (H, W) how much each pixel counts, with mean 1.
        """
        self.optimiser.zero_grad()
        losses = []
        for group in self.groups:
            targets = copies[self.of_copy[group.numbers].to(copies.device)]
            losses.append(group.learn(targets, weight, self.output))
        self.optimiser.step()
        share = min(self.options.averaging, (1 + self.done) / (SETTLING + self.done))
        if self.done == 0 or self.options.averaging == 0:
            share = 0.0
        self.mean.lerp_(self.output, 1 - share)
        self.done += 1
        return torch.stack(losses).sum() / len(self)

    def state(self) -> dict[str, Any]:
        """Return all that they have become, as a tree (see `io.autosave.flat`)."""
        return {
            "groups": [group.state() for group in self.groups],
            "adam": adam_state(self.optimiser),
            "mean": self.mean,
            "done": self.done,
        }

    def load(self, tree: Mapping[str, Any]) -> None:
        """Become what others were that began in the same way.

        Raises:
            JobError: They have other weights.
        """
        for group, found in zip(self.groups, tree["groups"], strict=True):
            group.load(found)
        load_adam(self.optimiser, tree["adam"])
        put({"mean": self.mean}, {"mean": tree["mean"]})
        self.done = tree["done"]


class _Group:
    """Networks of one architecture."""

    def __init__(
        self,
        name: str,
        numbers: Sequence[int],
        seeds: Sequence[int],
        run: tuple[DenoiseOptions, Shape],
    ) -> None:
        options, shape = run
        own = DenoiseOptions.of(name) if name != options.architecture else options
        self.numbers, self.rate, self.jitter = torch.tensor(numbers), own.rate, options.jitter
        self.limits = shape.limits
        self.batched = shape.batched and len(numbers) > 1
        height = ARCHITECTURES[name].height
        nets, inputs = [], []
        for number in numbers:
            draw = torch.Generator().manual_seed(seeds[number])
            inputs.append(torch.rand((1, own.inputs, *shape.size), generator=draw) * height)
            nets.append(build(name, own.inputs, shape.channels, draw).to(shape.device))
        self.height = height
        self.random = torch.Generator(shape.device).manual_seed(seeds[numbers[0]])
        self.inputs = torch.stack(inputs).to(shape.device)
        self.weights: list[Tensor]
        if self.batched:
            self.net = copy.deepcopy(nets[0]).to("meta")
            stacked = stack_module_state(nets)[0]
            self.stack = {key: value.detach().requires_grad_() for key, value in stacked.items()}
            self.weights = list(self.stack.values())
            return
        self.nets = [net.to(memory_format=torch.channels_last) for net in nets]  # type: ignore[call-overload]
        if shape.device.type == "cpu":
            for net in self.nets:
                make_quick(net)
        self.weights = [weight for net in self.nets for weight in net.parameters()]

    def learn(self, targets: Tensor, weight: Tensor, output: Tensor) -> Tensor:
        """Find the slopes of the weights, fill the outputs; return the sum of the losses."""
        seen = self.inputs
        if self.jitter > 0:
            noise = torch.randn(seen.shape, generator=self.random, device=seen.device)
            seen = seen + noise * (self.jitter * self.height)
        if self.batched:
            return self._together(seen, targets, weight, output)
        losses = []
        for net, image, target, number in zip(
            self.nets, seen, targets, self.numbers.tolist(), strict=True
        ):
            found = self._limited(net(image.contiguous(memory_format=torch.channels_last)))
            loss = ((found[0] - target).square() * weight).mean()
            torch.autograd.backward(loss)
            output[number] = found.detach()[0]
            losses.append(loss.detach())
        return torch.stack(losses).sum()

    def state(self) -> dict[str, Any]:
        return {"weights": self._named(), "random": random_state(self.random)}

    def load(self, tree: Mapping[str, Any]) -> None:
        put(self._named(), tree["weights"])
        load_random(self.random, tree["random"])

    def _named(self) -> dict[str, Tensor]:
        return {str(number): weight for number, weight in enumerate(self.weights)}

    def _together(self, seen: Tensor, targets: Tensor, weight: Tensor, output: Tensor) -> Tensor:
        def one(weights: dict[str, Tensor], image: Tensor) -> Tensor:
            found: Tensor = functional_call(self.net, weights, (image,))
            return found

        found = self._limited(vmap(one)(self.stack, seen)[:, 0])
        loss = ((found - targets).square() * weight).mean(dim=(1, 2, 3)).sum()
        torch.autograd.backward(loss)
        output[self.numbers.to(output.device)] = found.detach()
        return loss.detach()

    def _limited(self, found: Tensor) -> Tensor:
        """Bend outputs (..., C, H, W) into the limits, if there are any."""
        if self.limits is None:
            return found
        low, high = self.limits
        return low + (high - low) * found.sigmoid()
