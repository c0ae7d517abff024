"""What came of a batch, for spreadsheets (CSV) and for people (one page of HTML)."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from napari_ptycho.io.atomic import written
from napari_ptycho.recipes.batch_files import CSV, PAGE
from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.summary_page import PAGE_TEXT
from napari_ptycho.recipes.tasks import Task

WAITING = "waiting"
COLUMNS = (
    *("scan", "state", "message", "epochs", "error", "resolution_nm", "resolution_px", "seconds"),
    *("resumed_from", "warnings", "notes", "where", "output"),
)
HEADERS = ("", "Scan", "State", "Epochs", "Error", "FRC resolution", "Seconds", "Told")


def write_summary(
    folder: Path, title: str, tasks: Sequence[Task], reports: Mapping[str, Report]
) -> None:
    """Write both files, each whole or not at all.

    Args:
        folder: Where the results are.
        title: Of the recipe.
        tasks: All of them, in order.
        reports: Of those that have ended, by scan.

    Raises:
        FileError: The disk is full.
    """
    ends = [reports.get(task.scan) for task in tasks]
    with written(folder / CSV) as temporary:
        temporary.write_text(_table(tasks, ends), encoding="utf-8", newline="")
    with written(folder / PAGE) as temporary:
        temporary.write_text(_page(title, tasks, ends), encoding="utf-8")


def counted(tasks: Sequence[Task], ends: Sequence[Report | None]) -> str:
    """Return how many scans there are in which state, in words."""
    states = Counter(WAITING if end is None else end.state for end in ends)
    parts = [f"{states[state]} {state}" for state in ("done", "failed", "stopped", WAITING)]
    kept = [part for part in parts if not part.startswith("0 ")]
    return f"{len(tasks)} scan{'s' * (len(tasks) != 1)}: {', '.join(kept)}"


def _table(tasks: Sequence[Task], ends: Sequence[Report | None]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    for task, end in zip(tasks, ends, strict=True):
        row = {"scan": task.scan, "output": task.output, "state": WAITING}
        if end is not None:
            row |= {name: getattr(end, name) for name in COLUMNS if hasattr(end, name)}
            row["warnings"], row["notes"] = " | ".join(end.warnings), " | ".join(end.notes)
            if end.resolution_m is not None:
                row["resolution_nm"] = f"{end.resolution_m * 1e9:.6g}"
        table.writerow(row)
    return text.getvalue()


def _page(title: str, tasks: Sequence[Task], ends: Sequence[Report | None]) -> str:
    head = "".join(f"<th>{escape(header)}</th>" for header in HEADERS)
    rows = "\n".join(_row(task, end) for task, end in zip(tasks, ends, strict=True))
    values = {"title": escape(title or "Batch"), "counted": escape(counted(tasks, ends))}
    return PAGE_TEXT.substitute(values, head=head, rows=rows)


def _row(task: Task, end: Report | None) -> str:
    state = WAITING if end is None else end.state
    return f'<tr class="{state}">{"".join(_cells(task, end, state))}</tr>'


def _cells(task: Task, end: Report | None, state: str) -> Iterator[str]:
    scan, result = Path(task.scan), Path(task.output).name
    name = f'<span title="{escape(task.scan)}">{escape(scan.name)}</span>'
    if end is None:
        yield from (_cell(text) for text in ("", name, state, "", "", "", "", ""))
        return
    picture = ""
    if end.thumbnail:
        there = quote(end.thumbnail)
        picture = f'<a href="{there}"><img src="{there}" alt="phase" loading="lazy"></a>'
    if end.files:
        name += f'<br><a href="{quote(result)}">{escape(result)}</a>'
    yield _cell(picture)
    yield _cell(name, scan.name)
    yield _cell(state)
    yield _cell(str(end.epochs), end.epochs)
    yield _cell("" if end.error is None else f"{end.error:.4g}", end.error)
    yield _cell(
        resolution(end), end.resolution_px if end.resolution_m is None else end.resolution_m
    )
    yield _cell(f"{end.seconds:.1f}", end.seconds)
    told = [*end.warnings, *([end.message] if end.message else [])]
    yield _cell("<br>".join(map(escape, told)))


def _cell(html: str, key: str | float | None = None) -> str:
    """Return a cell; the column is sorted by `key`, or by its text."""
    sort = "" if key is None else f' data-key="{escape(str(key))}"'
    return f"<td{sort}>{html}</td>"


def resolution(report: Report) -> str:
    """Return the resolution of a result as people write it; empty if it is unknown."""
    if report.resolution_m is not None:
        return f"{report.resolution_m * 1e9:.3g} nm"
    if report.resolution_px is not None:
        return f"{report.resolution_px:.3g} px"
    return ""
