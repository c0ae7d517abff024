"""What is remembered of a network's training in the window, and how it is asked for again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_ptycho.errors import FileError
from napari_ptycho.gui import offer_belongings
from napari_ptycho.gui.network_data import ShareOptions, Source
from napari_ptycho.gui.network_jobs import ObjectRequest, TrainRequest
from napari_ptycho.gui.network_named import Named
from napari_ptycho.gui.offer_belongings import Belonging, Belongings
from napari_ptycho.gui.offer_kept import Kept, kept_by
from napari_ptycho.gui.offer_rows import Offer
from napari_ptycho.gui.session import Session
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import FinetuneOptions, SimulationOptions, TrainOptions
from napari_ptycho.networks.network import Network
from napari_ptycho.recipes.recipe import BinningOptions, Recipe
from napari_ptycho.recipes.recipe import Source as ScanSource

Request = TrainRequest | ObjectRequest


@dataclass(frozen=True, eq=False)
class Again:
    """A run to go on with."""

    offer: Offer
    request: Request


def kept_network(request: Request, session: Session) -> Kept | None:
    """Return where a run writes its checkpoints; None where nobody could go on from them.

    Args:
        request: A training or a fine-tuning; a prediction is soon done again.
        session: Whose scan is open.
    """
    if not isinstance(request.options, TrainOptions | FinetuneOptions):
        return None
    training, (told, bins) = isinstance(request, TrainRequest), session.told
    needed = _needs_scan(request)
    if needed and not isinstance(told, ScanSource):
        return None
    source = told if needed and isinstance(told, ScanSource) else ScanSource()
    start = request.start if isinstance(request, TrainRequest) else request.network
    about: dict[str, Any] = {
        "options": request.options.as_dict(),
        "device": request.device,
        "network": "" if start is None else start.title,
        "key": "" if start is None else start.key,
        "file": "" if start is None or start.taught else start.file,
        "source": _plain(request.source) if isinstance(request, TrainRequest) else {},
    }
    what = f"training of {request.title.removeprefix('train ')}" if training else request.title
    recipe = Recipe(scan=source, binning=bins if needed else BinningOptions())
    return kept_by(what, recipe, _given(request, start), **about)


def _needs_scan(request: Request) -> bool:
    """Whether the open scan is what is learnt from, or lights what is."""
    if isinstance(request, ObjectRequest):
        return True
    return bool(request.source.known) or isinstance(request.source.probe, Scan)


def _plain(source: Source) -> dict[str, Any]:
    """Return a choice of data as plain values; what is in memory belongs to the checkpoint."""
    simulation, probe = source.simulation, source.probe
    return {
        "words": source.words,
        "shares": source.shares.as_dict(),
        "files": [[str(path.absolute()) for path in pair] for pair in source.files],
        "simulation": None if simulation is None else simulation.as_dict(),
        "lit": "scan" if isinstance(probe, Scan) else "reconstruction" if probe else "",
    }


def _given(request: Request, start: Named | None) -> Belongings:
    things: dict[str, Any] = {}
    if start is not None and start.network is not None and not start.key:
        things["network"] = start.network
    if isinstance(request, ObjectRequest):
        things["probe"] = request.probe
    else:
        things["labels"] = request.source.labels
        lit = request.source.probe
        things["lit"] = lit if isinstance(lit, Reconstruction) else None
    return {name: thing for name, thing in things.items() if thing is not None}


def asked_again(offer: Offer, scan: Scan | None) -> Again:
    """Return what was asked for; for a thread.

    Args:
        offer: The run.
        scan: The scan that is open.

    Raises:
        PtychoError: What it was given is gone or damaged.
    """
    about, things = offer.checkpoint.about, offer_belongings.read(offer.path)
    kept, device = Kept.of(offer.path, about), str(about.get("device", "auto"))
    start = _start(about, things)
    if offer.checkpoint.kind == "finetuning":
        if scan is None or start is None:
            gone = "scan" if scan is None else "network that was fine-tuned"
            raise FileError(f"{offer.path.name}: the {gone} is gone; fine-tune anew, or Forget it")
        probe = things.get("probe")
        tuning = ObjectRequest(
            scan=scan,
            network=start,
            options=FinetuneOptions.from_dict(about["options"]),
            probe=probe if isinstance(probe, np.ndarray) else None,
            device=device,
        )
        return Again(offer, replace(tuning, kept=kept))
    options = TrainOptions.from_dict(about["options"])
    source = _source(about.get("source", {}), things, scan)
    request = TrainRequest(source, options, device, start, kept=kept)
    return Again(offer, request)


def _start(about: Mapping[str, Any], things: Mapping[str, Belonging]) -> Named | None:
    title, key, network = about.get("network", ""), about.get("key", ""), things.get("network")
    if key:
        return Named(title, key=key)
    if isinstance(network, Network):
        return Named(title, network, file=about.get("file", ""))
    return None


def _source(table: Mapping[str, Any], things: Mapping[str, Belonging], scan: Scan | None) -> Source:
    simulation, labels, lit = table.get("simulation"), things.get("labels"), things.get("lit")
    known = (scan, labels) if scan is not None and isinstance(labels, Reconstruction) else None
    probe = scan if table.get("lit") == "scan" else lit
    return Source(
        words=str(table.get("words", "")),
        shares=ShareOptions.from_dict(table.get("shares", {})),
        known=() if known is None else (known,),
        files=tuple((Path(first), Path(second)) for first, second in table.get("files", ())),
        simulation=None if simulation is None else SimulationOptions.from_dict(simulation),
        probe=probe if isinstance(probe, Scan | Reconstruction) else None,
    )
