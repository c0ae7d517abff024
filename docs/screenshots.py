"""Drive the real window and save what the documentation shows: docs/images/*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QDockWidget

from napari_ptycho.gui.app import open_docks, open_window

IMAGES = Path(__file__).parent / "images"
SIZE = (1480, 900)
REAL, SIMULATED = "siemens-real", "siemens-star"


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


def raise_dock(widget: Any) -> None:
    """Bring the tab of a dock to the front."""
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    if widget is not None:
        widget.raise_()


def open_star(scan: Any) -> None:
    """Open the measured star, or where it cannot be had the simulated one."""
    for key in (REAL, SIMULATED):
        scan.open_sample(key)
        if wait(lambda: not scan.runner.running, 300) and scan.session.scan is not None:
            return


def main() -> None:
    """Take the pictures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--epochs", type=int, default=30)
    given = arguments.parse_args()
    IMAGES.mkdir(exist_ok=True)
    viewer = open_window()
    viewer.window.resize(*SIZE)
    scan, reconstruct = open_docks(viewer)

    scan.open_sample(SIMULATED)
    wait(lambda: scan.session.scan is not None, 300)
    raise_dock(scan)
    scan.binning.rows_box.setValue(2)
    scan.binning.columns_box.setValue(2)
    wait(lambda: False, 1)
    wait(lambda: not scan.binning.runner.running, 120)
    viewer.dims.set_current_step(0, 500)
    settle()
    viewer.screenshot(str(IMAGES / "scan.png"), canvas_only=False, flash=False)

    open_star(scan)
    raise_dock(reconstruct)
    reconstruct.forms.currentWidget().fields["epochs"].setValue(given.epochs)
    reconstruct.start()
    wait(lambda: not reconstruct.runner.running, 1200)
    settle()
    viewer.screenshot(str(IMAGES / "reconstruct.png"), canvas_only=False, flash=False)

    viewer.theme = "light"
    settle()
    viewer.screenshot(str(IMAGES / "reconstruct-light.png"), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
