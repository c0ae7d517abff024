"""A curve with its units: error, loss, PSNR, FRC and profiles are all Curves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_ptycho.errors import ScanError
from napari_ptycho.model.arrays import Floats, frozen


@dataclass(frozen=True, eq=False)
class Curve:
    """L points (x, y), with units, a label, and threshold curves over the same x.

    Raises:
        ScanError: Lengths disagree.
    """

    x: Floats
    y: Floats
    x_unit: str = ""
    y_unit: str = ""
    label: str = ""
    thresholds: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        thresholds = {key: frozen(value, np.float64) for key, value in self.thresholds.items()}
        object.__setattr__(self, "thresholds", thresholds)
        for name, values in {"y": self.y, **thresholds}.items():
            if self.x.ndim != 1 or values.shape != self.x.shape:
                raise ScanError(
                    f"curve {self.label}: {name} has shape {values.shape} over x of shape "
                    f"{self.x.shape}; need one value per x"
                )
