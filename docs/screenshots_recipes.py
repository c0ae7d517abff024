"""Save a recipe (docs/images/recipe.png), go on with a killed run (docs/images/go-on.png).

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_recipes.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from screenshots import IMAGES, SIZE, raise_dock, settle, wait

from napari_ptycho.engines import PRESETS
from napari_ptycho.errors import FileError
from napari_ptycho.gui import offer_kept
from napari_ptycho.gui.app import open_docks, open_window
from napari_ptycho.io import autosave

SAMPLE, PRESET = "star-64", "quality"
ENOUGH = 12
"""Epochs after which the window is killed."""
PART = "--be-killed"


class Window:
    """A window with the sample in it."""

    def __init__(self) -> None:
        self.viewer = open_window()
        self.viewer.window.resize(*SIZE)
        self.scan, self.dock = open_docks(self.viewer)

    def open(self) -> None:
        """Open the sample and choose a chain."""
        self.scan.open_sample(SAMPLE)
        wait(lambda: not self.scan.runner.running, 300)
        self.dock.show_own(PRESETS[PRESET].stages)
        raise_dock(self.dock)
        settle()

    def save(self, path: Path) -> None:
        """Save the window with what lies over it."""
        settle()
        window = self.dock.window()
        place = window.frameGeometry()
        sides = place.x(), place.y(), place.width(), place.height()
        window.screen().grabWindow(0, *sides).save(str(path))
        print(path)


def be_killed() -> None:
    """Run until somebody kills this process."""
    offer_kept.EVERY_S = 0.0
    window = Window()
    window.open()
    window.dock.device.setCurrentText("cpu")
    window.dock.start()
    wait(lambda: False, 3600)


def kill_one() -> None:
    """Start a window in a process of its own, and kill it in the middle of its run."""
    with subprocess.Popen([sys.executable, __file__, PART]) as process:
        end = time.monotonic() + 600
        while reached() < ENOUGH and time.monotonic() < end:
            time.sleep(0.1)
        process.kill()


def reached() -> float:
    """Return how far the newest checkpoint is."""
    for path in autosave.folder().glob(f"*{autosave.ENDING}"):
        try:
            return autosave.read_checkpoint(path, arrays=False).done
        except FileError:
            continue  # being replaced
    return 0.0


def main() -> None:
    """Take the pictures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=Path, default=IMAGES)
    arguments.add_argument(PART, action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.be_killed:
        be_killed()
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ[autosave.FOLDER] = folder
        kill_one()
        window = Window()
        raise_dock(window.dock)
        wait(lambda: bool(window.dock.offers.rows), 60)
        window.save(given.images / "go-on.png")
        (row,) = window.dock.offers.rows.values()
        row.go_button.click()
        wait(lambda: window.dock.runner.running, 300)
        wait(lambda: not window.dock.runner.running, 1200)
        print(window.dock.box.status.text())
        window.dock.recipe_button.ask_save()
        window.save(given.images / "recipe.png")
        window.dock.recipe_button.dialog.reject()
        window.viewer.close()


if __name__ == "__main__":
    main()
