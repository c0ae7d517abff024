"""`napari-ptycho browse FILE`: what lies in an HDF5 file, and how it may be read."""

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Json, pairs
from napari_ptycho.cli.reading import ReadFlags, layout_of
from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:  # imported when the command runs, so that --help is quick
    from napari_ptycho.io.browse import Candidate, Contents, Node
    from napari_ptycho.io.layout import Layout

SHOWN = 5
"""Candidates that are listed."""
WIDEST = 2000
"""Of a line of the tree, which is not cut to the terminal: what is at its end matters."""

NO_POSITIONS = (
    "Nothing in it looks like positions: give a second file with --positions, or a raster with "
    "--layout raster_rows=... --layout step_y=..."
)


@dataclass(frozen=True)
class BrowseFlags(ReadFlags):
    """Show the tree of an HDF5 file, what may be frames and positions, and what to type.

    With --layout (or --saved-layout) and --save-layout NAME the layout is kept, and opens the next
    file with the same paths by itself.
    """

    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="An HDF5 file of any layout.")
    ] = None
    save_layout: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep what --layout says under this name.")
    ] = None
    saved_layouts: Annotated[bool, typer.Option("--saved-layouts", help="List what is kept.")] = (
        False
    )
    delete_layout: Annotated[
        str | None, typer.Option(metavar="NAME", help="Remove what is kept under this name.")
    ] = None
    json: Json = False


def browse(flags: BrowseFlags) -> int:
    """Do what the flags say and return the exit code.

    Raises:
        OptionsError: No file is given where one is needed, or no layout to be kept.
        FileError: The file is absent, no HDF5, or damaged.
    """
    if flags.delete_layout is not None:
        return _delete(flags)
    if flags.saved_layouts:
        return _list(flags)
    if flags.file is None:
        raise OptionsError("browse: give an HDF5 file, or --saved-layouts")
    if flags.save_layout is not None:
        return _save(flags, flags.file, flags.save_layout)

    from napari_ptycho.io.browse import contents

    with show.busy(f"reading {flags.file.name}"):
        found = contents(flags.file)
    if flags.json:
        show.as_json(_plain(found))
    else:
        console = show.out()
        console.width = WIDEST
        console.print(_tree(found))
        show.lines(_advice(found))
    return 0


def _delete(flags: BrowseFlags) -> int:
    from napari_ptycho import io

    io.delete_layout(str(flags.delete_layout))
    show.lines([f"The saved layout '{flags.delete_layout}' was removed."], flags.json)
    if flags.json:
        show.as_json({"deleted": flags.delete_layout})
    return 0


def _list(flags: BrowseFlags) -> int:
    from napari_ptycho.io import saved_layouts

    known, notes = saved_layouts.load()
    if flags.json:
        rows = [
            {
                "name": one.name,
                "needs": list(one.needs),
                "layout": saved_layouts.changed(one.layout),
            }
            for one in known
        ]
        show.as_json({"folder": str(saved_layouts.folder()), "saved_layouts": rows, "notes": notes})
        return 0
    show.lines(f"{one.name}: files with {', '.join(one.needs)}" for one in known)
    show.lines(f"! {note}" for note in notes)
    if not known:
        show.lines([f"No saved layout is kept in {saved_layouts.folder()}."])
    return 0


def _save(flags: BrowseFlags, file: Path, name: str) -> int:
    from napari_ptycho import io
    from napari_ptycho.io import saved_layouts
    from napari_ptycho.prepare.detector import DetectorOptions

    base = None if flags.saved_layout is None else saved_layouts.named(flags.saved_layout)
    layout = layout_of(flags, base)
    if layout is None:
        raise OptionsError("--save-layout: nothing to keep; say with --layout how the file is read")
    detector = DetectorOptions.from_words(pairs(flags.detector or (), "--detector"))
    if base is not None and not flags.detector:
        detector = base.detector
    saved = saved_layouts.saved_layout(
        file, name, layout, detector, None if base is None else base.geometry
    )
    written = io.save_layout(saved)
    show.lines(
        [f"{written} written: opens files with {', '.join(saved.needs)} by itself."], flags.json
    )
    if flags.json:
        show.as_json({"name": name, "output": str(written), "needs": list(saved.needs)})
    return 0


def _plain(found: "Contents") -> dict[str, Any]:
    from napari_ptycho.io import saved_layouts

    values = {
        name: [asdict(one) for one in getattr(found, name)] for name in ("frames", "positions")
    }
    return {
        "file": str(found.file),
        "nodes": [asdict(node) for node in found.nodes],
        **values,
        "layout": saved_layouts.changed(found.layout),
        "notes": list(found.notes),
    }


def _tree(found: "Contents") -> Any:
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(found.file.name))
    branches = {"": root}
    for node in found.nodes:
        above = branches[node.path.rpartition("/")[0]]
        branches[node.path] = above.add(Text.assemble(*_line(node)))
    return root


def _line(node: "Node") -> Iterable[tuple[str, str]]:
    """Yield the parts of a line of the tree, each with its style."""
    yield node.path.rpartition("/")[2], "bold" if node.kind == "group" else ""
    parts = []
    if node.dtype:
        shape = " x ".join(map(str, node.shape))
        parts.append(f"{shape} {node.dtype}".strip())
    if node.chunks:
        parts.append(f"chunks {' x '.join(map(str, node.chunks))}")
    parts += node.filters
    if node.units:
        parts.append(f"in {node.units}")
    if parts:
        yield f"  {', '.join(parts)}", "dim"
    if node.value:
        yield f" = {node.value}", ""
    if node.link:
        yield f" -> {node.link}", "cyan"
    if node.problem:
        yield f"  ! {node.problem}", "red"


def _advice(found: "Contents") -> Iterable[str]:
    """Yield what may be frames and positions, and what to type."""
    yield from (f"! {note}" for note in found.notes)
    if not found.frames:
        yield "Nothing in it looks like frames: real numbers with three axes or more."
        return
    yield "May be the frames:"
    yield from _ranked(found.frames)
    yield "May be the positions:" if found.positions else NO_POSITIONS
    yield from _ranked(found.positions)
    yield "To read it so (change what is wrong):"
    yield f"  {_command(found.file, found.layout)}"


def _ranked(candidates: "Iterable[Candidate]") -> Iterable[str]:
    for number, one in enumerate(list(candidates)[:SHOWN], 1):
        yield f"  {number}. {' and '.join(one.paths)} ({one.score:.2f}: {one.why})"


def _command(file: Path, layout: "Layout") -> str:
    from napari_ptycho.io import saved_layouts

    words = [f"{name}={value}" for name, value in saved_layouts.changed(layout).items()]
    told = " ".join(f"--layout {shlex.quote(word)}" for word in words)
    return f"napari-ptycho info {shlex.quote(str(file))} {told}"
