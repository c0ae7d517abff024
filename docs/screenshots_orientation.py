"""Turn and cut frames: docs/images/orientation.png and docs/images/detector.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_orientation.py
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from screenshots import Window, open_star, parser, wait

from napari_ptycho.gui.views import view_scan
from napari_ptycho.prepare.orientation import turned

MISREAD, OFF_PX = 5, (9, -14)
"""How the frames of the star are turned, and by how much their zero frequency is moved."""


class Turning(Window):
    """A window with a spoilt star, and what a user does about it."""

    def __init__(self, images: Path) -> None:
        super().__init__(images)
        open_star(self.scan)
        self.dock("Scan")
        self.star = self.scan.session.scan

    def show(self, patterns: Any) -> None:
        """Show the star with other frames, and both sections open."""
        view = view_scan(replace(self.star, patterns=np.ascontiguousarray(patterns)))
        self.scan.show_opened((view, view))
        self.scan.table.hide()

    def find(self) -> None:
        """Find the orientation of frames that are turned."""
        self.show(turned(self.star.patterns, MISREAD))
        box, sections = self.scan.frames.orientation, self.scan.frames.sections
        sections["Orientation"].open()
        box.search()
        wait(lambda: not box.runner.running, 600)
        self.shoot("orientation")

    def cut(self) -> None:
        """Find the centre of frames that are off, and hot pixels, and show the mask."""
        frames = np.roll(self.star.patterns, OFF_PX, axis=(1, 2)).copy()
        frames[:, (30, 30, 96), (90, 91, 40)] = 300
        self.show(frames)
        box = self.scan.frames.detector
        self.scan.frames.sections["Detector"].open()
        for name, value in (("size", 96), ("hot", 10.0)):
            box.form.fields[name].setValue(value)
        box.auto_button.click()
        wait(lambda: not box.finder.running, 60)
        box.paint_button.setChecked(True)
        wait(lambda: box.layer.layer is not None, 60)
        self.shoot("detector")
        self.scan.frames.sections["Detector"].open(False)


def main() -> None:
    """Take the pictures."""
    arguments = parser(__doc__)
    given = arguments.parse_args()
    window = Turning(given.images)
    window.cut()
    window.find()
    window.viewer.close()


if __name__ == "__main__":
    main()
