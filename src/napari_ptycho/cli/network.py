"""What train, predict and finetune share: which network, whose probe, which options."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli.flags import Settings, pairs, replaced
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.networks import SHIPPED

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.job import Update
    from napari_ptycho.model.arrays import Complexes
    from napari_ptycho.networks.network import Network

Checkpoint = Annotated[
    str,
    typer.Option(
        metavar="NET", help=f"A network: a file, or one that comes along: {', '.join(SHIPPED)}."
    ),
]
ProbeFrom = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Take the probe of this scan or reconstruction."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other option (see docs/networks)."),
]


def opened(word: str) -> "Network":
    """Return the network that a word names: one that comes along, or a file.

    Raises:
        FileError: There is neither, or the file holds no network.
    """
    from napari_ptycho.recipes.reading import open_network

    return open_network(word)


def file_of(word: str) -> Path | None:
    """Return the file of a network, for `check_output`; None where it comes along."""
    return None if word in SHIPPED else Path(word)


def probe_of(path: Path | None) -> "Complexes | None":
    """Return the probe (M, h, w) in a scan or a reconstruction.

    Raises:
        FileError: The file is absent, or neither of them.
        OptionsError: The scan has no probe.
    """
    if path is None:
        return None
    from napari_ptycho import io

    try:
        return io.read_reconstruction(path).probe
    except FileError:
        scan = io.read_scan(path)
    if scan.probe is None:
        raise OptionsError(f"--probe-from {path.name}: this scan has no probe; name another file")
    return scan.probe


def changed(options: Settings, given: Mapping[str, Any], words: Sequence[str] | None) -> Settings:
    """Return options with what their own flags and --set say.

    Args:
        options: What holds where nothing is said.
        given: Option -> what its own flag says; None where it was left out.
        words: Of --set.

    Raises:
        OptionsError: A name or a value is not allowed, or an option with a flag is in --set.
    """
    found = pairs(words or (), "--set")
    for name in given:
        if name in found:
            flag = name.replace("_", "-")
            raise OptionsError(f"--set {name}: it has a flag of its own, --{flag}")
    said = {name: value for name, value in given.items() if value is not None}
    return replace(replaced(options, found), **said)


def progress(update: "Update[Any]", names: Mapping[str, str]) -> str:
    """Return the epoch, and the newest value of each curve that has one.

    Args:
        update: Of a training or a fine-tuning.
        names: Curve -> what it is called.
    """
    known = [
        f"{title} {update.history[name][-1]:.4g}"
        for name, title in names.items()
        if update.history.get(name)
    ]
    return ", ".join([f"epoch {update.done:.4g}/{update.total:.4g}", *known])
