"""What the network benchmarks share: the probe, scans of held-out images, and how they score."""

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_ptycho import networks
from napari_ptycho.assess import pty2023
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import SimulationOptions, TrainOptions
from napari_ptycho.networks.images import image
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.result import Trained
from napari_ptycho.networks.simulated import cut, zone_plate
from napari_ptycho.physics.align import illuminated
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.prepare.start import MARGIN_PX, first_guess

SIZE = 64
FIELD = 88  # pixels from the first to the last window of a row, at most
PHOTONS = 1e6
JITTER = 2
PHASE_RAD, ABSORPTION = 2.0, 0.5
OBJECTS = (("chelsea", "brick"), ("moon", "chelsea"), ("rocket", "clock"), ("brick", "moon"))
"""Images of phase and amplitude of the scans that are asked about; all are held out."""


@dataclass(frozen=True)
class Data:
    """What a network is taught with: the same probe as the scans that it is asked about."""

    patterns: int
    overlap: str = "75"
    photons: float = PHOTONS
    seed: int = 0

    def pairs(self) -> Pairs:
        """Simulate the pairs: images that teach, images that validate."""
        options = SimulationOptions(
            patterns=self.patterns,
            size=SIZE,
            overlap=self.overlap,
            photons=self.photons,
            photons_least=self.photons,
            phase_rad=PHASE_RAD,
            absorption=ABSORPTION,
            seed=self.seed,
        )
        return networks.simulated_pairs(options, zone_plate(SIZE))


def held_out_scan(
    step: int, photons: float = PHOTONS, seed: int = 0, field: int = FIELD
) -> tuple[Scan, Reconstruction]:
    """Return a scan of two images that taught nobody, and its truth.

    Args:
        step: Pixels from window to window; inner ones leave the raster by up to `JITTER` pixels.
        photons: Mean counts per pattern with a flat object.
        seed: Which of `OBJECTS`, which part of the images, jitter, noise.
        field: Pixels from the first to the last window of a row, at most.
    """
    random = np.random.default_rng([seed, 1])
    first, second = OBJECTS[seed % len(OBJECTS)]
    phase, loss = (cut(image(name), field + SIZE, random) for name in (first, second))
    whole = (1 - ABSORPTION * loss) * np.exp(1j * PHASE_RAD * (phase - phase.mean()))
    corners = nominal(step, field)
    last = corners.max()
    inner = (corners > 0) & (corners < last)
    places = corners + inner * random.integers(-JITTER, JITTER + 1, corners.shape)
    part = whole[: last + SIZE, : last + SIZE]
    scan = simulate(part, zone_plate(SIZE), places.astype(float), photons=photons, seed=seed)
    scan = replace(scan, name=f"{first} (phase), {second} (amplitude), step {step} px")
    truth = replace(
        first_guess(scan),
        object=np.pad(part, MARGIN_PX, mode="edge").astype(np.complex64),
        name=f"truth of {scan.name}",
    )
    return scan, truth


def nominal(step: int, field: int = FIELD) -> Any:
    """Return the corners (N, 2) of a raster's windows, without jitter."""
    steps = np.arange(0, field + 1, step)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)


def taught(
    pairs: Pairs, architecture: str, steps: int, batch: int = 32, device: str = "auto"
) -> Update[Trained]:
    """Teach a network for about so many steps of so many patterns; return the last update."""
    epochs = max(1, round(steps * batch / len(pairs.training)))
    options = TrainOptions.of(architecture, epochs=epochs, batch=batch)
    return deque(networks.train(pairs, options, device=device), maxlen=1)[0]


def kept_network(folder: Path, name: str, made: Any) -> Network:
    """Return a network of an earlier run, or make it and keep it."""
    path = folder / f"{name}.safetensors"
    if path.exists():
        return networks.load(path)
    folder.mkdir(parents=True, exist_ok=True)
    network: Network = made()
    networks.save(network, path)
    return network


def turned(found: Any, truth: Any) -> Any:
    """Return an object with the global phase of another one."""
    return found * np.exp(1j * np.angle(np.vdot(found, truth)))


def correlation(one: Any, two: Any) -> float:
    """Return the Pearson correlation of two sets of values."""
    one, two = one - one.mean(), two - two.mean()
    size = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / size if size else 0.0


def scores(found: Reconstruction, truth: Reconstruction) -> dict[str, float]:
    """Return how far an object is from its truth, over the lit pixels, after one global phase.

    "nrmse" is complex, "corr_phase" and "corr_amplitude" are Pearson's, "psnr_phase" and
    "psnr_amplitude" have the truth's span as range (dB).
    """
    area = illuminated(truth)
    image_, target = turned(found.object[area], truth.object[area]), truth.object[area]
    rows = {"nrmse": float(np.linalg.norm(image_ - target) / np.linalg.norm(target))}
    for name, part in (("phase", np.angle), ("amplitude", np.abs)):
        values, meant = part(image_), part(target)
        off = np.angle(image_ * target.conj()) if name == "phase" else values - meant
        rows[f"corr_{name}"] = correlation(values, meant)
        rows[f"psnr_{name}"] = float(10 * np.log10(np.ptp(meant) ** 2 / np.mean(off**2)))
    return rows


def published(found: Reconstruction, truth: Reconstruction) -> dict[str, float]:
    """Return PSNR, SSIM and MSE as PtyNet's tables define them, over the box of the lit pixels."""
    area = illuminated(truth)
    rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    image_, target = turned(found.object[box], truth.object[box]), truth.object[box]
    values = {}
    for name, part in (("phase", np.angle), ("amplitude", np.abs)):
        score = pty2023(part(image_), part(target))
        values |= {
            f"psnr_2023_{name}": score.psnr_db,
            f"ssim_2023_{name}": score.ssim,
            f"mse_2023_{name}": score.mse,
        }
    return values


def table(titles: list[str], rows: list[list[Any]]) -> str:
    """Return a Markdown table; a cell is text, or a number of four digits."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}"
        return "" if value is None else str(value)

    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *(f"| {' | '.join(map(cell, row))} |" for row in rows)])
