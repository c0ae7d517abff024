"""A queue of jobs in the real window: docs/images/jobs.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_jobs.py

The jobs are real: the agent of a queue of its own works them off while the window is open, one of
them on a Dask scheduler that the script starts.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from distributed import LocalCluster
from napari._qt.dialogs.qt_notification import NapariQtNotification
from qtpy.QtWidgets import QApplication
from screenshots import Window, parser, wait

from napari_ptycho import recipes
from napari_ptycho.engines import DmOptions, LsqmlOptions, RpieOptions
from napari_ptycho.jobs import HERE, Job, Store, lock
from napari_ptycho.jobs.adding import add_scans
from napari_ptycho.jobs.store import FOLDER

STAR, FIBRES, SMALL = "sample:siemens-star", "sample:fibres", "sample:star-64"
LIMIT_S = 900
QUICK = recipes.Recipe("rPIE 15", stages=(RpieOptions(epochs=15),))
CHAIN = recipes.Recipe("DM 100, LSQ-ML 50", stages=(DmOptions(epochs=100), LsqmlOptions(epochs=50)))
LONG = recipes.Recipe("rPIE 2000", stages=(RpieOptions(epochs=2000),))


class Queueing(Window):
    """A queue in a folder, and a window that shows it."""

    def __init__(self, folder: Path, images: Path) -> None:
        os.environ[FOLDER] = str(folder / "queue")
        self.folder, self.store = folder, Store()
        self.files = {}
        for recipe in (QUICK, CHAIN, LONG):
            self.files[recipe.title] = folder / f"{recipe.title}.toml"
            recipes.write(recipe, self.files[recipe.title])
        super().__init__(images)
        self.jobs = self.dock("Jobs")

    def add(self, recipe: recipes.Recipe, scan: str, results: str, where: str = HERE) -> Job:
        """Queue a scan."""
        folder = self.folder / results
        [job] = add_scans(self.store, self.files[recipe.title], [scan], folder, where)
        return job

    def until(self, job: Job, fits: Callable[[Job], bool]) -> None:
        """Wait until a job is as it should be (or has ended), and say what it is then."""

        def is_so() -> bool:
            now = self.store.get(job.id)
            return now.has_ended or fits(now)

        wait(is_so, LIMIT_S)
        found = self.store.get(job.id)
        print(f"{found.title}: {found.state}, {found.text or found.message}")

    def queue(self, address: str) -> Job:
        """Have jobs in all states; return one that is done."""
        broken = self.folder / "beamstop.cxi"
        broken.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
        stopped = self.add(LONG, SMALL, "stopped")
        self.until(stopped, lambda job: job.done >= 3)
        self.store.stop(stopped.id)
        done = self.add(QUICK, STAR, "quick")
        failed = self.add(QUICK, str(broken), "quick")
        running = self.add(LONG, SMALL, "long")
        for scan, results in ((FIBRES, "chain"), (STAR, "chain")):
            self.add(CHAIN, scan, results)
        for job in (stopped, done, failed):
            self.until(job, lambda job: job.has_ended)
        there = self.add(LONG, SMALL, "cluster", address)
        for job in (there, running):
            self.until(job, lambda job: job.done > 20)
        return done

    def shoot(self, name: str, seconds: float = 2.0) -> None:
        """Save the window as it is, without notices."""
        for widget in QApplication.allWidgets():
            if isinstance(widget, NapariQtNotification):
                widget.close()
        super().shoot(name, seconds)

    def open(self, job: Job) -> None:
        """Open a result by its row."""
        wait(lambda: any(row.key == job.id for row in self.jobs.model.rows), 60)
        self.jobs.choose([job.id])
        self.jobs.open_button.click()
        wait(lambda: len(self.viewer.layers) > 0 and not self.jobs.runner.running, 120)
        self.dock("Jobs")

    def end(self) -> None:
        """Stop what runs or waits, and close the window."""
        for job in self.store.all():
            self.store.stop(job.id)
        end = time.monotonic() + 120
        while lock.agent_pid(self.store.folder) is not None and time.monotonic() < end:
            time.sleep(0.2)
        self.viewer.close()


def main() -> None:
    """Take the pictures."""
    arguments = parser(__doc__)
    given = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
    ):
        session = Queueing(Path(folder), given.images)
        session.open(session.queue(cluster.scheduler_address))
        session.shoot("jobs")
        session.end()


if __name__ == "__main__":
    main()
