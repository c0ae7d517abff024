"""What the user has chosen in the docks, kept for the next time they are opened.

One small file for all windows of a user: the newest choice wins, each by itself. What was suggested
from a scan, or set by a recipe, is no choice and is not kept.
"""

import atexit
import logging
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs
import tomli_w
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QComboBox, QPushButton, QTabWidget

from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.fold import Fold
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.section import Section

log = logging.getLogger(__name__)
FOLDER = "NAPARI_PTYCHO_WINDOW"
"""Environment variable that names another folder."""
FILE, ASIDE = "docks.toml", "docks.unreadable.toml"
PAUSE_MS = 1000
RESET = "Reset to defaults"
MOST_BYTES = 2**20


class Kept:
    """The choices by place: "Denoise.device". Written a second after a choice, and at the end."""

    def __init__(self, path: Path) -> None:
        """Read the file; one that cannot be read is moved aside, and the user is told.

        Args:
            path: It need not be there.
        """
        self.path = path
        self._pending: dict[str, Any] = {}
        self._waits = self._failed = False
        try:
            self._values = self._read()
        except (OSError, ValueError) as error:
            self._values = {}
            self._move_aside(error)
        atexit.register(self.flush)

    def get(self, where: str, kind: type) -> Any:
        """Return a choice; None where there is none of this type."""
        value = self._values.get(where)
        return value if isinstance(value, kind) else None

    def put(self, where: str, value: Any) -> None:
        """Keep a choice; None or an empty one forgets it."""
        value = value if value not in (None, {}, []) else None
        if self._values.get(where) == value:
            return
        self._pending[where] = self._values[where] = value
        if not self._waits:
            self._waits = True
            QTimer.singleShot(PAUSE_MS, self.flush)

    def flush(self, *_: object) -> None:
        """Write what is new into the file as it is by now: another window may have written, too."""
        self._waits = False
        if not self._pending or self._failed:
            return
        from napari_ptycho.io.atomic import written

        try:
            values = {**self._read_again(), **self._pending}
            text = tomli_w.dumps(_tables(values))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with written(self.path) as temporary:
                temporary.write_text(text, encoding="utf-8")
            self._pending.clear()
        except (OSError, PtychoError) as error:
            self._failed = True
            show_warning(
                f"{self.path}: the choices in the docks cannot be kept there ({error}); "
                f"name another folder in ${FOLDER}"
            )

    def _read_again(self) -> dict[str, Any]:
        try:
            return self._read()
        except (OSError, ValueError) as error:
            log.warning("%s: %s; it is replaced", self.path, error)
            return {where: value for where, value in self._values.items() if value is not None}

    def _read(self) -> dict[str, Any]:
        if not self.path.is_file():
            return {}
        if self.path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES} bytes")
        tables = tomllib.loads(self.path.read_text(encoding="utf-8"))
        docks = {dock: table for dock, table in tables.items() if isinstance(table, dict)}
        return {f"{dock}.{name}": v for dock, table in docks.items() for name, v in table.items()}

    def _move_aside(self, error: Exception) -> None:
        try:
            self.path.replace(self.path.with_name(ASIDE))
            what = f"it is now {ASIDE}"
        except OSError:
            what = "it is left as it is"
            self._failed = True
        show_warning(
            f"{self.path}: cannot be read ({error}); the docks begin with their defaults, "
            f"and {what}"
        )


def _tables(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return choices by place as tables by dock."""
    tables: dict[str, dict[str, Any]] = {}
    for where, value in values.items():
        dock, _, name = where.partition(".")
        if value is not None:
            tables.setdefault(dock, {})[name] = value
    return tables


_all: dict[Path, Kept] = {}


def kept() -> Kept:
    """Return the choices of the user."""
    folder = os.environ.get(FOLDER) or platformdirs.user_config_dir("napari-ptycho")
    path = Path(folder).expanduser().absolute() / FILE
    if path not in _all:
        _all[path] = Kept(path)
    return _all[path]


class _Keeper(QObject):
    """Keeps what a widget shows, as long as there is the widget."""

    def __init__(self, of: QObject, where: str, read: Callable[[], Any]) -> None:
        super().__init__(of)
        self._kept, self._where, self._read = kept(), where, read
        of.destroyed.connect(self._kept.flush)

    def tell(self, *_: object) -> None:
        self._kept.put(self._where, self._read())


def form(of: OptionsForm[Any], where: str) -> None:
    """Keep what the user chooses in a form, which folds are open; offer the way back."""
    refused = of.choose(kept().get(where, dict) or {})
    if refused:
        log.warning("%s: %s", where, "; ".join(refused))
        show_warning(f"{where}: no longer as it was: {'; '.join(refused)}; its default is shown")
        kept().put(where, of.choices())
    of.settled.connect(_Keeper(of, where, of.choices).tell)
    _Reset(of)
    for title, fold in of.folds.items():
        opened(fold, f"{where} · {title}")


def choice(of: QComboBox, where: str, words: tuple[str, ...] = ()) -> bool:
    """Keep what the user picks from a list.

    Args:
        of: The list, which shows its default.
        where: The place of the choice.
        words: Those that are kept; empty for all.

    Returns:
        Whether something else than the default shows now.
    """
    first, word = of.currentText(), kept().get(where, str)
    if word is not None and (not words or word in words) and of.findText(word) >= 0:
        of.setCurrentText(word)

    def read() -> str | None:
        now = of.currentText()
        return now if now != first and (not words or now in words) else None

    of.activated.connect(_Keeper(of, where, read).tell)
    return bool(of.currentText() != first)


def tick(of: Any, where: str) -> None:
    """Keep whether the user has ticked a box (a button), or an entry of a menu (an action)."""
    first, on = of.isChecked(), kept().get(where, bool)
    if on is not None:
        of.setChecked(on)
    signal = getattr(of, "triggered", None) or of.clicked
    keeper = _Keeper(of, where, lambda: None if of.isChecked() == first else of.isChecked())
    signal.connect(keeper.tell)


def opened(of: Fold | Section, where: str) -> None:
    """Keep whether a part of a dock is open."""
    if kept().get(where, bool):
        of.open()
    of.toggled.connect(_Keeper(of, where, lambda: of.is_open or None).tell)


def page(of: QTabWidget, where: str) -> None:
    """Keep which page shows."""
    titles, title = [of.tabText(at) for at in range(of.count())], kept().get(where, str)
    if title in titles:
        of.setCurrentIndex(titles.index(title))

    def read() -> str | None:
        return str(of.tabText(of.currentIndex())) if of.currentIndex() else None

    of.currentChanged.connect(_Keeper(of, where, read).tell)


class _Reset(QObject):
    """A way back to the defaults at the end of a form, once something in it was chosen."""

    def __init__(self, of: OptionsForm[Any]) -> None:
        super().__init__(of)
        self._form = of
        self._button: QPushButton | None = None
        of.settled.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        if self._button is None and self._form.chosen:
            self._button = self._made()
        if self._button is not None:
            self._button.setVisible(bool(self._form.chosen))

    def _made(self) -> QPushButton:
        button = QPushButton(RESET)
        button.setToolTip("Show the defaults of this form; what you have chosen is forgotten.")
        button.setStyleSheet(
            "font-size: 8pt; text-align: left; text-decoration: underline; border: none; "
            "background: transparent; padding: 0"
        )
        button.clicked.connect(self._form.reset)
        layout = self._form.layout()
        assert layout is not None  # of the form
        layout.addWidget(button)
        return button
