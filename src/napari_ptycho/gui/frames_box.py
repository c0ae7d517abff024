"""The sections of the Scan dock that change frames: Detector and Orientation."""

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_ptycho.gui import kept
from napari_ptycho.gui.detector_box import DetectorBox
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.orientation_box import OrientationBox
from napari_ptycho.gui.section import Section
from napari_ptycho.gui.views import ScanView


class FramesBox(QWidget):
    """Both sections, closed at first."""

    asked = Signal(object, str)
    """Work for the dock's thread that returns the changed scan, and what it is called."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.detector, self.orientation = DetectorBox(viewer), OrientationBox(viewer)
        layout = stack(self, spacing=2)
        self.sections: dict[str, Section] = {}
        boxes = (
            ("Detector", self.detector, "Centre, cut, rebin and mask the patterns."),
            ("Orientation", self.orientation, "Which way the patterns lie against the positions."),
        )
        for title, box, tip in boxes:
            self.sections[title] = Section(title, box, tip)
            layout.addWidget(self.sections[title])
            box.asked.connect(self.asked)
        self.sections["Detector"].toggled.connect(self.detector.set_open)
        for title, section in self.sections.items():
            kept.opened(section, f"Scan.{title}")

    def show_scan(self, view: ScanView) -> None:
        """Ask about this scan, which is not binned."""
        self.detector.show_scan(view)
        self.orientation.show_scan(view)
