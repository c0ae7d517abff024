"""Networks that lead from diffraction patterns to the object: train, fine-tune, predict.

Importing this package imports no torch; the first step of a job does.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_ptycho.networks.architectures import ARCHITECTURES
from napari_ptycho.networks.options import (
    SCALINGS,
    FinetuneOptions,
    PredictOptions,
    SimulationOptions,
    TrainOptions,
)

if TYPE_CHECKING:  # options alone must open at once: forms and --help need no arrays
    from numpy.typing import NDArray

    from napari_ptycho.io.autosave import Autosave, Checkpoint
    from napari_ptycho.job import Update
    from napari_ptycho.model import Reconstruction, Scan
    from napari_ptycho.model.arrays import Complexes
    from napari_ptycho.networks.network import Network
    from napari_ptycho.networks.pairs import Pairs
    from napari_ptycho.networks.result import Predicted, Trained, Tuned

__all__ = [
    "ARCHITECTURES",
    "SCALINGS",
    "FinetuneOptions",
    "PredictOptions",
    "SimulationOptions",
    "TrainOptions",
    "finetune",
    "load",
    "pairs_of",
    "predict",
    "save",
    "shipped",
    "simulated_pairs",
    "train",
]

SHIPPED = ("ptynet-s", "w3net")
"""Networks that come with the plugin."""


def pairs_of(
    known: "Sequence[tuple[Scan, Reconstruction]]",
    validation: float = 0.15,
    train_lines: float = 1.0,
) -> "Pairs":
    """Return what a network can learn from: patterns, and the object that lies under each.

    Args:
        known: Scans and what was reconstructed of them, positions in the same order. With several,
            whole scans validate; with one, its last lines do.
        validation: Share of the patterns that validate.
        train_lines: Share of each scan's lines that is used at all, from the first on.

    Raises:
        ScanError: A reconstruction is not of its scan, frames differ in size, or nothing is left
            to learn from or to validate with.
    """
    from napari_ptycho.networks.pairs import from_reconstructions

    return from_reconstructions(known, validation, train_lines)


def simulated_pairs(
    options: SimulationOptions | None = None,
    probe: "Complexes | None" = None,
    images: "Mapping[str, NDArray[Any]] | None" = None,
) -> "Pairs":
    """Return pairs of simulated patterns and natural images.

    Args:
        options: How many, how large, how noisy.
        probe: (h, w) or (M, h, w), for all of them; None draws zone plates with a defocus each.
        images: Name -> grey image (H, W), from 0 to 1, to make objects of, of which the last tenth
            validates; None takes those of scikit-image.

    Raises:
        OptionsError: The probe does not have the size of the patterns, or there are too few images.
    """
    from napari_ptycho.networks.simulated import simulated

    return simulated(options or SimulationOptions(), probe, images)


def train(
    pairs: "Pairs",
    options: TrainOptions | None = None,
    start: "Network | Trained | None" = None,
    device: str = "auto",
    *,
    autosave: "Autosave | None" = None,
    resume: "Checkpoint | None" = None,
) -> "Iterator[Update[Trained]]":
    """Teach a network: a job. The network of the best validation so far is kept.

    Args:
        pairs: What it learns from, and what validates it.
        options: The architecture, and how it learns; `TrainOptions.of(name)` has what suits.
        start: Weights to start from (its architecture, scaling and amplitude scale are kept; mean
            patterns are those of the pairs, as in prediction), or a result of this session to go
            on from with all of its state, for `options.epochs` more.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        autosave: Where and how often to write a checkpoint; whoever keeps the result discards it.
        resume: A checkpoint of this very job, whose process died: it goes on to its end.

    Yields:
        Updates whose `done` and `total` are epochs, and whose history has one value per
        validation: "epoch" (where it was), "loss" and "validation" (in the loss of the options),
        "psnr_db" and "correlation" of the validation phases, "rate".

    Raises:
        OptionsError: The network does not fit the pairs.
        JobError: The device is not there, or has too little memory; or the checkpoint is of
            another job.
    """
    from napari_ptycho.networks.teaching import train_job

    yield from train_job(pairs, options or TrainOptions(), start, device, (autosave, resume))


def predict(
    scan: "Scan",
    network: "Network",
    options: PredictOptions | None = None,
    probe: "Complexes | None" = None,
    device: str = "auto",
) -> "Iterator[Update[Predicted]]":
    """Predict the object of a scan, patch by patch, and stitch it: a job.

    Args:
        scan: Patterns and positions; a lazy scan is read block by block.
        network: What predicts.
        options: How patches are put together.
        probe: (M, h, w), whose intensity weighs the patches; None takes the scan's own, else that
            of the network's training, else the mean pattern's (`prepare.first_guess`).
        device: "auto", "cpu", "cuda", "cuda:1", "mps".

    Yields:
        Updates whose `done` and `total` are patterns.

    Raises:
        OptionsError: The network was taught with patterns of another size.
        ScanError: The scan lacks positions in object pixels.
        JobError: The device is not there, or has too little memory.
    """
    from napari_ptycho.networks.prediction import predict_job

    yield from predict_job(scan, network, options or PredictOptions(), probe, device)


def finetune(
    scan: "Scan",
    network: "Network",
    options: FinetuneOptions | None = None,
    probe: "Complexes | None" = None,
    device: str = "auto",
    *,
    autosave: "Autosave | None" = None,
    resume: "Checkpoint | None" = None,
) -> "Iterator[Update[Tuned]]":
    """Teach a network the patterns of one scan without labels, by the physics: a job.

    Args:
        scan: Patterns and positions; all of it is held in memory.
        network: Taught before; from random weights this does not lead anywhere.
        options: The loop, and when to stop.
        probe: (M, h, w) in the sample plane; None takes the scan's own, else that of the network's
            training.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        autosave: As in `train`, and so is `resume`.
        resume: See above.

    Yields:
        Updates whose `done` and `total` are epochs, and whose history has one value per epoch:
        "loss", "r_factor" (of the patterns it learns) and "held_out" (R factor of the others).

    Raises:
        OptionsError: The network was taught with patterns of another size, or nobody knows the
            probe.
        ScanError: The scan lacks positions in object pixels, or is a near-field scan.
        JobError: The device is not there, or has too little memory; or the checkpoint is of
            another job.
    """
    from napari_ptycho.networks.finetuning import finetune_job

    options = options or FinetuneOptions()
    yield from finetune_job(scan, network, options, probe, device, (autosave, resume))


def load(path: str | os.PathLike[str]) -> "Network":
    """Read a network: our own file (.safetensors), or published PtychoNN weights (.pth, .ckpt).

    Nothing in the file is run.

    Raises:
        FileError: The file is absent, damaged, or holds no network that is known here.
    """
    from napari_ptycho.networks.checkpoint import load_network

    return load_network(path)


def save(network: "Network", path: str | os.PathLike[str]) -> None:
    """Write a network to one file (safetensors, with a JSON header), whole or not at all.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    from napari_ptycho.networks.checkpoint import save_network

    save_network(network, path)


def shipped(name: str = SHIPPED[0]) -> "Network":
    """Return a network that comes with the plugin, taught with simulated data.

    Raises:
        OptionsError: None of them has this name.
    """
    from napari_ptycho.networks.checkpoint import shipped_network

    return shipped_network(name)
