"""Drive the real window, and save docs/images/scan.png and docs/images/reconstruct*.png.

What the other scripts share with it stands here too: `Window`, `wait`, `parser`.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QEventLoop, QTimer

from napari_ptycho.engines import PRESETS
from napari_ptycho.gui.app import open_dock, open_docks, open_window
from napari_ptycho.gui.views import view_scan
from napari_ptycho.model import Scan

IMAGES = Path(__file__).parent / "images"
SIZE = (1480, 900)
REAL, SIMULATED = "siemens-real", "siemens-star"
WRONG_PX = 2.5
"""Positions of the measured star are made so wrong, for the picture in which they are refined."""


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Run the event loop until a condition holds or time is up; return whether it held."""
    loop, poll, end = QEventLoop(), QTimer(interval=50), time.monotonic() + seconds
    poll.timeout.connect(lambda: (condition() or time.monotonic() > end) and loop.quit())
    poll.start()
    loop.exec()
    return condition()


def settle(seconds: float = 2.0) -> None:
    """Let the window draw."""
    wait(lambda: False, seconds)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of a script's arguments: with the folder of its pictures."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--images", type=Path, default=IMAGES)
    return made


def open_star(scan: Any) -> None:
    """Open the measured star, or where it cannot be had the simulated one."""
    for key in (REAL, SIMULATED):
        scan.open_sample(key)
        if wait(lambda: not scan.runner.running, 300) and scan.session.scan is not None:
            return


def misplaced(scan: Scan) -> Scan:
    """Return a scan whose positions are wrong: a little scale and shear, and noise."""
    at = scan.in_pixels()
    middle = at - at.mean(axis=0)
    noise = np.random.default_rng(0).normal(size=at.shape) * WRONG_PX / 4
    wrong = at + middle @ np.array([[0.01, 0.0], [0.012, -0.008]]) + noise
    return replace(scan, positions_px=wrong, positions_m=None)


class Window:
    """The real window, of which pictures are taken."""

    def __init__(self, images: Path) -> None:
        self.images = images
        images.mkdir(exist_ok=True, parents=True)
        self._kept = tempfile.TemporaryDirectory()  # what was chosen before is not in a picture
        os.environ["NAPARI_PTYCHO_WINDOW"] = self._kept.name
        self.viewer = open_window()
        self.viewer.window.resize(*SIZE)
        self.scan, self.reconstruct = open_docks(self.viewer)

    def dock(self, name: str) -> Any:
        """Bring a dock to the front."""
        return open_dock(self.viewer, name)

    def shoot(self, name: str, seconds: float = 2.0) -> None:
        """Save the window as it is, after it had time to draw."""
        settle(seconds)
        path = str(self.images / f"{name}.png")
        self.viewer.screenshot(path, canvas_only=False, flash=False)
        print(f"{name}.png")


class Reconstructing(Window):
    """What a user does in the Scan and the Reconstruct dock."""

    def __init__(self, images: Path, epochs: float) -> None:
        super().__init__(images)
        self.epochs = epochs

    def bin(self) -> None:
        """Open the simulated star and ask for bins."""
        self.scan.open_sample(SIMULATED)
        wait(lambda: self.scan.session.scan is not None, 300)
        self.dock("Scan")
        self.scan.binning.rows_box.setValue(2)
        self.scan.binning.columns_box.setValue(2)
        wait(lambda: False, 1)
        wait(lambda: not self.scan.binning.runner.running, 120)
        self.viewer.dims.set_current_step(0, 500)

    def run(self) -> None:
        """Run the chain that is shown, with fewer epochs if that was asked for."""
        wait(lambda: not self.reconstruct.adviser.runner.running, 120)
        stages = self.reconstruct.stages.stages()
        few = [replace(one, epochs=max(2, round(one.epochs * self.epochs))) for one in stages]
        self.reconstruct.stages.show_stages(tuple(few))
        self.reconstruct.start()
        wait(lambda: not self.reconstruct.runner.running, 1200)

    def refine(self) -> None:
        """Refine wrong positions by a preset, and show its second stage."""
        view = view_scan(replace(misplaced(self.scan.session.scan), name="misplaced"))
        self.scan.show_opened((view, view))
        combo = self.reconstruct.presets.combo
        combo.setCurrentText(PRESETS["positions"].title)
        combo.activated.emit(combo.currentIndex())
        self.run()
        self.reconstruct.stages.list.setCurrentRow(1)
        self.reconstruct.stages.form.folds["Position refinement"].open()


def main() -> None:
    """Take the pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--epochs", type=float, default=1.0, help="factor on those of presets")
    given = arguments.parse_args()
    window = Reconstructing(given.images, given.epochs)
    window.bin()
    window.shoot("scan")

    open_star(window.scan)
    window.dock("Reconstruct")
    window.run()
    window.shoot("reconstruct")
    window.viewer.theme = "light"
    window.shoot("reconstruct-light")
    window.viewer.theme = "dark"

    window.refine()
    window.shoot("reconstruct-positions")
    window.viewer.close()


if __name__ == "__main__":
    main()
