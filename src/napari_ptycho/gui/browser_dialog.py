"""The browser: look into a file, say how it is to be read, see at once what comes of it."""

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.viewer import Viewer
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_ptycho.gui.asking import ask_file
from napari_ptycho.gui.browser_preview import PreviewPane
from napari_ptycho.gui.browser_tree import ContentsTree
from napari_ptycho.gui.browser_view import Look, Preview, by_saved, look, places_for, preview
from napari_ptycho.gui.latest import Latest
from napari_ptycho.gui.layout_bar import LayoutBar
from napari_ptycho.gui.layout_form import LayoutForm
from napari_ptycho.gui.open_bar import FILES
from napari_ptycho.gui.opening import Opening
from napari_ptycho.gui.widgets import Note
from napari_ptycho.io.saved_layouts import SavedLayout

if TYPE_CHECKING:
    from napari_ptycho.io.browse import Contents

SIZE, SHARES = (1440, 820), (620, 370, 450)
NO_TREE = "Only HDF5 files have a tree; all else can be set here too."


class BrowserDialog(QDialog):
    """Sets up an `Opening`; not modal, everything that reads the file runs in a thread."""

    chosen = Signal(object)
    """An `Opening` to open."""
    previewed = Signal()
    """A preview is shown."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Browse a file")
        self.setModal(False)
        self._contents: Contents | None = None
        self._reading: Opening | None = None
        self.tree, self.form = ContentsTree(viewer), LayoutForm()
        self.pane, self.saved_layouts = PreviewPane(viewer), LayoutBar()
        self.path_label, self.note = QLabel(), Note(viewer)
        self.tree_note = Note(viewer)
        self.file_button = QPushButton("File…")
        self.open_button, self.close_button = QPushButton("Open"), QPushButton("Close")
        for button, tip in (
            (self.file_button, "Look into another file."),
            (self.open_button, "Open the scan as it is shown on the right."),
            (self.close_button, "Leave the browser; the scan that is open stays."),
        ):
            button.setToolTip(tip)
        self.looks = Latest(self, "look into a file")
        self.places = Latest(self, "look for positions")
        self.previews = Latest(self, "preview of a file")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.path_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.file_button)
        top.addWidget(self.path_label, 1)
        bottom.addWidget(self.saved_layouts, 1)
        bottom.addSpacing(24)
        bottom.addWidget(self.open_button)
        bottom.addWidget(self.close_button)
        left = QWidget()
        under = QVBoxLayout(left)
        under.setContentsMargins(0, 0, 0, 0)
        under.addWidget(self.tree, 1)
        under.addWidget(self.tree_note)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.form)
        split = QSplitter()
        for widget in (left, scroll, self.pane):
            split.addWidget(widget)
        split.setSizes(list(SHARES))
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(split, 1)
        layout.addWidget(self.note)
        layout.addLayout(bottom)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Enter in a field is no click
        self.resize(QSize(*SIZE).boundedTo(self.screen().availableSize()))

    def _connect(self) -> None:
        self.file_button.clicked.connect(self.ask_file)
        self.open_button.clicked.connect(self._open)
        self.close_button.clicked.connect(self.hide)
        self.tree.used.connect(self._use)
        self.form.changed.connect(self._on_changed)
        self.form.frames_chosen.connect(self._on_frames)
        self.form.second_chosen.connect(self._on_second)
        self.saved_layouts.chosen.connect(self._on_saved)
        self.saved_layouts.save_asked.connect(self._save)
        self.saved_layouts.told.connect(self._tell)
        self.looks.answered.connect(self._on_look)
        self.looks.failed.connect(self._on_failed)
        self.places.answered.connect(self._on_places)
        self.places.failed.connect(self._on_failed)
        self.previews.answered.connect(self._on_preview)

    # -- files

    def ask_file(self) -> None:
        """Ask for a file and look into it."""
        path = ask_file(self, "Browse a file", FILES)
        if path:
            self.browse(Opening(path))

    def browse(self, opening: Opening) -> None:
        """Look into a file; the dialog comes to the front, what is in it follows."""
        self.path_label.setText(opening.path.name)
        self.path_label.setToolTip(str(opening.path))
        self._forget()
        self._contents = None
        self.tree.show_nodes(())
        self.tree_note.show_lines(["Reading…"])
        self.note.show_lines()
        self._reading = None
        self.form.show_opening(opening)
        self.form.offer(None, None)
        self.form.setEnabled(False)
        self.open_button.setEnabled(False)
        self.pane.show_preview(Preview())
        self.show()
        self.raise_()
        self.looks.ask(partial(look, opening))

    def _on_look(self, seen: Look) -> None:
        self._contents = seen.contents
        nodes = () if seen.contents is None else seen.contents.nodes
        self.tree.show_nodes(nodes)
        if seen.contents is not None and seen.contents.frames:
            self.tree.reveal(seen.contents.frames[0].paths[0])
        self.tree_note.show_lines([NO_TREE] if seen.contents is None else seen.contents.notes)
        self.form.show_opening(seen.opening)
        self.form.offer(seen.contents, seen.beside)
        self.form.setEnabled(True)
        self.saved_layouts.refresh(seen.saved)
        self._on_changed()

    def _on_failed(self, sentence: str) -> None:
        self.tree_note.show_lines()
        self.pane.show_preview(Preview(sentence))
        self.previewed.emit()

    # -- editing

    def _use(self, name: str, path: str) -> None:
        nodes = () if self._contents is None else self._contents.nodes
        n_axes = next((len(node.shape) for node in nodes if node.path == path), 0)
        self.form.use(name, path, n_axes)

    def _on_frames(self, frames: str) -> None:
        """Look for positions that fit other frames, then show what comes of both."""
        if self._contents is None or self.form.second.path is not None:
            self._on_changed()
            return
        self.pane.wait()
        self.places.ask(partial(places_for, self._contents.file, frames))

    def _on_places(self, candidates: Any) -> None:
        self.form.offer_positions(candidates)
        if candidates:
            self.form.use_positions(candidates[0].paths)
        self._on_changed()

    def _on_second(self) -> None:
        """Look into the second file too; only its paths can be those of the positions then."""
        self.pane.wait()
        known = () if self._contents is None else self._contents.positions
        own = self.form.second.path is None and "frames" in self.form.roles().values()
        self.form.use_positions(known[0].paths if own and known else ())
        self.looks.ask(partial(look, self.form.opening()))

    def _on_saved(self, saved: SavedLayout) -> None:
        self.form.show_opening(by_saved(self.form.opening(), saved))
        self._on_changed()

    def _on_changed(self) -> None:
        """Ask for a preview of what is chosen, unless it is the one that is shown."""
        self.tree.show_roles(self.form.roles())
        opening = self.form.opening()
        if opening != self._reading:
            self._reading = opening
            self.open_button.setEnabled(False)
            self.pane.wait()
            self.previews.ask(partial(preview, opening))

    def _on_preview(self, seen: Preview) -> None:
        self.pane.show_preview(seen)
        self.form.show_geometry(seen.geometry, seen.doubts)
        self.open_button.setEnabled(not seen.sentence)
        self.previewed.emit()

    # -- the end of it

    def _open(self) -> None:
        opening = self.form.opening()
        self.hide()
        self.chosen.emit(opening)

    def _save(self, name: str) -> None:
        self.saved_layouts.save(self.form.opening(), name)

    def _tell(self, sentence: str) -> None:
        self.note.show_lines([sentence] if sentence else [])

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave off looking."""
        self._forget()
        super().hideEvent(event)

    def _forget(self) -> None:
        for asked in (self.looks, self.places, self.previews):
            asked.forget()
