"""A line for what takes long: what is under way, and *Stop*, which lets go of its answer."""

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_ptycho.gui.elided import Elided
from napari_ptycho.gui.latest import Latest
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.runner import SHORT_S, Runner

LEFT = "Stopped. Change a choice to have it computed anew."
TIP = (
    "Wait for it no longer: what it finds is dropped. Unseen, it goes on until it ends by itself: "
    "nothing can stop it midway."
)


class LeaveRow(QWidget):
    """Shows while a plain function has run for longer than half a second. Stop drops its answer."""

    def __init__(self, of: Runner | Latest) -> None:
        super().__init__()
        self._runner = of.runner if isinstance(of, Latest) else of
        self.text, self.stop_button = Elided(), QPushButton("Stop")
        self.stop_button.setToolTip(TIP)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.stop_button)
        self._later = Pause(self, round(1000 * SHORT_S), self._appear)
        self._runner.working.connect(self._follow)
        self.stop_button.clicked.connect(of.leave)
        self.hide()

    def _follow(self, works: bool) -> None:
        if works:
            self._later.start()
        else:
            self._later.stop()
            self.hide()

    def _appear(self) -> None:
        title, _ = self._runner.about
        self.text.setText(f"{title}…")
        self.show()
