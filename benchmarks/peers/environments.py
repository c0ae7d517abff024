"""An environment for each package: made once, by venv and pip, outside the repository.

torch is pinned to one version everywhere, so that pip takes the build that `constraints.txt` of
this repository means, and so that all packages are measured on the same one.
"""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Peer:
    """A package, and what it takes to install it."""

    title: str
    requirements: tuple[str, ...]
    repair: tuple[str, str, str] | None = None
    """A file of the installed package, a text in it, and what stands there in its place."""


PEERS = {
    "ptychi": Peer("Pty-Chi", ("ptychi==2.2.0",)),
    # PtyRAD 1.0.0 has one f-string that only Python 3.12 can read, in a plot.
    "ptyrad": Peer(
        "PtyRAD",
        ("ptyrad==1.0.0",),
        ("ptyrad/plotting/basic.py", "{lr_iters['niter'][-1]}", '{lr_iters["niter"][-1]}'),
    ),
    "py4dstem": Peer("py4DSTEM", ("py4dstem==0.14.18",)),
    "phaser": Peer("phaser", ("phaserEM==0.3.1",)),
}


def default_folder() -> Path:
    """Return where environments and data go if nobody says: the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "napari-ptycho-benchmark"


def python_of(folder: Path, name: str) -> Path:
    """Return the interpreter of a peer's environment; our own for ours."""
    if name == "ours":
        return Path(sys.executable)
    return folder / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare(folder: Path, name: str) -> list[str]:
    """Make the environment of a peer unless it is complete; return what had to be repaired."""
    peer, python = PEERS[name], python_of(folder, name)
    note = folder / name / "complete.txt"
    wanted = "\n".join([TORCH, *peer.requirements])
    if not note.exists() or note.read_text() != wanted:
        print(f"making the environment of {peer.title} in {folder / name}", flush=True)
        venv.create(folder / name, with_pip=True, clear=True)
        pins = folder / f"{name}-constraints.txt"
        pins.write_text(TORCH + "\n")
        install = [str(python), "-m", "pip", "install", "--quiet", "-c", str(pins)]
        done = subprocess.run([*install, *peer.requirements], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{peer.title} cannot be installed:\n{done.stderr[-2000:]}")
        note.write_text(wanted)
    return _repair(python, peer)


def _repair(python: Path, peer: Peer) -> list[str]:
    """Put right what keeps an installed package from being imported; return what was done."""
    if peer.repair is None:
        return []
    name, wrong, right = peer.repair
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True)
    file = Path(found.stdout.strip()) / name
    text = file.read_text()
    if wrong in text:
        # Inside an f-string in single quotes: double quotes, as Python before 3.12 asks.
        file.write_text(text.replace(wrong, right))
    return [f"{name}: {wrong} became {right} (Python before 3.12 cannot read the former)"]
