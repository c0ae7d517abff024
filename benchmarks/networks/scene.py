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
from napari_ptycho.assess import MetricsOptions, Plane, metrics, pty2023
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
JITTER = 2
SAME = MetricsOptions(shift=False, phase=False, ramp=False)
FOLDER = Path(tempfile.gettempdir()) / "napari-ptycho-networks"


def known(patterns: int, asked_about: int = 1) -> Pairs:
    """Return about so many pairs: cats at random places, each as a scan with its truth.

    Args:
        patterns: 3900 make what `tuning_case.taught` learns.
        asked_about: The first cats, which are left out. Of the others the last ones validate.
    """
    pairs = []
    teachers = cats()[asked_about:]
    for seed, image in enumerate(teachers, asked_about):
        count = round(patterns / len(teachers))
        places = np.random.default_rng(seed).uniform(1, OBJECT - SIZE - 1, (count, 2))
        object_ = transmission(image)
        scan = simulate(object_, probe(), np.rint(places), photons=PHOTONS, seed=seed)
        truth = Reconstruction(object_, scan.probe, np.rint(places), name=scan.name)
        pairs.append((scan, truth))
    return networks.pairs_of(pairs)


def asked(
    step: int, photons: float = PHOTONS, cat: int = 0, jitter: int = JITTER
) -> tuple[Scan, Reconstruction]:
    """Return a scan of a cat that taught nobody, and its truth over the windows of `first_guess`.

    Args:
        step: Pixels from window to window; inner ones leave the raster by up to `jitter` pixels.
        photons: Mean counts per pattern with a flat object.
        cat: Which.
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
    truth = np.pad(part, MARGIN_PX, mode="edge")
    assert scan.probe is not None  # of a simulation it is known, and its power without the object
    return scan, replace(first_guess(scan), object=truth, probe=scan.probe)


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

    "nrmse" is complex, "corr_phase" and "corr_amplitude" are Pearson's, "psnr_..." (dB) and
    "ssim_..." are those of `assess.metrics`: the truth's span is their range.
    """
    area = illuminated(truth)
    target = truth.object.astype(np.complex128)
    image = found.object * np.exp(1j * np.angle(np.vdot(found.object[area], target[area])))
    off = np.linalg.norm((image - target)[area]) / np.linalg.norm(target[area])
    rows = {"nrmse": float(off)}
    for name, part in (("phase", np.angle), ("amplitude", np.abs)):
        values, meant = (Plane(part(o), name, area=area) for o in (image, target))
        rows[f"corr_{name}"] = correlation(values.data[area], meant.data[area])
        numbers = metrics(values, meant, SAME)
        for key in ("PSNR", "SSIM"):
            rows[f"{key.lower()}_{name}"] = float(numbers.value(key) or np.inf)
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
