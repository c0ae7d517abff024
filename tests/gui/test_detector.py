"""The sections Detector and Orientation of the Scan dock, in a real window."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.gui import canvas
from napari_ptycho.gui.views import view_scan
from napari_ptycho.prepare.detector_facts import GOOD, HOT, MASKED
from napari_ptycho.prepare.orientation import turned

from .conftest import make_scan

MISREAD = 4


@pytest.fixture
def frames(docks):
    """Both sections, of a scan with a hot pixel and frames that are turned."""
    scan = make_scan()
    patterns = np.ascontiguousarray(turned(scan.patterns, MISREAD))
    patterns[:, 3, 28] = 500
    view = view_scan(replace(scan, patterns=patterns))
    docks.scan.show_opened((view, view))
    box = docks.scan.frames
    yield box
    for runner in (box.detector.runner, box.detector.finder, box.orientation.runner):
        runner.stop()
        runner.wait(30)


def changed(docks, button):
    with docks.qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        button.click()


def told(box):
    return [" ".join(line.split()) for line in box.note._content[0]]


def test_the_form_is_filled_and_tells_what_it_would_do(docks, frames):
    box, pixel = frames.detector, docks.session.scan.pixel_size_m[0] * 1e9
    assert not frames.sections["Detector"].is_open
    frames.sections["Detector"].open()
    docks.qtbot.waitUntil(lambda: "pattern 32 x 32" in told(box), timeout=20_000)
    box.auto_button.click()
    docks.qtbot.waitUntil(lambda: box.options().centre == "given", timeout=20_000)
    assert abs(box.options().centre_y - 16) < 0.5
    box.sizes.setCurrentText("24")
    box.sizes.activated.emit(box.sizes.currentIndex())
    box.form.fields["hot"].setValue(10.0)
    docks.qtbot.waitUntil(lambda: "found 1 hot pixel" in told(box), timeout=20_000)
    assert "pattern 24 x 24" in told(box)
    assert f"object pixel {pixel * 32 / 24:.3g} nm (was {pixel:.3g} nm)" in told(box)


def test_frames_are_painted_cut_and_taken_back(docks, frames, notifications):
    box, before = frames.detector, docks.session.scan
    for name, value in (("size", 24), ("hot", 10.0)):
        box.form.fields[name].setValue(value)
    box.paint_button.click()
    docks.qtbot.waitUntil(lambda: "mask" in docks.names(), timeout=20_000)
    layer = docks.viewer.layers["mask"]
    assert layer.data[3, 28] == HOT
    assert not docks.viewer.canvas.grid.enabled
    layer.paint((20, 20), MASKED)
    painted = np.asarray(layer.data) == MASKED
    assert painted[20, 20]
    box.form.fields["hot"].setValue(1e6)  # what is found changes, what is painted stays
    docks.qtbot.waitUntil(lambda: layer.data[3, 28] == GOOD, timeout=20_000)
    assert layer.data[20, 20] == MASKED
    box.form.fields["hot"].setValue(10.0)

    changed(docks, box.apply_button)
    scan = docks.session.scan
    np.testing.assert_array_equal(scan.patterns, before.patterns[:, 4:28, 4:28])
    np.testing.assert_array_equal(scan.valid, ~painted[4:28, 4:28])
    assert scan.notes[0].startswith("1 pixel was masked (hot")
    assert scan.notes[1] == f"The mask was painted: {painted.sum()} pixels masked."
    assert docks.names() == ["mean pattern", "patterns", "positions"]
    assert not box.paint_button.isChecked()
    assert box.options().size == 0  # what was done is not done again

    docks.scan.form.edited.emit("distance_m", 2.0)
    docks.qtbot.waitUntil(lambda: docks.session.scan.geometry.distance_m == 2.0, timeout=20_000)
    changed(docks, box.back_button)
    np.testing.assert_array_equal(docks.session.scan.patterns, before.patterns)
    assert docks.session.scan.geometry.distance_m == 2.0
    assert not box.back_button.isEnabled()
    assert notifications() == []


def test_an_impossible_cut_is_told_beside_the_form(docks, frames):
    box = frames.detector
    frames.sections["Detector"].open()
    for name, value in (("centre_y", 500.0), ("size", 16)):
        box.form.fields[name].setValue(value)
    box.form.fields["centre"].setCurrentText("given")
    docks.qtbot.waitUntil(lambda: bool(box.note._content[1]), timeout=20_000)
    assert "lies outside the frames of 32 x 32 pixels" in box.note._content[1][0]


def test_the_orientation_is_found_shown_and_used(docks, frames, notifications):
    box, before = frames.orientation, docks.session.scan
    frames.sections["Orientation"].open()
    for name, value in (("patterns", 36), ("first_epochs", 3), ("epochs", 12)):
        box.form.fields[name].setValue(value)
    with docks.qtbot.waitSignal(box.runner.finished, timeout=120_000):
        box.find_button.click()
        assert box.stop_button.isEnabled()
    cells = box.grid.cells
    assert {cells[0].code, cells[4].code} == {4, 7}
    assert {cells[3].code, cells[7].code} in ({0, 3}, {1, 2}, {5, 6})
    assert all(cell.image.pixmap().width() > 30 for cell in cells)
    assert cells[0].text.text() == f"4: {box.runner.last.result.errors[0]:.4f}"
    assert cells[0].styleSheet() == cells[4].styleSheet() != cells[1].styleSheet()
    assert any("joint sign of both axes cannot be known" in line for line in told(box))

    changed(docks, cells[0].button)
    scan = docks.session.scan
    np.testing.assert_array_equal(scan.patterns, turned(before.patterns, 4))
    assert scan.notes[-1] == "The frames were turned: transposed (orientation 4)."
    assert {cells[0].code, cells[4].code} == {0, 3}  # the ranking is of the turned scan now
    assert not cells[0].button.isEnabled()

    box.codes.setCurrentIndex(1)
    changed(docks, box.turn_button)
    np.testing.assert_array_equal(docks.session.scan.patterns, turned(scan.patterns, 1))
    changed(docks, frames.detector.back_button)
    assert docks.session.scan is before
    assert not box.grid.isVisibleTo(box)
    assert canvas.find(docks.viewer.layers, (canvas.MASK,)) == []
    assert notifications() == []


def test_a_search_can_be_stopped_and_another_scan_ends_it(docks, frames):
    box = frames.orientation
    box.form.fields["first_epochs"].setValue(1000)
    with docks.qtbot.waitSignal(box.runner.updated, timeout=60_000):
        box.find_button.click()
    with docks.qtbot.waitSignal(box.runner.finished, timeout=60_000) as ended:
        docks.show(name="other")
    assert ended.args[0] == "stopped"
    assert box.find_button.isEnabled()
    assert not box.grid.isVisibleTo(box)
