"""A process that opens files other programs have damaged, one after the other, and says what came.

    python worker.py MEMORY_LIMIT_BYTES

Reads a job in JSON per line from standard input, answers each with a line of JSON. What it must
not do is reported by an audit hook: unpickle, start programs, write outside the temporary folder.
"""

import contextlib
import faulthandler
import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

FORBIDDEN = (
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "subprocess.Popen",
    "socket.connect",
    "ctypes.dlopen",
)
WRITES = os.O_WRONLY | os.O_RDWR
MAY_WRITE = (tempfile.gettempdir(), "/proc/self/clear_refs", "/dev/null")
seen: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note an event that no file may cause."""
    if event in FORBIDDEN and not (event == "pickle.find_class" and _of_dask()):
        seen.append(f"{event}{arguments}")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        name = str(arguments[0])
        if not name.startswith(MAY_WRITE):
            seen.append(f"open{arguments}")


def _of_dask() -> bool:
    """Whether dask is what unpickles: it copies its graphs so."""
    frame = sys._getframe(2)
    return f"{os.sep}dask{os.sep}" in frame.f_code.co_filename


def open_all(job: dict[str, Any]) -> list[str]:
    """Open a file in every way the program has; return what came of each."""
    came = _as_scan(job)
    for wanted, way in (("image", _as_image), ("tree", _as_tree)):
        if job.get(wanted):
            with _noted(came):
                came.append(way(job))
    return came


def _as_scan(job: dict[str, Any]) -> list[str]:
    from napari_ptycho import io
    from napari_ptycho.errors import NeedsPositions, PtychoError
    from napari_ptycho.io.layout import Layout

    came: list[str] = []
    try:
        came.append(_scan(job, positions=job.get("second")))
    except NeedsPositions as error:
        came.append(_told(error))
        with _noted(came):
            came.append(_scan(job, layout=Layout(raster_rows=1, step_y=1.0, step_x=1.0)))
    except PtychoError as error:
        came.append(_told(error))
        with _noted(came):
            io.read_reconstruction(job["path"])
            came.append("opened as a reconstruction")
    return came


def _scan(job: dict[str, Any], **how: Any) -> str:
    from napari_ptycho import io
    from napari_ptycho.model.summary import summary

    scan = io.read_scan(job["path"], lazy_above_bytes=0 if job.get("lazy") else 2**30, **how)
    summary(scan)
    next(scan.blocks())
    return "opened as a scan"


def _as_image(job: dict[str, Any]) -> str:
    from napari_ptycho import io

    io.about_image(job["path"])
    return f"opened as an image {io.read_image(job['path']).ndim}"


def _as_tree(job: dict[str, Any]) -> str:
    from napari_ptycho.io import browse

    found = browse.contents(Path(job["path"]))
    if found.layout.frames:
        _scan(job, layout=found.layout)
    return f"browsed, {len(found.nodes)} entries"


@contextlib.contextmanager
def _noted(came: list[str]) -> Any:
    from napari_ptycho.errors import PtychoError

    try:
        yield
    except PtychoError as error:
        came.append(_told(error))


def _told(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise MemoryError(str(error)) from error
        cause = cause.__cause__
    return f"{type(error).__name__}: {error}"


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Open the file of a job; say what came, how long it took, and what memory it needed."""
    seen.clear()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    began = time.perf_counter()
    found: dict[str, Any] = {"came": [], "finding": ""}
    try:
        found["came"] = open_all(job)
    except MemoryError:
        found["finding"] = "memory"
        found["text"] = "asked for more than the limit\n" + traceback.format_exc(limit=-8)
    except Exception as error:  # noqa: BLE001 - all of them are what is looked for
        found["finding"] = f"exception {type(error).__name__}"
        found["text"] = traceback.format_exc(limit=-8)
    found["seconds"] = time.perf_counter() - began
    found["peak"] = _peak_bytes()
    if seen:
        found["finding"], found["text"] = "forbidden", "; ".join(seen)
    return found


def main() -> None:
    """Answer jobs until there are none."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get among the answers
    faulthandler.enable()
    warnings.simplefilter("ignore")
    limit = int(sys.argv[1])
    import h5py
    import scipy.io  # what readers import late must not count as their memory
    import tifffile

    from napari_ptycho import io

    for name in io.FORMATS:
        __import__(f"napari_ptycho.io.formats.{name}")
    del h5py, scipy, tifffile
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(watch)
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
