"""`napari-ptycho engines`, `napari-ptycho presets`: what --engine, --preset and --set take."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from napari_ptycho.cli import chainfile, show
from napari_ptycho.cli.flags import Json
from napari_ptycho.cli.stages import in_words
from napari_ptycho.errors import OptionsError
from napari_ptycho.options import Parameter, describe

Name = Annotated[str, typer.Argument(metavar="[NAME]", help="Show this one; all without it.")]


@dataclass(frozen=True)
class EnginesFlags:
    """List the engines, or the options of one, which --set takes."""

    name: Name = ""
    json: Json = False


@dataclass(frozen=True)
class PresetsFlags:
    """List the presets, or print one as TOML, which --chain reads."""

    name: Name = ""
    json: Json = False


def engines(flags: EnginesFlags) -> int:
    """Print a table, or JSON.

    Raises:
        OptionsError: There is no such engine.
    """
    from napari_ptycho.engines import ENGINES

    if not flags.name:
        kinds = {name: (kind.title, _summary(kind)) for name, kind in ENGINES.items()}
        show.lines((f"{n:<7}{kinds[n][0]:<13}{kinds[n][1]}" for n in kinds), flags.json)
        if flags.json:
            show.as_json({n: {"title": kinds[n][0], "summary": kinds[n][1]} for n in kinds})
        return 0
    if flags.name not in ENGINES:
        raise OptionsError(f"no engine '{flags.name}'; there is {', '.join(ENGINES)}")
    parameters = describe(ENGINES[flags.name])
    show.lines(_options(parameters), flags.json)
    if flags.json:
        show.as_json({p.name: _as_dict(p) for p in parameters})
    return 0


def presets(flags: PresetsFlags) -> int:
    """Print the presets and their stages, one as TOML, or JSON.

    Raises:
        OptionsError: There is no such preset.
    """
    from napari_ptycho.engines import PRESETS

    if flags.name and flags.name not in PRESETS:
        raise OptionsError(f"no preset '{flags.name}'; there is {', '.join(PRESETS)}")
    chosen = {n: preset for n, preset in PRESETS.items() if flags.name in ("", n)}
    if flags.json:
        show.as_json(
            {
                name: {
                    "title": preset.title,
                    "help": preset.help,
                    "stages": [
                        {"engine": chainfile.name_of(options), **options.as_dict()}
                        for options in preset.stages
                    ],
                }
                for name, preset in chosen.items()
            }
        )
        return 0
    if flags.name:
        show.lines([chainfile.dumps(PRESETS[flags.name].stages).rstrip("\n")])
        return 0
    for name, preset in chosen.items():
        show.lines([f"{name}: {preset.help}"])
        show.lines(f"  {n}. {in_words(options)}" for n, options in enumerate(preset.stages, 1))
    return 0


def _summary(kind: type) -> str:
    """Return the first sentence of a docstring without the name it begins with."""
    return (kind.__doc__ or "").partition("\n")[0]


def _options(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for group in dict.fromkeys(p.group for p in parameters):
        if group:
            yield f"{group}:"
        for p in (p for p in parameters if p.group == group):
            yield f"  {p.name} = {str(p.default).lower()} ({allowed(p)}): {p.help}"


def allowed(parameter: Parameter) -> str:
    """Return what a parameter may be, as text."""
    if parameter.choices:
        return ", ".join(parameter.choices)
    if parameter.range is None:
        return "true, false"
    return f"{parameter.range.low:g} to {parameter.range.high:g}"


def _as_dict(parameter: Parameter) -> dict[str, Any]:
    values = asdict(parameter)
    return {**values, "kind": parameter.kind.__name__, "range": values["range"] or None}
