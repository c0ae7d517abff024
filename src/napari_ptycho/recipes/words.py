"""A recipe in words: its steps, one line each."""

from collections.abc import Iterator

from napari_ptycho.denoise.options import ClassicalOptions
from napari_ptycho.engines import stages
from napari_ptycho.io.forms.table import named
from napari_ptycho.io.saved_layouts import changed
from napari_ptycho.options import Options
from napari_ptycho.recipes.recipe import Recipe, Source


def in_words(recipe: Recipe) -> list[str]:
    """Return what a recipe does, step by step, with all that is no default."""
    return [*_reading(recipe.scan), *_made(recipe), *_afterwards(recipe)]


def _reading(source: Source) -> Iterator[str]:
    parts = [f"read {source.file or 'a scan'}"]
    parts += [f"positions from {source.positions}"] if source.positions else []
    for options in (source.layout, source.detector):
        parts += [] if options is None else _changes(options)
    parts += [f"{name} = {value}" for name, value in source.geometry.items()]
    yield ", ".join(parts)


def _made(recipe: Recipe) -> Iterator[str]:
    if recipe.binning.every > 1:
        yield f"keep 1 pattern in {recipe.binning.every}"
    if recipe.binning.block not in (1, (1, 1)):
        yield f"bin positions {recipe.binning.size}, neighbours by {recipe.binning.neighbours}"
    network, start = recipe.network, recipe.start
    if network is not None and network.finetune is not None:
        tune = network.finetune
        yield _line(f"fine-tune {network.file}, {tune.epochs} epochs", tune, "epochs")
    if network is not None:
        yield _line(f"predict with {network.file}", network.predict)
    if recipe.stages and start.probe != "auto":
        optics = [] if start.optics is None else _changes(start.optics)
        yield ", ".join([f"start with the probe from {start.probe}", *optics])
    for stage in recipe.stages:
        yield stages.in_words(stage)


def _afterwards(recipe: Recipe) -> Iterator[str]:
    step = recipe.denoise
    if step is not None:
        options, but = step.options, "architecture"
        if isinstance(options, ClassicalOptions):
            but = "method"
        how = getattr(options, but)
        yield _line(f"denoise the {_channel(step.channel)} by {how}", options, but)
    if recipe.assess.frc:
        yield "find the resolution (single-image FRC)"
    if recipe.assess.check:
        yield "check for hallucinated structure"
    title = named("reconstruction", recipe.output.form).title
    more = [", OME-TIFF"] * recipe.output.tiff + [", a picture"] * recipe.output.report
    yield f"write {title}{''.join(more)}"


def _channel(channel: str) -> str:
    return "phase and amplitude" if channel == "complex" else channel


def _line(start: str, options: Options, *but: str) -> str:
    return ", ".join([start, *_changes(options, *but)])


def _changes(options: Options, *but: str) -> list[str]:
    return [
        f"{name} = {str(value).lower()}"
        for name, value in changed(options).items()
        if name not in but
    ]
