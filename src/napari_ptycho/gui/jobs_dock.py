"""The Jobs dock: everything that waits, runs or ran; it outlives the window."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error
from napari.viewer import Viewer
from qtpy.QtCore import QItemSelectionModel, QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QAbstractItemView, QHBoxLayout, QListView, QPushButton

from napari_ptycho import io, jobs
from napari_ptycho.gui import kept
from napari_ptycho.gui.jobs_add import AddBox
from napari_ptycho.gui.jobs_delegate import JobsDelegate
from napari_ptycho.gui.jobs_model import JobsModel, Row, row_of, rows_of_window
from napari_ptycho.gui.jobs_news import counted, notify
from napari_ptycho.gui.jobs_watch import KEPT, Seen, Watch
from napari_ptycho.gui.leave_row import LeaveRow
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.section import Section
from napari_ptycho.gui.session import real_viewer, session_of
from napari_ptycho.gui.views import Picture, picture
from napari_ptycho.gui.widgets import Dock, Note
from napari_ptycho.jobs import HERE, Job, Store
from napari_ptycho.jobs.adding import add_scans
from napari_ptycho.jobs.job import AGAIN
from napari_ptycho.recipes.tasks import Task

TICK_MS = 250
LEAST_ROWS = 180
HINT = (
    "Nothing is queued. Add scans below, or choose Recipe, Queue… in the Reconstruct dock: "
    "what is queued goes on after the window is closed."
)
LIST = (
    "Running jobs, those that wait in their order, and those that have ended; a double click opens "
    "a result. Times are minutes and seconds."
)


class JobsDock(Dock):
    """Shows the queue of the user, and what runs in this window."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.session = session_of(self.viewer)
        self.watch = Watch()
        self.destroyed.connect(self.watch.end)
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_opened)
        self.busy = LeaveRow(self.runner)
        self.summary, self.details = Note(self.viewer), Note(self.viewer, small=True)
        self.model, self.list = JobsModel(self), QListView()
        self.box = AddBox()
        self.add_section = Section("Add scans", self.box, "Queue scans, with a recipe.")
        self._make_buttons()
        self._lay_out()
        self._seen: Seen | None = None
        self._since: float | None = None
        self._connect()
        self._on_chosen()
        self.ticks = QTimer(self, interval=TICK_MS)
        self.ticks.timeout.connect(self._tick)
        self.ticks.start()

    def add(self, recipe: str, scan: str, output: str, where: str = HERE, title: str = "") -> None:
        """Queue a scan.

        Args:
            recipe: TOML.
            scan: The file (absolute), or "sample:KEY".
            output: The file of the result (absolute).
            where: `HERE`, or the address of a scheduler.
            title: What the list calls it; empty: the name of the result.
        """
        task, title = Task(recipe, scan, output), title or Path(output).stem
        self.watch.ask(lambda store: jobs.submit(task, title, where, store))

    # -- laying out

    def _make_buttons(self) -> None:
        self.stop_button = _button("Stop", "End it; what it has reached is written.")
        self.up_button = _button("↑", "Run it earlier.")
        self.down_button = _button("↓", "Run it later.")
        self.again_button = _button("Again", "Queue it again; it goes on from its last autosave.")
        self.remove_button = _button("Remove", "Take it off the list; the result stays.")
        self.open_button = _button("Open result", "Show it as layers.")
        self.folder_button = _button("Show file", "Open the folder of the result.")

    def _lay_out(self) -> None:
        self.list.setModel(self.model)
        self.list.setItemDelegate(JobsDelegate(self.viewer, self.list))
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setUniformItemSizes(True)
        self.list.setToolTip(LIST)
        self.list.setMinimumHeight(LEAST_ROWS)
        upper, lower = QHBoxLayout(), QHBoxLayout()
        for button in (self.stop_button, self.up_button, self.down_button):
            upper.addWidget(button)
        for button in (self.again_button, self.remove_button):
            upper.addWidget(button, 1)
        for button in (self.open_button, self.folder_button):
            lower.addWidget(button, 1)
        self.rows.addWidget(self.summary)
        self.rows.addWidget(self.list, 1)
        for layout in (upper, lower):
            layout.setSpacing(4)
            self.rows.addLayout(layout)
        for widget in (self.busy, self.details, self.add_section):
            self.rows.addWidget(widget)
        kept.opened(self.add_section, "Jobs.Add scans")

    def _connect(self) -> None:
        self.list.selectionModel().selectionChanged.connect(self._on_chosen)
        self.list.doubleClicked.connect(self.open_result)
        self.stop_button.clicked.connect(self.stop)
        self.up_button.clicked.connect(self._up)
        self.down_button.clicked.connect(self._down)
        self.again_button.clicked.connect(self.again)
        self.remove_button.clicked.connect(self.remove)
        self.open_button.clicked.connect(self.open_result)
        self.folder_button.clicked.connect(self.show_file)
        self.box.asked.connect(self._on_add)

    # -- what the buttons do

    def stop(self) -> None:
        """Stop what is chosen."""
        for row in self.chosen():
            if row.runner is not None and not row.runner.abandoned:
                row.runner.stop()
        self._each(lambda job: not job.has_ended, Store.stop)

    def again(self) -> None:
        """Queue what is chosen once more."""
        self._each(lambda job: job.state in AGAIN, Store.again)
        self.watch.ask(jobs.wake)

    def remove(self) -> None:
        """Take what is chosen off the list."""
        self._each(lambda job: job.has_ended, Store.remove)

    def open_result(self) -> None:
        """Show the result of the first that is chosen and has one as layers."""
        paths = [Path(job.task.output) for job in self._jobs() if _has_result(job)]
        if paths:
            self.runner.call(partial(_read, paths[0]), f"open {paths[0].name}")

    def show_file(self) -> None:
        """Open the folder of the first result that is chosen."""
        for job in self._jobs()[:1]:
            folder = Path(job.task.output).parent
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _up(self) -> None:
        self._move(-1)

    def _down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        """Move what is chosen; those in front of the others first."""
        waiting = [job for job in self._jobs() if job.rank]
        for job in sorted(waiting, key=lambda job: -by * job.rank):
            self.watch.ask(partial(Store.move, ident=job.id, by=by))

    def _each(self, fits: Callable[[Job], bool], do: Callable[..., None]) -> None:
        for job in self._jobs():
            if fits(job):
                self.watch.ask(partial(do, ident=job.id))

    def _on_add(self) -> None:
        recipe, folder = self.box.recipe, self.box.folder
        if recipe is None or folder is None:
            return
        scans, kept = [str(path) for path in self.box.scans], self.box.remember()
        self.watch.ask(partial(_added, recipe, scans, folder, kept))
        self.box.clear_scans()

    # -- showing

    def chosen(self) -> list[Row]:
        """Return the rows that are chosen, from the top."""
        found = self.list.selectionModel().selectedIndexes()
        return [self.model.rows[at] for at in sorted(index.row() for index in found)]

    def choose(self, keys: Sequence[str]) -> None:
        """Choose the rows with these keys (ids of jobs)."""
        selection = self.list.selectionModel()
        selection.clearSelection()
        for at, row in enumerate(self.model.rows):
            if row.key in keys:
                selection.select(self.model.index(at), QItemSelectionModel.SelectionFlag.Select)

    def _jobs(self) -> list[Job]:
        return [row.job for row in self.chosen() if row.job is not None]

    def _tick(self) -> None:
        while self.watch.errors:
            show_error(self.watch.errors.popleft())
        seen = self.watch.seen
        if seen is None:
            return
        fresh = seen is not self._seen
        if fresh:
            self._tell_ended(seen.jobs)
            self._seen = seen
        here = tuple(rows_of_window(self.window()))
        if fresh or here or any(row.runner for row in self.model.rows):
            self._show(here, seen)
        elif self.isVisible():
            self.model.tick()

    def _show(self, here: Sequence[Row], seen: Seen) -> None:
        chosen = [row.key for row in self.chosen()]
        if self.model.show_rows((*here, *map(row_of, seen.jobs))):
            self.choose(chosen)
        self.summary.show_lines([counted(self.model.rows) or HINT], seen.warnings)
        self._on_chosen()

    def _on_chosen(self, *_: object) -> None:
        rows = self.chosen()
        found = [row.job for row in rows if row.job is not None]
        runs = any(row.runner is not None for row in rows)
        self.stop_button.setEnabled(runs or any(not job.has_ended for job in found))
        self.up_button.setEnabled(any(job.rank > 1 for job in found))
        waiting = sum(row.state == "waiting" for row in self.model.rows)
        self.down_button.setEnabled(any(0 < job.rank < waiting for job in found))
        self.again_button.setEnabled(any(job.state in AGAIN for job in found))
        self.remove_button.setEnabled(any(job.has_ended for job in found))
        self.open_button.setEnabled(any(_has_result(job) for job in found))
        self.folder_button.setEnabled(bool(found))
        self._show_details(found[0] if len(found) == 1 else None)

    def _show_details(self, job: Job | None) -> None:
        if job is None:
            self.details.show_lines()
            return
        scan, result = job.task.scan, Path(job.task.output)
        self.details.setToolTip(f"{scan}\n{result}")
        lines = [f"Scan: {Path(scan).name}", f"Result: {result.parent.name}/{result.name}"]
        lines += [job.text] * bool(job.text)
        self.details.show_lines(lines, [*[job.message] * bool(job.message), *job.warnings])

    # -- news

    def _tell_ended(self, found: Sequence[Job]) -> None:
        """Say what has ended since somebody looked."""
        if self._since is None:
            kept = self.watch.kept
            self._since = float(kept.get("seen") or 0)
            self.box.recall(kept)
            if not self._since:  # nobody has looked before
                self._since = time.time()
                self.watch.ask(partial(_remember, {"seen": self._since}))
        ended = [job for job in found if job.has_ended and job.ended > self._since]
        if ended:
            self._since = max(job.ended for job in ended)
            self.watch.ask(partial(_remember, {"seen": self._since}))
            notify(ended)

    def _on_opened(self, outcome: str, value: Any) -> None:
        if outcome == "done" and isinstance(value, Picture):
            ReconstructionLayers(self.viewer).begin(value)
            self.session.show_reconstruction(value.of)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(28)
    return button


def _has_result(job: Job) -> bool:
    """Whether there is a result to open, as far as the queue knows."""
    return job.state == "done" or (job.state == "stopped" and bool(job.text))


def _read(path: Path) -> Picture:
    return picture(io.read_reconstruction(path))


def _added(
    recipe: Path, scans: Sequence[str], folder: Path, kept: dict[str, Any], store: Store
) -> None:
    """Queue scans as the box says, and remember what it said."""
    add_scans(store, recipe, scans, folder, kept["chosen"])
    jobs.wake(store)
    _remember(kept, store)


def _remember(values: dict[str, Any], store: Store) -> None:
    store.remember(KEPT, {**store.remembered(KEPT), **values})
