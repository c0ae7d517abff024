"""What the user has chosen in the docks comes back; what a scan suggested does not."""

import subprocess
import sys
import threading
import tomllib

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_ptycho.denoise import DenoiseOptions
from napari_ptycho.engines import RpieOptions
from napari_ptycho.gui import asking, canvas, kept
from napari_ptycho.gui.app import found_dock, open_dock, open_docks
from napari_ptycho.gui.preset_box import OWN, SUGGESTED


@pytest.fixture
def again(make_napari_viewer):
    """Open a dock in a window of its own, as after a restart: from the file alone."""

    def opened(name, **viewer):
        kept.kept().flush()
        kept._all.clear()
        return open_dock(make_napari_viewer(**viewer), name)

    return opened


def file():
    kept.kept().flush()
    return tomllib.loads(kept.kept().path.read_text())


def pick(combo, text):
    """Pick a word of a list as a user does."""
    combo.setCurrentText(text)
    combo.activated.emit(combo.currentIndex())


def test_choices_of_the_denoise_dock_come_back(again):
    form = again("Denoise").form
    pick(form.device, "cpu")
    form.network.fields["architecture"].setCurrentText("arch1-bilinear")
    form.network.fields["iterations"].setValue(123)
    form.network.folds["Advanced"].expand(animate=False)
    form = again("Denoise").form
    assert form.device.currentText() == "cpu"
    assert form.options() == DenoiseOptions.of("arch1-bilinear", iterations=123)
    assert form.network.folds["Advanced"].isExpanded()


def test_another_architecture_takes_back_what_it_replaces(again):
    form = again("Denoise").form.network
    form.fields["rate"].setValue(0.5)
    form.fields["ensemble"].setValue(4)
    form.fields["architecture"].setCurrentText("arch1")  # it has a rate of its own
    assert set(form.choices()) == {"architecture"}


def test_what_a_recipe_or_a_scan_sets_is_not_kept(again):
    form = again("Denoise").form
    form.set_options(DenoiseOptions(iterations=77))
    kept.kept().flush()
    assert not kept.kept().path.exists()


def test_the_own_chain_waits_and_the_scan_gets_its_suggestion(again):
    dock = again("Reconstruct")
    dock.stages.form.fields["epochs"].setValue(42)
    assert dock.presets.combo.currentText() == OWN
    dock = again("Reconstruct")
    assert dock.presets.combo.currentText() == SUGGESTED
    pick(dock.presets.combo, OWN)
    assert dock.stages.stages() == (RpieOptions(epochs=42),)


def test_the_chain_of_a_recipe_waits_but_not_for_the_next_time(again):
    dock = again("Reconstruct")
    dock.stages.form.fields["epochs"].setValue(42)
    dock.show_own((RpieOptions(epochs=7),))
    assert dock.presets.combo.currentText() == OWN
    dock = again("Reconstruct")
    pick(dock.presets.combo, OWN)
    assert dock.stages.stages() == (RpieOptions(epochs=42),)


def test_a_preset_that_was_chosen_is_chosen_again(again):
    dock = again("Reconstruct")
    title = dock.presets.combo.itemText(1)
    pick(dock.presets.combo, title)
    chain = dock.stages.stages()
    dock = again("Reconstruct")
    assert dock.presets.combo.currentText() == title
    assert dock.stages.stages() == chain


def test_the_page_of_inspect_comes_back(again):
    again("Inspect").tabs.setCurrentIndex(2)
    dock = again("Inspect")
    assert dock.tabs.tabText(dock.tabs.currentIndex()) == "Profile"
    assert list(dock.pages) == ["Profile"]  # no other page was made for it


def test_compare_comes_back_and_decides_what_is_compared_only_in_front(again):
    again("Inspect").open_page("Compare")
    dock = again("Inspect", show=True)
    assert list(dock.pages) == ["Compare"]
    compare = dock.pages["Compare"].compare
    assert compare.offered is not None
    open_dock(dock.viewer, "Scan")
    assert compare.offered is None
    open_dock(dock.viewer, "Inspect")
    assert compare.offered is not None


def test_compare_decides_nothing_where_all_docks_are_opened_at_once(again, make_napari_viewer):
    again("Inspect").open_page("Compare")
    kept.kept().flush()
    viewer = make_napari_viewer(show=True)
    open_docks(viewer)
    compare = found_dock(viewer, "Inspect").pages["Compare"].compare
    assert compare.offered is None


def test_frc_values_that_another_mode_brings_are_not_taken_for_choices(again):
    page = again("Inspect").open_page("FRC")
    page.form.fields["mode"].setCurrentText("siFRC")
    page.form.fields["window"].setCurrentText("none")
    before = page.form.options()
    assert again("Inspect").open_page("FRC").form.options() == before


def test_reset_forgets(again, qtbot):
    form = again("Inspect").open_page("Map").form
    form.fields["block"].setValue(form.fields["block"].value() + 16)
    button = form.findChild(kept.QPushButton)
    assert button.text() == kept.RESET
    assert button.isVisibleTo(form)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert form.options() == form.cls()
    assert not button.isVisibleTo(form)
    kept.kept().flush()
    assert "Map" not in file().get("Inspect", {})


def test_values_that_are_no_longer_allowed_are_said_and_left(again, notifications, window_folder):
    text = "[Denoise.network]\niterations = -5\ngone = 1\nensemble = 3\n"
    (window_folder / kept.FILE).write_text(text)
    form = again("Denoise").form
    assert form.options() == DenoiseOptions(ensemble=3)
    (said,) = notifications()
    assert "iterations is -5" in said
    assert "has no 'gone'" in said
    assert file()["Denoise"]["network"] == {"ensemble": 3}


@pytest.mark.parametrize("content", [b"\xff\xfe no", b"= 3", b"[Denoise\n", b"x" * (2**20 + 1)])
def test_a_file_that_cannot_be_read_is_moved_aside(again, notifications, window_folder, content):
    (window_folder / kept.FILE).write_bytes(content)
    form = again("Denoise").form
    assert form.options() == DenoiseOptions()
    assert (window_folder / kept.ASIDE).read_bytes() == content
    assert "cannot be read" in notifications()[0]


@pytest.mark.parametrize(
    "text", ["Denoise = 3", "[Denoise]\nnetwork = 4\ndevice = [1]", "[Inspect]\npage = 'Gone'"]
)
def test_a_foreign_file_harms_nothing(again, window_folder, text):
    (window_folder / kept.FILE).write_text(text)
    assert again("Denoise").form.options() == DenoiseOptions()
    assert again("Inspect").tabs.currentIndex() == 0


def test_a_folder_that_cannot_be_written_is_said_once(again, notifications, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "file" / "folder"))
    form = again("Denoise").form
    for iterations in (5, 6):
        form.network.fields["iterations"].setValue(iterations)
        kept.kept().flush()
    (said,) = notifications()
    assert kept.FOLDER in said


def test_a_choice_is_written_a_second_later_by_itself(again, qtbot, window_folder):
    form = again("Denoise").form
    form.network.fields["ensemble"].setValue(2)
    assert not (window_folder / kept.FILE).exists()
    qtbot.waitUntil(lambda: (window_folder / kept.FILE).exists(), timeout=10_000)


def test_dialogs_begin_where_the_last_one_ended(qtbot, monkeypatch, tmp_path):
    begun = []
    for name in ("data", "results"):
        (tmp_path / name).mkdir()

    def dialog(parent, title, folder, kinds):
        begun.append(folder)
        return str(tmp_path / ("data" if "Open" in title else "results") / "a.h5"), kinds

    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, dialog)
    bar = QWidget()
    qtbot.addWidget(bar)
    for _ in range(2):
        asking.ask_file(bar, "Open", "")
        asking.ask_target(bar, "Save", "b.h5", "")
    data, results = str(tmp_path / "data"), str(tmp_path / "results" / "b.h5")
    assert begun == ["", str(tmp_path / "data" / "b.h5"), data, results]
    (tmp_path / "data").rmdir()
    asking.ask_file(bar, "Open", "")
    assert begun[-1] == ""


WRITER = """
import sys
from pathlib import Path
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari_ptycho.gui.kept import Kept
for i in range(40):
    one = Kept(Path(sys.argv[1]))
    one.put(f"Dock{sys.argv[2]}.n", i)
    one.put("Both.n", i)
    one.flush()
"""


def test_two_windows_at_once_leave_a_whole_file(window_folder):
    path = window_folder / kept.FILE
    command = [sys.executable, "-c", WRITER, str(path)]
    both = [subprocess.Popen([*command, str(i)]) for i in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    left = tomllib.loads(path.read_text())
    assert left["Both"]["n"] == 39
    assert not (window_folder / kept.ASIDE).exists()


def test_a_simulation_has_the_size_of_the_open_scan_unless_the_user_chose_one(docks):
    data = open_dock(docks.viewer, "Network").form.train.data
    docks.show()  # 32 x 32
    assert data.simulation.options().size == 32
    data.simulation.fields["size"].setValue(128)
    docks.show(rows=5)
    assert data.simulation.options().size == 128


def test_what_is_being_opened_can_be_left(docks):
    hold = threading.Event()
    scan = docks.scan
    scan._run(lambda: hold.wait(60), "open something")
    assert scan.stop_button.isVisibleTo(scan)
    assert not scan.bar.isEnabled()
    with docks.qtbot.waitSignal(scan.loaded):
        scan.stop_button.click()
    assert not scan.stop_button.isVisibleTo(scan)
    assert scan.bar.isEnabled()
    hold.set()
    docks.qtbot.wait(100)  # what it returns is heard by nobody
    assert docks.session.scan is None
    docks.show()
    assert docks.session.scan is not None


def test_inspect_follows_results_until_the_user_chooses(make_napari_viewer):
    viewer = make_napari_viewer()
    chosen = open_dock(viewer, "Inspect").chosen
    plain, phase, denoised = np.random.default_rng(0).random((3, 16, 16))
    role = canvas.ROLE
    first = viewer.add_image(plain, name="plain")
    assert chosen.layer is first
    second = viewer.add_image(phase, name="phase", metadata={role: canvas.PHASE})
    assert chosen.layer is second
    viewer.add_image(plain, name="amplitude", metadata={role: canvas.AMPLITUDE})
    assert chosen.layer is second
    chosen.first.choose(first)
    viewer.add_image(denoised, name="denoised", metadata={role: canvas.DENOISED})
    assert chosen.layer is first


@pytest.mark.parametrize(
    ("side", "paired", "block"),
    [(512, True, 64), (128, True, 32), (128, False, 16), (40, True, 16)],
)
def test_the_window_of_a_map_fits_the_image(make_napari_viewer, side, paired, block):
    viewer = make_napari_viewer()
    dock = open_dock(viewer, "Inspect")
    images = [viewer.add_image(np.random.default_rng(i).random((side, side))) for i in range(2)]
    dock.chosen.first.choose(images[0])
    if paired:
        dock.chosen.second.choose(images[1])
    page = dock.open_page("Map")
    assert (page.form.options().block, page.form.options().step) == (block, block // 8)
