"""Teaching a network what lies under each pattern: a job."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from napari_ptycho import device as devices
from napari_ptycho.io.resuming import own, saving
from napari_ptycho.job import Update, run
from napari_ptycho.networks.ground import ADVICE, stepping
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import TrainOptions
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.result import Trained
from napari_ptycho.networks.saving import (
    Saved,
    load_training,
    training_checkpoint,
    training_key,
)
from napari_ptycho.networks.training import Training


def train_job(
    pairs: Pairs,
    options: TrainOptions,
    start: Network | Trained | None,
    device: str,
    saved: Saved = (None, None),
) -> Iterator[Update[Trained]]:
    """Teach a network; arguments as `networks.train`.

    A result whose training is in memory and learnt these very pairs goes on with its optimiser and
    order; any other result is a start like its network. Of the options, a training that goes on
    takes all but architecture, scaling and seed; the cosine falls anew over the epochs asked for.
    `saved`: where to write checkpoints, and the one to go on from.
    """
    autosave, resume = saved
    going = start.run if isinstance(start, Trained) else None
    if isinstance(going, Training) and going.given is pairs and resume is None:
        going.go_on(options)
    else:
        network = start.network if isinstance(start, Trained) else start
        with devices.enough_memory(ADVICE):
            going = Training(pairs, options, network, devices.pick(device))
    live, key = going, training_key(going) if any(saved) else ""
    if resume is None:
        states = live.states(options.epochs)
    else:
        load_training(live, own(resume, "training", key))
        states = live.resumed()
    states = saving(states, autosave, partial(training_checkpoint, key=key))
    yield from run(
        stepping(states, partial(_learning, live)),
        options.epochs,
        Training.freeze,
        notes=lambda: (*live.notes, *(autosave.notes if autosave else ())),
    )


@contextmanager
def _learning(going: Training) -> Iterator[None]:
    """Use as many CPU threads as suit a training."""
    with torch.inference_mode(False), torch.enable_grad(), devices.at_most(going.threads):
        yield
