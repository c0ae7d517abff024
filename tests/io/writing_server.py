"""Writes what it is told to, each time in a process of its own that the test may kill.

Reads lines of JSON (kind, form, path, and limit, the largest file in bytes), answers with a line
with the process's id, one with the error that it met, if any, and one with how it ended.
"""

import json
import os
import resource
import sys
from importlib import import_module

import numpy as np

from napari_ptycho.errors import PtychoError
from napari_ptycho.io.forms import table as writing
from napari_ptycho.model import Geometry, Reconstruction, Scan

SIDE, POSITIONS, FRAMES = 2048, 200_000, 3000


def things():
    """A reconstruction and a scan that take a while to write."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, SIDE, SIDE)).astype(np.float32).view(np.complex64)
    geometry = Geometry(8000.0, 1.0, (50e-6, 50e-6))
    reconstruction = Reconstruction(
        object=noise.reshape(SIDE, SIDE),
        probe=np.tile(noise.reshape(SIDE, SIDE)[:1024, :1024], (4, 1, 1)),
        positions_px=rng.uniform(0, SIDE - 1024, (POSITIONS, 2)),
        pixel_size_m=geometry.pixel_size_m((1024, 1024)),
        geometry=geometry,
    )
    scan = Scan(
        patterns=rng.integers(0, 2**16, (FRAMES, 64, 64), np.uint16),
        positions_m=rng.uniform(0, 1e-6, (FRAMES, 2)),
        geometry=geometry,
        probe=np.tile(noise.reshape(-1)[: 64 * 64].reshape(64, 64), (2000, 1, 1)),
    )
    return {"reconstruction": reconstruction, "scan": scan}


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def write(thing, task):
    """In the process of its own, which says its id first."""
    say(os.getpid())
    if task["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (task["limit"], task["limit"]))
    try:
        writing.named(task["kind"], task["form"]).write(thing, task["path"])
    except PtychoError as error:
        say(error)
    os._exit(0)


def serve():
    known = things()
    for writer in writing.WRITERS:  # imported before the clock runs
        import_module(f"napari_ptycho.io.{writer.function.partition(':')[0]}")
    say("ready")
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            write(known[task["kind"]], task)
        _, status = os.waitpid(child, 0)
        say("killed" if os.WIFSIGNALED(status) else "done")


if __name__ == "__main__":
    serve()
