"""The Reconstruct dock with chains of engines: real napari, real engines."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.engines import (
    PRESETS,
    EpieOptions,
    LsqmlOptions,
    MpieOptions,
    RpieOptions,
)
from napari_ptycho.engines.suggest import Suggestion
from napari_ptycho.gui import advice, reconstruct_dock

from .conftest import FRAME, SHORT, make_scan


def lines(docks):
    items = docks.stages.list
    return [items.item(row).text() for row in range(items.count())]


def choose(docks, title):
    combo = docks.reconstruct.presets.combo
    combo.setCurrentText(title)
    combo.activated.emit(combo.currentIndex())


def advised(docks):
    return docks.qtbot.waitSignal(docks.reconstruct.adviser.advised, timeout=120_000)


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_fills_the_stages(docks, key):
    preset = PRESETS[key]
    choose(docks, preset.title)
    assert docks.stages.stages() == preset.stages
    assert len(lines(docks)) == len(preset.stages)
    assert docks.stages.form.options() == preset.stages[0]
    assert preset.help.split(",")[0] in docks.reconstruct.presets.note.text()


def test_an_edit_makes_the_chain_the_users_own_and_keeps_it(docks):
    choose(docks, PRESETS["quality"].title)
    docks.stages.list.setCurrentRow(1)
    docks.stages.form.fields["epochs"].setValue(33)
    combo = docks.reconstruct.presets.combo
    assert combo.currentText() == "Own"
    own = docks.stages.stages()
    assert own[1].epochs == 33
    assert own[0] == PRESETS["quality"].stages[0]
    assert lines(docks)[1].startswith("2  rPIE, 33 epochs")
    choose(docks, PRESETS["quick"].title)
    choose(docks, "Own")
    assert docks.stages.stages() == own


def test_stages_are_added_removed_and_moved(docks):
    box = docks.stages
    box.show_stages((RpieOptions(epochs=5, modes=2),))
    assert box.list.isHidden()
    assert box.remove_button.isHidden()
    lsqml = next(a for a in box.add_button.menu().actions() if a.text() == "LSQ-ML")
    with docks.qtbot.waitSignal(box.changed):
        box.add_button.menu().triggered.emit(lsqml)
    assert box.stages() == (RpieOptions(epochs=5, modes=2), LsqmlOptions(modes=2))
    assert not box.list.isHidden()
    assert box.list.currentRow() == 1
    assert not box.down_button.isEnabled()
    box.up_button.click()
    assert [type(one) for one in box.stages()] == [LsqmlOptions, RpieOptions]
    box.down_button.click()
    box.remove_button.click()
    assert box.stages() == (RpieOptions(epochs=5, modes=2),)
    assert box.list.isHidden()


def test_another_engine_for_a_stage(docks):
    box = docks.stages
    box.show_stages((RpieOptions(epochs=5, saturation=100.0),))
    box.engine.setCurrentText("ePIE")
    box.engine.activated.emit(box.engine.currentIndex())
    assert box.stages() == (EpieOptions(epochs=5, saturation=100.0),)
    assert docks.reconstruct.presets.combo.currentText() == "Own"
    assert not box.form.isHidden()
    assert box.form.folds["Detector model"].text().endswith("•")


def test_a_suggestion_comes_with_its_reasons_and_warnings(docks):
    choose(docks, "Suggested")
    with advised(docks):
        docks.show()
    dock = docks.reconstruct
    told = dock._advice.suggestion
    assert docks.stages.stages() == told.stages
    text = dock.presets.note.text()
    assert told.reasons
    assert all(reason.split(":")[0] in text for reason in told.reasons)
    assert told.warnings  # this scan is a raster
    assert "regular raster" in text
    assert "needs about" in dock.memory_note.text()
    docks.stages.form.fields["epochs"].setValue(2)
    assert "regular raster" not in dock.presets.note.text()


def test_a_suggestion_does_not_overwrite_what_was_edited_meanwhile(docks, monkeypatch):
    look, go = advice.suggest, threading.Event()

    def slow(*given):
        go.wait(60)
        return look(*given)

    monkeypatch.setattr(advice, "suggest", slow)
    choose(docks, "Suggested")
    docks.show()
    docks.epochs(77)
    own = docks.stages.stages()
    with advised(docks):
        go.set()
    assert docks.stages.stages() == own


def test_a_scan_without_a_suggestion_says_why(docks, notifications):
    choose(docks, "Suggested")
    before = docks.stages.stages()
    scan = replace(make_scan(), geometry=replace(make_scan().geometry, energy_ev=None))
    from napari_ptycho.gui.views import view_scan

    view = view_scan(scan)
    with advised(docks):
        docks.scan.show_opened((view, view))
    assert "pixel size" in docks.reconstruct.presets.note.text()
    assert docks.stages.stages() == before
    assert notifications() == []


def test_a_large_scan_is_read_only_when_asked_for(docks, monkeypatch):
    choose(docks, "Suggested")
    monkeypatch.setattr(reconstruct_dock, "LARGE_BYTES", 1)
    with advised(docks):
        docks.show()
    assert "large scan" in docks.reconstruct.presets.note.text()
    with advised(docks):
        choose(docks, "Suggested")
    assert "•" in docks.reconstruct.presets.note.text()


def test_a_suggestion_for_a_scan_that_is_gone_is_not_shown(docks, qtbot):
    choose(docks, "Suggested")
    docks.show()
    other = RpieOptions(epochs=1)
    old = advice.Advice(make_scan(), Suggestion((other,), (), ()), "", "cpu", 10**9)
    docks.reconstruct._on_advice(old)
    assert docks.stages.stages() != (other,)


def test_a_device_that_is_not_there_is_said_before_the_start(docks, notifications):
    docks.show()
    with advised(docks):
        docks.reconstruct.device.setCurrentText("mps")
    assert "is not on this machine" in docks.reconstruct.memory_note.text()
    assert docks.reconstruct.box.start_button.isEnabled()
    assert notifications() == []


def test_a_failing_estimate_does_not_break_the_dock(docks, monkeypatch, notifications):
    def broken(*_):
        raise AssertionError("no estimate today")

    monkeypatch.setattr(advice, "outlook", broken)
    docks.show()
    docks.run(1)
    docks.qtbot.waitUntil(lambda: "no estimate today" in docks.reconstruct.memory_note.text())
    assert len(docks.session.reconstruction.errors) == 1
    assert notifications() == []


def test_too_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(advice.device, "free_ram", lambda: 10**4)
    line, warning = advice.memory_text(make_scan(), SHORT, None)
    assert "9 kB may be used" in line
    assert "disk" in warning
    gpu = advice.Advice(None, None, "", "cuda", 60 * 10**9)
    line = advice.memory_text(make_scan(), SHORT, gpu)[0]
    assert line.endswith("of GPU memory; 54 GB may be used")


def test_a_chain_runs_and_its_layers_appear(docks, notifications):
    docks.show()
    docks.run_stages(SHORT)
    reached = docks.session.reconstruction
    assert len(reached.errors) == 5
    positions = docks.viewer.layers["weave · positions"]
    moves = np.hypot(*reached.extras["position_moves_px"].T)
    np.testing.assert_allclose(positions.features["shift_px"], moves)
    np.testing.assert_allclose(positions.data, reached.positions_px + FRAME / 2)
    assert positions.visible
    assert not docks.viewer.layers["positions"].visible
    # where the windows lay before: under the refined ones, in the same object
    given = docks.viewer.layers["positions"]
    np.testing.assert_allclose(
        given.data, positions.data - reached.extras["position_moves_px"], atol=1e-9
    )
    np.testing.assert_allclose(positions.scale, docks.viewer.layers["weave · phase"].scale)
    assert positions.units == docks.viewer.layers["weave · phase"].units
    assert [line.value() for line in docks.reconstruct.box.plot.borders] == [2.5]
    assert "px" in docks.reconstruct.box.legend.text()
    assert notifications() == []


def test_continue_goes_on_with_what_a_stopped_chain_has_left(docks, qtbot):
    docks.show()
    chain = (MpieOptions(epochs=2), RpieOptions(epochs=100_000))
    docks.stages.show_stages(chain)
    dock, running = docks.reconstruct, []
    with qtbot.waitSignal(dock.runner.updated, timeout=120_000):
        dock.box.start_button.click()
    qtbot.waitUntil(lambda: len(docks.session.reconstruction.errors) > 3, timeout=60_000)
    qtbot.waitUntil(lambda: "stage 2 of 2" in dock.box.status.text(), timeout=60_000)
    running = [docks.stages.list.item(row).font().bold() for row in range(2)]
    assert running == [False, True]
    docks.stop()
    reached = len(docks.session.reconstruction.errors)
    assert dock._left[1] == (replace(chain[1], epochs=100_002 - reached),)
    docks.stages.show_stages((chain[0], replace(chain[1], epochs=2)))  # another chain: its last
    with qtbot.waitSignal(dock.runner.finished, timeout=60_000):
        dock.box.continue_button.click()
    assert len(docks.session.reconstruction.errors) == reached + 2
    with qtbot.waitSignal(dock.runner.finished, timeout=60_000):
        dock.box.continue_button.click()  # finished: the last stage once more
    assert len(docks.session.reconstruction.errors) == reached + 4


def test_notes_of_a_run_are_shown(docks, monkeypatch):
    from napari_ptycho.engines import chain

    monkeypatch.setattr(chain, "why_not", lambda *_, **__: "its light is everywhere")
    docks.show()
    docks.run_stages((MpieOptions(epochs=1, resolution="half"), RpieOptions(epochs=1)))
    note = "mPIE runs at full resolution: its light is everywhere"
    assert note in docks.reconstruct.box.status.text()


def test_of_many_notes_the_newest_show():
    from napari_ptycho.gui.run_bar import newest

    notes = [f"epoch {i}" for i in range(9)]
    assert newest(notes) == ["(5 earlier notes)", *notes[-4:]]
    assert newest(notes[:2]) == notes[:2]


def test_a_chain_fits_into_320_pixels(docks):
    docks.show()
    choose(docks, PRESETS["positions"].title)
    dock = docks.reconstruct
    for row in range(2):
        docks.stages.list.setCurrentRow(row)
        for fold in docks.stages.form.folds.values():
            fold.expand(animate=False)
        dock.setFixedWidth(320)
        dock.show()
        assert dock.rows.parentWidget().minimumSizeHint().width() <= 320 - 14  # its scroll bar


def test_the_wheel_scrolls_past_a_choice(docks):
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    combo = docks.reconstruct.presets.combo
    choose(docks, PRESETS["quick"].title)
    at, down = QPointF(2, 2), QPoint(0, -120)
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    QApplication.sendEvent(combo, QWheelEvent(at, at, QPoint(), down, *none, False))
    assert combo.currentText() == PRESETS["quick"].title
