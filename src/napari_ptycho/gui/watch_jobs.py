"""What the Scan dock runs in its thread to watch a scan: results come out ready to show."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptycho import io, live
from napari_ptycho.gui.network_jobs import Drawing, drawing
from napari_ptycho.gui.network_named import Named
from napari_ptycho.gui.opening import Opening
from napari_ptycho.gui.stages import Stages
from napari_ptycho.gui.start_box import Start
from napari_ptycho.gui.views import LogStack, Picture, ScanView, picture, redrawn
from napari_ptycho.job import Update
from napari_ptycho.live import WatchOptions
from napari_ptycho.live.reading import read_frames
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.model.summary import summary
from napari_ptycho.prepare import find_raster

if TYPE_CHECKING:
    from napari_ptycho.live.watched import Shown, Watched


PAUSES_S = (0.01, 0.03)
"""Before the window reads a frame again that could not be read."""


@dataclass(frozen=True, eq=False)
class WatchRequest:
    """What is watched, and what is made of it."""

    opening: Opening
    network: Named | None = None
    """Predicts; None predicts nothing."""
    stages: Stages = ()
    """Reconstruct; none reconstruct nothing."""
    start: Start = field(default_factory=Start)
    """Whose probe the chain and the network begin with, if it is that of a reconstruction."""
    device: str = "auto"
    options: WatchOptions = field(default_factory=WatchOptions)

    @property
    def title(self) -> str:
        """What runs."""
        return f"watch {self.opening.path.name}"


class Recent:
    """Patterns so far: the newest at hand, those before read from the files when asked for."""

    def __init__(self, shown: "Shown") -> None:
        self._patterns, self._newest = shown.scan.patterns, shown.newest
        self.shape: tuple[int, ...] = tuple(self._patterns.shape)
        self._first = self.shape[0] - len(self._newest)

    def __getitem__(self, key: Any) -> Any:
        number, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(number, int | np.integer) and number >= self._first:
            return self._newest[(number - self._first, *rest)]
        return read_frames(self._patterns, key, PAUSES_S)


@dataclass(frozen=True, eq=False)
class Objects:
    """What has been made of the frames so far, ready to show."""

    of: "Watched"
    reconstruction: Picture | None
    prediction: Drawing | None


def objects(watched: "Watched") -> Objects:
    """Return what layers show of prediction and reconstruction."""
    found, predicted = watched.reconstruction, watched.predicted
    return Objects(
        watched,
        None if found is None else picture(found),
        None if predicted is None else drawing(predicted),
    )


class WatchView:
    """The newest frames, and objects that may be a little older until the job ends."""

    def __init__(self, watched: "Watched", shown: Objects, opening: Opening) -> None:
        self.watched, self.objects, self._opening = watched, shown, opening
        self.scan = None if watched.shown is None else _scan_view(watched.shown)

    def complete(self) -> None:
        """Bring the objects up to date, and tell all there is to know of the scan."""
        if self.objects.of is not self.watched:
            self.objects = objects(self.watched)
        if self.scan is not None:
            self.scan = self._whole(self.scan)

    def _whole(self, view: ScanView) -> ScanView:
        """Return the scan as if it had been opened; when stopped, as far as it is reconstructed."""
        from napari_ptycho.live.patterns import first_frames  # with torch, as the job has it

        found = self.watched.reconstruction
        count = len(view.scan) if found is None else len(found.positions_px)
        scan = first_frames(view.scan, count)
        return replace(
            view,
            scan=scan,
            patterns=LogStack(scan.patterns),
            counts=view.counts[:count],
            frames_read=count,
            rows=summary(scan),
            raster=find_raster(scan),
            opening=self._opening,
        )


def _scan_view(shown: "Shown") -> ScanView:
    return ScanView(
        scan=shown.scan,
        patterns=LogStack(Recent(shown)),
        mean=np.log10(1 + shown.mean),
        counts=shown.counts,
        frames_read=len(shown.counts),
        brightest=float(np.log10(1 + shown.brightest)),
        rows=(),
        raster=None,
    )


def watch_job(request: WatchRequest) -> Iterator[Update[WatchView]]:
    """Return the job; closing it closes the files."""
    opening = request.opening
    network = None if request.network is None else request.network.load()
    growing = io.open_growing(
        opening.path,
        opening.geometry or None,
        layout=opening.layout,
        positions=opening.positions,
        detector=opening.detector,
    )
    job = live.watch(
        growing,
        network,
        request.stages or None,
        request.options,
        request.device,
        _probe_of(request.start),
    )
    yield from redrawn(job, objects, lambda watched, shown: WatchView(watched, shown, opening))


def _probe_of(start: Start) -> Complexes | None:
    if start.path is not None:
        return io.read_reconstruction(start.path).probe
    return None if start.reconstruction is None else start.reconstruction.probe
