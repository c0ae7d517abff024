"""Teaching a network what lies under each pattern: a job."""

from collections.abc import Iterator

import torch

from napari_ptycho import device as devices
from napari_ptycho.errors import JobError
from napari_ptycho.job import Update, run
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import TrainOptions
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.result import Trained
from napari_ptycho.networks.training import Training


def train_job(
    pairs: Pairs, options: TrainOptions, start: Network | Trained | None, device: str
) -> Iterator[Update[Trained]]:
    """Teach a network; arguments as `networks.train`.

    A result whose training is in memory and learnt these very pairs goes on with its optimiser and
    order; any other result is a start like its network. Of the options, a training that goes on
    takes all but architecture, scaling and seed; the cosine falls anew over the epochs asked for.
    """
    going = start.run if isinstance(start, Trained) else None
    if isinstance(going, Training) and going.given is pairs:
        going.go_on(options)
    else:
        network = start.network if isinstance(start, Trained) else start
        going = _begun(pairs, options, network, devices.pick(device))
    live = going
    yield from run(
        _stepping(live, options.epochs),
        options.epochs,
        Training.freeze,
        notes=lambda: tuple(live.notes),
    )


def _begun(
    pairs: Pairs, options: TrainOptions, start: Network | None, where: torch.device
) -> Training:
    try:
        return Training(pairs, options, start, where)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _no_memory() from error


def _stepping(going: Training, epochs: int) -> Iterator[Training]:
    """Drive a training on as many CPU threads as suit it; between steps all is as before."""
    states = going.states(epochs)
    while True:
        with torch.inference_mode(False), torch.enable_grad(), devices.at_most(going.threads):
            state = _next(states)
        if state is None:
            return
        yield state


def _next(states: Iterator[Training]) -> Training | None:
    try:
        return next(states, None)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _no_memory() from error
    except RuntimeError as error:  # how torch says it on a CPU
        if "allocate memory" in str(error):
            raise _no_memory() from error
        raise


def _no_memory() -> JobError:
    return JobError(
        "the device has not enough memory for this training; choose a smaller batch, a smaller "
        "network, or the CPU"
    )
