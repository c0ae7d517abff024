"""What a network learns from: chosen in the window, read or simulated in a job's thread."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from napari_ptycho import io, networks
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui.denoise_jobs import belongs
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks import SimulationOptions
from napari_ptycho.options import Options, Range
from napari_ptycho.prepare import first_guess

if TYPE_CHECKING:
    from napari_ptycho.networks.pairs import Pairs

Files = tuple[Path, Path]
"""A reconstruction, and the scan that it was made of."""


@dataclass(frozen=True)
class ShareOptions(Options):
    """How much of what is known a network learns from."""

    title: ClassVar[str] = "Shares"

    lines: Annotated[
        float,
        Range(0.05, 1, 0.05),
        "Share of each scan's lines that is used, from the first on: the rest stays unseen, to "
        "predict.",
    ] = 1.0
    validation: Annotated[
        float,
        Range(0.01, 0.5, 0.05),
        "Share of the patterns that only validate: the last lines of one scan, whole scans of "
        "several.",
    ] = 0.15


@dataclass(frozen=True, eq=False)
class Source:
    """A choice of data; `make` is for the job's thread."""

    words: str
    """What it is, for the status line."""
    shares: ShareOptions
    known: tuple[tuple[Scan, Reconstruction], ...] = ()
    files: tuple[Files, ...] = ()
    simulation: SimulationOptions | None = None
    probe: Scan | Reconstruction | None = None
    """Whose probe simulated patterns are made with; None draws zone plates."""

    @property
    def labels(self) -> Reconstruction | None:
        """What of the open scan the network learns from."""
        return self.known[0][1] if self.known else None

    def make(self) -> "Pairs":
        """Return the pairs.

        Raises:
            PtychoError: A file cannot be read, or nothing can be learnt from what there is.
        """
        if self.simulation is not None:
            return _simulated(self.simulation, self.probe)
        known = [*self.known, *map(_read, self.files)]
        return networks.pairs_of(known, self.shares.validation, self.shares.lines)


def _read(files: Files) -> tuple[Scan, Reconstruction]:
    reconstruction, scan = files
    return io.read_scan(scan), io.read_reconstruction(reconstruction)


def _simulated(options: SimulationOptions, of: Scan | Reconstruction | None) -> "Pairs":
    """Simulate with the probe of a scan or reconstruction, if there is one, in its size."""
    if of is None:
        return networks.simulated_pairs(options)
    probe = probe_of(of)
    height, width = probe.shape[-2:]
    if height != width:
        raise OptionsError(
            f"{of.name}: its probe is {height} x {width} pixels; simulated patterns are square"
        )
    return networks.simulated_pairs(replace(options, size=height), probe)


def probe_of(thing: Scan | Reconstruction) -> Complexes:
    """Return the probe of a reconstruction, or what is known or guessed of that of a scan."""
    if isinstance(thing, Reconstruction):
        return thing.probe
    return thing.probe if thing.probe is not None else first_guess(thing).probe


def own_reconstruction(scan: Scan | None, candidates: Iterable[object]) -> Reconstruction | None:
    """Return the first reconstruction of this scan, before those that a network predicted."""
    ours = [one for one in candidates if isinstance(one, Reconstruction) and belongs(scan, one)]
    return min(ours, key=is_predicted, default=None)


def is_predicted(reconstruction: Reconstruction) -> bool:
    """Whether a network made it: nothing to teach another one with."""
    return "predicted" in reconstruction.provenance
