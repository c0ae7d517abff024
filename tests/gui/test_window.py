"""The window as a user drives it: real napari, real engine."""

import threading

import numpy as np

from napari_ptycho import io
from napari_ptycho.gui import canvas

from .conftest import Docks


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("ptycho: reconstruct")]


def test_open_bin_reconstruct_stop_continue_save_reopen(
    docks, qtbot, scan_file, tmp_path, notifications
):
    docks.open(scan_file)
    assert docks.names() == ["mean pattern", "patterns", "positions"]
    assert docks.session.scan.name == "weave"

    docks.scan.binning.rows_box.setValue(1)
    docks.scan.binning.columns_box.setValue(2)
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.scan.binning.bin_button.click()
    assert len(docks.session.scan) == 18

    docks.begin()
    docks.stop()
    reached = len(docks.session.reconstruction.errors)
    name = docks.session.scan.name
    made = ["phase", "amplitude", "probe", "positions"]
    assert [f"{name} · {what}" for what in made] == docks.names()[-4:]
    assert docks.reconstruct.box.continue_button.isEnabled()

    docks.epochs(2)
    with qtbot.waitSignal(docks.reconstruct.runner.finished, timeout=60_000):
        docks.reconstruct.box.continue_button.click()
    errors = docks.session.reconstruction.errors
    assert len(errors) == reached + 2

    path = tmp_path / "result.h5"
    with qtbot.waitSignal(docks.reconstruct.save_button.saved, timeout=60_000):
        docks.reconstruct.save_button.save(path)
    np.testing.assert_allclose(io.read_reconstruction(path).errors, errors, rtol=1e-6)

    docks.viewer.layers.clear()
    docks.open(path)
    assert "result · phase" in docks.names() or f"{name} · phase" in docks.names()
    assert notifications() == []


def test_unbinned_is_the_scan_as_it_was_read(docks, qtbot):
    docks.show()
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.scan.bin((2, 2), "path")
    assert len(docks.session.scan) == 9
    docks.scan.binning.undo_button.click()
    assert len(docks.session.scan) == 36
    assert len(docks.viewer.layers["patterns"].data) == 36


def test_the_bin_report_follows_the_size(docks, qtbot):
    docks.show()
    note = docks.scan.binning.note
    with qtbot.waitSignal(docks.scan.binning.runner.finished, timeout=60_000):
        docks.scan.binning.rows_box.setValue(3)
    assert note.text()
    before = note.text()
    with qtbot.waitSignal(docks.scan.binning.runner.finished, timeout=60_000):
        docks.scan.binning.columns_box.setValue(3)
    assert note.text() != before


def test_a_new_geometry_is_the_users_and_rescales_the_layers(docks, qtbot):
    docks.show()
    before = docks.viewer.layers["positions"].scale[0]
    field = docks.scan.form.fields["energy_ev"]
    field.setText("16 keV")
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        field.editingFinished.emit()
    assert docks.session.scan.geometry.energy_ev == 16_000
    assert docks.session.scan.sources["energy_ev"] == "user"
    np.testing.assert_allclose(docks.viewer.layers["positions"].scale[0], before / 2)
    assert all(canvas.held_by(layer) is docks.session.scan for layer in docks.viewer.layers)
    extents = [layer.extent.world[:, -1] for layer in docks.viewer.layers]
    np.testing.assert_allclose(extents[0], extents[1])  # patterns still lie over the positions
    np.testing.assert_allclose(extents[0], extents[2], atol=docks.viewer.layers[0].scale[-1])
    sources = [docks.scan.table.item(i, 2).text() for i in range(docks.scan.table.rowCount())]
    assert "user" in sources


def test_another_propagation_reads_the_file_again(docks, qtbot, scan_file):
    docks.open(scan_file)
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.scan.form.edited.emit("energy_ev", 9000.0)
    before = docks.session.view
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.scan.form.edited.emit("propagation", "near")
    geometry = docks.session.scan.geometry
    assert (geometry.propagation, geometry.energy_ev) == ("near", 9000.0)
    assert docks.session.view.patterns is not before.patterns


def test_a_geometry_that_is_not_allowed_is_said_and_the_old_one_shown(docks, qtbot, notifications):
    docks.show()
    shown = docks.scan.form.fields["distance_m"].text()
    docks.scan.form.fields["distance_m"].setText("7 m")
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.scan.form.edited.emit("distance_m", -1.0)
    assert len(notifications()) == 1
    assert docks.scan.form.fields["distance_m"].text() == shown


def test_an_implausible_value_is_red_with_the_likely_factor(docks, qtbot):
    docks.show()
    field = docks.scan.form.fields["energy_ev"]
    field.setText("8 eV")
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        field.editingFinished.emit()
    assert "1000" in field.toolTip()
    assert "border" in field.styleSheet()


def test_a_bad_file_gives_one_notification(docks, tmp_path, notifications):
    path = tmp_path / "nonsense.h5"
    path.write_bytes(b"this is no HDF5 file")
    docks.open(path)
    assert len(notifications()) == 1
    assert "nonsense.h5" in notifications()[0]
    assert docks.scan.bar.isEnabled()
    assert docks.session.scan is None


def test_two_viewers_do_not_mix(docks, qtbot, make_napari_viewer):
    other = Docks(qtbot, make_napari_viewer())
    docks.show(name="first")
    other.show(name="second", rows=4)
    docks.begin()
    other.begin()
    docks.stop()
    other.stop()
    assert docks.session.reconstruction.name == "first"
    assert other.session.reconstruction.name == "second"
    assert not any("second" in name for name in docks.names())
    assert not any("first" in name for name in other.names())


def test_deleting_a_layer_in_a_run_is_left_alone_until_the_next_start(docks, qtbot, notifications):
    docks.show()
    docks.begin()
    docks.viewer.layers.remove("weave · phase")
    with qtbot.waitSignals([docks.reconstruct.runner.updated] * 2, timeout=60_000):
        pass
    docks.stop()
    assert "weave · phase" not in docks.names()
    docks.run()
    assert "weave · phase" in docks.names()
    assert notifications() == []


def test_deleting_all_layers_and_the_scan_in_a_run(docks, qtbot, notifications):
    docks.show()
    docks.begin()
    docks.viewer.layers.clear()
    with qtbot.waitSignal(docks.reconstruct.runner.updated, timeout=60_000):
        pass
    docks.stop()
    assert docks.names() == []
    assert notifications() == []


def test_starting_twice_runs_once(docks, notifications):
    docks.show()
    docks.begin()
    docks.reconstruct.start()
    assert len(threads()) == 1
    assert len(notifications()) == 1
    assert not docks.reconstruct.box.start_button.isEnabled()
    docks.stop()


def test_closing_the_viewer_in_a_run_ends_the_thread(docks, qtbot, notifications):
    docks.show()
    docks.begin()
    docks.viewer.close()
    qtbot.waitUntil(lambda: not threads(), timeout=60_000)
    assert notifications() == []


def test_closing_the_dock_in_a_run_ends_the_thread(docks, qtbot, notifications):
    docks.show()
    docks.begin()
    docks.viewer.window.remove_dock_widget(docks.reconstruct)
    docks.reconstruct.deleteLater()
    qtbot.waitUntil(lambda: not threads(), timeout=60_000)
    docks.viewer.theme = "light"
    assert notifications() == []


def test_start_from_the_selected_layer(docks):
    docks.show()
    docks.run(2)
    docks.viewer.layers.selection = {docks.viewer.layers["weave · amplitude"]}
    docks.reconstruct.start_box.choice.setCurrentText("selected layer")
    docks.run(1)
    assert len(docks.session.reconstruction.errors) == 3


def test_start_from_a_file(docks, tmp_path):
    docks.show()
    docks.run(2)
    path = tmp_path / "before.h5"
    io.write_reconstruction(docks.session.reconstruction, path)
    docks.reconstruct.start_box.set_path(path)
    docks.run(1)
    assert len(docks.session.reconstruction.errors) == 3


def test_start_from_optics_shows_a_form_for_them(docks):
    docks.show()
    box = docks.reconstruct.start_box
    box.choice.setCurrentText("optics")
    assert not box.optics.isHidden()
    docks.run(1)
    assert "optics" in docks.session.reconstruction.provenance["start"]
    box.choice.setCurrentText("automatic")
    assert box.optics.isHidden()


def test_a_start_that_does_not_fit_is_one_sentence(docks, notifications):
    docks.show()
    docks.run(1)
    docks.show(rows=4)
    docks.reconstruct.go_on()
    docks.qtbot.waitUntil(lambda: not docks.reconstruct.runner.running, timeout=60_000)
    assert len(notifications()) == 1
    assert "start from a reconstruction of the same scan" in notifications()[0]


def test_the_docks_fit_into_320_pixels(docks):
    docks.show()
    for dock in (docks.scan, docks.reconstruct):
        dock.setFixedWidth(320)
        dock.show()
        inside = dock.rows.parentWidget()
        assert inside.minimumSizeHint().width() <= 320


def test_the_theme_can_change_in_a_run(docks, qtbot):
    docks.show()
    docks.begin()
    dark = docks.reconstruct.box.plot.background
    docks.viewer.theme = "light"
    with qtbot.waitSignal(docks.reconstruct.runner.updated, timeout=60_000):
        pass
    assert docks.reconstruct.box.plot.background != dark
    docks.stop()
