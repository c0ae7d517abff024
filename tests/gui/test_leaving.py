"""What takes long can be left: a line with Stop comes, and what was asked for is dropped."""

from pkgutil import resolve_name
from threading import Event

import pytest

from napari_ptycho import io, jobs
from napari_ptycho.gui.app import open_dock
from napari_ptycho.gui.leave_row import LEFT, LeaveRow
from napari_ptycho.prepare import first_guess
from napari_ptycho.recipes.tasks import Task

from .conftest import make_scan, suppress_deleted

SOON_MS = 20_000


class Slow:
    """A function that waits until it is let go."""

    def __init__(self, name, monkeypatch):
        self.go, self.ended, self._quick = Event(), Event(), resolve_name(name)
        monkeypatch.setattr(name, self)

    def __call__(self, *given, **named):
        self.go.wait(30)
        try:
            return self._quick(*given, **named)
        finally:
            self.ended.set()


@pytest.fixture
def slow(monkeypatch):
    made = []

    def make(name):
        made.append(Slow(name, monkeypatch))
        return made[-1]

    yield make
    for one in made:
        one.go.set()
        one.ended.wait(30)


def stop(docks, row):
    """Press Stop as soon as the line is there; return what the line says."""
    docks.qtbot.waitUntil(lambda: not row.isHidden(), timeout=SOON_MS)
    text = row.text.text()
    row.stop_button.click()
    assert row.isHidden()
    return text


def end(docks, held):
    """Let what was left end; a window that waits for it would show it now."""
    held.go.set()
    assert held.ended.wait(30)
    docks.qtbot.wait(200)


def detector(docks):
    docks.show()
    box = docks.scan.frames.detector
    docks.scan.frames.sections["Detector"].open()
    docks.qtbot.waitUntil(lambda: bool(box.note.text()), timeout=SOON_MS)
    docks.qtbot.waitUntil(lambda: not box.runner.running, timeout=SOON_MS)
    return box


def test_the_centre_that_was_left_changes_nothing_and_can_be_asked_for_again(docks, slow):
    box = detector(docks)
    held, before = slow("napari_ptycho.gui.detector_box.find_centre"), box.options()
    box.auto_button.click()
    assert box.finding.isHidden()
    assert stop(docks, box.finding) == "find the centre…"
    end(docks, held)
    assert box.options() == before
    box.auto_button.click()
    docks.qtbot.waitUntil(lambda: box.options().centre == "given", timeout=SOON_MS)


def test_the_centre_of_another_scan_is_not_taken_for_that_of_this_one(docks, slow):
    box = detector(docks)
    held, before = slow("napari_ptycho.gui.detector_box.find_centre"), box.options()
    box.auto_button.click()
    docks.show(name="other")
    end(docks, held)
    assert box.options() == before


def test_what_a_cut_would_do_can_be_left_and_asked_again(docks, slow):
    box = detector(docks)
    held = slow("napari_ptycho.gui.detector_box.detector_report")
    box.form.fields["hot"].setValue(9.0)
    docks.qtbot.waitUntil(lambda: box.runner.running, timeout=SOON_MS)
    box.form.fields["hot"].setValue(10.0)  # it waits, and is left, too
    docks.qtbot.wait(300)
    stop(docks, box.busy)
    assert LEFT in box.note.text()
    end(docks, held)
    assert LEFT in box.note.text()
    box.form.fields["hot"].setValue(11.0)
    docks.qtbot.waitUntil(lambda: "object pixel" in box.note.text(), timeout=SOON_MS)


def test_the_bin_report_can_be_left_and_asked_again(docks, slow):
    docks.show()
    box = docks.scan.binning
    docks.qtbot.waitUntil(lambda: bool(box.note.text()), timeout=SOON_MS)
    report = box.note.text()
    held = slow("napari_ptycho.gui.binning_box.sparse_report")
    box.rows_box.setValue(2)
    docks.qtbot.waitUntil(lambda: box.runner.running, timeout=SOON_MS)
    box.rows_box.setValue(3)
    docks.qtbot.wait(300)
    stop(docks, box.busy)
    end(docks, held)
    assert LEFT in box.note.text()
    box.rows_box.setValue(1)
    docks.qtbot.waitUntil(lambda: box.note.text() == report, timeout=SOON_MS)


def test_a_network_that_is_being_opened_can_be_left(docks, slow, tmp_path):
    from napari_ptycho import networks

    path = tmp_path / "mine.safetensors"
    networks.save(networks.shipped(), path)
    choice = open_dock(docks.viewer, "Network").form.network
    held = slow("napari_ptycho.networks.load")
    count, current = choice.choice.count(), choice.current
    choice.open_path(path)
    assert stop(docks, choice.busy) == "open mine.safetensors…"
    end(docks, held)
    assert choice.choice.count() == count
    assert choice.current is current
    choice.open_path(path)
    docks.qtbot.waitUntil(lambda: choice.choice.count() == count + 1, timeout=SOON_MS)


def test_a_result_that_is_being_opened_can_be_left(docks, slow, tmp_path):
    path = tmp_path / "result.h5"
    io.write_reconstruction(first_guess(make_scan()), path)
    docks.show()
    before = docks.names()
    held = slow("napari_ptycho.gui.loading.picture")
    docks.scan.open_path(path)
    assert docks.scan.stop_button.isVisibleTo(docks.scan)
    docks.scan.stop_button.click()
    assert not docks.scan.stop_button.isVisibleTo(docks.scan)
    assert docks.scan.bar.isEnabled()
    end(docks, held)
    assert docks.names() == before
    assert docks.session.reconstruction is None


def test_the_result_of_a_job_that_is_being_opened_can_be_left(docks, slow, tmp_path, monkeypatch):
    path = tmp_path / "result.h5"
    io.write_reconstruction(first_guess(make_scan()), path)
    store = jobs.Store()
    store.stop(store.add(Task("r", "s", str(path)), "a job").id)
    monkeypatch.setattr("napari_ptycho.gui.jobs_dock._has_result", lambda job: True)
    dock = open_dock(docks.viewer, "Jobs")
    docks.qtbot.waitUntil(lambda: len(dock.model.rows) == 1, timeout=SOON_MS)
    dock.choose([dock.model.rows[0].key])
    held = slow("napari_ptycho.gui.jobs_dock.picture")
    dock.open_button.click()
    assert stop(docks, dock.busy) == "open result.h5…"
    end(docks, held)
    assert docks.names() == []
    with suppress_deleted():
        dock.runner.wait(30)


def test_a_long_name_is_shortened_in_the_middle_with_the_whole_as_tooltip(docks, slow, qtbot):
    from napari_ptycho.gui.runner import Runner

    runner, go = Runner(), Event()
    row = LeaveRow(runner)
    qtbot.addWidget(row)
    row.resize(320, 40)
    title = "open " + "a_scan_with_a_long_name_" * 5 + "end.h5"
    runner.call(lambda: go.wait(30), title)
    docks.qtbot.waitUntil(lambda: not row.isHidden(), timeout=SOON_MS)
    shown = row.text.text()
    assert row.text.fontMetrics().horizontalAdvance(shown) <= row.text.width()
    assert shown.startswith("open a_scan")
    assert shown.endswith("end.h5…")
    assert row.text.toolTip() == f"{title}…"
    assert row.width() == 320
    go.set()
    runner.leave()
