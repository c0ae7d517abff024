"""What can be written to a file: a name to suggest, the kind of file, and how to write it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from napari_ptycho import io
from napari_ptycho.model import Reconstruction


@dataclass(frozen=True, eq=False)
class Savable:
    """Something to write; `write` may take a while and is for a thread."""

    title: str
    """Of the dialog that asks where to."""
    name: str
    """File name to suggest, with its suffix."""
    kind: str
    """Filter of the dialog."""
    write: Callable[[Path], None]


def of_reconstruction(reconstruction: Reconstruction | None) -> Savable | None:
    """Return a reconstruction as something to write; None stays None."""
    if reconstruction is None:
        return None
    return Savable(
        "Save the reconstruction",
        f"{reconstruction.name}.h5",
        "HDF5 (*.h5)",
        partial(io.write_reconstruction, reconstruction),
    )


def file_name(title: str, suffix: str) -> str:
    """Return a title as the name of a file: without what some systems do not allow."""
    plain = re.sub(r'[<>:"/\\|?*\s]+', " ", title).strip().replace(" ", "_")
    return f"{plain}{suffix}"
