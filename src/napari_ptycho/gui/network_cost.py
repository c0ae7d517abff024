"""What networks cost, in words: weights at once, operations as soon as torch is there to count."""

import sys
from collections.abc import Iterable
from functools import partial

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui.latest import Latest
from napari_ptycho.networks.architectures import ARCHITECTURES

Key = tuple[str, tuple[int, int]]
"""An architecture, and the pixels (height, width) of a pattern."""


class Costs(QObject):
    """Counts in a thread, each cost once."""

    found = Signal()
    """Some costs are known now that were not before."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._known: dict[Key, str] = {}
        self._wanted: list[Key] = []
        self._latest = Latest(self, "cost of networks")
        self._latest.answered.connect(self._on_answer)
        self.runner = self._latest.runner
        self.may_import = False
        """Whether torch may be imported for it: not just because a dock opens."""

    def text(self, architecture: str, shape: tuple[int, int]) -> str:
        """Return what is known of a cost, and find out the rest if that is due."""
        key = (architecture, shape)
        if key in self._known:
            return self._known[key]
        if key not in self._wanted:
            self._wanted.append(key)
        self.ask()
        return parameters(architecture)

    def ask(self) -> None:
        """Count what was asked for before, if torch may be used."""
        if self._wanted and (self.may_import or "torch" in sys.modules):
            self._latest.ask(partial(_count, tuple(self._wanted)))

    def _on_answer(self, answer: dict[Key, str]) -> None:
        self._known.update(answer)
        self._wanted = [key for key in self._wanted if key not in self._known]
        self.found.emit()


def parameters(architecture: str) -> str:
    """Return how many weights a network has: "324 k parameters"."""
    count = ARCHITECTURES[architecture].parameters
    short = f"{count / 1e6:.3g} M" if count >= 999_500 else f"{count / 1e3:.3g} k"
    return f"{short} parameters"


def _count(keys: Iterable[Key]) -> dict[Key, str]:
    from napari_ptycho.networks.cost import cost

    return {(name, shape): cost(name, shape).text() for name, shape in keys}
