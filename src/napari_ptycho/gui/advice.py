"""What can be said before a run: values that suit the scan, and the memory that it takes.

`look` reads frames and asks torch for the hardware: for a thread. The rest is for the window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho import device
from napari_ptycho.engines.memory import outlook
from napari_ptycho.engines.suggest import Suggestion, suggest
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.stages import Stages
from napari_ptycho.model import Scan


@dataclass(frozen=True)
class Advice:
    """What was found out about a scan and a device."""

    scan: Scan | None
    suggestion: Suggestion | None
    """None if it was not asked for, or could not be made."""
    problem: str
    """Why there is no suggestion, or no such device; or ""."""
    kind: str
    """"cpu", "cuda", "mps", or "" where there is no such device."""
    free_bytes: int
    """On that device."""


def look(scan: Scan | None, name: str) -> Advice:
    """Look at a device and, unless it is None, at a scan."""
    try:
        where = device.pick(device.each(name)[0])
        kind, free = where.type, device.free_bytes(where)
    except PtychoError as error:
        return Advice(scan, None, str(error), "", 0)
    if scan is None:
        return Advice(scan, None, "", kind, free)
    try:
        return Advice(scan, suggest(scan, kind != "cpu"), "", kind, free)
    except PtychoError as error:
        return Advice(scan, None, str(error), kind, free)


class Adviser(QObject):
    """Looks in a thread; while it looks, only the newest question is kept."""

    advised = Signal(object)
    """An `Advice`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_finished)
        self._next: Callable[[], Any] | None = None

    def ask(self, scan: Scan | None, name: str) -> None:
        """Look at a device and a scan; the answer comes with `advised`."""
        self._next = partial(look, scan, name)
        self._go()

    def _go(self) -> None:
        if self._next is not None and not self.runner.running:
            question, self._next = self._next, None
            self.runner.call(question, "look at the scan")

    def _on_finished(self, outcome: str, advice: Any) -> None:
        newer = self._next is not None
        self._go()
        if outcome == "done" and not newer:
            self.advised.emit(advice)


def memory_text(scan: Scan, stages: Stages, advice: Advice | None) -> tuple[str, str]:
    """Return how much memory a run takes and may take, and a warning if that is too little.

    Raises:
        ScanError: The size of the object is unknown.
    """
    on_gpu = advice is not None and advice.kind == "cuda"
    free = advice.free_bytes if advice is not None and on_gpu else device.free_ram()
    return outlook(scan, stages, "cuda" if on_gpu else "cpu", int(device.SPARE * free))
