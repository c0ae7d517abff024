"""`napari-ptycho denoise`: an image, or the object of a reconstruction."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import (
    Device,
    Json,
    Output,
    Overwrite,
    Threads,
    check_output,
    pairs,
    replaced,
)
from napari_ptycho.cli.interrupt import STOPPED, driven, nothing_reached
from napari_ptycho.cli.reading import ReadFlags, read_scan_of
from napari_ptycho.cli.resuming import AutosaveEvery, Restart, announced, autosave_of, left_behind
from napari_ptycho.denoise.options import (
    ARCHITECTURES,
    RULES,
    ArchitectureName,
    ClassicalOptions,
    DenoiseOptions,
    Method,
    Stop,
)
from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.denoise.result import Denoised
    from napari_ptycho.denoise.subject import Subject
    from napari_ptycho.engines.denoising import Restored
    from napari_ptycho.io.autosave import Checkpoint
    from napari_ptycho.job import Update


@dataclass(frozen=True)
class DenoiseFlags(ReadFlags):
    """Denoise an image or a reconstruction: Deep Image Prior, or a classical method.

    Of a reconstruction the lit part of the object is denoised. With its scan (--scan) two
    half reconstructions are made first, which tell when to stop.
    """

    file: Annotated[
        Path,
        typer.Argument(metavar="RECON_OR_TIFF", help="A reconstruction, or an image (TIFF, NPY)."),
    ]
    output: Output
    channel: Annotated[
        Literal["phase", "amplitude", "complex"],
        typer.Option(help="Of a reconstruction; complex: both, by one network."),
    ] = "phase"
    architecture: Annotated[
        ArchitectureName | None,
        typer.Option(
            help="; ".join(f"{name}: {a.title}" for name, a in ARCHITECTURES.items()) + "."
        ),
    ] = None
    method: Annotated[
        Method | None, typer.Option(help="A classical method in place of a network.")
    ] = None
    iterations: Annotated[int | None, typer.Option(min=1, help="Most iterations.")] = None
    stop: Annotated[
        Stop | None,
        typer.Option(help="; ".join(f"{name}: {text}" for name, text in RULES.items()) + "."),
    ] = None
    reference: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Truth (image or reconstruction), for the PSNR only."),
    ] = None
    second: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An independent second copy of the image."),
    ] = None
    scan: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Its scan, of which halves are made. Binned here as it was."
        ),
    ] = None
    ensemble: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Networks that are averaged.")
    ] = None
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other option (see docs/denoising)."),
    ] = None
    device: Device = "auto"
    threads: Threads = None
    autosave: AutosaveEvery = 60.0
    restart: Restart = False
    overwrite: Overwrite = False
    json: Json = False


def denoise(flags: DenoiseFlags) -> int:
    """Do what the flags say and return the exit code."""
    options = options_of(flags)
    sources = {"image": flags.file, "reference": flags.reference, "second copy": flags.second}
    check_output(flags.output, flags.overwrite, {**sources, "scan": flags.scan})

    from napari_ptycho import device
    from napari_ptycho.io.autosave import beside

    began = time.monotonic()
    with device.threads(flags.threads):
        if isinstance(options, ClassicalOptions):
            subject, result = _classical(flags, options)
            stopped = False
        else:
            last, stopped = _driven(flags, options)
            if last is None:
                return nothing_reached()
            subject, result = _reached(last)
            show.lines((f"- {note}" for note in last.notes), flags.json)
            result = replace(result, notes=last.notes)
    _write(flags, subject, result)
    beside(flags.output).unlink(missing_ok=True)
    _say(flags, result, time.monotonic() - began, stopped)
    return STOPPED if stopped else 0


def options_of(flags: DenoiseFlags) -> DenoiseOptions | ClassicalOptions:
    """Return the options that the flags name.

    Raises:
        OptionsError: They contradict each other, or a value is not allowed.
    """
    words = pairs(flags.set_ or (), "--set")
    own = {
        name: str(getattr(flags, name))
        for name in ("iterations", "stop", "ensemble")
        if getattr(flags, name) is not None
    }
    if flags.method is not None:
        if flags.architecture is not None or own:
            raise OptionsError(
                f"--method {flags.method} has no network: leave out --architecture, --iterations, "
                "--stop and --ensemble"
            )
        return ClassicalOptions.from_words({"method": flags.method, **words})
    twice = set(own) & set(words)
    if twice or "architecture" in words:
        name = next(iter(twice), "architecture")
        raise OptionsError(f"--set {name}: it has a flag of its own, --{name}")
    known = DenoiseOptions.of(flags.architecture or next(iter(ARCHITECTURES)))
    return replaced(known, {**own, **words})


def _driven(flags: DenoiseFlags, options: DenoiseOptions) -> "tuple[Update[Restored] | None, bool]":
    """Return the last update that has a result, if any has, and whether Ctrl-C came."""
    from napari_ptycho.io.autosave import beside

    resume = left_behind(beside(flags.output), flags.restart)
    job = announced(_job(flags, options, resume), resume, "iteration", flags.json)
    last, stopped = driven(job, show.Bar(options.title, options.iterations), _progress)
    reached = last is not None and last.result.denoised is not None
    return last if reached else None, stopped


def _reached(update: "Update[Restored]") -> "tuple[Subject, Denoised]":
    subject, result = update.result.subject, update.result.denoised
    assert subject is not None  # an update with a result has both
    assert result is not None
    return subject, result


def _progress(update: "Update[Restored]") -> str:
    result = update.result.denoised
    if result is None:  # half reconstructions are being made
        return update.notes[-1]
    known = [f"best {result.iteration}"]
    for name, curve in (("PSNR", "psnr_db"), ("held out", "held_out_db")):
        if result.curves.get(curve):
            known.append(f"{name} {result.curves[curve][-1]:.2f} dB")
    return f"iteration {result.done}, {', '.join(known)}"


def _job(
    flags: DenoiseFlags, options: DenoiseOptions, resume: "Checkpoint | None"
) -> "Iterator[Update[Restored]]":
    from napari_ptycho import io
    from napari_ptycho.engines.denoising import denoise_reconstruction, denoise_subject

    about = {"title": options.title, "scan": str(flags.file)}
    autosave = autosave_of(flags.output, flags.autosave, about)
    saved: dict[str, Any] = {"autosave": autosave, "resume": resume}
    if flags.scan is None:
        yield from denoise_subject(_subject(flags), options, flags.device, **saved)
        return
    if io.is_image(flags.file) or flags.second is not None:
        raise OptionsError("--scan makes halves of a reconstruction; leave it out, or --second")
    whole = io.read_reconstruction(flags.file)
    scan = read_scan_of(whole, flags.scan, flags)
    truth = _other(flags, flags.reference)
    yield from denoise_reconstruction(
        whole, flags.channel, options, scan, truth, flags.device, **saved
    )


def _subject(flags: DenoiseFlags) -> "Subject":
    """Return what is denoised, with what is given beside it."""
    from napari_ptycho import io
    from napari_ptycho.denoise.subject import Subject, subject_of

    reference, second = _other(flags, flags.reference), _other(flags, flags.second)
    if io.is_image(flags.file):
        return Subject(image=io.read_image(flags.file), second=second, reference=reference)
    subject = subject_of(io.read_reconstruction(flags.file), flags.channel, reference=reference)
    if second is not None and subject.shown is not None and second.shape == subject.shown.shape:
        second = second[subject.box]
    return replace(subject, second=second)


def _other(flags: DenoiseFlags, path: Path | None) -> Any:
    """Return an image, or the same channel of another reconstruction."""
    from napari_ptycho import io
    from napari_ptycho.denoise.subject import subject_of

    if path is None:
        return None
    if io.is_image(path):
        return io.read_image(path)
    return subject_of(io.read_reconstruction(path), flags.channel).shown


def _classical(flags: DenoiseFlags, options: ClassicalOptions) -> "tuple[Subject, Denoised]":
    from napari_ptycho.denoise import classical

    if flags.scan is not None:
        raise OptionsError("--scan is for networks; give a --second copy for a classical method")
    subject = _subject(flags)
    result = classical(
        subject.image,
        options,
        subject.reference,
        second=subject.copies,
        weight=subject.weight,
    )
    show.lines((f"- {note}" for note in (*subject.notes, *result.notes)), flags.json)
    return subject, result


def _write(flags: DenoiseFlags, subject: "Subject", result: "Denoised") -> None:
    from napari_ptycho import io
    from napari_ptycho.denoise.subject import applied, entry_of

    if subject.of is None or flags.output.suffix.lower() in (".tif", ".tiff", ".npy"):
        image = subject.whole(result.image)
        about = {"denoised": [entry_of(subject, result)], "of": flags.file.name}
        io.write_image(image, flags.output, about)
    else:
        io.write_reconstruction(applied(subject, result), flags.output)


def _say(flags: DenoiseFlags, result: "Denoised", seconds: float, stopped: bool) -> None:
    psnr, best = result.score("psnr_db"), max(result.curves.get("psnr_db", ()), default=None)
    parts = [f"{flags.output} written"]
    if result.done:
        parts.append(f"iteration {result.iteration} of {result.done} is kept ({result.rule})")
    if psnr is not None:
        parts.append(f"PSNR {psnr:.2f} dB")
    parts.append(f"{seconds:.1f} s")
    show.lines([", ".join(parts) + "."], flags.json)
    if stopped:
        show.error(f"stopped; what was reached is in {flags.output}")
    if flags.json:
        show.as_json(
            {
                "file": str(flags.file),
                "output": str(flags.output),
                "settings": dict(result.settings),
                "rule": result.rule,
                "psnr": psnr,
                "best_psnr": best,
                "fidelity_db": result.score("fidelity_db"),
                "held_out_db": result.score("held_out_db"),
                "noise_db": result.noise_db,
                "sigma": result.sigma,
                "iterations": result.done,
                "stopped_at": result.iteration,
                "seconds": seconds,
                "grid_db": result.grid.get(4),
                "grid_db_by_period": {str(p): score for p, score in result.grid.items()},
                "stopped": stopped,
                "notes": list(result.notes),
            }
        )
