"""How far many scans are: a line for each that runs, and one that stays for each that has ended."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from napari_ptycho.cli import show

if TYPE_CHECKING:
    from napari_ptycho.recipes.report import Report
    from napari_ptycho.recipes.tasks import Event


class ScanBars:
    """On a terminal bars, in a log only lines; both on stderr."""

    def __init__(self, total: int, done: int) -> None:
        """Expect `total` scans, of which some are done."""
        self.total, self.done = total, done
        self._console = show.err()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._bars: dict[str, TaskID] = {}
        self._all = self._progress.add_task("all", total=total, completed=done, note="")

    def __enter__(self) -> "ScanBars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, sentence: str) -> None:
        """Print a sentence above the bars."""
        self._progress.console.print(f"! {sentence}", markup=False)

    def show(self, event: "Event") -> None:
        """Move the bar of a scan, or end it."""
        scan = event.task.scan
        if event.report is not None:
            self.done += 1
            if scan in self._bars:
                self._progress.remove_task(self._bars.pop(scan))
            self._progress.update(self._all, completed=self.done)
            line = f"{self.done}/{self.total} {in_words(event.report)}"
            self._progress.console.print(line, markup=False)
        elif event.progress is not None:
            now = event.progress
            if scan not in self._bars:
                self._bars[scan] = self._progress.add_task(Path(scan).name, total=None, note="")
                if self._progress.disable:
                    self._console.print(f"{Path(scan).name} begun", markup=False)
            self._progress.update(
                self._bars[scan], completed=now.done, total=now.total, note=now.text
            )


def in_words(report: "Report") -> str:
    """Return in a line how a scan ended."""
    from napari_ptycho.recipes.summary import resolution

    scan = Path(report.scan).name
    if report.state != "done":
        return f"{scan} {report.state}: {report.message}"
    error = "" if report.error is None else f", error {report.error:.4g}"
    sharp = f", {resolution(report)}" if resolution(report) else ""
    warned = f", {len(report.warnings)} warnings" if report.warnings else ""
    return f"{scan} done: {report.epochs} epochs{error}{sharp}{warned}, {report.seconds:.1f} s"
