"""The Jobs dock: a queue that outlives the window, in a real window with a real agent."""

import sys
import time
from pathlib import Path

import psutil
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_ptycho import io, jobs, recipes
from napari_ptycho.engines import RpieOptions
from napari_ptycho.gui import canvas, jobs_dock
from napari_ptycho.gui.jobs_model import WINDOW
from napari_ptycho.jobs import lock
from napari_ptycho.recipes.tasks import Task

from .conftest import make_scan, suppress_deleted

PATIENCE_MS = 240_000
FAKE = Path(__file__).parents[1] / "jobs" / "fake_agent.py"


class Jobs:
    """A real window with the Jobs dock, as a user drives it; tasks only pretend."""

    def __init__(self, qtbot, make_viewer, results):
        self.qtbot, self.make_viewer, self.results = qtbot, make_viewer, results
        self.store = jobs.Store()
        self.open()

    def open(self):
        from napari_ptycho.gui.app import open_dock

        self.viewer = self.make_viewer()
        self.dock = open_dock(self.viewer, "Jobs")
        self.wait(lambda: self.dock.summary.text() != "")

    def close(self):
        thread = self.dock.watch.thread
        self.viewer.close()
        self.wait(lambda: not thread.is_alive())

    def add(self, recipe, name):
        self.dock.add(recipe, "sample:none", str(self.results / f"{name}.h5"), title=name)
        self.wait(lambda: name in self.titles())

    def titles(self):
        return [row.title for row in self.dock.model.rows]

    def row(self, title):
        return self.dock.model.rows[self.titles().index(title)]

    def choose(self, *titles):
        self.dock.choose([self.row(title).key for title in titles])

    def click(self, title, button):
        self.choose(title)
        assert button.isEnabled()
        button.click()

    def wait(self, condition):
        self.qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    def wait_for(self, title, state):
        self.wait(lambda: self.row(title).state == state)

    def go(self, title):
        (self.results / f"{title}.go").touch()


@pytest.fixture
def window(qtbot, make_napari_viewer, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "AGENT", (sys.executable, str(FAKE)))
    window = Jobs(qtbot, make_napari_viewer, tmp_path)
    yield window
    pid = lock.agent_pid(window.store.folder)
    if pid is not None:
        psutil.Process(pid).kill()
    started = lock._started.pop(window.store.folder, None)
    if started:
        started.kill()
        started.wait()
    with suppress_deleted():
        window.dock.runner.wait(30)


def test_a_queue_with_progress_stop_and_another_order(window, notifications):
    dock = window.dock
    assert "Nothing is queued" in dock.summary.text()
    assert not dock.stop_button.isEnabled()
    for name in ("first", "second", "third"):
        window.add("hold", name)
    window.wait(lambda: window.row("first").fraction > 0.002)
    assert window.row("first").text.startswith("step ")
    assert "1 running · 2 waiting" in dock.summary.text().replace("\N{NO-BREAK SPACE}", " ")
    window.choose("second")
    assert not dock.up_button.isEnabled()
    window.click("second", dock.down_button)
    window.wait(lambda: window.titles() == ["first", "third", "second"])
    assert [row.title for row in dock.chosen()] == ["second"]
    window.click("first", dock.stop_button)
    window.wait_for("first", "stopped")
    window.wait_for("third", "running")
    assert window.titles() == ["third", "second", "first"]
    window.click("second", dock.stop_button)
    window.wait_for("second", "stopped")
    assert not any("second" in text for text in notifications())
    window.choose("second", "first")
    dock.remove_button.click()
    window.wait(lambda: window.titles() == ["third"])
    assert (window.results / "first.h5").exists()
    window.go("third")
    window.wait_for("third", "done")
    assert any("third is done" in text for text in notifications())


def test_what_failed_is_told_and_runs_again(window, notifications):
    window.add("fail", "broken")
    window.wait_for("broken", "failed")
    window.wait(lambda: "broken: the scan is broken" in notifications())
    window.choose("broken")
    assert "the scan is broken" in window.dock.details.text()
    assert not window.dock.open_button.isEnabled()
    run = window.row("broken").job.run
    window.click("broken", window.dock.again_button)
    window.wait(lambda: window.row("broken").job.run == run + 1)
    window.wait_for("broken", "failed")


def test_jobs_outlive_the_window(window, notifications):
    window.add("hold", "overnight")
    window.wait_for("overnight", "running")
    window.close()
    window.go("overnight")
    end = time.monotonic() + PATIENCE_MS / 1e3
    while window.store.all()[0].state != "done" and time.monotonic() < end:
        time.sleep(0.05)
    window.open()
    window.wait(lambda: window.titles() == ["overnight"])
    assert window.row("overnight").state == "done"
    assert sum("overnight is done" in text for text in notifications()) == 1
    window.wait(lambda: window.store.remembered("window").get("seen", 0) > 0)


def test_a_queue_without_an_agent_is_worked_off(window):
    """As after the computer went down: somebody has queued it, and nobody works."""
    output = str(window.results / "left.h5")
    window.store.add(Task("steps=2", "sample:none", output), "left")
    window.wait(lambda: window.titles() == ["left"])
    window.wait_for("left", "done")


def test_what_cannot_be_done_is_an_error_and_nothing_more(window, notifications):
    window.add("hold", "one")
    window.dock.add("hold", "sample:none", str(window.results / "one.h5"), title="twin")
    window.wait(lambda: any("writes" in text for text in notifications()))
    assert window.titles() == ["one"]
    window.dock.add("hold", "sample:none", "/x.h5", where="nowhere")
    window.wait(lambda: any("no address" in text for text in notifications()))


def test_a_run_of_this_window_shows_and_stops(docks):
    from napari_ptycho.gui.app import open_dock

    dock = open_dock(docks.viewer, "Jobs")
    docks.show()
    docks.begin()
    docks.qtbot.waitUntil(lambda: len(dock.model.rows) == 1, timeout=PATIENCE_MS)
    row = dock.model.rows[0]
    assert (row.where, row.state) == (WINDOW, "running")
    assert "of 100000" in row.text
    dock.choose([row.key])
    with docks.qtbot.waitSignal(docks.reconstruct.runner.finished, timeout=PATIENCE_MS):
        dock.stop_button.click()
    docks.qtbot.waitUntil(lambda: not dock.model.rows, timeout=PATIENCE_MS)


def test_scans_are_added_and_a_result_opens_as_layers(
    qtbot, make_napari_viewer, tmp_path, monkeypatch
):
    """The whole way with a real reconstruction: choose, queue, wait, open."""
    from napari_ptycho.gui.app import open_dock

    scan, recipe, results = tmp_path / "weave.h5", tmp_path / "fast.toml", tmp_path / "out"
    io.write_scan(make_scan(), scan)
    recipes.write(recipes.Recipe(title="fast", stages=(RpieOptions(epochs=2),)), recipe)
    opened = []
    monkeypatch.setattr(jobs_dock.QDesktopServices, "openUrl", opened.append)
    dock = open_dock(make_napari_viewer(), "Jobs")
    dock.add_section.open()
    assert not dock.box.queue_button.isEnabled()
    dock.box.choose(recipe, [scan], results)
    dock.box.queue_button.click()
    qtbot.waitUntil(lambda: [r.state for r in dock.model.rows] == ["done"], timeout=PATIENCE_MS)
    [row] = dock.model.rows
    assert row.title == "weave · fast"
    assert row.text.startswith("2 epochs · error ")
    at = dock.list.visualRect(dock.model.index(0)).center()
    qtbot.mouseClick(dock.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(at))
    with qtbot.waitSignal(dock.runner.finished, timeout=PATIENCE_MS):
        dock.open_button.click()
    names = [layer.name for layer in dock.viewer.layers]
    assert f"weave · {canvas.PHASE}" in names
    assert dock.session.reconstruction.name == "weave"
    dock.folder_button.click()
    assert opened[0].toLocalFile() == str(results)
    kept = dock.box.remember()
    assert (kept["recipe"], kept["folder"], kept["chosen"]) == (
        str(recipe),
        str(results),
        jobs.HERE,
    )


def test_addresses_are_remembered(qtbot):
    from napari_ptycho.gui.jobs_add import AddBox

    box = AddBox()
    qtbot.addWidget(box)
    for address in ("tcp://a:1", "tcp://b:2", "tcp://a:1"):
        box.where.setCurrentText(address)
        box.recall(box.remember())
    shown = [box.where.itemText(at) for at in range(box.where.count())]
    assert shown == [jobs.HERE, "tcp://a:1", "tcp://b:2"]
    assert box.where.currentText() == "tcp://a:1"


def test_it_is_cheap_and_narrow_with_hundreds_of_jobs(qtbot, make_napari_viewer):
    from napari_ptycho.gui.app import open_dock

    store = jobs.Store()
    for number in range(150):
        job = store.add(Task("r", "s", f"/{number}.h5"), f"a long name of scan {number:04}")
        store.stop(job.id)
    dock = open_dock(make_napari_viewer(), "Jobs")
    qtbot.waitUntil(lambda: len(dock.model.rows) == 150, timeout=PATIENCE_MS)
    shown = []
    dock.model.dataChanged.connect(lambda *_: shown.append("changed"))
    dock.model.modelReset.connect(lambda: shown.append("reset"))
    for _ in range(20):
        dock._tick()
    assert shown == []
    assert dock.minimumSizeHint().width() <= 320
