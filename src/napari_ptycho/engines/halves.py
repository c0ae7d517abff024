"""Two reconstructions of one scan whose noise is independent: to stop a denoiser, and for the FRC.

Each sees its own half of the photons (or every other position) and begins with a flat object, for
`result.object` has seen all photons. The probe, the positions and what else `result` knows of the
experiment are held fixed, so that scale, shift and ramp of the two cannot drift apart.

What is wrong with probe and positions is wrong in both halves: halves of the photons say where the
noise begins, and nothing of such errors. Halves of the positions, each with less overlap, share
less of them: of the real star the FRC at the edge of the spectrum is 0.2 by photons and 0 by
positions.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from operator import add
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.engines import reconstruct, stages_of
from napari_ptycho.engines.options import EngineOptions, RpieOptions
from napari_ptycho.engines.stages import as_tables
from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.io.autosave import Autosave, Checkpoint
from napari_ptycho.io.resuming import Nest, digest, outer
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Ints
from napari_ptycho.physics.align import illumination
from napari_ptycho.prepare.halves import NAMES, alternate, parity, thin

By = Literal["photons", "positions"]
Halves = tuple[Reconstruction, Reconstruction]
Saved = tuple[Autosave | None, Checkpoint | None]
NEVER = 100_000  # the largest `probe_start`
SEEDS = 2**31
EPOCHS = 30
LEAST = 1e-3  # a factor smaller than this is none: nothing is reconstructed yet
FIXED: Mapping[str, Any] = {
    "probe_start": NEVER,
    "positions": "as given",
    "background": False,
    "flux": False,
    "probe_centre": False,
    "probe_support": 0.0,
    "probe_cutoff": 0.0,
}
"""Nothing but the object is learnt."""
FORWARD = ("subpixel", "fly_points", "fly_share", "saturation")
"""Options that the last run of a result has, and its halves need too."""


def reconstruct_halves(
    scan: Scan,
    result: Reconstruction,
    options: EngineOptions | Sequence[EngineOptions] | None = None,
    seed: int = 0,
    device: str = "auto",
    by: By = "photons",
    saved: Saved = (None, None),
) -> Iterator[Update[Halves]]:
    """Reconstruct two independent halves of a scan: a job.

    Args:
        scan: The scan that `result` was made from.
        result: Its probe, positions and extras (background, flux, variations) are taken
            over and held fixed; the shape of its object is kept, so that both halves lie on its
            pixels.
        options: Of an engine, or of a chain; None is rPIE with 30 epochs and the forward model
            (sub-pixel shifts, fly-scan, saturation) of the last run of `result`. What they say of
            probe, positions, background and flux is not obeyed, and half B takes the next
            seed.
        seed: Of the draw of the photons.
        device: As in `engines.reconstruct`.
        by: "photons": every photon is given to one of the halves at random (`prepare.thin`); for
            Poisson counts. "positions": every other position (`prepare.alternate`), for any counts.
        saved: Where checkpoints are written, and the one of this very job to go on from.

    Yields:
        Updates over the epochs of both halves. Their result is the pair (A, B) as far as it is:
        until A is done, B is its flat start. Each is brought onto `result` by a global phase and
        a scale of the amplitude; the probe takes the inverse, so that the exit waves stay what
        they are. The history has "error A" and "error B".

    Raises:
        OptionsError: `by` or `seed` is none, or these are not the options of an engine.
        ScanError: `result` is not one of this scan; or the counts are no photons.
        JobError: As in `engines.reconstruct`; or the checkpoint is of another job.
    """
    if by not in get_args(By):
        raise OptionsError(f"by is {by!r}; it must be one of {', '.join(get_args(By))}")
    from napari_ptycho.engines.resuming import as_tree, of_tree  # torch comes with it

    stages = stages_of(forward_options(result) if options is None else options)
    check_of(scan, result)
    halves = split(scan, result, by, seed, max(stage.saturation for stage in stages))
    reached = [half.start for half in halves]
    total = 2 * sum(stage.epochs for stage in stages)
    key = digest("halves", known_of(scan, result), as_tables(stages), by, seed)
    nest = Nest("reconstruction", key, total, saved[0])
    tree = nest.opened(saved[1])
    history = {name: tuple(values) for name, values in tree.get("history", {}).items()}
    notes, going = tuple(tree.get("notes", ())), outer(tree["part"]) if tree else None
    if tree and tree["first"] is not None:
        reached[0] = of_tree(tree["first"])
        halves.pop(0)
    for number in range(2 - len(halves), 2):
        half, before = halves.pop(0), number * total / 2  # its counts go when it is done
        fixed = [frozen(stage, result, number) for stage in half.seen(stages)]
        first = as_tree(reached[0]) if number else None
        known = {"first": first, "history": dict(history), "notes": notes}
        part = nest.around("part", known, partial(add, before))
        said: tuple[str, ...] = ()
        job = reconstruct(half.scan, fixed, half.start, device, autosave=part, resume=going)
        with closing(cast("Generator[Update[Reconstruction]]", job)):
            for update in job:
                reached[number] = half.onto(result, update.result)
                history[f"error {'AB'[number]}"] = update.history["error"]
                said = tuple(f"{NAMES[number]}: {note}" for note in update.notes)
                pair = reached[0], reached[1]
                yield Update(before + update.done, total, dict(history), pair, notes + said)
        notes, going = notes + said, None


def known_of(scan: Scan, result: Reconstruction) -> list[Any]:
    """Return what tells a scan and its result from others, for `io.resuming.digest`."""
    found = [result.object, result.probe, result.positions_px, dict(result.extras)]
    return [scan.patterns, scan.valid, scan.exposure, found]


def check_of(scan: Scan, result: Reconstruction) -> None:
    """Refuse a result of another scan, as far as it is cheap to tell.

    Raises:
        ScanError: Frames, their shape or the name of the scan do not match.
    """
    n, shape = len(result.positions_px), result.probe.shape[1:]
    if n != len(scan) or shape != scan.frame_shape:
        raise ScanError(
            f"{scan.name}: {len(scan)} patterns of {scan.frame_shape} but '{result.name}' has "
            f"{n} positions and a probe of {shape}; need a reconstruction of this scan"
        )
    made = result.provenance.get("scan", scan.name)
    if made != scan.name:
        raise ScanError(
            f"'{result.name}' was made from the scan '{made}', not from '{scan.name}'; need a "
            "reconstruction of this scan"
        )


def forward_options(result: Reconstruction) -> EngineOptions:
    """Return rPIE with the forward model of the last run of a result."""
    runs = result.provenance.get("runs") or [{}]
    last = runs[-1].get("options", {})
    same = {name: last[name] for name in FORWARD if name in last}
    if last.get("positions", "as given") != "as given":
        same["subpixel"] = True
    return RpieOptions.from_dict({"epochs": EPOCHS, **same})


def frozen(options: EngineOptions, result: Reconstruction, number: int = 0) -> EngineOptions:
    """Return options under which only the object moves, in another order in half number 1."""
    return replace(
        options,
        **FIXED,
        subpixel=options.shifts,
        modes=result.n_modes,
        variations=len(result.extras.get("variations", ())),
        seed=(options.seed + number) % SEEDS,
    )


@dataclass(frozen=True, eq=False)
class Half:
    """One half: its frames, where it begins, and what it is."""

    scan: Scan
    start: Reconstruction
    made: Mapping[str, Any]
    """For the provenance."""

    def seen(self, stages: Sequence[EngineOptions]) -> list[EngineOptions]:
        """Return options that fit the frames: saturated pixels are masked; paths are longer."""
        if self.made["by"] == "photons":
            return [replace(stage, saturation=0.0) for stage in stages]
        return [replace(stage, fly_share=stage.fly_share / 2) for stage in stages]

    def onto(self, result: Reconstruction, found: Reconstruction) -> Reconstruction:
        """Bring what was found onto the whole result by a global phase and scale.

        The factor is that of found = a result, where the noise is that of `found` alone; the other
        way round, the noise of the half would make its image darker.
        """
        light = illumination(result)
        image = np.asarray(result.object, np.complex128)
        power = (light * np.abs(image) ** 2).sum()
        factor = np.vdot(image, light * found.object) / max(power, 1e-30)
        if not abs(factor) > LEAST:
            factor = np.complex128(1.0)
        return replace(
            found,
            object=(found.object / factor).astype(np.complex64),
            probe=(found.probe * factor).astype(np.complex64),
            provenance={**found.provenance, "half": dict(self.made)},
        )


def split(
    scan: Scan, result: Reconstruction, by: By = "photons", seed: int = 0, saturation: float = 0.0
) -> list[Half]:
    """Split a scan into two halves, and what a reconstruction of it knows.

    Args:
        scan: The scan.
        result: Reconstructed from it.
        by: As in `reconstruct_halves`, and so is `seed`.
        seed: See above.
        saturation: Counts from which on pixels are masked, where photons are split; 0: none.

    Raises:
        ScanError: The counts are no photons.
    """
    every = np.arange(len(scan))
    if by == "photons":
        if saturation:
            scan = _unsaturated(scan, saturation)
        frames, scans = [every, every], thin(scan, seed=seed)
    else:
        odd = parity(scan)
        frames = [np.flatnonzero(odd == half) for half in (0, 1)]
        scans = alternate(scan)
    halves = []
    for name, part, kept in zip(NAMES, scans, frames, strict=True):
        share = 0.5 if by == "photons" else _full(part) / _full(scan)
        made = {
            "half": name[-1],
            "of": result.name,
            "scan": scan.name,
            "by": by,
            "fraction": 0.5 if by == "photons" else len(kept) / len(scan),
            "seed": seed,
        }
        halves.append(Half(part, _start(result, name, kept, share), made))
    return halves


def _level(result: Reconstruction) -> float:
    """Return the amplitude of the object: with it, the flat start has the photons of the frames."""
    light = illumination(result)
    power = (light * np.abs(result.object) ** 2).sum() / max(float(light.sum()), 1e-30)
    return float(np.sqrt(power)) or 1.0


def _full(scan: Scan) -> float:
    """Return the exposure that engines bring all patterns to."""
    return 1.0 if scan.exposure is None else float(scan.exposure.max())


def _unsaturated(scan: Scan, saturation: float) -> Scan:
    """Mask saturated pixels: their halves are not saturated, and not Poisson."""
    return replace(
        scan,
        valid=scan.valid & (scan.patterns < saturation),
        notes=(*scan.notes, f"Pixels of {saturation:g} counts or more were masked (saturated)."),
    )


def _start(result: Reconstruction, name: str, frames: Ints, share: float) -> Reconstruction:
    """Return the flat start of a half, with what `result` knows.

    Args:
        result: Of the whole scan.
        name: Of the half.
        frames: (n,) the frames of the half.
        share: Of the photons of each of these frames.
    """
    root = np.float32(np.sqrt(share))
    known: dict[str, NDArray[Any]] = {
        label: result.extras[label][frames]
        for label in ("flux", "position_moves_px")
        if label in result.extras
    }
    if "background" in result.extras:
        known["background"] = result.extras["background"] * np.float32(share)
    if "variations" in result.extras:
        known["variations"] = result.extras["variations"]
        known["variation_weights"] = result.extras["variation_weights"][frames] * root
    return replace(
        result,
        object=np.full_like(result.object, _level(result)),
        probe=result.probe * root,
        positions_px=result.positions_px[frames],
        errors=(),
        name=f"{result.name} · {name}",
        provenance={"start": f"flat object; probe and positions of '{result.name}'"},
        extras=known,
    )
