"""All that a training and a fine-tuning have become, as trees: for checkpoints."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from napari_ptycho.io.autosave import Autosave, Checkpoint, flat
from napari_ptycho.io.resuming import digest
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.training import Training
from napari_ptycho.networks.tuning import Tuning
from napari_ptycho.torch_state import (
    adam_state,
    load_adam,
    load_random,
    put,
    random_state,
    tensor_of,
)

Saved = tuple[Autosave | None, Checkpoint | None]
"""Where a job writes its checkpoints, and the one it goes on from."""
TRAINED = (
    *("checked", "best_epoch", "scores", "history", "notes", "stale", "over", "broken", "recent"),
    "begun_with",
)
SCHEDULED = ("epoch_steps", "begun", "total", "factor_now", "waited")
TUNED = ("done", "scale", "history", "notes", "epoch", "least", "steps", "first")


# -- a training


def training_key(live: Training) -> str:
    """Return what tells a training from others: pairs, options, start."""
    return digest("training", _pairs(live.given), live.options, _network(live.start))


def training_checkpoint(live: Training, key: str) -> Checkpoint:
    """Return all that a training has become."""
    live.collect()
    arrays, state = flat(
        {
            **{name: getattr(live, name) for name in TRAINED},
            "weights": live.module.state_dict(),
            "best": live.network.weights,
            "adam": adam_state(live.optimiser),
            "scaler": live.scaler.state_dict(),
            "schedule": {name: getattr(live.schedule, name) for name in SCHEDULED},
            "course": live.course.state(),
            "dropping": random_state(live.dropping),
        }
    )
    return Checkpoint("training", live.done, float(live.course.asked), key, arrays, state)


def load_training(live: Training, tree: Mapping[str, Any]) -> None:
    """Let a training that began in the same way go on from there.

    Raises:
        JobError: It has other weights.
    """
    put(live.module.state_dict(), tree["weights"])
    load_adam(live.optimiser, tree["adam"])
    if tree["scaler"] and live.scaler.is_enabled():
        live.scaler.load_state_dict(tree["scaler"])
    live.course.load(tree["course"])
    load_random(live.dropping, tree["dropping"])
    live.network = replace(live.network, weights=tree["best"])
    for name in TRAINED:
        setattr(live, name, tree[name])
    for name in SCHEDULED:
        setattr(live.schedule, name, tree["schedule"][name])


def _pairs(pairs: Pairs) -> list[Any]:
    names = ("patterns", "object", "corners", "probe", "valid", "exposure")
    sources = [[getattr(source, name) for name in names] for source in pairs.sources]
    return [sources, pairs.training, pairs.validation, pairs.amplitude_scale]


def _network(network: Network | None) -> list[Any] | None:
    if network is None:
        return None
    made = network.preparation
    about = [network.architecture, made.scaling, made.shape, made.mean, made.std]
    return [about, dict(network.weights), network.amplitude_scale, network.probe]


# -- a fine-tuning


def tuning_key(live: Tuning, network: Network) -> str:
    """Return what tells a fine-tuning from others: scan, probe, options, network."""
    scan, start = live.experiment.scan, live.experiment.start
    data = [scan.patterns, scan.valid, scan.exposure, start.positions_px, start.probe]
    return digest("finetuning", data, live.options, _network(network))


def tuning_checkpoint(live: Tuning, key: str) -> Checkpoint | None:
    """Return all that a fine-tuning has become; None within an epoch."""
    if not live.between:
        return None
    arrays, state = flat(
        {
            **{name: getattr(live, name) for name in TUNED},
            "values": live.values(),
            "best": live.best,
            "adam": adam_state(live.adam),
            "random": random_state(live.random),
            "totals": live.totals,
        }
    )
    return Checkpoint("finetuning", live.done, float(live.options.epochs), key, arrays, state)


def load_tuning(live: Tuning, tree: Mapping[str, Any]) -> None:
    """Let a fine-tuning that began in the same way go on from there.

    Raises:
        JobError: It has other weights.
    """
    where = live.experiment.device
    put({**live.module.state_dict(), "": live.probe}, tree["values"])
    live.probe.requires_grad_(live.options.probe_rate > 0)
    live.best = {name: tensor_of(array).to(where) for name, array in tree["best"].items()}
    live.adam = live.optimiser()
    load_adam(live.adam, tree["adam"])
    load_random(live.random, tree["random"])
    roots, counts = (tensor_of(array).to(where) for array in tree["totals"])
    live.totals = roots, counts
    for name in TUNED:
        setattr(live, name, tree[name])
