"""What the Network dock runs in its thread: results come out ready to show.

The numerics are imported when a job starts, so that opening the dock imports none of them.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_ptycho import networks
from napari_ptycho.gui.network_data import Source
from napari_ptycho.gui.network_named import Named
from napari_ptycho.gui.offer_kept import Kept
from napari_ptycho.gui.recipe_stamp import each_result, with_recipe
from napari_ptycho.gui.views import (
    Image,
    Limits,
    Picture,
    contrast,
    picture,
    redrawn,
    spread_limits,
    tiled,
)
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks import ARCHITECTURES, FinetuneOptions, PredictOptions, TrainOptions
from napari_ptycho.recipes.recipe import NetworkStep

if TYPE_CHECKING:
    from napari_ptycho.networks.network import Network
    from napari_ptycho.networks.pairs import Pairs
    from napari_ptycho.networks.patches import PatchStack
    from napari_ptycho.networks.result import Predicted, Trained, Tuned


PREDICT, TRAIN, TUNE = "Predict", "Train", "Fine-tune"
"""What the dock does."""
NAMES = {PREDICT: "predicted", TUNE: "fine-tuned"}
"""What the objects are called."""


# -- training


@dataclass(frozen=True, eq=False)
class Sheet:
    """Windows as they should be, above the same windows as a network makes them."""

    of: "Trained"
    image: Image
    """Phases in rad."""
    limits: Limits


def sheet(trained: "Trained") -> Sheet:
    """Return what the layer of samples shows of a training."""
    truth, made = trained.truth[:, 1], trained.predicted[:, 1]
    image = tiled(np.concatenate([truth, made]), columns=len(truth))
    return Sheet(trained, image, contrast(truth.ravel()))


class TrainView:
    """The newest state of a training, with samples that may be a little older until it ends."""

    def __init__(self, trained: "Trained", shown: Sheet, pairs: "Pairs") -> None:
        self.trained, self.sheet, self.pairs = trained, shown, pairs

    @property
    def network(self) -> "Network":
        """What is kept."""
        return self.trained.network

    def complete(self) -> None:
        """Bring the samples up to date."""
        if self.sheet.of is not self.trained:
            self.sheet = sheet(self.trained)


@dataclass(frozen=True, eq=False)
class TrainRequest:
    """A training that was asked for in the window."""

    source: Source
    options: TrainOptions
    device: str
    start: Named | None = None
    """Whose weights to begin with; None draws them."""
    resume: TrainView | None = None
    """What to go on from, with the same pairs."""
    kept: Kept | None = None
    """Where its checkpoints are written."""
    task: ClassVar[str] = TRAIN

    @property
    def title(self) -> str:
        """What runs."""
        return f"train {ARCHITECTURES[self.options.architecture].title}"

    @property
    def total(self) -> float:
        """Of the updates: epochs."""
        return self.options.epochs


def train_job(request: TrainRequest) -> Iterator[Update[TrainView | None]]:
    """Return the job; until there are pairs its results are None."""
    resume = request.resume
    if resume is None:
        yield Update(0, 1, {}, None, (f"making pairs: {request.source.words}…",))
        pairs = request.source.make()
        start: Network | Trained | None = None if request.start is None else request.start.load()
    else:
        pairs, start = resume.pairs, resume.trained
    kept, options = request.kept, request.options
    left = None if kept is None else kept.left()
    job = networks.train(pairs, options, start, request.device, autosave=kept, resume=left)
    yield from redrawn(job, sheet, lambda trained, shown: TrainView(trained, shown, pairs))


# -- prediction, fine-tuning


@dataclass(frozen=True, eq=False)
class Drawing:
    """A prediction, ready to show."""

    of: "Predicted"
    picture: Picture
    spread: Image
    """(H, W)."""
    spread_limits: Limits
    mean_spread: float
    """Where patches overlap; NaN where none do."""


def drawing(predicted: "Predicted") -> Drawing:
    """Return what layers show of a prediction."""
    spread = predicted.spread
    lit = spread[spread > 0]
    mean = float(lit.mean(dtype=np.float64)) if lit.size else math.nan
    shown = picture(predicted.reconstruction)
    return Drawing(predicted, shown, spread, spread_limits(spread), mean)


@dataclass(frozen=True, eq=False)
class ObjectRequest:
    """A prediction or a fine-tuning that was asked for in the window."""

    scan: Scan
    network: Named
    options: PredictOptions | FinetuneOptions
    probe: Complexes | None
    device: str
    patches: bool = False
    """Whether the predictions of single patterns are wanted too."""
    kept: Kept | None = None
    """Where checkpoints of a fine-tuning are written."""
    recipe: str = ""
    """What the object says it was made by (TOML); empty where no recipe can tell."""

    @property
    def task(self) -> str:
        """`PREDICT` or `TUNE`."""
        return PREDICT if isinstance(self.options, PredictOptions) else TUNE

    @property
    def title(self) -> str:
        """What runs."""
        return f"{self.task.lower()}: {self.scan.name}"

    @property
    def step(self) -> NetworkStep | None:
        """What a recipe tells of it; None for a network in memory, and a probe of the window."""
        named, options = self.network, self.options
        if not named.told or self.probe is not None:
            return None
        if isinstance(options, PredictOptions):
            return NetworkStep(named.told, options, named.taught)
        return None if named.taught else NetworkStep(named.told, PredictOptions(), options)

    @property
    def total(self) -> float:
        """Of the updates: patterns, or epochs."""
        options = self.options
        return len(self.scan) if isinstance(options, PredictOptions) else options.epochs


class ObjectView:
    """The newest predicted object, with a drawing that may be a little older until the job ends."""

    def __init__(
        self,
        request: ObjectRequest,
        result: "Predicted | Tuned",
        shown: Drawing,
        network: "Network",
        seconds: float,
    ) -> None:
        self.request, self.result, self.drawing = request, result, shown
        self.network = network
        """What predicted, or what fine-tuning made of it."""
        self.seconds = seconds
        self.patches: PatchStack | None = None

    @property
    def predicted(self) -> "Predicted":
        """The object."""
        return _object_of(self.result)

    @property
    def reconstruction(self) -> Reconstruction:
        """The object, as something that any dock starts from."""
        return self.predicted.reconstruction

    def complete(self) -> None:
        """Bring the drawing up to date."""
        if self.drawing.of is not self.predicted:
            self.drawing = drawing(self.predicted)


def _object_of(result: "Predicted | Tuned") -> "Predicted":
    from napari_ptycho.networks.result import Tuned

    return result.predicted if isinstance(result, Tuned) else result


def object_job(request: ObjectRequest) -> Iterator[Update[ObjectView]]:
    """Return the job."""
    began, network = time.monotonic(), request.network.load()

    def view(result: Any, shown: Drawing) -> ObjectView:
        kept = getattr(result, "network", network)
        return ObjectView(request, result, shown, kept, time.monotonic() - began)

    last = None
    for last in redrawn(_called(_objects(request, network), request), _drawn, view):
        yield last
    if last is not None and request.patches:
        last.result.patches = _patches(request.scan, last.result.network)
        yield last


def _drawn(result: "Predicted | Tuned") -> Drawing:
    return drawing(_object_of(result))


def _objects(request: ObjectRequest, network: "Network") -> Iterator[Update[Any]]:
    scan, options, probe, device = request.scan, request.options, request.probe, request.device
    if isinstance(options, PredictOptions):
        return networks.predict(scan, network, options, probe, device)
    kept = request.kept
    left = None if kept is None else kept.left()
    return networks.finetune(scan, network, options, probe, device, autosave=kept, resume=left)


def _called(job: Iterator[Update[Any]], request: ObjectRequest) -> Iterator[Update[Any]]:
    """Give the objects a name of their own: layers of what engines reconstructed stay as they are.

    Closing this closes the job.
    """
    name = f"{request.scan.name} · {NAMES[request.task]}"
    return each_result(job, lambda result: _named(result, name, request.recipe))


def _named(result: Any, name: str, recipe: str) -> Any:
    if hasattr(result, "predicted"):
        return replace(result, predicted=_named(result.predicted, name, recipe))
    of = with_recipe(replace(result.reconstruction, name=name), recipe)
    return replace(result, reconstruction=of)


def _patches(scan: Scan, network: "Network") -> "PatchStack":
    from napari_ptycho.networks.patches import PatchStack

    stack = PatchStack(scan, network)
    stack[0]  # the first one is slow
    return stack
