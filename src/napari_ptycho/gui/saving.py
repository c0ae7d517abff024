"""What can be written to a file: a name to suggest, the kinds of file, and how to write it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_ptycho import io
from napari_ptycho.model import Reconstruction, Scan

if TYPE_CHECKING:
    from napari_ptycho.io.forms.table import Writer

Write = Callable[[Path], None]
Choose = Callable[[Path, str], tuple[Path, Write]]


@dataclass(frozen=True, eq=False)
class Savable:
    """Something to write; `write` may take a while and is for a thread."""

    title: str
    """Of the dialog that asks where to."""
    name: str
    """File name to suggest, with its suffix."""
    kind: str
    """Filters of the dialog, separated by ";;"."""
    write: Write
    choose: Choose | None = None
    """Returns the file and how to write it, of what the dialog returned: a path and a filter."""

    def chosen(self, path: Path, wanted: str) -> tuple[Path, Write]:
        """Return the file and how to write it, of what the dialog returned.

        Args:
            path: What the user typed.
            wanted: The filter that was chosen; "" where nobody was asked.
        """
        return (path, self.write) if self.choose is None else self.choose(path, wanted)


def of_reconstruction(reconstruction: Reconstruction | None) -> Savable | None:
    """Return a reconstruction as something to write; None stays None."""
    if reconstruction is None:
        return None
    return of_made("reconstruction", reconstruction.name, lambda: reconstruction)


def of_scan(scan: Scan | None) -> Savable | None:
    """Return a scan as something to write; None stays None."""
    return None if scan is None else of_made("scan", scan.name, lambda: scan)


def of_made(
    kind: Literal["scan", "reconstruction"], name: str, make: Callable[[], Scan | Reconstruction]
) -> Savable:
    """Return what is only made when it is written, in any form that there is for its kind.

    Args:
        kind: What it is.
        name: File name to suggest, without a suffix.
        make: Returns it, in the thread that writes it.
    """
    forms = io.writers(kind)

    def choose(path: Path, wanted: str) -> tuple[Path, Write]:
        target, form = chosen_form(forms, path, wanted)
        return target, lambda file: form.write(make(), file)

    def write(path: Path) -> None:
        target, way = choose(path, "")
        way(target)

    filters = ";;".join(form.filter for form in forms)
    return Savable(f"Save the {kind}", f"{name}{forms[0].suffix}", filters, write, choose)


def chosen_form(forms: "tuple[Writer, ...]", path: Path, wanted: str) -> "tuple[Path, Writer]":
    """Return the file and the form that a dialog means.

    The chosen filter decides, and the file gets its ending. But who types the ending of another
    form, and has not chosen a filter, means that form.

    Args:
        forms: In which it can be written, the usual one first.
        path: What the user typed, or left as it was suggested.
        wanted: The filter that was chosen.
    """
    usual = forms[0]
    picked = next((form for form in forms if form.filter == wanted), usual)
    typed = max(forms, key=lambda form: len(form.ending(path)))
    if picked.ending(path):
        return path, picked
    if picked is usual and typed.ending(path):
        return path, typed
    ending = typed.ending(path)
    stem = path.name[: len(path.name) - len(ending)]
    return path.with_name(f"{stem}{picked.suffix}"), picked


def file_name(title: str, suffix: str) -> str:
    """Return a title as the name of a file: without what some systems do not allow."""
    plain = re.sub(r'[<>:"/\\|?*\s]+', " ", title).strip().replace(" ", "_")
    return f"{plain}{suffix}"
