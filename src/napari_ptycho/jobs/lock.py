"""One agent per queue and computer: who it is, and how it is started."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

from napari_ptycho.errors import FileError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.autosave import alive
from napari_ptycho.jobs.job import HOST

AGENT = (sys.executable, "-m", "napari_ptycho.jobs.agent")
LOG_BYTES = 1_000_000
_started: dict[Path, subprocess.Popen[bytes]] = {}
"""The agent that this process has started last, by queue."""


def me() -> dict[str, Any]:
    """Return who this process is, as `alive` takes it."""
    process = psutil.Process()
    return {"host": HOST, "pid": process.pid, "created": process.create_time()}


def log_file(folder: Path) -> Path:
    """Return where the agent of this computer writes what it has to say."""
    return _file(folder, "log")


@contextmanager
def held(folder: Path, wait_s: float) -> Iterator[bool]:
    """Be the only agent of this computer for the length of a block; False if another one is.

    The system takes the lock back when a process dies, however it dies.

    Args:
        folder: Of the queue.
        wait_s: How long to wait for one that is about to end.
    """
    until = time.monotonic() + wait_s
    with _file(folder, "lock").open("a+b") as file:
        mine = _locked(file)
        while not mine and time.monotonic() < until:
            time.sleep(0.1)
            mine = _locked(file)
        yield mine


def announce(folder: Path) -> None:
    """Say that this process is the agent."""
    _tell(folder, left=False)


def withdraw(folder: Path) -> None:
    """Say that this process has looked at the queue for the last time."""
    _tell(folder, left=True)


def _tell(folder: Path, left: bool) -> None:
    with written(_file(folder, "json")) as temporary:
        temporary.write_text(json.dumps({**me(), "left": left}))


def agent_pid(folder: Path) -> int | None:
    """Return the process of the agent of this computer, or None if none works."""
    about = _last(folder)
    return int(about["pid"]) if about and alive(about) and not about["left"] else None


def _last(folder: Path) -> dict[str, Any]:
    """Return who said last that it is the agent, or that it leaves; {} if nobody did."""
    with suppress(OSError, ValueError):  # a damaged file counts as none
        about = json.loads(_file(folder, "json").read_text())
        if isinstance(about, dict) and about.keys() >= {*me(), "left"}:
            return about
    return {}


def start(folder: Path) -> None:
    """Start an agent that outlives this process, unless one works or is about to.

    Raises:
        FileError: The system does not let it start.
    """
    if agent_pid(folder) is not None:
        return
    process = _started.get(folder)
    starting = process is not None and process.poll() is None
    if process is not None and starting and _last(folder).get("pid") != process.pid:
        return
    log = log_file(folder)
    fresh = not log.exists() or log.stat().st_size > LOG_BYTES
    try:
        with log.open("wb" if fresh else "ab") as output:
            _started[folder] = _launched(folder, output)
    except OSError as error:
        raise FileError(f"the process that works the queue off did not start: {error}") from error


def _launched(folder: Path, output: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start the process apart from our terminal and window."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        apart = {"creationflags": flags}
    return subprocess.Popen(
        [*AGENT, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=folder,
        **apart,
    )


def _file(folder: Path, ending: str) -> Path:
    return folder / f"agent-{re.sub(r'[^A-Za-z0-9.-]', '_', HOST)}.{ending}"


def _locked(file: IO[bytes]) -> bool:
    """Try to lock a file for this process."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
