"""Engines as plain tables, for TOML and JSON: `engine` and any of its options."""

from collections.abc import Mapping, Sequence
from typing import Any

from napari_ptycho.engines.options import ENGINES, EngineOptions
from napari_ptycho.engines.presets import PRESETS
from napari_ptycho.errors import OptionsError
from napari_ptycho.options import describe

KEY, ENGINE, PRESET = "stage", "engine", "preset"


def name_of(options: EngineOptions) -> str:
    """Return the name of an engine on the command line and in files."""
    return next(name for name, kind in ENGINES.items() if kind is type(options))


def as_tables(stages: Sequence[EngineOptions]) -> list[dict[str, Any]]:
    """Return a table for each stage, with all options."""
    return [{ENGINE: name_of(options), **options.as_dict()} for options in stages]


def of_tables(tables: Any, owner: str) -> tuple[EngineOptions, ...]:
    """Build a chain from tables; options that are not named keep their defaults.

    A table with nothing but `preset` stands for all stages of that preset.

    Args:
        tables: What a file says under `stage`.
        owner: What the file is called, for sentences.

    Raises:
        OptionsError: There is no stage, or one that is none.
    """
    if not tables or not isinstance(tables, list):
        raise OptionsError(f'{owner}: there is no stage; write [[{KEY}]] and {ENGINE} = "..."')
    found: list[EngineOptions] = []
    for number, table in enumerate(tables, 1):
        found += _stages(table, f"{owner}, stage {number}")
    return tuple(found)


def _stages(table: Any, owner: str) -> tuple[EngineOptions, ...]:
    if isinstance(table, dict) and PRESET in table:
        return _preset(table, owner)
    name = table.get(ENGINE) if isinstance(table, dict) else None
    if not isinstance(name, str) or name not in ENGINES:
        found = "names no engine" if name is None else f"has no engine {name!r}"
        raise OptionsError(f"{owner}: {found}; there is {', '.join(ENGINES)}")
    try:
        return (ENGINES[name].from_dict({key: table[key] for key in table if key != ENGINE}),)
    except OptionsError as error:
        raise OptionsError(f"{owner}: {error}") from error


def _preset(table: Mapping[str, Any], owner: str) -> tuple[EngineOptions, ...]:
    name = table[PRESET]
    if not isinstance(name, str) or name not in PRESETS:
        raise OptionsError(f"{owner}: has no preset {name!r}; there is {', '.join(PRESETS)}")
    if len(table) > 1:
        other = next(key for key in table if key != PRESET)
        raise OptionsError(f"{owner}: a preset stands alone; leave out '{other}'")
    return PRESETS[name].stages


def place(done: float, stages: Sequence[EngineOptions]) -> tuple[int, float]:
    """Return the stage under way (from 0) and its epochs done; an end belongs to its stage.

    Args:
        done: Epochs done in the whole chain.
        stages: The chain, one stage at least.
    """
    last = len(stages) - 1
    for number, options in enumerate(stages[:last]):
        if done <= options.epochs:
            return number, done
        done -= options.epochs
    return last, done


def in_words(options: EngineOptions) -> str:
    """Return a stage in one line: engine, epochs, and what is not a default."""
    parts = [f"{options.title}, {options.epochs} epochs"]
    for parameter in describe(type(options)):
        value = getattr(options, parameter.name)
        if parameter.name != "epochs" and value != parameter.default:
            parts.append(f"{parameter.name} = {str(value).lower()}")
    return ", ".join(parts)
