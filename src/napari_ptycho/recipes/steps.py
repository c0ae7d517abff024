"""The steps of a recipe: predict, reconstruct, denoise, assess. Each does nothing if not asked."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from napari_ptycho import device as devices
from napari_ptycho import prepare
from napari_ptycho.denoise.options import ClassicalOptions
from napari_ptycho.engines.stages import place
from napari_ptycho.errors import OptionsError, PtychoError
from napari_ptycho.io.autosave import Checkpoint
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.recipes.kept import Kept, Unusable
from napari_ptycho.recipes.reading import open_network
from napari_ptycho.recipes.recipe import DenoiseStep, Recipe
from napari_ptycho.recipes.tasks import Progress, Stop

if TYPE_CHECKING:
    from napari_ptycho.assess.verdict import Check
    from napari_ptycho.engines.denoising import Restored
    from napari_ptycho.model.arrays import Complexes

Result = TypeVar("Result")
Telling = Generator[Progress, None, None]


@dataclass
class Work:
    """One run of a recipe: what it works on, and what it has reached."""

    recipe: Recipe
    scan: Scan
    kept: Kept
    stop: Stop
    result: Reconstruction | None = None
    original: Reconstruction | None = None
    """The result before it was denoised."""
    check: "Check | None" = None
    resolution: tuple[float | None, float | None] = (None, None)
    """In metres, and in pixels."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stopped: str = ""
    """Where it was stopped; empty while it was not."""

    @property
    def device(self) -> str:
        """The device of steps that use one only."""
        return devices.each(self.kept.task.device)[0]


def driven(
    work: Work,
    job: Iterator[Update[Result]],
    text: Callable[[Update[Result]], str],
    resume: Checkpoint | None = None,
) -> Generator[Progress, None, Update[Result] | None]:
    """Drive a job to its end, or until it is to stop; return its last update.

    Raises:
        Unusable: It cannot go on from its checkpoint.
        PtychoError: What the job raises.
    """
    last: Update[Result] | None = None
    with closing(cast("Any", job)):
        try:
            for last in job:
                said = text(last)
                yield Progress(last.done, last.total, said)
                if work.stop() and last.done < last.total:
                    work.stopped = f"stopped: {said}"
                    break
        except PtychoError as error:
            if resume is not None and last is None:
                raise Unusable(str(error)) from error
            raise
    if last is not None:
        work.notes += last.notes
    return last


def predict(work: Work) -> Telling:
    """Let a network predict the object, if the recipe has one; it may learn the scan first."""
    from napari_ptycho import networks

    step, kept = work.recipe.network, work.kept
    if step is None or kept.middle is not None or kept.at("reconstruct") is not None:
        return
    network, probe = open_network(step.file), _probe(work)
    if step.finetune is not None:
        resume = kept.at("finetune")
        tuning = networks.finetune(
            work.scan,
            network,
            step.finetune,
            probe,
            work.device,
            autosave=kept.autosave("finetune"),
            resume=resume,
        )
        tuned = yield from driven(work, tuning, _epochs("fine-tuning"), resume)
        if tuned is None or work.stopped:
            work.result = None if tuned is None else tuned.result.predicted.reconstruction
            return
        network = tuned.result.network
    job = networks.predict(work.scan, network, step.predict, probe, work.device)
    last = yield from driven(
        work, job, lambda update: f"predicting, {update.done:.0f} of {update.total:.0f} patterns"
    )
    work.result = None if last is None else last.result.reconstruction


def _probe(work: Work) -> "Complexes | None":
    guess = _guess(work, 1)
    return None if guess is None else guess.probe


def _guess(work: Work, modes: int) -> Reconstruction | None:
    """Return where to start; None leaves it to the engine."""
    start = work.recipe.start
    if start.probe == "auto":
        return None
    return prepare.first_guess(work.scan, modes, start.probe, start.optics)


def reconstruct(work: Work) -> Telling:
    """Run the engines, if there are any: from the prediction, the start, or the checkpoint."""
    from napari_ptycho import engines

    stages, kept = work.recipe.stages, work.kept
    if not stages or kept.middle is not None:
        return
    resume = kept.at("reconstruct")
    start = None if resume is not None else work.result or _guess(work, stages[0].modes)
    job = engines.reconstruct(
        work.scan,
        stages if resume is None else None,
        start,
        kept.task.device,
        kept.task.memory_bytes,
        autosave=kept.autosave("reconstruct"),
        resume=resume,
    )

    def text(update: Update[Reconstruction]) -> str:
        number, done = place(update.done, stages)
        stage = stages[number]
        words = [f"stage {number + 1} of {len(stages)}"] if len(stages) > 1 else []
        words += [stage.title, f"epoch {int(done)} of {stage.epochs}"]
        errors = update.history.get("error", ())
        return ", ".join([*words, *(f"error {error:.4f}" for error in errors[-1:])])

    last = yield from driven(work, job, text, resume)
    work.result = work.result if last is None else last.result


def denoise(work: Work) -> Telling:
    """Denoise the result, if the recipe says how; halves tell networks when to stop."""
    step, kept = work.recipe.denoise, work.kept
    if step is None or work.result is None:
        return
    kept.keep_middle(work.result)
    if isinstance(step.options, ClassicalOptions):
        job, resume = _classical(work, step, step.options, work.result), None
    else:
        from napari_ptycho.engines.denoising import denoise_reconstruction

        resume = kept.at("denoise")
        job = denoise_reconstruction(
            work.result,
            step.channel,
            step.options,
            _scan_of_halves(work),
            None,
            work.device,
            autosave=kept.autosave("denoise"),
            resume=resume,
        )
    last = yield from driven(work, job, _denoising, resume)
    found = None if last is None else last.result.reconstruction
    if found is not None:
        work.original, work.result = work.result, found


def _scan_of_halves(work: Work) -> Scan | None:
    """Return the scan whose halves tell when to stop: those of a prediction would be unlike it."""
    return work.scan if work.recipe.stages else None


def _denoising(update: "Update[Restored]") -> str:
    if update.result.denoised is None:
        return update.notes[-1]
    return f"denoising, iteration {update.done:.0f} of {update.total:.0f}"


def _classical(
    work: Work, step: DenoiseStep, options: ClassicalOptions, result: Reconstruction
) -> "Iterator[Update[Restored]]":
    from napari_ptycho.denoise import classical
    from napari_ptycho.denoise.subject import subject_of
    from napari_ptycho.engines.denoising import Halves, Restored, any_halves

    halves: Halves | None = None
    scan = _scan_of_halves(work)
    if scan is not None and not options.strength and options.calibrate in ("auto", "second-copy"):
        for update in any_halves(scan, result, device=work.device):
            halves = update.result
            yield Update(0.0, 1.0, {}, Restored(None, None), update.notes)
    subject = subject_of(result, step.channel, halves)
    found = classical(subject.image, options, second=subject.copies, weight=subject.weight)
    notes = (*subject.notes, *found.notes)
    yield Update(1.0, 1.0, found.curves, Restored(subject, found, halves), notes)


def assess(work: Work) -> Telling:
    """Find the resolution, and look for hallucinations, if the recipe asks for it."""
    if work.result is None:
        return
    if work.recipe.assess.frc:
        yield Progress(0.0, 1.0, "resolution")
        _resolution(work, work.original or work.result)
    if work.recipe.assess.check:
        yield from _check(work, work.result)


def _resolution(work: Work, of: Reconstruction) -> None:
    """Take the single-image FRC of the phase; of a denoised image it would say nothing."""
    from napari_ptycho.assess.correlation import frc
    from napari_ptycho.assess.plane import plane_of
    from napari_ptycho.assess.resolution import resolutions

    try:
        found = frc(plane_of(of))
    except OptionsError as error:
        work.warnings.append(f"no resolution: {error}")
        return
    place, convention = found.crossing().first, found.options.convention
    pixels = next(one.value for one in resolutions(place, True, None) if one.name == convention)
    metres = None if pixels is None or found.pixel_m is None else pixels * found.pixel_m
    work.resolution = metres, pixels
    work.warnings += found.warnings
    work.notes.append(
        f"the resolution is by the FRC of one image ({found.options.threshold}, {convention}), "
        "which noise that its parts share makes finer: sort scans by it, and print that of two "
        "halves (Honest FRC)"
    )
    if pixels is None:
        work.notes.append(f"resolution: {found.crossing().words}")
    if work.original is not None:
        work.notes.append("the resolution is that of the reconstruction before it was denoised")


def _check(work: Work, result: Reconstruction) -> Telling:
    from napari_ptycho import assess as assessing

    if work.original is None and work.recipe.stages:
        work.notes.append("not checked for hallucinations: nothing was denoised")
        return
    job = assessing.check(result, work.original, work.scan, device=work.device)
    last = yield from driven(work, job, lambda update: f"check: {update.result.doing or 'done'}")
    if last is not None and not work.stopped:
        work.check = last.result
        said = work.warnings if work.check.verdict == "contradicted" else work.notes
        said.append(work.check.sentence())


def _epochs(doing: str) -> Callable[[Update[Any]], str]:
    return lambda update: f"{doing}, epoch {update.done:.0f} of {update.total:.0f}"
