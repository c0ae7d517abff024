"""What the network benchmarks share: scans of PtyNet's cats, and how a prediction scores."""

import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tuning_case import OBJECT, SIZE, cats, probe, transmission

from napari_ptycho import networks
from napari_ptycho.assess import pty2023
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import TrainOptions
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.result import Trained
from napari_ptycho.physics.align import illuminated
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.prepare.start import MARGIN_PX, first_guess

PHOTONS = 1e6
ASKED = 4  # the first cats are asked about; the others teach, and the last of them validate
JITTER = 2
FOLDER = Path(tempfile.gettempdir()) / "napari-ptycho-networks"


def known(patterns: int, photons: float = PHOTONS) -> Pairs:
    """Return about so many pairs: cats at random places, each as a scan with its truth."""
    pairs = []
    teachers = cats()[ASKED:]
    for seed, image in enumerate(teachers, ASKED):
        random = np.random.default_rng([seed, patterns])
        places = random.integers(0, OBJECT - SIZE + 1, (round(patterns / len(teachers)), 2))
        object_ = transmission(image)
        scan = simulate(object_, probe(), places.astype(float), photons=photons, seed=seed)
        scan = replace(scan, name=f"cat {seed}")
        truth = Reconstruction(object_, scan.probe, places.astype(float), name=scan.name)
        pairs.append((scan, truth))
    return networks.pairs_of(pairs)


def asked(
    step: int, photons: float = PHOTONS, cat: int = 0, jitter: int = JITTER
) -> tuple[Scan, Reconstruction]:
    """Return a scan of a cat that taught nobody, and its truth over the windows of `first_guess`.

    Args:
        step: Pixels from window to window; inner ones leave the raster by up to `jitter` pixels.
        photons: Mean counts per pattern with a flat object.
        cat: Which, below `ASKED`.
        jitter: Whole pixels.
    """
    corners = raster(step)
    last = int(corners.max())
    inner = (corners > 0) & (corners < last)
    random = np.random.default_rng(cat)
    places = corners + inner * random.integers(-jitter, jitter + 1, corners.shape)
    part = transmission(cats()[cat])[: last + SIZE, : last + SIZE]
    scan = simulate(part, probe(), places, photons=photons, seed=cat)
    scan = replace(scan, name=f"cat {cat}, step {step} px")
    return scan, replace(first_guess(scan), object=np.pad(part, MARGIN_PX, mode="edge"))


def raster(step: int) -> Any:
    """Return the corners (N, 2) of a raster's windows, without jitter."""
    steps = np.arange(0, OBJECT - SIZE + 1, step, dtype=float)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)


def taught(
    pairs: Pairs, architecture: str, steps: int, batch: int = 32, device: str = "auto"
) -> Update[Trained]:
    """Teach a network for about so many steps of so many patterns; return the last update."""
    epochs = max(1, round(steps * batch / len(pairs.training)))
    options = TrainOptions.of(architecture, epochs=epochs, batch=batch)
    return deque(networks.train(pairs, options, device=device), maxlen=1)[0]


def kept_network(name: str, made: Callable[[], Network]) -> Network:
    """Return a network of an earlier run, or make it and keep it."""
    path = FOLDER / f"{name}.safetensors"
    if path.exists():
        return networks.load(path)
    FOLDER.mkdir(parents=True, exist_ok=True)
    network = made()
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
