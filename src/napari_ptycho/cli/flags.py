"""A command is a frozen dataclass of flags and a function of it."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand

from napari_ptycho.cli import show
from napari_ptycho.cli.interrupt import STOPPED
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.options import Options

Request = TypeVar("Request")
Settings = TypeVar("Settings", bound=Options)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A scan of any known format.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="File to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; else all cores.")]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Most to take on the device, like 2GB; else what is free."),
]
Image = Annotated[
    Path, typer.Argument(metavar="A", help="A reconstruction, or an image (TIFF, NPY).")
]
Channel = Annotated[
    Literal["phase", "amplitude", "complex", "phasor"],
    typer.Option(help="Of a reconstruction; phasor: exp(i phase)."),
]
Neighbours = Annotated[
    Literal["path", "space"],
    typer.Option(help="Of N positions per bin: consecutive ones, or the nearest in space."),
]
Every = Annotated[
    int, typer.Option(min=1, metavar="K", help="Use every K-th pattern only: sparse sampling.")
]
SIZE_HELP = "Bin size: 2x2 (rows x columns of a raster) or 4 (positions)."
BYTES = {"": 1, "B": 1} | {
    f"{letter}{middle}B": base**power
    for power, letter in enumerate("KMGT", 1)
    for middle, base in (("", 1000), ("I", 1024))
}


def add(
    app: typer.Typer,
    name: str,
    flags: type[Request],
    run: Callable[[Request], int],
    named: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Make a command of a dataclass: its fields are the flags, its docstring is the help.

    Args:
        app: Where to add it.
        name: What to type.
        flags: Fields `name: Annotated[type, typer.Option(...)] = default`.
        run: Gets the filled dataclass and returns the exit code.
        named: Returns what replaces each {word} in the help of a flag. It is asked when that help
            is shown: the tables with these names take a second to import.
    """

    class Command(TyperCommand):
        def format_help(self, ctx: Any, formatter: Any) -> None:
            words = named()
            for parameter in self.params:
                for word, text in words.items():
                    shown = getattr(parameter, "help", None) or ""
                    vars(parameter)["help"] = shown.replace(f"{{{word}}}", text)
            super().format_help(ctx, formatter)

    hints = get_type_hints(flags, include_extras=True)

    def command(**values: Any) -> None:
        try:
            code = run(flags(**values))
        except KeyboardInterrupt:
            show.error("stopped before the end")
            code = STOPPED
        raise typer.Exit(code)

    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(flags)  # type: ignore[arg-type]
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = hints
    command.__doc__ = flags.__doc__
    app.command(name, cls=Command)(command)


def pairs(words: Sequence[str], flag: str) -> dict[str, str]:
    """Turn "name=value" words into a dictionary.

    Raises:
        OptionsError: A word has no "=", or a name has two values.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise OptionsError(f"{flag} {word}: it must be name=value")
        name, value = name.strip(), value.strip()
        if found.setdefault(name, value) != value:
            raise OptionsError(
                f"{flag} {name}={found[name]} and {flag} {name}={value} contradict each other"
            )
    return found


def replaced(options: Settings, words: Mapping[str, str]) -> Settings:
    """Return options with those replaced that words name; the others stay.

    Raises:
        OptionsError: A name or a value is not allowed.
    """
    parsed = type(options).from_words(words)
    return replace(options, **{name: getattr(parsed, name) for name in words})


def parse_bytes(word: str, flag: str) -> int:
    """Turn "2GB", "1.5 GiB" or "500000" into bytes.

    Raises:
        OptionsError: It is no such size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", word, re.ASCII | re.IGNORECASE)
    factor = BYTES.get(found[2].upper()) if found else None
    size = int(float(found[1]) * factor) if found and factor else 0
    if size < 1:
        raise OptionsError(f"{flag} {word}: it must be a size like 500MB or 2GB")
    return size


def check_output(path: Path, overwrite: bool, sources: Mapping[str, Path | None]) -> None:
    """Refuse an output that cannot or should not be written, before any work is done.

    Args:
        path: The file to write.
        overwrite: Whether it may exist.
        sources: Files that are read, by what they are; the output must be none of them.

    Raises:
        FileError: The folder is missing, the file exists, or it is one that is read.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise FileError(f"{path}: cannot be written, its folder is missing or it is a folder")
    for name, source in sources.items():
        if source is not None and source.exists() and path.exists() and path.samefile(source):
            raise FileError(f"{path}: is the {name} that is read; write to another file")
    if path.exists() and not overwrite:
        raise FileError(f"{path}: exists already; add --overwrite to replace it")


def check_outputs(
    paths: Sequence[Path | None], overwrite: bool, sources: Mapping[str, Path | None]
) -> None:
    """Refuse outputs as `check_output` does, and two that are the same file.

    Args:
        paths: The files to write; None is not asked for.
        overwrite: Whether they may exist.
        sources: Files that are read, by what they are.

    Raises:
        FileError: As `check_output`, or a file would be written twice.
    """
    seen: set[Path] = set()
    for path in paths:
        if path is None:
            continue
        check_output(path, overwrite, sources)
        if path.resolve() in seen:
            raise FileError(f"{path}: is to be written twice; give each output its own name")
        seen.add(path.resolve())
