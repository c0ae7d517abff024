"""The FRC page of the Inspect dock: real napari, real correlations."""

import csv
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication

from napari_ptycho.assess.correlation import frc
from napari_ptycho.assess.frc_options import MODES, FrcOptions
from napari_ptycho.assess.pairing import AlignOptions
from napari_ptycho.assess.plane import Plane, plane_of
from napari_ptycho.denoise import DenoiseOptions
from napari_ptycho.gui.frc_page import ALL, HALVES, ONE, TWO
from napari_ptycho.gui.honest_box import RAW, SAME, settings_of
from napari_ptycho.phantoms import noisy
from napari_ptycho.prepare import first_guess

from .conftest import make_scan, suppress_deleted

NM = {"scale": (8, 8), "units": ("nm", "nm")}


class Inspecting:
    """The page in a real window, as a user drives it."""

    def __init__(self, qtbot, viewer):
        from napari_ptycho.gui.app import open_dock

        self.qtbot, self.viewer = qtbot, viewer
        self.dock = open_dock(viewer, "Inspect")
        self.page = self.dock.open_page("FRC")
        self.chosen, self.view = self.dock.chosen, self.page.view

    def settle(self):
        """Wait until all that was asked for is shown."""

        def idle():
            page = self.page
            busy = page.latest.busy or page._pause.isActive() or self.chosen._pause.isActive()
            return not busy and not page.canvas.tool._pause.isActive()

        self.qtbot.waitUntil(idle, timeout=20_000)
        self.qtbot.wait(80)
        self.qtbot.waitUntil(idle, timeout=20_000)

    def choose(self, first, second=None):
        self.chosen.first.choose(first)
        self.chosen.second.choose("none" if second is None else second)
        self.settle()

    def field(self, name, value):
        self.page.form.fields[name].setCurrentText(value)
        self.settle()

    def names(self):
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def inspecting(qtbot, make_napari_viewer):
    one = Inspecting(qtbot, make_napari_viewer())
    yield one
    with suppress_deleted():
        one.page.leave()
        runners = (
            one.page.latest.runner,
            one.page.honest_box.runner,
            one.view.table.save_button.runner,
            one.view.table.curves_button.runner,
        )
        for runner in runners:
            runner.stop()
            runner.wait(30)


@pytest.fixture
def stars(inspecting):
    """Two noisy copies of the star as layers; the first is chosen."""
    images = [noisy("star", seed=seed)[0] for seed in (0, 1)]
    layers = [
        inspecting.viewer.add_image(image, name=f"star {name}", **NM)
        for image, name in zip(images, "AB", strict=True)
    ]
    inspecting.choose(layers[0])
    return inspecting, layers


def test_one_image_then_two_then_all_that_are_selected(stars):
    page, (a, b) = stars[0], stars[1]
    view = page.view
    planes = [Plane(layer.data, name=layer.name, pixel_m=(8e-9, 8e-9)) for layer in (a, b)]
    assert page.page.what.currentText() == ONE
    expected = frc(planes[0])
    np.testing.assert_allclose(view.curves[0].y, expected.curve.y)
    assert view.table.lines[0].cells[0] == "star A"
    assert view.table.lines[0].cells[2] == f"{expected.resolution().value:.3g}"
    assert view.table.titles[2] == "full period (nm)"
    assert expected.resolution().text() in view.note.text()
    page.choose(a, b)
    assert page.page.what.currentText() == TWO
    np.testing.assert_allclose(view.curves[0].y, frc(*planes).curve.y)
    assert view.curves[0].label == "star A and star B"
    page.choose(a)
    assert page.page.what.currentText() == ONE
    page.viewer.layers.selection.clear()
    page.viewer.layers.selection.update([a, b])
    page.page.what.setCurrentText(ALL)
    page.settle()
    assert [curve.label for curve in view.curves] == ["star A", "star B"]
    np.testing.assert_allclose(view.curves[1].y, frc(planes[1]).curve.y)
    assert len(view.plot.curves) == 2


def test_it_follows_data_and_options(stars):
    page, (a, b) = stars
    before = page.view.curves[0].y
    a.data = b.data
    page.settle()
    assert not np.allclose(page.view.curves[0].y, before)
    page.field("threshold", "1/7")
    page.field("convention", "siFRC README")
    found = page.view.found[0]
    assert found.options.threshold == "1/7"
    assert page.view.table.titles[2] == "siFRC README (nm)"
    value = found.resolutions("1/7")[5].value
    assert page.view.table.lines[0].cells[2] == f"{value:.3g}"
    marks = [mark.value() for mark in page.view.plot.marks if mark.isVisible()]
    assert marks == [pytest.approx(found.crossing().first)]


def test_a_mode_brings_its_options_and_sifrc_aligns_nothing(stars):
    page, (a, b) = stars
    page.field("threshold", "0.5")
    page.field("mode", "siFRC")
    assert page.page.form.options() == FrcOptions.of("siFRC", threshold="0.5")
    assert page.page.form.options().window == MODES["siFRC"].defaults["window"]
    b.data = np.roll(b.data, 2, 0)
    page.choose(a, b)
    planes = [Plane(layer.data) for layer in (a, b)]
    expected = frc(*planes, FrcOptions.of("siFRC", threshold="0.5"))
    np.testing.assert_allclose(page.view.found[0].raw, expected.raw)


def test_alignment_is_switchable(stars):
    page, (a, b) = stars
    b.data = np.roll(b.data, 2, 0)
    page.choose(a, b)
    good = page.view.found[0].raw[5:20].mean()
    assert page.page.fold.isVisibleTo(page.page)
    page.page.align.fields["shift"].setChecked(False)
    page.settle()
    planes = [Plane(layer.data) for layer in (a, b)]
    expected = frc(*planes, FrcOptions(), AlignOptions(shift=False))
    np.testing.assert_allclose(page.view.found[0].raw, expected.raw)
    assert page.view.found[0].raw[5:20].mean() < good - 0.2


def test_a_rectangle_is_followed_while_it_moves(stars):
    page, (a, _) = stars
    box = page.page.canvas
    box.roi.setChecked(True)
    page.settle()
    assert "rectangle" in page.names()
    rows, columns = box.tool.of(a)
    part = Plane(a.data[rows, columns])
    np.testing.assert_allclose(page.view.found[0].raw, frc(part).raw)
    shape = page.viewer.layers["rectangle"]
    shape.data = [np.array([(0, 0), (0, 70), (50, 70), (50, 0)], float)]
    page.settle()
    part = Plane(a.data[0:51, 0:71])
    np.testing.assert_allclose(page.view.found[0].raw, frc(part).raw)
    shape.data = [np.array([(0, 0), (0, 9), (9, 9), (9, 0)], float)]
    page.settle()
    assert page.view.found == ()
    assert "10 x 10" in page.view.note.text()  # too small, said in red
    assert page.view.table.lines == ()
    page.viewer.layers.remove(shape)
    page.settle()
    assert not box.roi.isChecked()
    np.testing.assert_allclose(page.view.found[0].raw, frc(Plane(a.data)).raw)


def test_the_spectrum_has_its_ring_where_the_curve_falls(stars):
    page, (a, b) = stars
    box = page.page.canvas
    b.visible = True
    box.spectral.setChecked(True)
    page.settle()
    image, ring = (page.viewer.layers[name] for name in ("power spectrum", "resolution ring"))
    assert image.data.shape == a.data.shape
    assert np.unravel_index(np.argmax(image.data), a.data.shape)[0] in (63, 64, 65)
    frequency = page.view.found[0].resolutions()[1].value
    reach = np.ptp(ring.data[0], axis=0) / 2
    np.testing.assert_allclose(reach, frequency * np.array(a.data.shape))
    np.testing.assert_allclose(ring.data[0].mean(axis=0), (64, 64))
    assert ring.visible
    assert image.extent.world[0, 1] > a.extent.world[1, 1]  # beside it
    assert image not in page.page.layers()
    assert not b.visible
    page.field("threshold", "1-bit")
    assert np.ptp(ring.data[0], axis=0)[0] / 2 < reach[0]
    box.spectral.setChecked(False)
    assert page.names() == ["star A", "star B"]
    assert b.visible


def test_the_curve_is_on_the_canvas_only_while_the_page_shows(stars):
    page, _ = stars
    box = page.page.canvas
    for check in (box.on_canvas, box.roi, box.spectral):
        check.setChecked(True)
    page.settle()
    assert box.overlay.shown
    assert len(page.names()) == 6
    page.page.leave()
    assert not box.overlay.shown
    assert page.names() == ["star A", "star B"]
    page.page.refresh()
    page.settle()
    assert len(page.names()) == 6
    for check in (box.on_canvas, box.spectral, box.roi):
        check.setChecked(False)
    assert page.names() == ["star A", "star B"]


def test_what_is_wrong_is_said_in_red(inspecting):
    viewer = inspecting.viewer
    viewer.add_image(np.full((40, 40), 3.0), name="flat")
    inspecting.choose(viewer.layers["flat"])
    assert "flat: all pixels have the same value" in inspecting.view.note.text()
    assert inspecting.view.curves == ()
    assert not inspecting.view.table.copy_button.isEnabled()
    inspecting.page.what.setCurrentText(TWO)
    inspecting.settle()
    assert "Choose a Reference above" in inspecting.view.note.text()
    viewer.layers.clear()
    inspecting.settle()
    assert "Choose a layer above" in inspecting.view.note.text()


def test_a_denoised_layer_gets_its_warning(stars):
    from napari_ptycho.gui.canvas import MADE

    page, (a, b) = stars
    a.metadata[MADE] = ("star", "image", "DIP")
    page.page.refresh()
    page.settle()
    assert "denoised (DIP)" in page.view.note.text()
    assert "not valid" in page.view.note.text()
    # of two of them it is said once, and names both without their common beginning
    a.name, b.name = "star · A", "star · B"
    b.metadata[MADE] = ("star", "image", "TV")
    page.viewer.layers.selection = {a, b}
    page.page.what.setCurrentText(ALL)
    page.settle()
    said = unescape(page.view.note.text())
    assert said.count("not valid") == 1
    assert "'A' was denoised (DIP), 'B' was denoised (TV): an FRC" in said
    table = page.view.table
    assert [table.table.item(row, 0).text() for row in range(2)] == ["A", "B"]
    assert "star · A" in table.table.item(0, 0).toolTip()
    assert table.lines[0].cells[0] == "star · A"
    assert page.view.plot.legend.isHidden()


def test_copy_and_save(stars, tmp_path):
    page, (a, b) = stars
    page.choose(a, b)
    table = page.view.table
    table.copy_button.click()
    copied = [line.split("\t") for line in QGuiApplication.clipboard().text().split("\n")]
    assert copied == [list(table.titles), list(table.lines[0].cells)]
    for button, name in ((table.save_button, "t.csv"), (table.curves_button, "c.csv")):
        with page.qtbot.waitSignal(button.saved, timeout=20_000):
            button.save(tmp_path / name)
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = page.view.found[0]
    assert [row["threshold"] for row in rows] == list(found.crossings)
    for row in rows:
        first = found.crossings[row["threshold"]].first
        assert (
            row["P or f"] == "" if first is None else float(row["P or f"]) == pytest.approx(first)
        )
        assert row["Koho"] == ""
    with (tmp_path / "c.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 1 + len(found.curve.x)


# -- honest halves


@pytest.fixture
def measured(docks):
    """A scan and its reconstruction in the window, its phase chosen."""
    docks.show(rows=8, columns=8)
    docks.run(4)
    one = Inspecting(docks.qtbot, docks.viewer)
    layer = next(layer for layer in docks.viewer.layers if layer.name.endswith("phase"))
    one.choose(layer)
    yield one, docks
    with suppress_deleted():
        one.page.leave()
        for runner in (one.page.latest.runner, one.page.honest_box.runner):
            runner.stop()
            runner.wait(30)


def test_channels_and_honest_halves_of_a_reconstruction(measured):
    one, docks = measured
    found = docks.session.reconstruction
    np.testing.assert_allclose(one.view.found[0].raw, frc(plane_of(found)).raw)
    assert one.view.found[0].resolution().unit == "nm"
    assert one.page.channel.isEnabled()
    one.page.channel.setCurrentText("complex")
    one.settle()
    np.testing.assert_allclose(one.view.found[0].raw, frc(plane_of(found, "complex")).raw)
    box = one.page.honest_box
    one.page.honest_button.click()
    assert one.page.what.currentText() == HALVES
    assert box.isVisibleTo(one.page)
    assert box.start_button.isEnabled()
    box.denoise.setCurrentText("arch1-bilinear")
    assert box.iterations.value() == DenoiseOptions.of("arch1-bilinear").iterations
    box.iterations.setValue(4)
    with docks.qtbot.waitSignal(box.runner.finished, timeout=120_000) as end:
        box.start_button.click()
        assert box.stop_button.isEnabled()
    assert end.args[0] == "done"
    assert [curve.label for curve in one.view.curves] == [
        "raw halves",
        "denoised, different seeds",
        "denoised, same seed",
        "invention spectrum",
    ]
    assert [line.cells[0] for line in one.view.table.lines] == [
        c.label for c in one.view.curves[:3]
    ]
    assert "invented by the network" in one.view.small.text()
    assert box.bar.value() == box.bar.maximum()
    one.page.form.fields["threshold"].setCurrentText("1/7")
    assert one.view.threshold == "1/7"  # chosen anew, not computed anew
    assert "1/7" in one.view.small.text()
    one.page.what.setCurrentText(ONE)
    one.settle()
    assert len(one.view.curves) == 1
    one.page.what.setCurrentText(HALVES)
    assert len(one.view.curves) == 4


def test_honest_halves_stop_and_why_there_are_none(measured):
    one, docks = measured
    box = one.page.honest_box
    one.page.honest_button.click()
    box.denoise.setCurrentText("arch1-bilinear")
    box.iterations.setValue(100_000)
    with docks.qtbot.waitSignal(box.reached, timeout=120_000):
        box.start_button.click()
    with docks.qtbot.waitSignal(box.runner.finished, timeout=60_000) as end:
        box.stop_button.click()
    assert end.args[0] == "stopped"
    assert [curve.label for curve in one.view.curves] == ["raw halves"]
    assert not box.stop_button.isEnabled()
    page = one.page
    plain = docks.viewer.add_image(noisy("star", 64)[0], name="plain")
    one.choose(plain)
    assert not box.start_button.isEnabled()
    assert "Choose a layer of a reconstruction" in box.start_button.toolTip()
    assert one.view.curves == ()  # those were of another image
    one.choose(docks.viewer.layers["weave · phase"])
    assert box.start_button.isEnabled()
    box.denoise.setCurrentText(SAME)
    box.start(page.form.options())
    assert "was not denoised by a network" in box.status.text()
    docks.show(rows=5, columns=5, name="other")
    assert not box.start_button.isEnabled()
    assert "is not a reconstruction of the scan 'other'" in box.start_button.toolTip()
    box.start(page.form.options())
    assert "is not a reconstruction of the scan" in box.status.text()
    docks.session.view = None
    box.follow()
    assert "Open the scan" in box.start_button.toolTip()
    assert box.denoise.itemText(0) == RAW


def test_settings_of_an_earlier_denoising_are_taken_over():
    found = first_guess(make_scan())
    assert settings_of(found) is None
    used = DenoiseOptions.of("arch1", rate=0.02, seed=4)
    entries = [{"settings": {"method": "tv"}}, {"settings": {**used.as_dict(), "title": "x"}}]
    assert settings_of(replace(found, provenance={"denoised": entries})) == used
    assert settings_of(replace(found, provenance={"denoised": entries[:1]})) is None
