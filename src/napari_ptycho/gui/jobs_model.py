"""The rows of the Jobs dock: jobs of the queue, and runs of the docks of this window."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from qtpy.QtWidgets import QWidget

from napari_ptycho.gui.pace import clock_text
from napari_ptycho.gui.runner import RUNNING, Runner
from napari_ptycho.job import Update
from napari_ptycho.jobs import Job
from napari_ptycho.jobs.job import HERE, HOST

ROW = Qt.ItemDataRole.UserRole
WINDOW = "this window"
TROUBLE = ("failed", "interrupted")
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Row:
    """A job in words."""

    key: str
    """Tells it from the others."""
    title: str
    where: str
    state: str
    text: str
    """What it is doing, what came out, or what went wrong."""
    fraction: float = 0.0
    rank: int = 0
    started: float = 0.0
    ended: float = 0.0
    job: Job | None = None
    runner: Runner | None = None

    @property
    def in_trouble(self) -> bool:
        """Whether the text is a warning."""
        return self.state in TROUBLE

    def time_text(self, now: float) -> str:
        """Return how long it has worked."""
        return clock_text(max(0.0, (self.ended or now) - self.started)) if self.started else ""

    def line(self) -> str:
        """Return the small line below the title."""
        return " · ".join(part for part in (self.where, self.text or self.state) if part)


def row_of(job: Job) -> Row:
    """Return a job of the queue as a row."""
    where = job.where if job.where != HERE or job.host == HOST else job.host
    stopping = bool(job.stopping) and not job.has_ended
    text = "stopping…" if stopping else job.message or job.text
    return Row(
        key=job.id,
        title=job.title,
        where=where,
        state=job.state,
        text=text,
        fraction=job.fraction,
        rank=job.rank,
        started=job.started,
        ended=job.ended,
        job=job,
    )


def rows_of_window(window: QWidget) -> Iterator[Row]:
    """Yield the long runs of the docks in a window."""
    for runner in sorted(RUNNING, key=lambda one: -one.about[1]):
        if runner.abandoned:
            continue
        parent, update = runner.parent(), runner.last
        if not isinstance(update, Update) or not _lies_in(parent, window):
            continue  # what has no updates is loading: it is short, and cannot be stopped
        title, seconds = runner.about
        yield Row(
            key=f"window {id(runner)}",
            title=title,
            where=WINDOW,
            state="running",
            text=f"{update.done:.0f} of {update.total:.0f}",
            fraction=min(1.0, update.done / update.total) if update.total else 0.0,
            started=float(int(time.time() - seconds)),
            runner=runner,
        )


def _lies_in(widget: QObject | None, window: QWidget) -> bool:
    return isinstance(widget, QWidget) and widget.window() is window


class JobsModel(QAbstractListModel):
    """A list of rows that tells of nothing but what has changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[Row, ...] = ()

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many there are."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a row (`ROW`), its title, or its tooltip."""
        row = self.rows[index.row()]
        if role == ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{row.title}, {row.state}, {row.line()}"
        return f"{row.title}\n{row.line()}" if role == Qt.ItemDataRole.ToolTipRole else None

    def show_rows(self, rows: Sequence[Row]) -> bool:
        """Show these; return whether others came, went, or changed places."""
        before = self.rows
        if [row.key for row in before] != [row.key for row in rows]:
            self.beginResetModel()
            self.rows = tuple(rows)
            self.endResetModel()
            return True
        self.rows = tuple(rows)
        for at, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(at), self.index(at))
        return False

    def tick(self) -> None:
        """Draw again the rows whose time runs."""
        for at, row in enumerate(self.rows):
            if row.started and not row.ended:
                self.dataChanged.emit(self.index(at), self.index(at))
