"""Which engines run, and with what: from --engine, --preset, --chain, --options and --set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptycho.cli import chainfile
from napari_ptycho.cli.flags import pairs, replaced
from napari_ptycho.cli.reading import GeometryFlags
from napari_ptycho.errors import FileError, OptionsError, ScanError
from napari_ptycho.options import describe

if TYPE_CHECKING:
    from napari_ptycho.engines import EngineOptions
    from napari_ptycho.engines.suggest import Suggestion
    from napari_ptycho.model import Scan

DEFAULT = "rpie"
SUGGESTED = "suggested"


@dataclass(frozen=True, kw_only=True)
class ChainFlags(GeometryFlags):
    """Which engines run, of any command that has them."""

    engine: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"One algorithm, {DEFAULT} if none: {{engines}}."),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help=f"Several in a row: {{presets}}; {SUGGESTED}: the scan decides."
        ),
    ] = None
    chain: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Several in a row from a file, a table for each."),
    ] = None
    epochs: Annotated[int | None, typer.Option(help="Passes over all positions, per stage.")] = None
    modes: Annotated[int | None, typer.Option(help="Probe modes, in all stages.")] = None
    set: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Any option of the engine, in all stages; 2.NAME=VALUE in the second only.",
        ),
    ] = None
    options: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="One engine's options; flags win.")
    ] = None


@dataclass(frozen=True)
class Chosen:
    """Engines that go on from each other."""

    title: str
    stages: "tuple[EngineOptions, ...]"
    reasons: tuple[str, ...] = ()
    """Why, where the scan has decided."""


def chosen(flags: ChainFlags) -> Chosen | None:
    """Return what the flags ask for; None where the scan decides.

    Raises:
        FileError: A file cannot be read.
        OptionsError: A name or value is unknown, or flags contradict each other.
    """
    kinds = ("engine", "preset", "chain")
    given = [f"--{kind}" for kind in kinds if getattr(flags, kind) is not None]
    if len(given) > 1:
        raise OptionsError(f"{given[0]} and {given[1]} contradict each other; give one of them")
    if flags.options is not None and given not in ([], ["--engine"]):
        raise OptionsError(f"--options belongs to one engine, but {given[0]} brings its own")
    if flags.preset == SUGGESTED:
        return None
    if flags.preset is not None:
        return _preset(flags.preset)
    if flags.chain is not None:
        stages = chainfile.loads(_text(flags.chain), flags.chain.name)
        return Chosen(flags.chain.stem, stages)
    return _engine(flags.engine or DEFAULT, flags.options)


def _preset(name: str) -> Chosen:
    from napari_ptycho.engines import PRESETS

    if name not in PRESETS:
        raise OptionsError(f"no preset '{name}'; there is {', '.join(PRESETS)}, {SUGGESTED}")
    return Chosen(PRESETS[name].title, PRESETS[name].stages)


def _engine(name: str, file: Path | None) -> Chosen:
    from napari_ptycho.engines import ENGINES

    if name not in ENGINES:
        raise OptionsError(f"no engine '{name}'; there is {', '.join(ENGINES)}")
    options = ENGINES[name]() if file is None else ENGINES[name].from_toml(_text(file))
    return Chosen(options.title, (options,))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read ({error})") from error


def suggestion(scan: "Scan", device: str) -> "Suggestion":
    """Return the engines that the scan itself asks for, why, and what is wrong with it.

    Raises:
        JobError: The device is not there.
        ScanError: The scan lacks what engines need.
    """
    from napari_ptycho.device import pick
    from napari_ptycho.engines.suggest import suggest

    return suggest(scan, gpu=pick(device).type != "cpu")


def memory_lines(
    scan: "Scan", stages: "Sequence[EngineOptions]", name: str, limit: int | None
) -> list[str]:
    """Return how much memory the engines take on a device, and what if that is too little.

    Args:
        scan: The scan; nothing is said where the size of its object is unknown.
        stages: The engines.
        name: Of the device, or of several.
        limit: Most bytes to take; None: what is free.

    Raises:
        JobError: The device is not there.
    """
    from napari_ptycho import device
    from napari_ptycho.engines.memory import outlook

    where = device.pick(device.each(name)[0])
    free = int(device.SPARE * device.free_bytes(where)) if limit is None else limit
    try:
        said = outlook(scan, stages, where.type, free)
    except ScanError:  # the engine tells what is missing, unless a start brings it
        return []
    return [f"- {text}" for text in said if text]


def changed(stages: "Sequence[EngineOptions]", flags: ChainFlags) -> "tuple[EngineOptions, ...]":
    """Return the stages with --epochs, --modes and --set.

    An option without a number belongs to all stages, which must all have it; one like
    "2.epochs" belongs to that stage, and wins.

    Raises:
        OptionsError: An option or value is unknown, or flags contradict each other.
    """
    words = pairs(flags.set or (), "--set")
    for name in ("epochs", "modes"):
        value = getattr(flags, name)
        if value is not None and words.setdefault(name, str(value)) != str(value):
            raise OptionsError(
                f"--{name} {value} and --set {name}={words[name]} contradict each other; give one"
            )
    common = {name: text for name, text in words.items() if not name.partition(".")[0].isdecimal()}
    special = {name: text for name, text in words.items() if name not in common}
    _check_common(stages, common)
    return tuple(
        replaced(options, {**common, **_of(number, special, len(stages))})
        for number, options in enumerate(stages, 1)
    )


def _of(number: int, words: Mapping[str, str], count: int) -> dict[str, str]:
    """Return the words of one stage, without its number."""
    own = {}
    for name, text in words.items():
        stage, _, option = name.partition(".")
        if not 1 <= int(stage) <= count:
            stages = "one stage" if count == 1 else f"{count} stages"
            raise OptionsError(f"--set {name}={text}: there is no stage {stage} of {stages}")
        if int(stage) == number:
            own[option] = text
    return own


def _check_common(stages: "Sequence[EngineOptions]", words: Mapping[str, str]) -> None:
    for name, text in words.items():
        has = [any(p.name == name for p in describe(type(options))) for options in stages]
        if any(has) and not all(has):
            first, other = has.index(True) + 1, has.index(False)
            raise OptionsError(
                f"--set {name}={text}: stage {other + 1}, {stages[other].title}, has no such "
                f"option; name the stage that is meant, as in --set {first}.{name}={text}"
            )
