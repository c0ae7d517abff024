"""The Scan dock: open, look at what was read, correct it, bin it."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QWidget

from napari_ptycho.gui import loading, recipe_filling
from napari_ptycho.gui.asking import ask_file
from napari_ptycho.gui.binning_box import BinningBox
from napari_ptycho.gui.drops import Drops, paths_of
from napari_ptycho.gui.geometry_form import GeometryForm
from napari_ptycho.gui.layers import ScanLayers
from napari_ptycho.gui.open_bar import FILES, OpenBar, button
from napari_ptycho.gui.opening import Opening, Wanting
from napari_ptycho.gui.recipe_filling import Filling
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import of_scan
from napari_ptycho.gui.session import real_viewer, session_of
from napari_ptycho.gui.views import Picture
from napari_ptycho.gui.widgets import Dock, Note, SummaryTable, heading
from napari_ptycho.samples import SAMPLES

if TYPE_CHECKING:
    from napari_ptycho.gui.browser_dialog import BrowserDialog
    from napari_ptycho.gui.frames_box import FramesBox
    from napari_ptycho.gui.watch_box import WatchBox
    from napari_ptycho.recipes.recipe import Recipe


class ScanDock(Dock):
    """Opens scans for one viewer; what is open is in the viewer's session."""

    loaded = Signal()
    """A scan (or a reconstruction) was opened or binned and is shown."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.session, self.layers = session_of(self.viewer), ScanLayers(self.viewer)
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_finished)
        self.table, self.form, self.bar = SummaryTable(self.viewer), GeometryForm(), OpenBar()
        self.binning = BinningBox(self.viewer)
        self.status, self.notes = Note(self.viewer), Note(self.viewer, small=True)
        self.save_button = SaveButton(lambda: of_scan(self.session.scan))
        self.save_button.setToolTip("Write the scan as it is shown: turned, cut, masked, binned.")
        self.setup_button = button("Set up…", "Say in the browser what the file does not say.")
        self.other_button = button("Choose scan…", "For the recipe, in place of its own scan.")
        self.stop_button = button("Stop", "Wait for it no longer: what is open stays open.")
        for one in (self.setup_button, self.other_button, self.stop_button):
            one.hide()
        self._wanting: Wanting | None = None
        self._recipe: Recipe | None = None  # that waits for a scan
        self._lay_out()
        self._connect()
        self.setAcceptDrops(True)
        self._refresh()

    def _connect(self) -> None:
        self.bar.paths_chosen.connect(self.open_paths)
        self.bar.sample_chosen.connect(self.open_sample)
        self.bar.browse_asked.connect(self._browse)
        self.bar.watch_asked.connect(self.watch)
        self.setup_button.clicked.connect(self._browse)
        self.other_button.clicked.connect(self._ask_other)
        self.form.edited.connect(self._on_geometry)
        self.stop_button.clicked.connect(self.runner.leave)
        self.binning.asked.connect(self.bin)
        self.binning.undone.connect(self.unbin)
        self.drops = Drops(self)
        self.drops.dropped.connect(self.open_paths)

    def _lay_out(self) -> None:
        self.headings = [heading(t) for t in ("Experiment", "Patterns", "Position binning")]
        asked = (self.stop_button, self.setup_button, self.other_button)
        above = (self.bar, self.status, *asked, self.table, self.notes)
        for widget in (*above, self.headings[0], self.form, *self.headings[1:], self.binning):
            self.rows.addWidget(widget)
        self.rows.addStretch(1)
        self.footer.setContentsMargins(8, 4, 8, 8)
        self.footer.addWidget(self.binning.buttons)
        self.footer.addWidget(self.save_button)

    @cached_property
    def browser(self) -> "BrowserDialog":
        """The browser, made when it is first needed."""
        from napari_ptycho.gui.browser_dialog import BrowserDialog

        browser = BrowserDialog(self.viewer, self)
        browser.chosen.connect(self.open)
        return browser

    @cached_property
    def frames(self) -> "FramesBox":
        """What changes the patterns, made when there are some."""
        from napari_ptycho.gui.frames_box import FramesBox

        frames = FramesBox(self.viewer)
        frames.asked.connect(self._run)
        self.rows.insertWidget(self.rows.indexOf(self.headings[1]) + 1, frames)
        return frames

    @cached_property
    def watcher(self) -> "WatchBox":
        """What watches a scan, made when one is to be watched."""
        from napari_ptycho.gui.watch_box import WatchBox

        watcher = WatchBox(self.viewer, self.layers)
        watcher.ended.connect(self._on_watched)
        self.rows.insertWidget(self.rows.indexOf(self.status), watcher)
        return watcher

    # -- opening

    def open_path(self, path: str | Path) -> None:
        """Open a scan or a reconstruction in the thread; `loaded` says when it is shown."""
        self.open_paths([Path(path)])

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open a scan, a folder, or frames with their positions; or a recipe, on its own scan."""
        by_recipe = any(recipe_filling.is_recipe(path) for path in paths)
        opens: Callable[..., Any] = recipe_filling.open_paths if by_recipe else loading.open_paths
        self._run(partial(opens, paths), f"open {paths[0].name}")

    def open(self, opening: Opening) -> None:
        """Open a file as the browser says."""
        self._run(partial(loading.open_file, opening), f"open {opening.path.name}")

    def open_recipe(self, recipe: "Recipe | Path", scan: Path | None = None) -> bool:
        """Open the scan of a recipe, or another one by it, and fill the docks; False if busy.

        Args:
            recipe: The recipe, or a file that holds one: TOML, or a result.
            scan: The other one.
        """
        title = recipe.name if isinstance(recipe, Path) else recipe.title or "a recipe"
        return self._run(partial(recipe_filling.open_recipe, recipe, scan), f"open {title}")

    def open_sample(self, key: str) -> None:
        """Open a sample in the thread: simulated, or fetched once."""
        self._run(partial(loading.open_sample, key), f"open {SAMPLES[key]}")

    def watch(self, path: Path) -> None:
        """Watch a file or a folder that is being written, with what the Watch menu says."""
        if self.runner.running:
            show_warning("A scan is being opened: watch when it is there.")
            return
        bar = self.bar
        self.watcher.watch(path, bar.predicting.isChecked(), bar.reconstructing.isChecked())
        if self.watcher.runner.running:
            self._want(None)
            self.status.show_lines()
            self._enable(False)

    def _on_watched(self) -> None:
        self._enable(True)
        self._refresh()
        self.loaded.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what is dropped."""
        paths = paths_of(event)
        if paths:
            self.open_paths(paths)

    def _browse(self) -> None:
        """Open the browser on the file that needs it, else on the current one, else ask for one."""
        if self._wanting is not None:
            self.browser.browse(self._wanting.opening)
        elif self.session.unbinned is not None and self.session.unbinned.opening is not None:
            self.browser.browse(self.session.unbinned.opening)
        else:
            self.browser.ask_file()

    def _ask_other(self) -> None:
        path = ask_file(self, "Choose the scan", FILES)
        if path and self._recipe is not None:
            self.open_recipe(self._recipe, path)

    # -- changing

    def bin(self, size: Any, neighbours: str, every: int = 1) -> None:
        """Bin the scan as it was read, or every k-th pattern of it; that is the current scan."""
        view = self.session.unbinned
        if view is not None:
            work = partial(loading.bin_scan, view, size, neighbours, every)
            self._run(work, f"bin {view.scan.name}")

    def unbin(self) -> None:
        """Make the scan as it was read the current one again."""
        view = self.session.unbinned
        if view is not None:
            self.show_opened((view, view))

    def _on_geometry(self, name: str, value: Any) -> None:
        view, unbinned = self.session.view, self.session.unbinned
        if view is not None and unbinned is not None:
            work = partial(loading.change_geometry, view, unbinned, name, value)
            self._run(work, f"change {name} of {view.scan.name}")

    # -- showing

    def _run(self, work: Callable[[], Any], title: str) -> bool:
        if "watcher" in vars(self) and self.watcher.runner.running:
            show_warning("A scan is being watched: press Stop first.")
            return False
        begun = self.runner.call(work, title)
        if begun:
            self._want(None)
            self.other_button.hide()
            self.status.show_lines([f"{title}…"])
            self._enable(False)
        return begun

    def _on_finished(self, outcome: str, value: Any) -> None:
        self._enable(True)
        self.status.show_lines()
        if outcome == "done":
            self.show_opened(value)
        else:
            self.layers.clear_placeholder()
            self._refresh()
        self.loaded.emit()

    def _want(self, wanting: Wanting | None) -> None:
        """Say what a file needs, with the way there; None takes it back."""
        self._wanting = wanting
        self.setup_button.setVisible(wanting is not None)
        if wanting is not None:
            self.status.show_lines([], [wanting.sentence])
            show_warning(wanting.sentence)

    def _fill(self, filling: Filling) -> None:
        """Show a recipe in all docks; without its scan, say so."""
        self._recipe = filling.recipe
        if filling.scans is not None:
            self.show_opened(filling.scans)
            self.binning.show_bins(filling.recipe.binning)
        else:
            self._refresh()
            self.status.show_lines([], [filling.sentence])
            self.other_button.show()
            show_warning(filling.sentence)
        recipe_filling.fill(self.viewer, filling.recipe)

    def show_opened(self, opened: loading.Opened | Filling) -> None:
        """Show what was opened, binned or changed; or what is missing to open it."""
        if isinstance(opened, Filling):
            self._fill(opened)
            return
        if isinstance(opened, Wanting):
            self.layers.clear_placeholder()
            self._refresh()
            self._want(opened)
            return
        if isinstance(opened, Picture):
            ReconstructionLayers(self.viewer).begin(opened)
            self.session.show_reconstruction(opened.of)
            return
        before, view = self.session.view, opened[0]
        self.session.show_scan(*opened)
        if before is not None and before.patterns is view.patterns:
            self.layers.relabel(view.scan)  # the same patterns with another geometry
        else:
            self.layers.show(view)
        self._refresh()

    def _refresh(self) -> None:
        view, unbinned = self.session.view, self.session.unbinned
        for widget in (*self.headings, *self._parts(), self.save_button):
            widget.setVisible(view is not None)
        if view is None or unbinned is None:
            self.status.show_lines(["Open a scan, drop a file here, or take a sample."])
            return
        self.table.show_rows(view.rows)
        self.notes.show_lines(view.scan.notes)
        self.form.show_geometry(view.scan.geometry, loading.warnings_of(view.rows))
        self.frames.show_scan(unbinned)
        self.binning.show_scan(unbinned, binned=view is not unbinned)

    def _parts(self) -> list[QWidget]:
        return [self.form, *self.binning.parts, *([self.frames] if "frames" in vars(self) else [])]

    def _enable(self, on: bool) -> None:
        self.stop_button.setVisible(self.runner.running)
        for widget in (self.bar, *self._parts()):
            widget.setEnabled(on)
