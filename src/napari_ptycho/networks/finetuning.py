"""Fine-tuning as a job: a network learns from the patterns of one scan, without labels.

Pan et al., iScience 26, 108420 (2023) compare each patch with its own pattern; the other loop,
ours, compares the object that all patches make together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from napari_ptycho import device as devices
from napari_ptycho.io.resuming import own, saving
from napari_ptycho.job import Update, run
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks.experiment import experiment
from napari_ptycho.networks.ground import provenance_of, stepping
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import FinetuneOptions
from napari_ptycho.networks.prediction import disbelief, predicted
from napari_ptycho.networks.result import Tuned
from napari_ptycho.networks.saving import Saved, load_tuning, tuning_checkpoint, tuning_key
from napari_ptycho.networks.tuning import Tuning

TUNED = ", fine-tuned"


def finetune_job(
    scan: Scan,
    network: Network,
    options: FinetuneOptions,
    probe: Complexes | None,
    device: str,
    saved: Saved = (None, None),
) -> Iterator[Update[Tuned]]:
    """Teach a network one scan; arguments as in `networks.finetune`.

    `saved`: where to write checkpoints, and the one to go on from.
    """
    autosave, resume = saved
    with _learning():
        going = Tuning(network, experiment(scan, network, probe, device), options)
        key = tuning_key(going, network) if any(saved) else ""
        if resume is not None:
            load_tuning(going, own(resume, "finetuning", key))

    def notes() -> tuple[str, ...]:
        told = disbelief(going.r_factor, going.r_flat)
        return (*going.notes, *told, *(autosave.notes if autosave else ()))

    states = going.states() if resume is None else going.resumed()
    states = saving(states, autosave, partial(tuning_checkpoint, key=key))
    steps = stepping(states, _learning)
    yield from run(steps, options.epochs, lambda live: frozen(live, network), notes=notes)


@contextmanager
def _learning() -> Iterator[None]:
    threads = devices.window_threads()
    with torch.inference_mode(False), torch.enable_grad(), devices.at_most(threads):
        yield


def frozen(live: Tuning, network: Network) -> Tuned:
    """Copy the live state into an immutable result on the CPU."""
    there, best = live.experiment, live.best or live.values()
    weights = {name: value.cpu().numpy() for name, value in best.items() if name}
    about = {
        **network.about,
        "finetuned": {
            "scan": there.scan.name,
            "options": live.options.as_dict(),
            "epoch": live.epoch,
            "held_out": live.least if np.isfinite(live.least) else None,
        },
    }
    tuned = replace(
        network,
        weights=weights,
        preparation=there.preparation,
        probe=best[""].cpu().numpy(),
        name=network.name.removesuffix(TUNED) + TUNED,
        about=about,
    )
    made = provenance_of(there.scan, tuned, there.start, there.device)
    made["scan_checksum"] = there.checksum
    start = replace(there.start, probe=live.probe.detach().cpu().numpy(), provenance=made)
    shown = predicted(live.stitcher, start, (live.r_factor, live.r_flat), np.arange(len(there)))
    return Tuned(network=tuned, epoch=live.epoch, predicted=shown, scale=live.scale)
