"""Where a chain goes on: what its checkpoints hold, and whose they are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.stages import as_tables, of_tables
from napari_ptycho.engines.state import Tree
from napari_ptycho.errors import JobError, OptionsError
from napari_ptycho.io.autosave import Autosave, Checkpoint, Kind, flat
from napari_ptycho.io.resuming import digest, own
from napari_ptycho.model import Geometry, Reconstruction, Scan
from napari_ptycho.prepare.start import first_guess

KIND: Kind = "reconstruction"
Stages = Sequence[EngineOptions]


@dataclass(frozen=True, eq=False)
class Point:
    """A point of a chain: a stage, what it starts from, and how far its engine is."""

    start: Reconstruction
    """Of the stage."""
    number: int = 0
    """Of the stage, from 0."""
    before: float = 0.0
    """Epochs of the stages before."""
    made: Tree = field(default_factory=dict)
    """The provenance, without this stage."""
    loop: Tree | None = None
    """From `Loop.saved`; None: the stage has not begun."""
    notes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Run:
    """What a chain is asked for, and where it begins or goes on."""

    stages: Stages
    """As they are asked for; what fits into the memory may have smaller batches."""
    origin: str
    """Digest of the start that was given, "" if none was."""
    point: Point
    batches: Sequence[int] = ()
    """Of the stages, as they were in the run that was interrupted."""
    autosave: Autosave | None = None
    key: str = ""
    """Of the checkpoint it goes on from; "" begins anew."""

    @property
    def fitting(self) -> Stages:
        """The stages with the batches that an interrupted run had."""
        if not self.batches:
            return self.stages
        pairs = zip(self.stages, self.batches, strict=True)
        return [replace(stage, batch=batch) for stage, batch in pairs]

    def key_of(self, scan: Scan, checksum: str) -> str:
        """Return what tells this run from those of other scans, options or starts.

        Args:
            scan: The scan.
            checksum: Of its counts.
        """
        known = [scan.positions_m, scan.positions_px, scan.valid, scan.exposure]
        there = [None if array is None else np.asarray(array) for array in known]
        return digest(checksum, there, asdict(scan.geometry), as_tables(self.stages), self.origin)

    def check(self, scan: Scan, checksum: str) -> str:
        """Return the key; where the run goes on, it must be that of the checkpoint.

        Raises:
            JobError: It is another.
        """
        key = self.key_of(scan, checksum)
        if self.key and key != self.key:
            raise JobError(
                f"{scan.name}: the checkpoint is of other counts, positions, geometry or another "
                "mask; give the same scan again, or start anew without it"
            )
        return key


def begun(
    scan: Scan,
    stages: Stages | None,
    start: Reconstruction | None,
    autosave: Autosave | None = None,
) -> Run:
    """Return a run that begins.

    Args:
        scan: The scan.
        stages: The engines.
        start: Where they start; None makes a first guess.
        autosave: Of the run.

    Raises:
        OptionsError: There are no engines.
        ScanError: The scan lacks what a first guess needs.
    """
    if stages is None:
        raise OptionsError("no engine was named; only a checkpoint brings its own")
    point = Point(start or first_guess(scan, stages[0].modes))
    return Run(stages, origin_of(start), point, autosave=autosave)


def origin_of(start: Reconstruction | None) -> str:
    """Return what tells a given start from others; "" where none was given."""
    return "" if start is None else digest(as_tree(start))


def checkpoint_of(run: Run, point: Point, key: str, far: tuple[float, float]) -> Checkpoint:
    """Return what a run needs to go on from a point.

    Args:
        run: The run, with the batches it has.
        point: Where it is.
        key: From `Run.check`.
        far: Epochs done, and epochs asked for.
    """
    tree = {
        "stages": as_tables(run.stages),
        "batches": list(run.batches),
        "origin": run.origin,
        "point": {**vars(point), "start": as_tree(point.start)},
    }
    arrays, state = flat(tree)
    return Checkpoint(KIND, *far, key, arrays, state)


def resumed(
    checkpoint: Checkpoint,
    stages: Stages | None,
    start: Reconstruction | None,
    autosave: Autosave | None,
) -> Run:
    """Return the run that goes on from a checkpoint.

    Args:
        checkpoint: The checkpoint.
        stages: What is asked for; None: what was asked for then, and its start.
        start: As it was given then.
        autosave: Of the run.

    Raises:
        JobError: It is not of a reconstruction, or of one from another start.
        OptionsError: It is of other engines or options.
    """
    tree = own(checkpoint, KIND, checkpoint.key)
    then = of_tables(tree["stages"], "the checkpoint")
    if stages is not None:
        if tuple(stages) != then:
            raise OptionsError(
                f"the checkpoint is of {_named(then)} with options of its own, not of the "
                f"{_named(stages)} asked for; give the same options again, or start anew without it"
            )
        if origin_of(start) != tree["origin"]:
            raise JobError(
                "the checkpoint is of a run from another start; give the same one again, or start "
                "anew without it"
            )
    point = Point(**{**tree["point"], "start": of_tree(tree["point"]["start"])})
    return Run(then, tree["origin"], point, tree["batches"], autosave, checkpoint.key)


def _named(stages: Stages) -> str:
    return " → ".join(f"{stage.title} ({stage.epochs} epochs)" for stage in stages)


def as_tree(start: Reconstruction) -> dict[str, Any]:
    """Return a reconstruction as a tree; extras as precise as engines take them."""
    tree = {**vars(start), "geometry": asdict(start.geometry)}
    return {**tree, "extras": {name: _single(extra) for name, extra in start.extras.items()}}


def _single(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex64) if array.dtype == np.complex128 else array


def of_tree(tree: Tree) -> Reconstruction:
    """Return the reconstruction that `as_tree` has made a tree of."""
    geometry: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in tree["geometry"].items()
    }
    pixel = tree["pixel_size_m"]
    return Reconstruction(
        **{
            **tree,
            "geometry": Geometry(**geometry),
            "pixel_size_m": None if pixel is None else tuple(pixel),
        }
    )
