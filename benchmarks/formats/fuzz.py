"""Opens many damaged files of every format, and writes what came of it to `fuzz.md`.

Nothing but a `PtychoError` may come of a damaged file: no other exception, no hang, no death of the
process, no code that runs, no more than 2 GiB of memory. What breaks this is kept in a folder with
the file that did it.

    python benchmarks/formats/fuzz.py [--files 20000] [--seed 0] [--workers 2] [--keep FOLDER]
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import h5py  # noqa: E402
import tifffile  # noqa: E402

from tests.fuzz.cases import cases, untouched  # noqa: E402
from tests.fuzz.executor import Result, keep, outcome, run  # noqa: E402
from tests.fuzz.seeds import seeds  # noqa: E402

SLOWEST = 5


@dataclass
class Row:
    """What came of the files of one seed."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    peak: int = 0


def main() -> None:
    """Run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    given = parser.parse_args()
    os.nice(10)
    real = Path(os.environ.get("NAPARI_PTYCHO_DATA") or ROOT.parent / "shared" / "data")
    rows: dict[str, Row] = {}
    findings: list[Result] = []
    slow: list[Result] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "own").mkdir()
        chosen = seeds(Path(folder) / "own", real if real.is_dir() else None)
        whole = [untouched(seed) for seed in chosen]
        damaged = cases(chosen, given.seed, given.files)
        for number, result in enumerate(
            run(chain(whole, damaged), Path(folder) / "run", given.workers), -len(whole)
        ):
            row = rows.setdefault(result.case.seed, Row())
            if number >= 0:
                row.outcomes[outcome(result)] += 1
            row.seconds, row.peak = max(row.seconds, result.seconds), max(row.peak, result.peak)
            slow = sorted([*slow, result], key=lambda one: -one.seconds)[:SLOWEST]
            if result.finding:
                findings.append(result)
                print(
                    result.finding, result.case.seed, keep(result, given.keep, number), flush=True
                )
            if number % 1000 == 0:
                print(f"{number} files in {time.monotonic() - began:.0f} s", flush=True)
    words = page(rows, findings, slow, given, time.monotonic() - began)
    Path(__file__).with_suffix(".md").write_text(words)


def page(
    rows: dict[str, Row],
    findings: list[Result],
    slow: list[Result],
    given: argparse.Namespace,
    seconds: float,
) -> str:
    """Return the figures as a page."""
    total = sum((row.outcomes for row in rows.values()), Counter[str]())
    count, most = sum(total.values()), max(row.peak for row in rows.values())
    kinds = [kind for kind, _ in total.most_common()]
    lines = [
        "# Opening damaged files",
        "",
        f"{count:,} damaged files of {len(rows)} seeds (`--seed {given.seed}`) in {seconds:.0f} s "
        f"with {given.workers} processes ({count / seconds:.0f}/s); HDF5 "
        f"{h5py.version.hdf5_version}, h5py {h5py.__version__}, tifffile {tifffile.__version__}, "
        f"Python {platform.python_version()}. Each is read as a scan (or else a reconstruction), "
        "one block of it and its summary too; HDF5 is also browsed, TIFF and NPY read as images. "
        "Largest memory of a process: "
        f"{most / 2**20:.0f} MiB (limit 2048). **Findings: {len(findings)}.**",
        "",
        "| seed | files | " + " | ".join(kinds) + " | slowest | memory |",
        "|---|" + "---|" * (len(kinds) + 3),
    ]
    for name, row in rows.items():
        cells = [str(row.outcomes[kind] or "") for kind in kinds]
        lines.append(
            f"| {name} | {sum(row.outcomes.values())} | {' | '.join(cells)} "
            f"| {row.seconds:.2f} s | {row.peak / 2**20:.0f} MiB |"
        )
    cells = [f"{total[kind]:,}" for kind in kinds]
    lines.append(f"| **all** | {count:,} | {' | '.join(cells)} | | |")
    lines += ["", "The slowest:", ""]
    lines += [f"- {one.seconds:.2f} s: {one.case.seed}, {one.case.how[:100]}" for one in slow]
    lines += ["", "Findings:", ""]
    kinds_found = Counter(f"{one.finding}: {_last(one)}" for one in findings)
    lines += [f"- {number} x {what}" for what, number in kinds_found.most_common()] or ["- none"]
    return "\n".join([*lines, ""])


def _last(result: Result) -> str:
    lines = [line.strip() for line in result.text.splitlines() if line.strip()]
    if result.finding.startswith("death"):
        lines = [line for line in lines if line.startswith("File")][:1]
    return lines[-1][:160] if lines else ""


if __name__ == "__main__":
    main()
