"""Chains of engines as TOML: one `[[stage]]` table for each, `engine` and any of its options."""

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import tomli_w

from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:
    from napari_ptycho.engines import EngineOptions


def dumps(chain: "Sequence[EngineOptions]") -> str:
    """Return a chain as TOML, with all options: it stays what it is when defaults change."""
    from napari_ptycho.engines.stages import KEY, as_tables

    return tomli_w.dumps({KEY: as_tables(chain)})


def loads(text: str, owner: str) -> "tuple[EngineOptions, ...]":
    """Build a chain from TOML; options that are not named keep their defaults.

    Args:
        text: TOML.
        owner: What the file is called, for sentences.

    Raises:
        OptionsError: No TOML, no stages, or a stage that is none.
    """
    from napari_ptycho.engines.stages import KEY, of_tables

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionsError(f"{owner}: not TOML: {error}") from error
    strange = [name for name in values if name != KEY]
    if strange:
        raise OptionsError(
            f"{owner}: '{strange[0]}' belongs to no stage; a chain holds [[{KEY}]] tables only"
        )
    return of_tables(values.get(KEY, []), owner)
