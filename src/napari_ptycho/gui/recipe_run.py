"""What the Reconstruct dock runs in its thread: its results tell their recipe.

The numerics are imported when a run starts, so that opening the dock imports none of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from napari_ptycho import device as devices
from napari_ptycho import networks
from napari_ptycho.engines import reconstruct
from napari_ptycho.gui.offer_kept import Kept
from napari_ptycho.gui.recipe_stamp import stamped
from napari_ptycho.gui.stages import Stages, total
from napari_ptycho.gui.start_box import Start
from napari_ptycho.gui.views import ReconstructionView, viewed
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.recipes.reading import open_network
from napari_ptycho.recipes.recipe import NetworkStep


@dataclass(frozen=True, eq=False)
class Run:
    """A run that was asked for in the window."""

    scan: Scan
    stages: Stages
    start: Start
    device: str
    recipe: str = ""
    """What the result says it was made by (TOML); empty where no recipe can tell."""
    kept: Kept | None = None
    """Where it writes its checkpoints; None where nobody could go on from them."""


def make_job(run: Run) -> Iterator[Update[ReconstructionView]]:
    """Return the job that the thread runs, made in the thread."""
    return viewed(stamped(_job(run), run.recipe))


def _job(run: Run) -> Iterator[Update[Reconstruction]]:
    scan, stages, device = run.scan, run.stages, run.device
    left = None if run.kept is None else run.kept.left()
    if left is not None:
        yield from reconstruct(scan, None, device=device, autosave=run.kept, resume=left)
        return
    start = run.start.make(scan, stages[0].modes)
    if run.start.network is not None:
        for update in predicted(scan, run.start.network, run.start.probe(scan), device):
            start = update.result
            yield Update(0.0, float(total(stages)), {}, start, update.notes)
    yield from reconstruct(scan, stages, start, device, autosave=run.kept)


def predicted(
    scan: Scan, step: NetworkStep, probe: Complexes | None, device: str
) -> Iterator[Update[Reconstruction]]:
    """Predict the object of a scan as a recipe says; the notes tell how far it is.

    Raises:
        PtychoError: The network cannot be read, or does not fit the scan.
    """
    network, device = open_network(step.file), devices.each(device)[0]
    if step.finetune is not None:
        for tuning in networks.finetune(scan, network, step.finetune, probe, device):
            network = tuning.result.network
            yield _telling(tuning, "fine-tuning the network", tuning.result.predicted)
    for predicting in networks.predict(scan, network, step.predict, probe, device):
        yield _telling(predicting, "predicting", predicting.result)


def _telling(update: Update[Any], what: str, of: Any) -> Update[Reconstruction]:
    """Return an update of a network's object, named like the scan, that says how far it is."""
    far = f"{what}: {update.done / max(update.total, 1):.0%}"
    return replace(update, result=of.reconstruction, notes=(*update.notes, far))
