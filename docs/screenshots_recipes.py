"""Save a recipe (docs/images/recipe.png), go on with a killed run (docs/images/go-on.png).

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_recipes.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from screenshots import IMAGES, Window, parser, settle, wait

from napari_ptycho.engines import PRESETS
from napari_ptycho.errors import FileError
from napari_ptycho.gui import offer_kept
from napari_ptycho.io import autosave

SAMPLE, PRESET = "star-64", "quality"
ENOUGH = 12
"""Epochs after which the window is killed."""
PART = "--be-killed"


class Running(Window):
    """A window with the sample in it."""

    def open(self) -> None:
        """Open the sample and choose a chain."""
        self.scan.open_sample(SAMPLE)
        wait(lambda: not self.scan.runner.running, 300)
        self.reconstruct.show_own(PRESETS[PRESET].stages)
        self.dock("Reconstruct")
        settle()

    def save(self, name: str) -> None:
        """Save the window with what lies over it."""
        settle()
        window = self.reconstruct.window()
        place = window.frameGeometry()
        sides = place.x(), place.y(), place.width(), place.height()
        window.screen().grabWindow(0, *sides).save(str(self.images / f"{name}.png"))
        print(f"{name}.png")


def be_killed() -> None:
    """Run until somebody kills this process."""
    offer_kept.EVERY_S = 0.0
    window = Running(IMAGES)
    window.open()
    window.reconstruct.device.setCurrentText("cpu")
    window.reconstruct.start()
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
    arguments = parser(__doc__)
    arguments.add_argument(PART, action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.be_killed:
        be_killed()
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ[autosave.FOLDER] = folder
        kill_one()
        window = Running(given.images)
        window.dock("Reconstruct")
        wait(lambda: bool(window.reconstruct.offers.rows), 60)
        window.save("go-on")
        (row,) = window.reconstruct.offers.rows.values()
        row.go_button.click()
        wait(lambda: window.reconstruct.runner.running, 300)
        wait(lambda: not window.reconstruct.runner.running, 1200)
        print(window.reconstruct.box.status.text())
        window.reconstruct.recipe_button.ask_save()
        window.save("recipe")
        window.reconstruct.recipe_button.dialog.reject()
        window.viewer.close()


if __name__ == "__main__":
    main()
