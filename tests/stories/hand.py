"""A person at the real window: presses what is there by its words, waits, looks, takes pictures."""

import re
import time
from pathlib import Path

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QComboBox, QScrollArea, QTabBar

from napari_ptycho.gui.app import open_dock, open_docks

PAGES = Path(__file__).resolve().parents[2] / "docs" / "stories"
SIZE, SHORT_SIZE = (1480, 900), (1100, 700)
"""Of the window, in pixels; software draws a smaller one faster."""


class Hand:
    """Walks a story in a real window.

    With a folder for pictures the story is walked at the length of its tutorial, what the tutorial
    shows is saved, and its tables are written; without, the same steps are walked for a shorter
    time and nothing is saved.
    """

    def __init__(self, qtbot, viewer, pictures=None, story=""):
        self.qtbot, self.viewer = qtbot, viewer
        self.pictures, self.story = pictures, story
        self.viewer.window.resize(*self.length(SIZE, SHORT_SIZE))
        open_docks(viewer)
        self.words = []  # what was pressed, in order: the tutorial must name it
        self.shots = []

    @property
    def full(self):
        """Whether the story is walked at the length of its tutorial."""
        return self.pictures is not None

    def length(self, full, short):
        """What is that of the tutorial, or that of the quick test."""
        return full if self.full else short

    # -- what a person does

    def dock(self, name):
        """Bring a dock to the front."""
        self.words.append(name)
        return open_dock(self.viewer, name)

    def press(self, within, words):
        """Click the one visible, enabled button, tab or tick with these words."""
        self.words.append(words)
        for bar in within.findChildren(QTabBar):
            for index in range(bar.count()):
                if bar.isVisible() and plain(bar.tabText(index)) == words:
                    bar.setCurrentIndex(index)
                    return bar
        found = [
            one
            for one in within.findChildren(QAbstractButton)
            if plain(one.text()) == words and one.isVisible()
        ]
        assert found, f"nothing that shows says '{words}'; there is {spoken(within)}"
        assert len(found) == 1, f"{len(found)} buttons say '{words}'"
        assert found[0].isEnabled(), f"'{words}' cannot be pressed"
        QTest.mouseClick(found[0], Qt.MouseButton.LeftButton)
        return found[0]

    def menu(self, within, button, words):
        """Choose a line of the menu of a button."""
        found = [one for one in within.findChildren(QAbstractButton) if plain(one.text()) == button]
        assert len(found) == 1, f"{len(found)} buttons say '{button}'"
        actions = {plain(action.text()): action for action in found[0].menu().actions()}
        assert words in actions, f"'{words}' is not among {list(actions)}"
        self.words += [button, words]
        actions[words].trigger()

    def select(self, *layers):
        """Select lines of the list of layers."""
        self.viewer.layers.selection = set(layers)

    def show(self, *layers):
        """Open the eyes of these layers in the list, and close those of all others."""
        for layer in self.viewer.layers:
            layer.visible = layer in layers

    def closer(self, times):
        """Turn the wheel over the middle of the canvas: so many times larger, or smaller."""
        self.viewer.scene.camera.zoom *= times

    def scroll(self, widget):
        """Turn the wheel over a dock until something in it shows."""
        area = widget
        while not isinstance(area, QScrollArea):
            area = area.parentWidget()
        area.ensureWidgetVisible(widget)

    def choose(self, combo, words):
        """Choose a line of a box as a person does: what follows from a choice follows."""
        index = combo.findText(words)
        lines = [combo.itemText(i) for i in range(combo.count())]
        assert index >= 0, f"'{words}' is not among {lines}"
        combo.setCurrentIndex(index)
        combo.activated.emit(index)

    def set(self, form, **values):
        """Set fields of an options form by their names."""
        for name, value in values.items():
            field = form.fields[name]
            if isinstance(field, QComboBox):
                field.setCurrentText(value)
                assert field.currentText() == value, f"{name}: '{value}' is not offered"
            elif isinstance(value, bool):
                field.setChecked(value)
            else:
                field.setValue(value)

    def until(self, condition, seconds=600):
        """Wait, with a window that works, until something is so."""
        self.qtbot.waitUntil(condition, timeout=round(seconds * 1000))

    def done(self, runner, seconds=3000):
        """Wait for a job that a button has started."""
        self.until(lambda: not runner.running, seconds)

    def layer(self, *parts):
        """Return the newest layer whose name holds all of these."""
        for layer in reversed(self.viewer.layers):
            if all(part in layer.name for part in parts):
                return layer
        names = [layer.name for layer in self.viewer.layers]
        raise AssertionError(f"no layer is called {parts}: {names}")

    # -- what a person sees

    def look(self, name, seconds=2.0):
        """Save the window as it is, as a picture of the tutorial."""
        self.shots.append(name)
        if not self.full:
            return
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)
        path = self.pictures / f"story-{self.story}-{name}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)

    def table(self, name, header, rows):
        """Write a table of the tutorial: what stands between its marks is replaced."""
        if not self.full:
            return
        cells = [header, ["---"] * len(header), *rows]
        words = [[str(cell).replace("|", "&#124;") for cell in row] for row in cells]
        text = "\n".join(f"| {' | '.join(row)} |" for row in words)
        page = PAGES / f"{self.story}.md"
        old = page.read_text()
        new, n = re.subn(
            rf"<!-- story: {name} -->.*?<!-- end -->",
            lambda _: f"<!-- story: {name} -->\n{text}\n<!-- end -->",
            old,
            flags=re.DOTALL,
        )
        assert n == 1, f"{page.name} has no place for the table '{name}'"
        page.write_text(new)

    def told(self):
        """The tutorial, which must name all that was pressed and show all that was seen."""
        page = (PAGES / f"{self.story}.md").read_text()
        bold = set(re.findall(r"\*\*(.+?)\*\*", page))
        assert set(self.words) <= bold, f"the tutorial does not name {set(self.words) - bold}"
        shown = set(re.findall(rf"story-{self.story}-([\w-]+)\.png", page))
        assert shown == set(self.shots)


def plain(text):
    """Return the words of a button without its mnemonic and the arrow of what it opens."""
    return text.replace("&", "").lstrip("▸▾ ")


def spoken(widget):
    """What the visible buttons of a widget say."""
    return [plain(one.text()) for one in widget.findChildren(QAbstractButton) if one.isVisible()]


def phase_error_rad(found, truth, margin=32):
    """How far a phase is from the true one, rms, without what cannot be known: offset and ramp."""
    inside = (slice(margin, -margin),) * 2
    ratio = found[inside] * truth[inside].conj()
    off = np.angle(ratio * ratio.sum().conj())
    y, x = np.indices(off.shape)
    plane = np.stack([y.ravel(), x.ravel(), np.ones(off.size)], axis=1)
    fit, *_ = np.linalg.lstsq(plane, off.ravel(), rcond=None)
    return float(np.std(off.ravel() - plane @ fit))
