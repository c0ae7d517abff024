"""Chains of engines as TOML: one `[[stage]]` table for each, `engine` and any of its options."""

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tomli_w

from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:
    from napari_ptycho.engines import EngineOptions

KEY, ENGINE = "stage", "engine"


def name_of(options: "EngineOptions") -> str:
    """Return the name of an engine on the command line and in files."""
    from napari_ptycho.engines import ENGINES

    return next(name for name, kind in ENGINES.items() if kind is type(options))


def dumps(stages: "Sequence[EngineOptions]") -> str:
    """Return a chain as TOML, with all options: it stays what it is when defaults change."""
    tables = [{ENGINE: name_of(options), **options.as_dict()} for options in stages]
    return tomli_w.dumps({KEY: tables})


def loads(text: str, owner: str) -> "tuple[EngineOptions, ...]":
    """Build a chain from TOML; options that are not named keep their defaults.

    Args:
        text: TOML.
        owner: What the file is called, for sentences.

    Raises:
        OptionsError: No TOML, no stages, or a stage that is none.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionsError(f"{owner}: not TOML: {error}") from error
    strange = [name for name in values if name != KEY]
    if strange:
        raise OptionsError(
            f"{owner}: '{strange[0]}' belongs to no stage; a chain holds [[{KEY}]] tables only"
        )
    tables = values.get(KEY, [])
    if not tables or not isinstance(tables, list):
        raise OptionsError(f'{owner}: there is no stage; write [[{KEY}]] and {ENGINE} = "..."')
    return tuple(_stage(table, f"{owner}, stage {n}") for n, table in enumerate(tables, 1))


def _stage(table: Any, owner: str) -> "EngineOptions":
    from napari_ptycho.engines import ENGINES

    name = table.get(ENGINE) if isinstance(table, dict) else None
    if not isinstance(name, str) or name not in ENGINES:
        found = "names no engine" if name is None else f"has no engine {name!r}"
        raise OptionsError(f"{owner}: {found}; there is {', '.join(ENGINES)}")
    try:
        return ENGINES[name].from_dict({key: table[key] for key in table if key != ENGINE})
    except OptionsError as error:
        raise OptionsError(f"{owner}: {error}") from error
