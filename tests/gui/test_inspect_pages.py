"""The pages Difference, Profile, Numbers and Map of the Inspect dock, in a real window."""

import csv
import time
from pkgutil import resolve_name
from threading import Event

import h5py
import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas
from napari_ptycho.gui.canvas import MADE
from napari_ptycho.gui.latest import Latest
from napari_ptycho.model import Reconstruction
from napari_ptycho.phantoms import noisy

SIDE = 128
NM = {"scale": (10, 10), "units": ("nm", "nm")}


class Inspecting:
    """A real window with the Inspect dock, as a user drives it."""

    def __init__(self, qtbot, viewer, notifications):
        from napari_ptycho.gui.app import open_dock

        self.qtbot, self.viewer, self.notifications = qtbot, viewer, notifications
        self.dock = open_dock(viewer, "Inspect")
        self.dock.open_page("Map")  # it waits to be asked

    def add(self, name, image, **how):
        return self.viewer.add_image(image, name=name, **{**NM, **how})

    def choose(self, layer, other=None):
        self.dock.chosen.first.choose(layer)
        self.dock.chosen.second.choose(other if other is not None else "none")

    def page(self, title):
        page = self.dock.open_page(title)
        self.settle(page)
        return page

    def settle(self, page):
        """Wait until what was asked for last is answered."""
        self.qtbot.wait(120)  # the pause of `Chosen`, or of a tool
        self.qtbot.waitUntil(lambda: not page.latest.busy, timeout=60_000)
        self.qtbot.wait(20)

    def names(self):
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def window(qtbot, make_napari_viewer, notifications):
    window = Inspecting(qtbot, make_napari_viewer(), notifications)
    yield window
    for page in window.dock.pages.values():
        latest = getattr(page, "latest", None)
        if latest is not None:
            latest.forget()
            latest.runner.wait(30)
    window.qtbot.wait(50)


@pytest.fixture
def two(window):
    """A noisy image and its truth; the noisy one is inspected."""
    image, clean = noisy("star", SIDE, 0.1)
    layers = window.add("clean", clean), window.add("noisy", image)
    window.choose(layers[1], layers[0])
    window.first, window.second = layers[1], layers[0]
    return window


def field(page, name):
    return page.form.fields[name]


def text(note):
    return note.text()


# -- Difference


def test_a_difference_lies_over_its_layers_and_follows_them(two):
    page = two.page("Difference")
    assert page.found.rms == pytest.approx(0.1, rel=0.1)
    assert "rms" in text(page.note)
    assert two.names() == ["clean", "noisy"]
    page.show_button.click()
    layer = two.viewer.layers["difference: noisy - clean"]
    assert layer.colormap.name == "RdBu_r"
    assert layer.contrast_limits[0] == -layer.contrast_limits[1]
    np.testing.assert_allclose(layer.scale, two.second.scale)
    np.testing.assert_allclose(layer.translate, two.second.translate)
    assert layer.units == two.second.units
    assert np.nanstd(layer.data) == pytest.approx(0.1, rel=0.1)
    assert layer.colorbar.visible
    # it is nothing to inspect
    first = two.dock.chosen.first
    assert [first.itemText(i) for i in range(first.count())] == ["noisy", "clean"]
    two.first.data = two.second.data + 0.3 * noisy("star", SIDE, 1.0)[0]
    two.settle(page)
    assert np.nanstd(layer.data) > 0.25
    assert layer.contrast_limits[1] > 0.5
    # also while another page shows
    two.dock.open_page("Map")
    two.first.data = 0.1 * np.asarray(two.first.data) + 0.9 * np.asarray(two.second.data)
    two.settle(page)
    assert np.nanstd(layer.data) < 0.1
    assert two.names().count("difference: noisy - clean") == 1
    two.dock.open_page("Difference")
    page.show_button.click()
    assert two.names() == ["clean", "noisy"]
    page.show_button.click()
    two.viewer.layers.remove(two.viewer.layers[-1])
    assert not page.show_button.isChecked()
    assert two.notifications() == []


def test_switches_units_and_failures_of_a_difference(two, tmp_path):
    two.first.data = two.first.data + 5
    page = two.page("Difference")
    assert "-5" in text(page.note)  # what was added to bring it back
    assert abs(page.found.mean) < 0.01
    page.show_button.click()
    for name in ("phase", "ramp"):
        field(page, name).setChecked(False)
    field(page, "kind").setCurrentText("relative")
    two.settle(page)
    assert "%" in text(page.note)
    assert two.names()[-1] == "difference: noisy - clean (%)"
    assert np.nanmedian(two.viewer.layers[-1].data) == pytest.approx(500, rel=0.05)
    assert page._savable().name == "difference_noisy_-_clean.png"
    for ending in ("png", "h5"):
        with two.qtbot.waitSignal(page.save_button.saved, timeout=60_000):
            page.save_button.save(tmp_path / f"map.{ending}")
    with h5py.File(tmp_path / "map.h5") as file:
        np.testing.assert_allclose(file["map"][()], page.found.data, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(file["map"].attrs["pixel_size_m"], 10e-9)
    assert (tmp_path / "map.png").stat().st_size > 10_000
    two.first.data = np.full((SIDE, SIDE), 3.0)
    two.settle(page)
    assert "all pixels have the same value" in text(page.note)
    assert "color:" in text(page.note)
    assert two.names() == ["clean", "noisy"]
    assert not page.save_button.isEnabled()
    two.choose(two.second)
    two.settle(page)
    assert "Choose a Reference above" in text(page.note)


def reconstruction():
    """A star that was lit in the middle only."""
    rng = np.random.default_rng(0)
    wave = np.exp(1j * noisy("star", SIDE, 0.05)[1]).astype(np.complex64)
    return Reconstruction(
        object=wave,
        probe=np.ones((1, 32, 32), np.complex64),
        positions_px=rng.uniform(20, 76, (60, 2)),
        pixel_size_m=(10e-9, 10e-9),
        name="star",
    )


def test_maps_lie_where_their_pixels_are(window):
    """Of other shapes, of other pixels, and over a reconstruction."""
    image = noisy("star", SIDE, 0.1)[0]
    wide, narrow = window.add("wide", image), window.add("narrow", image[:, 20:-20])
    coarse = window.add("coarse", image.reshape(64, 2, 64, 2).mean((1, 3)), scale=(20, 20))
    window.choose(narrow, wide)
    page = window.page("Difference")
    page.show_button.click()
    layer = window.viewer.layers[-1]
    assert layer.data.shape == (SIDE, SIDE - 40)
    np.testing.assert_allclose(layer.translate, (0, 200))
    window.choose(wide, coarse)
    window.settle(page)
    np.testing.assert_allclose(layer.scale, (20, 20))
    np.testing.assert_allclose(layer.translate, 0, atol=1e-6)
    window.choose(coarse, wide)
    window.settle(page)
    np.testing.assert_allclose(layer.scale, (20, 20))
    assert abs(np.array(layer.translate)).max() < 10
    assert any("resampled" in note for note in page.found.notes)
    whole = reconstruction()
    meta = canvas.metadata(canvas.PHASE, whole, offset=(3, 4))
    place = {"metadata": meta, "translate": (30, 40)}
    phase = window.add("star · phase", np.angle(whole.object), **place)
    window.choose(wide, phase)
    window.settle(page)
    assert layer.name == "difference: wide - star · phase (rad)"
    assert layer.metadata[canvas.ROLE] == canvas.DIFFERENCE
    np.testing.assert_allclose(layer.translate, (30, 40))
    assert layer.units == phase.units
    # where the object was not lit there is nothing
    assert 0.2 < np.isnan(layer.data).mean() < 0.9
    canvas.place(window.viewer)
    np.testing.assert_allclose(layer.translate, phase.translate)


# -- Profile


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_line_gives_a_curve_per_layer_and_follows_its_ends(two, tmp_path):
    third = two.add("third", np.asarray(two.second.data) * 2)
    two.choose(two.first, two.second)
    two.viewer.layers.selection = {third, two.first}
    page = two.page("Profile")
    assert page.line.active
    # the third was selected in the list of layers before the line was
    assert [curve.label for curve in page.found.curves] == ["noisy", "clean", "third"]
    assert page.found.curves[0].x_unit == "nm"
    page.line.layer.data = [np.array([[20.0, 30.0], [90.0, 100.0]])]
    two.settle(page)
    noise, after = (page.found.curves[i] for i in (0, 1))
    assert after.x[-1] == pytest.approx(10 * 70 * np.sqrt(2))
    assert after.y[0] == pytest.approx(two.second.data[20, 30])
    assert after.y[-1] == pytest.approx(two.second.data[90, 100])
    with two.qtbot.waitSignal(page.save_button.saved, timeout=60_000):
        page.save_button.save(tmp_path / "line.csv")
    titles, *rows = rows_of(tmp_path / "line.csv")
    assert titles == ["noisy: x (nm)", "noisy: y", "clean: y", "third: y"]
    assert len(rows) == len(after.x)
    narrow = np.std(noise.y - after.y)
    field(page, "width").setValue(9)
    two.settle(page)
    broad = np.std(page.found.curves[0].y - page.found.curves[1].y)
    assert broad < 0.6 * narrow
    two.first.data = np.full((SIDE, SIDE), np.nan)
    two.settle(page)
    assert "NaN" in text(page.note)
    assert [curve.label for curve in page.found.curves] == ["clean", "third"]
    two.dock.open_page("Map")
    assert two.names() == ["clean", "noisy", "third"]


def test_rings_around_a_point_and_a_deleted_one(two, tmp_path):
    page = two.page("Profile")
    field(page, "kind").setCurrentText("radial")
    two.settle(page)
    assert page.point.active
    assert not page.line.active
    assert not field(page, "width").isEnabled()
    mean = page.found.curves[1]
    assert len(page.found.spread) == 2
    # half of a star's ring is spoke: mean and spread are a half
    rings = slice(20, 50)
    np.testing.assert_allclose(mean.y[rings], 0.5, atol=0.05)
    np.testing.assert_allclose(page.found.spread[1][rings], 0.5, atol=0.05)
    field(page, "show").setCurrentText("spread")
    two.settle(page)
    np.testing.assert_allclose(page.found.curves[1].y[rings], 0.5, atol=0.05)
    assert page.found.spread == ()
    page.point.layer.data = [(30, 40)]
    two.settle(page)
    assert len(page.found.curves[1].x) < len(mean.x)
    with two.qtbot.waitSignal(page.save_button.saved, timeout=60_000):
        page.save_button.save(tmp_path / "rings.csv")
    titles = rows_of(tmp_path / "rings.csv")[0]
    assert titles[:3] == ["noisy, mean: x (nm)", "noisy, mean: y", "noisy, spread: y"]
    field(page, "kind").setCurrentText("line")
    assert page.found.curves == ()  # those of the point no longer, those of the line not yet
    two.settle(page)
    assert len(page.found.curves) == 2
    field(page, "kind").setCurrentText("radial")
    two.settle(page)
    two.viewer.layers.remove(page.point.layer)
    two.settle(page)
    assert page.found.curves == ()
    assert not page.save_button.isEnabled()
    assert "Draw anew" in text(page.note)
    two.first.data = np.asarray(two.first.data) + 1
    two.settle(page)
    assert not page.point.active
    page.draw_button.click()
    two.settle(page)
    assert page.point.active
    assert len(page.found.curves) == 2


def test_while_a_tool_is_out_only_its_image_has_a_name_and_a_colour_bar(two):
    layers = two.first, two.second
    for layer in layers:
        layer.name_overlay.visible = layer.colorbar.visible = True
    two.viewer.canvas.grid.enabled = True

    def shown():
        return [(one.name_overlay.visible, one.colorbar.visible) for one in layers]

    two.page("Profile")
    assert shown() == [(True, True), (False, False)]
    two.dock.open_page("Map")
    assert shown() == [(True, True), (True, True)]


# -- Numbers


def test_numbers_of_several_layers_against_the_reference(two, tmp_path, qapp):
    worse = two.add("worse", noisy("star", SIDE, 0.2)[0])
    two.choose(two.first)
    two.viewer.layers.selection = {worse}
    page = two.page("Numbers")
    assert page.table.isHidden()
    assert "Choose a Reference above" in text(page.note)
    assert page._savable() is None
    two.choose(two.first, two.second)
    two.settle(page)
    assert not page.table.isHidden()

    def headers():
        return [page.table.horizontalHeaderItem(i).text() for i in range(3)]

    assert headers() == ["", "noisy", "worse"]
    cells = {page.table.item(i, 0).text(): i for i in range(page.table.rowCount())}
    psnr = cells["PSNR (range 1, min-max)"]
    values = [float(page.table.item(psnr, column).text().split()[0]) for column in (1, 2)]
    np.testing.assert_allclose(values, (20, 14), atol=0.3)
    assert "log10" in page.table.item(psnr, 1).toolTip()
    assert "clean" in text(page.note)
    page.copy_button.click()
    lines = qapp.clipboard().text().split("\n")
    assert lines[0].split("\t") == ["", "unit", "noisy", "worse"]
    assert float(lines[1].split("\t")[2]) == pytest.approx(values[0], abs=1e-3)
    with two.qtbot.waitSignal(page.save_button.saved, timeout=60_000):
        page.save_button.save(tmp_path / "numbers.csv")
    assert rows_of(tmp_path / "numbers.csv")[1][:2] == ["PSNR (range 1, min-max)", "dB"]
    for layer in (two.first, worse):
        layer.name = f"{'a long name ' * 3} · {layer.name}"
    page.refresh()
    two.settle(page)
    assert headers() == ["", "noisy", "worse"]
    assert sum(page.table.columnWidth(i) for i in (1, 2)) < 200
    field(page, "ssim_window").setValue(8)
    two.settle(page)
    assert "it must be odd" in text(page.note)
    assert not page.copy_button.isEnabled()


# -- Map


def make_map(window, page):
    page.map_button.click()
    assert page.map_button.text() == "Stop"
    window.settle(page)
    assert page.map_button.text() == "Map the resolution"


def test_a_map_of_two_halves_and_of_one_image(window, tmp_path):
    image, second = (noisy("fibres", SIDE, 0.05, seed)[0] for seed in (0, 1))
    layers = window.add("half B", second), window.add("half A", image)
    window.choose(layers[1], layers[0])
    page = window.page("Map")
    field(page, "block").setValue(32)
    make_map(window, page)
    layer = window.viewer.layers["resolution: half A and half B (nm)"]
    assert layer.data.shape == (SIDE, SIDE)
    full = np.nanmedian(layer.data)
    assert 20 <= full < 150
    np.testing.assert_allclose(layer.scale, (10, 10))
    assert layer.colorbar.visible
    assert "never fall" in text(page.note)
    field(page, "period").setCurrentText("half")
    make_map(window, page)
    assert np.nanmedian(layer.data) == pytest.approx(full / 2, rel=1e-5)
    assert len(window.names()) == 3
    path = tmp_path / "map.tif"
    with window.qtbot.waitSignal(page.save_button.saved, timeout=60_000):
        page.save_button.save(path)
    assert io.about_image(path)["resolution_map"]["options"]["period"] == "half"
    layers[1].metadata[MADE] = ("half A", "image", "DIP arch1")
    window.choose(layers[1])
    make_map(window, page)
    assert "not valid" in text(page.note)
    assert "color:" in text(page.note)
    field(page, "block").setValue(256)
    make_map(window, page)
    assert "a window of 256 needs" in text(page.note)
    assert page.map_button.isEnabled()
    assert not page.save_button.isEnabled()
    assert window.names() == ["half B", "half A"]
    assert window.notifications() == []


# -- all of them


@pytest.mark.parametrize(
    ("title", "computes"),
    [
        ("Difference", "difference_page.difference"),
        ("Profile", "profile_page._found"),
        ("Numbers", "numbers_page.metrics"),
    ],
)
def test_what_takes_long_can_be_left_and_asked_again(two, monkeypatch, title, computes):
    where = f"napari_ptycho.gui.{computes}"
    free, quick = Event(), resolve_name(where)

    def slow(*how):
        free.wait(30)
        return quick(*how)

    monkeypatch.setattr(where, slow)
    page = two.dock.open_page(title)
    assert page.busy.isHidden()
    two.qtbot.waitUntil(lambda: not page.busy.isHidden(), timeout=5000)
    page.busy.stop_button.click()
    assert page.busy.isHidden()
    assert "Stopped" in text(page.note)
    free.set()
    two.qtbot.wait(200)
    assert "Stopped" in text(page.note)  # the answer of what was left is dropped
    page.refresh()
    two.settle(page)
    assert "Stopped" not in text(page.note)
    assert page.save_button.isEnabled()


def test_pages_without_a_layer_do_nothing_and_the_newest_question_is_answered(window):
    for title in ("Difference", "Profile", "Numbers", "Map"):
        window.page(title)
    assert window.names() == []
    assert not window.dock.pages["Map"].map_button.isEnabled()

    latest = Latest(window.dock, "test")
    answers, failures, asked = [], [], []
    latest.answered.connect(answers.append)
    latest.failed.connect(failures.append)

    def slow(n):
        asked.append(n)
        time.sleep(0.1)
        return n

    for n in range(5):
        latest.ask(lambda n=n: slow(n))
    window.qtbot.waitUntil(lambda: not latest.busy, timeout=10_000)
    assert asked == [0, 4]
    assert answers == [0, 4]

    def refuse():
        raise OptionsError("too small")

    latest.ask(refuse)
    window.qtbot.waitUntil(lambda: failures == ["too small"], timeout=10_000)
    latest.ask(lambda: slow(7))
    window.qtbot.waitUntil(lambda: 7 in asked, timeout=10_000)
    latest.forget()
    window.qtbot.waitUntil(lambda: not latest.busy, timeout=10_000)
    assert answers == [0, 4]
    assert window.notifications() == []
