"""Iterative reconstruction: a scan and options in, a job of `Reconstruction`s out.

Importing this package imports no torch; the first step of a job does.
"""

from collections.abc import Iterator

from napari_ptycho.engines.options import ENGINES, EngineOptions, EpieOptions, RpieOptions
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.prepare.start import first_guess

__all__ = ["ENGINES", "EngineOptions", "EpieOptions", "RpieOptions", "reconstruct"]


def reconstruct(
    scan: Scan,
    options: EngineOptions,
    start: Reconstruction | None = None,
    device: str = "auto",
) -> Iterator[Update[Reconstruction]]:
    """Reconstruct object and probe of a scan: a job.

    Args:
        scan: Patterns and positions; a lazy scan is read into memory.
        options: `EpieOptions` or `RpieOptions`.
        start: Goes on from here (object, probe, errors so far); None starts from a flat object and
            the scan's own probe, or the mean pattern where it has none (`prepare.first_guess`).
        device: "auto", "cpu", "cuda", "cuda:1", "mps".

    Yields:
        Updates whose history has "error", one value per epoch from the very start:
        sum(valid (|F| - sqrt I)^2) / sum(valid I).

    Raises:
        OptionsError: These are not the options of an engine.
        ScanError: The scan lacks what the engine needs (a pixel size), or `start` does not fit.
        JobError: The device is not there.
    """
    if not isinstance(options, EpieOptions | RpieOptions):
        raise OptionsError(f"{type(options).__name__} are not the options of an engine")
    from napari_ptycho.engines.pie import pie

    yield from pie(scan, options, start or first_guess(scan, options.modes), device)
