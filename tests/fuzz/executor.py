"""Worker processes that open damaged files; what dies, hangs, or misbehaves is a finding."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

LIMIT_BYTES = 4 * 2**30
"""Address space of a worker."""
MOST_BYTES = 2 * 2**30
"""Memory that opening a small file may take."""
MOST_SECONDS = 10.0
"""That it may take; of larger ones, so many per `SMALL_BYTES`."""
SMALL_BYTES = 10**6
SCRIPT = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Case:
    """A file that was made wrong, and how."""

    seed: str
    how: str
    files: Mapping[str, bytes]
    """Name -> content; all lie in one folder."""
    main: str
    """Which of them is opened."""
    job: Mapping[str, Any] = field(default_factory=dict)
    """What the worker is told besides; `second` is a name in `files`."""


@dataclass
class Result:
    """What came of a case."""

    case: Case
    came: list[str]
    finding: str = ""
    """Empty: all is well."""
    text: str = ""
    seconds: float = 0.0
    peak: int = 0
    """Bytes of memory at the worst moment."""


class Worker:
    """A process and a folder for the files that it opens."""

    def __init__(self, folder: Path, script: Path = SCRIPT) -> None:
        self.folder, self.script = folder, script
        self.files = folder / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Return the process; a new one if there is none."""
        if self.process is None or self.process.poll() is not None:
            temporary = self.folder / "tmp"
            temporary.mkdir(exist_ok=True)
            apart = {"TMPDIR": str(temporary), "NAPARI_PTYCHO_LAYOUTS": str(temporary)}
            one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
            with (self.folder / "stderr").open("wb") as said:
                self.process = subprocess.Popen(
                    [sys.executable, str(self.script), str(LIMIT_BYTES)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    cwd=self.folder,
                    env={**os.environ, **one, **apart},
                )
            self.ask({"path": str(self.folder / "nothing")}, 120.0)  # imports
        return self.process

    def ask(self, job: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the answer to a job, or a finding where none comes."""
        process = self.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        began, line = time.monotonic(), b""
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return self._dead()
        while not line.endswith(b"\n"):
            left = seconds - (time.monotonic() - began)
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                self.stop()
                return {"finding": "hang", "text": f"no answer in {seconds:g} s", "came": []}
            more = os.read(process.stdout.fileno(), 65536)
            if not more:
                return self._dead()
            line += more
        return dict(json.loads(line))

    def _dead(self) -> dict[str, Any]:
        assert self.process is not None
        code = self.process.wait()
        said = (self.folder / "stderr").read_bytes()[-3000:].decode(errors="replace")
        return {"finding": f"death {code}", "text": said, "came": []}

    def run(self, case: Case) -> Result:
        """Open the files of a case; a hang must show itself twice."""
        shutil.rmtree(self.files)
        self.files.mkdir()
        for name, content in case.files.items():
            (self.files / name).write_bytes(content)
        job = {**case.job, "path": str(self.files / case.main)}
        if "second" in job:
            job["second"] = str(self.files / job["second"])
        size = sum(len(content) for content in case.files.values())
        seconds = MOST_SECONDS * max(1, size / SMALL_BYTES)
        self.start()
        found = self.ask(job, seconds)
        if found["finding"] == "hang":  # or only a busy machine
            self.start()
            found = self.ask(job, 3 * seconds)
        made = {name: found[name] for name in ("text", "seconds", "peak") if name in found}
        result = Result(case, found["came"], found["finding"], **made)
        if not result.finding and result.peak > MOST_BYTES:
            result.finding, result.text = "memory", f"{result.peak / 2**30:.2f} GiB"
        return result

    def stop(self) -> None:
        """End the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run(cases: Iterable[Case], folder: Path, count: int = 2) -> Iterator[Result]:
    """Open cases in so many processes; yields what came of each, in order."""
    workers = [Worker(folder / f"worker{number}") for number in range(count)]
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def one(case: Case) -> Result:
        worker = free.get()
        try:
            return worker.run(case)
        finally:
            free.put(worker)

    cases = iter(cases)
    try:
        with ThreadPoolExecutor(count) as pool:
            while some := list(islice(cases, 8 * count)):
                yield from pool.map(one, some)
    finally:
        for worker in workers:
            worker.stop()


def keep(result: Result, folder: Path, number: int) -> Path:
    """Keep the files of a finding, and what it was; return their folder."""
    target = folder / f"{number:05d}-{result.finding.replace(' ', '-')}-{result.case.seed}"
    target.mkdir(parents=True, exist_ok=True)
    for name, content in result.case.files.items():
        (target / name).write_bytes(content)
    told = f"{result.case.main}\n{result.case.how}\n{dict(result.case.job)}\n{result.finding}\n"
    (target / "finding.txt").write_text(told + result.text)
    return target


def outcome(result: Result) -> str:
    """Return in a few words what came of a case."""
    if result.finding:
        return "finding"
    first = result.came[0].partition(":")[0]
    return (
        first
        if len(result.came) < 2
        or result.came[1].partition(":")[0] != ("opened as a reconstruction")
        else "opened as a reconstruction"
    )


def counted(results: Iterable[Result]) -> dict[str, Counter[str]]:
    """Return outcomes by seed."""
    table: dict[str, Counter[str]] = {}
    for result in results:
        table.setdefault(result.case.seed, Counter())[outcome(result)] += 1
    return table
