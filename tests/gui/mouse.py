"""A mouse over the canvas of a real napari window."""

import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

NONE, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
PAUSE_MS = 25  # vispy ignores moves within 10 ms, napari holds them back for 5 ms


class Mouse:
    """Presses and drags at places in the data pixels of a layer, through Qt."""

    def __init__(self, viewer, layer):
        self.viewer, self.layer = viewer, layer
        self.native = viewer.window._qt_viewer.canvas.native

    def at(self, y, x):
        camera = self.viewer.scene.camera
        size = np.array((self.native.height(), self.native.width()))
        world = np.array(self.layer.data_to_world((y, x)))
        rows, columns = (world - camera.center[-2:]) * camera.zoom + size / 2
        return QPointF(columns, rows)

    def _send(self, kind, point, button, buttons):
        place = QPointF(self.native.mapToGlobal(point.toPoint()))
        modifiers = Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(kind, point, place, button, buttons, modifiers)
        QApplication.sendEvent(self.native, event)

    def drag(self, start, end, steps=4):
        """Places as they are before the drag: it may pan the camera."""
        path = [
            self.at(*(np.array(start) + share * (np.array(end) - start)))
            for share in np.linspace(0, 1, steps + 1)
        ]
        self._send(QEvent.Type.MouseMove, path[0], NONE, NONE)
        self._send(QEvent.Type.MouseButtonPress, path[0], LEFT, LEFT)
        for point in path[1:]:
            QTest.qWait(PAUSE_MS)
            self._send(QEvent.Type.MouseMove, point, NONE, LEFT)
        QTest.qWait(PAUSE_MS)
        self._send(QEvent.Type.MouseButtonRelease, path[-1], LEFT, NONE)

    def click(self, y, x):
        self.drag((y, x), (y, x), steps=0)
