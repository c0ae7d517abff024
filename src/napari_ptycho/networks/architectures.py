"""The table of networks: what each is called, where its layers are, who published it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from napari_ptycho.errors import OptionsError
from napari_ptycho.options import Value

ArchitectureName = Literal[
    "ptynet-s",
    "w3net",
    "ptychonn",
    "ptychonn2",
    "ptychonn2-bn",
    "ptychonn-keras",
    "ptychonn-package",
    "ptychonn-package-nobn",
    "ptychonn-uq",
    "ptynet-b",
    "w1net",
    "w2net",
]


@dataclass(frozen=True)
class Architecture:
    """A network that leads from a diffraction pattern to the object under the probe."""

    title: str
    help: str
    module: str
    """Where its class lives: a module of this package, and the class in it."""
    parameters: int
    """Weights that are learnt, exactly."""
    multiple: int
    """The sides of a pattern must be multiples of this; others are padded with zeros."""
    phase_only: bool = False
    """Whether the amplitude is taken as 1."""
    reconstructed: bool = False
    """Whether the layers are our reading of a paper that does not give them."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Values of `TrainOptions` that its paper trains with, as far as they suit."""


MAE: Mapping[str, Value] = {"loss": "mae"}
MSE: Mapping[str, Value] = {"loss": "mse"}
_W = "Xing et al. 2024; the paper gives no layer sizes: our reconstruction."
ARCHITECTURES: dict[str, Architecture] = {
    "ptynet-s": Architecture(
        "PtyNet-S",
        "Pan et al. 2023: small and quick.",
        "ptynet_s:PtyNetS",
        324_452,
        8,
        defaults=MSE,
    ),
    "w3net": Architecture(
        "W3-Net (reconstruction)",
        f"Least weights. {_W}",
        "wnet:W3Net",
        103_006,
        16,
        reconstructed=True,
        defaults=MAE,
    ),
    "ptychonn": Architecture(
        "PtychoNN",
        "Cherukara et al. 2020, PyTorch form.",
        "ptychonn:PtychoNN",
        1_247_074,
        8,
        defaults=MAE,
    ),
    "ptychonn2": Architecture(
        "PtychoNN 2, phase",
        "Phase only, four levels (Babu et al. 2023); for 128 x 128 pixels.",
        "ptychonn2:PtychoNN2",
        733_921,
        16,
        phase_only=True,
        defaults=MAE,
    ),
    "ptychonn2-bn": Architecture(
        "PtychoNN 2, phase, batch norm",
        "PtychoNN 2 with batch normalisation.",
        "ptychonn2:PtychoNN2BatchNorm",
        735_841,
        16,
        phase_only=True,
        defaults=MAE,
    ),
    "ptychonn-keras": Architecture(
        "PtychoNN, Keras form",
        "Cherukara et al. 2020 as published: nearest upsampling, linear outputs.",
        "ptychonn:PtychoNNKeras",
        1_154_210,
        8,
        defaults=MAE,
    ),
    "ptychonn-package": Architecture(
        "ptychonn package",
        "The network of the ptychonn package (Ptychodus): one decoder in two groups.",
        "ptychonn_package:PtychoNNPackage",
        1_028_596,
        16,
        defaults=MSE,
    ),
    "ptychonn-package-nobn": Architecture(
        "ptychonn package, no batch norm",
        "The same without batch normalisation.",
        "ptychonn_package:PtychoNNPackagePlain",
        1_027_154,
        16,
        defaults=MSE,
    ),
    "ptychonn-uq": Architecture(
        "PtychoNN with uncertainty",
        "Two heads with mean and log-variance each, and dropout.",
        "ptychonn_uq:PtychoNNUq",
        313_076,
        8,
        defaults=MAE,
    ),
    "ptynet-b": Architecture(
        "PtyNet-B",
        "Pan et al. 2023: large, slow without a GPU.",
        "ptynet_b:PtyNetB",
        20_657_526,
        16,
        defaults=MSE,
    ),
    "w1net": Architecture(
        "W1-Net (reconstruction)",
        f"Larger than PtychoNN. {_W}",
        "wnet:W1Net",
        3_112_048,
        16,
        reconstructed=True,
        defaults=MAE,
    ),
    "w2net": Architecture(
        "W2-Net (reconstruction)",
        f"Largest of the three. {_W}",
        "wnet:W2Net",
        6_938_759,
        16,
        reconstructed=True,
        defaults=MAE,
    ),
}
"""Name -> network. The first is the one to begin with."""


def architecture_of(name: str) -> Architecture:
    """Return what is known of an architecture.

    Raises:
        OptionsError: There is none of this name.
    """
    if name not in get_args(ArchitectureName):
        raise OptionsError(f"no network is called '{name}'; there is {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
