"""The browser as a user drives it: a file of nobody's format, saved layouts, second files."""

import shutil
import sys

import h5py
import numpy as np
import pytest

from napari_ptycho.gui import loading
from napari_ptycho.gui.browser_view import look, preview
from napari_ptycho.gui.opening import Opening

from .conftest import make_scan, suppress_deleted

STEP_UM = 0.25
"""Between the rows of `odd_file`, and twice that between its columns."""
FRAMES, OTHER = "night/camera/images", "night/camera_2/images"


@pytest.fixture(autouse=True)
def saved_layouts(tmp_path, monkeypatch):
    folder = tmp_path / "saved layouts"
    monkeypatch.setenv("NAPARI_PTYCHO_LAYOUTS", str(folder))
    return folder


def places(rows, columns):
    """(y, x) in µm, row by row."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.stack([row * STEP_UM, column * 2 * STEP_UM], axis=1)


@pytest.fixture
def odd_file(tmp_path):
    """Two stacks of frames with their positions, under names of no known layout."""
    path = tmp_path / "odd.h5"
    with h5py.File(path, "w") as file:
        for group, rows, columns in (("camera", 6, 6), ("camera_2", 4, 5)):
            frames = np.asarray(make_scan(rows, columns).patterns)
            file[f"night/{group}/images"] = frames
            number = group[6:]
            for axis, values in zip("yx", places(rows, columns).T, strict=True):
                file[f"night/piezo{number}/stage_{axis}"] = values
                file[f"night/piezo{number}/stage_{axis}"].attrs["units"] = "um"
        file["night/raw"] = h5py.ExternalLink("gone.h5", "/data")
        file["night/mono/energy"] = 8.0
        file["night/mono/energy"].attrs["units"] = "keV"
    return path


@pytest.fixture
def browsing(docks, qtbot):
    browsing = Browsing(docks, qtbot)
    yield browsing
    browser = browsing.browser
    with suppress_deleted():
        waiting = (browser.looks, browser.places, browser.previews)
        for runner in (*(one.runner for one in waiting), browser.saved_layouts.runner):
            runner.wait(30)
        browser.close()


class Browsing:
    """A window with the browser."""

    def __init__(self, docks, qtbot):
        self.docks, self.qtbot = docks, qtbot
        self.browser = docks.scan.browser
        self.fields = self.browser.form.layout_form.fields

    def look(self, path, **how):
        with self.qtbot.waitSignal(self.browser.previewed, timeout=60_000):
            self.browser.browse(Opening(path, **how))

    def use(self, name, path):
        """As the menu of the tree does."""
        menu = self.browser.tree.menu_of(path)
        action = next(one for one in menu.actions() if one.data() == (name, path))
        with self.qtbot.waitSignal(self.browser.previewed, timeout=60_000):
            action.trigger()

    def open(self):
        assert self.browser.open_button.isEnabled()
        with self.qtbot.waitSignal(self.docks.scan.loaded, timeout=60_000):
            self.browser.open_button.click()
        return self.docks.session.scan

    @property
    def facts(self):
        return self.browser.pane.facts.text()

    @property
    def sentence(self):
        return self.browser.pane.note.text()

    @property
    def path(self):
        """(n, 2) (y, x) of the line that is drawn."""
        return np.stack(self.browser.pane.path.getData()[::-1], axis=1)


def test_an_unknown_file_is_set_up_by_its_candidates_and_opened(browsing, odd_file):
    browsing.look(odd_file)
    tree = browsing.browser.tree
    assert browsing.fields["frames"].currentText() == FRAMES
    assert tree.reveal(FRAMES).text(0) == "frames: images"
    assert tree.reveal("night/mono/energy").text(1) == "8.0 keV"
    assert "gone.h5" in tree.reveal("night/raw").toolTip(0)
    assert "36 of 32 x 32" in browsing.facts
    np.testing.assert_allclose(browsing.path, places(6, 6))
    assert browsing.browser.pane.image.image.shape == (32, 32)

    browsing.use("frames", OTHER)
    assert "20 of 32 x 32" in browsing.facts
    np.testing.assert_allclose(browsing.path, places(4, 5))
    assert tree.reveal(OTHER).text(0) == "frames: images"
    assert tree.reveal(FRAMES).text(0) == "images"

    form = browsing.browser.form.geometry_form
    for name, text in (("distance_m", "1 m"), ("detector_pixel_m", "75 um")):
        form.fields[name].setText(text)
        with browsing.qtbot.waitSignal(browsing.browser.previewed, timeout=60_000):
            form.fields[name].editingFinished.emit()
    assert "64.57" in browsing.facts  # nm: 1.5498e-10 m * 1 m / (32 * 75e-6 m)
    scan = browsing.open()
    assert len(scan) == 20
    np.testing.assert_allclose(scan.positions_m, places(4, 5) * 1e-6)
    assert (scan.geometry.energy_ev, scan.geometry.distance_m) == (8000.0, 1.0)
    assert scan.sources["distance_m"] == "user"
    assert browsing.docks.session.view.opening.layout.frames == OTHER


def test_an_unknown_file_and_a_table_are_set_up_together(odd_file, tmp_path):
    table = tmp_path / "places.csv"
    np.savetxt(table, places(6, 6), delimiter=",", header="y (um),x (um)", comments="")
    wanting = loading.open_paths([table, odd_file])
    assert (wanting.opening.path, wanting.opening.positions) == (odd_file, table)
    assert "of no known layout" in wanting.sentence
    opening = look(wanting.opening).opening
    assert (opening.layout.frames, opening.layout.positions_y) == (FRAMES, "")
    shown = preview(opening)
    assert shown.sentence == ""
    np.testing.assert_allclose(shown.positions, places(6, 6))


def test_a_cut_is_shown_on_the_whole_frame(browsing, odd_file):
    browsing.look(odd_file)
    detector = browsing.browser.form.detector_form.fields
    with browsing.qtbot.waitSignal(browsing.browser.previewed, timeout=60_000):
        detector["size"].setValue(16)
    x, y = browsing.browser.pane.cut.getData()
    assert (min(y), max(y), min(x), max(x)) == (8, 24, 8, 24)
    assert browsing.browser.pane.image.image.shape == (32, 32)
    assert "36 of 16 x 16" in browsing.facts
    assert browsing.open().frame_shape == (16, 16)


def test_a_saved_layout_opens_the_next_such_file_by_itself(
    browsing, odd_file, tmp_path, saved_layouts
):
    browsing.look(odd_file)
    browsing.use("frames", OTHER)
    bar = browsing.browser.saved_layouts
    bar.name.setText("second camera")
    with browsing.qtbot.waitSignal(bar.told, timeout=60_000) as told:
        bar.save_button.click()
    assert "second camera" in told.args[0]
    assert len(list(saved_layouts.glob("*.toml"))) == 1

    following = tmp_path / "next.h5"
    shutil.copy(odd_file, following)
    browsing.docks.open(following)
    scan = browsing.docks.session.scan
    assert len(scan) == 20
    assert any("second camera" in note for note in scan.notes)

    browsing.look(following)
    browsing.qtbot.waitUntil(lambda: bar.combo.currentText() == "second camera", timeout=30_000)
    assert browsing.fields["frames"].currentText() == OTHER
    with browsing.qtbot.waitSignal(bar.told, timeout=60_000):
        bar.delete_button.click()
    assert not list(saved_layouts.glob("*.toml"))


def test_frames_without_positions_take_them_from_a_table(browsing, tmp_path):
    path, table = tmp_path / "frames.npy", tmp_path / "places.csv"
    np.save(path, np.asarray(make_scan().patterns))
    np.savetxt(table, places(6, 6), delimiter=",", header="y (um),x (um)", comments="")
    docks = browsing.docks
    docks.open(path)
    assert docks.session.scan is None
    assert "no positions" in docks.scan.status.text()
    assert not docks.scan.setup_button.isHidden()

    browser = browsing.browser
    with browsing.qtbot.waitSignal(browser.previewed, timeout=60_000):
        docks.scan.setup_button.click()
    assert not browser.isModal()
    assert "no positions" in browsing.sentence
    assert browser.pane.image.image.shape == (32, 32)
    assert not browser.open_button.isEnabled()
    assert browser.tree.topLevelItemCount() == 0
    assert "HDF5" in browser.tree_note.text()

    with browsing.qtbot.waitSignal(browser.previewed, timeout=60_000):
        browser.form.second.choose(table)
    assert browsing.sentence == ""
    scan = browsing.open()
    np.testing.assert_allclose(scan.positions_m, places(6, 6) * 1e-6)
    assert docks.scan.setup_button.isHidden()


def test_a_raster_is_set_by_its_steps(browsing, tmp_path):
    path = tmp_path / "frames.npy"
    np.save(path, np.asarray(make_scan(4, 5).patterns))
    browsing.look(path)
    for name, value in (("raster_rows", 4), ("raster_columns", 5), ("step_y", 0.25)):
        with browsing.qtbot.waitSignal(browsing.browser.previewed, timeout=60_000):
            browsing.fields[name].setValue(value)
    with browsing.qtbot.waitSignal(browsing.browser.previewed, timeout=60_000):
        browsing.fields["position_unit"].setCurrentText("um")
    expected = places(4, 5) * (1, 0.5)
    np.testing.assert_allclose(browsing.path, expected)


def test_a_damaged_file_is_told_where_the_preview_would_be(browsing, odd_file):
    whole = odd_file.read_bytes()
    odd_file.write_bytes(whole[: len(whole) // 2])
    browsing.look(odd_file)
    assert "odd.h5" in browsing.sentence
    assert not browsing.browser.open_button.isEnabled()


def test_the_docks_open_without_h5py():
    import subprocess

    code = "import sys, napari_ptycho.gui.scan_dock; print('h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
