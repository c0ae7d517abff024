"""Where the windows of a reconstruction lie, as points with a colour: what the layer shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Floats

SHIFT, ERROR, FLUX = "shift", "error", "flux"
COLOURS = (SHIFT, ERROR, FLUX)
MOST = 2000
"""Points that are drawn: in software rendering 5000 take half a second with every picture."""
PERCENT = (1, 99)
COLOURMAP = Colormap(AVAILABLE_COLORMAPS["viridis"].colors[64:], name="positions")
"""Viridis without its darkest quarter, which cannot be seen on black."""
LEAST_PX = 4
"""Pixels of the screen that a point takes at least, in a cell of a grid, too."""
FEATURES = {SHIFT: "shift_px", ERROR: "error", FLUX: "flux"}


@dataclass(frozen=True, eq=False)
class Spots:
    """Centres of the windows (of every k-th frame, if they are many), and what is known there."""

    centres: Floats
    """(n, 2) in object pixels, (y, x)."""
    features: dict[str, Any]
    """"pattern" and, as far as they are known, `FEATURES`: (n,) each."""
    every: int
    """1: all frames."""

    def shown(self, wanted: str) -> str:
        """Return what the colour can show: what is wanted, else the error, else nothing ("")."""
        known = [kind for kind in (wanted, ERROR) if FEATURES[kind] in self.features]
        return known[0] if known else ""

    def limits(self, kind: str) -> tuple[float, float]:
        """Return the values of the darkest and the brightest colour."""
        low, high = (float(v) for v in np.percentile(self.features[FEATURES[kind]], PERCENT))
        low = 0.0 if kind == SHIFT else low
        return low, max(high, low + 1e-6)

    def legend(self, wanted: str, of: Reconstruction) -> str:
        """Return what the colours mean, in words."""
        kind = self.shown(wanted)
        if not kind:
            return ""
        low, high = self.limits(kind)
        every = f", every {_nth(self.every)} pattern" if self.every > 1 else ""
        text = f"{_span(kind, low, high, of)}{every}"
        return text if kind == wanted else f"no {wanted} is known; error {text}"


def spots(of: Reconstruction) -> Spots:
    """Return the spots of a reconstruction."""
    every = -(-len(of.positions_px) // MOST)
    chosen = slice(None, None, every)
    features: dict[str, Any] = {"pattern": np.arange(len(of.positions_px))[chosen]}
    moves = of.extras.get("position_moves_px")
    if moves is not None:
        features[FEATURES[SHIFT]] = np.hypot(*moves[chosen].T)
    for kind, name in ((ERROR, "frame_errors"), (FLUX, "flux")):
        if name in of.extras:
            features[FEATURES[kind]] = np.asarray(of.extras[name][chosen])
    return Spots(centres_of(of)[chosen], features, every)


def centres_of(of: Reconstruction) -> Floats:
    """Return the centres of all windows (N, 2), in object pixels."""
    return np.asarray(of.positions_px + np.array(of.probe.shape[1:]) / 2)


def given_centres_of(of: Reconstruction) -> Floats:
    """Return where the windows lay before they were refined."""
    return np.asarray(centres_of(of) - of.extras.get("position_moves_px", 0.0))


def _span(kind: str, low: float, high: float, of: Reconstruction) -> str:
    if kind == ERROR:
        return f"{low:.2g} to {high:.2g} of the counts"
    if kind == FLUX:
        return f"{low:.2f} to {high:.2f} of the mean"
    text = f"{low:.2g} to {high:.2g} px"
    if of.pixel_size_m is not None:
        text += f" (to {high * float(np.mean(of.pixel_size_m)) * 1e9:.3g} nm)"
    return text


def _nth(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")
