"""`napari-ptycho engines`, `presets`, `networks`, `formats`: what there is to choose from."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import typer

from napari_ptycho.cli import chainfile, show
from napari_ptycho.cli.flags import Json
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


@dataclass(frozen=True)
class NetworksFlags:
    """List the networks with their size and cost, or how one is trained, which --set changes."""

    name: Name = ""
    json: Json = False


@dataclass(frozen=True)
class FormatsFlags:
    """List the formats that are read and written."""

    json: Json = False


def formats(flags: FormatsFlags) -> int:
    """Print a line for each format, or JSON."""
    from napari_ptycho.io.forms.table import WRITERS
    from napari_ptycho.io.opened import known_formats

    read = {
        name: {
            "title": known.title,
            "scans": known.read_scan is not None,
            "reconstructions": known.read_reconstruction is not None,
            "written_as": [one.key for one in WRITERS if one.reader == name],
            "checked": known.checked,
        }
        for name, known in known_formats().items()
    }
    written = [
        {"key": one.key, "title": one.title, "endings": one.suffixes, "of": one.writes}
        for one in WRITERS
    ]
    show.lines(("Read:", *(f"  {one['title']}" for one in read.values())), flags.json)
    lines = (
        f"  {one.key:<13}{one.suffix:<9}{one.title} ({', '.join(one.writes)})" for one in WRITERS
    )
    show.lines(("Written (export --format):", *lines), flags.json)
    if flags.json:
        show.as_json({"read": read, "written": written})
    return 0


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
    from napari_ptycho.engines.stages import as_tables, in_words

    if flags.name and flags.name not in PRESETS:
        raise OptionsError(f"no preset '{flags.name}'; there is {', '.join(PRESETS)}")
    chosen = {n: preset for n, preset in PRESETS.items() if flags.name in ("", n)}
    if flags.json:
        show.as_json(
            {
                name: {
                    "title": preset.title,
                    "help": preset.help,
                    "stages": as_tables(preset.stages),
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


def networks(flags: NetworksFlags) -> int:
    """Print a table, or JSON.

    Raises:
        OptionsError: There is no such network.
    """
    from napari_ptycho.networks.architectures import ARCHITECTURES
    from napari_ptycho.networks.cost import cost
    from napari_ptycho.networks.options import TrainOptions

    if flags.name:
        suited = TrainOptions.of(flags.name)
        parameters = tuple(
            replace(p, default=getattr(suited, p.name))
            for p in describe(TrainOptions)
            if p.name != "architecture"
        )
        known = ARCHITECTURES[flags.name]
        show.lines([f"{known.title}: {known.help}"], flags.json)
        show.lines(_options(parameters), flags.json)
        if flags.json:
            show.as_json({p.name: _as_dict(p) for p in parameters})
        return 0
    costs = {name: cost(name).gflop for name in ARCHITECTURES}
    show.lines(
        (
            f"{name:<23}{known.title:<30}{known.parameters:>11,} weights "
            f"{costs[name]:7.3f} GFLOP per 64 x 64 pattern"
            for name, known in ARCHITECTURES.items()
        ),
        flags.json,
    )
    if flags.json:
        show.as_json(
            {
                name: {
                    "title": known.title,
                    "help": known.help,
                    "parameters": known.parameters,
                    "gflop_64": costs[name],
                    "multiple": known.multiple,
                    "phase_only": known.phase_only,
                    "reconstructed": known.reconstructed,
                }
                for name, known in ARCHITECTURES.items()
            }
        )
    return 0


def _summary(kind: type) -> str:
    """Return the first line of a docstring."""
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
        return "text" if parameter.kind is str else "true, false"
    unit = f" {parameter.unit}" if parameter.unit and " " not in parameter.unit else ""
    return f"{parameter.range.text}{unit}"


def _as_dict(parameter: Parameter) -> dict[str, Any]:
    values = asdict(parameter)
    return {
        **values,
        "kind": parameter.kind.__name__,
        "range": values["range"] or None,
        "unit": parameter.unit,
    }
