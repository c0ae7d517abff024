"""The Reconstruct dock: a chain of engines, a start, a run; live layers and error curve; save."""

from functools import partial
from typing import Any

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtWidgets import QHBoxLayout

from napari_ptycho.device import CHOICES
from napari_ptycho.gui import kept
from napari_ptycho.gui.advice import Advice, Adviser, memory_text
from napari_ptycho.gui.closing import CloseGuard
from napari_ptycho.gui.form import lined_up
from napari_ptycho.gui.offer_kept import Kept, kept_of
from napari_ptycho.gui.offer_rows import Offer, OfferRows
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.preset_box import PresetBox
from napari_ptycho.gui.recipe_bar import RecipeButton
from napari_ptycho.gui.recipe_draft import ToldRun, of_more, of_run
from napari_ptycho.gui.recipe_run import Run, make_job
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.run_box import RunBox
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.saving import Savable, of_reconstruction
from napari_ptycho.gui.session import real_viewer, session_of
from napari_ptycho.gui.stages import Stages, rest, total
from napari_ptycho.gui.stages_box import StagesBox
from napari_ptycho.gui.start_box import Start, StartBox
from napari_ptycho.gui.views import ReconstructionView
from napari_ptycho.gui.widgets import Choice, Dock, Note
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan

LARGE_BYTES = 2**31
"""Suggestions for larger scans, of which every frame is read, are made only when asked for."""
PAUSE_MS = 200


class ReconstructDock(Dock):
    """Reconstructs the current scan of one viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.session = session_of(self.viewer)
        self.layers = ReconstructionLayers(self.viewer)
        self.runner, self.adviser = Runner(self), Adviser(self)
        self._advice: Advice | None = None
        self._begun = False
        self._run_stages: Stages = ()
        self._kept: Kept | None = None  # of the running or last run
        self._started: Reconstruction | None = None  # what it started from
        self._left: tuple[Stages, Stages] = ((), ())  # the chain of the last run, and its rest
        self.scan_note, self.memory_note = Note(self.viewer), Note(self.viewer, small=True)
        self.presets, self.stages = PresetBox(self.viewer), StagesBox()
        self.start_box = StartBox(self.viewer)
        self.device = Choice("Where to compute; auto takes a GPU if there is one.")
        self.device.addItems(CHOICES)
        self.recipe_button = RecipeButton(self)
        self.offers = OfferRows(self.viewer, "Reconstruct", ("reconstruction",))
        self.box = RunBox(self.viewer, self.session)
        self.save_button = self.box.save_button
        self._lay_out()
        self._later = Pause(self, PAUSE_MS, self._estimate)
        self._connect()
        self.guard = CloseGuard(self, self.runner, _savable, "A reconstruction")
        kept.choice(self.device, "Reconstruct.device")
        self.presets.begin()
        self._on_scan()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.scan_note, 1)
        top.addWidget(self.recipe_button)
        self.rows.addWidget(self.offers)
        self.rows.addLayout(top)
        for widget in (self.presets, self.stages):
            self.rows.addWidget(widget)
        self.rows.addLayout(lined_up({"Start from": self.start_box, "Device": self.device}))
        self.rows.addWidget(self.memory_note)
        self.rows.addStretch(1)
        self.put_at_foot(self.box)

    def _connect(self) -> None:
        self.offers.ready.connect(self.resume)
        self.recipe_button.told.connect(self._tell)
        self.presets.chosen.connect(self._on_chosen)
        self.presets.asked.connect(self._ask_anyway)
        self.stages.changed.connect(self._on_edited)
        self.device.currentTextChanged.connect(self._ask)
        self.adviser.advised.connect(self._on_advice)
        self.box.start_button.clicked.connect(self.start)
        self.box.stop_button.clicked.connect(self.runner.stop)
        self.box.continue_button.clicked.connect(self.go_on)
        self.box.coloured.connect(self._on_coloured)
        self.save_button.saved.connect(self._on_saved)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)
        self.session.scan_changed.connect(self._on_scan)
        self.session.reconstruction_changed.connect(self._on_reconstruction)

    # -- before a run

    def _on_scan(self) -> None:
        self.scan_note.show_lines([_describe(self.session.scan)])
        self._left = ((), ())
        self._ask()
        self._refresh()

    def _ask(self) -> None:
        """Ask what the device has and, if it is wanted, what suits the scan."""
        scan = self.session.scan
        if scan is None:
            self.presets.show_waiting("")
        elif self.presets.suggesting and scan.patterns.nbytes > LARGE_BYTES:
            self.presets.show_waiting("A large scan: choose Suggested again to have it read.")
            self.adviser.ask(None, self.device.currentText())
        else:
            self._ask_anyway()

    def _ask_anyway(self) -> None:
        scan = self.session.scan if self.presets.suggesting else None
        if scan is not None:
            self.presets.show_waiting("looking at the scan…")
        if self.session.scan is not None:
            self.adviser.ask(scan, self.device.currentText())

    def _on_advice(self, advice: Advice) -> None:
        self._advice = advice
        if advice.scan is not None and advice.scan is self.session.scan:
            self.presets.show_advice(advice)
        self._estimate()

    def _on_chosen(self, stages: Stages) -> None:
        self.stages.show_stages(stages)
        self._later.start()

    def show_own(self, stages: Stages) -> None:
        """Show a chain as the user's own, as a recipe has it: no suggestion replaces it."""
        self.stages.show_stages(stages)
        self.presets.show_own(stages)
        self._later.start()

    def _on_edited(self) -> None:
        self.presets.set_own(self.stages.stages())
        self._later.start()

    def _estimate(self) -> None:
        """Say how much memory the chain takes."""
        scan, advice = self.session.scan, self._advice
        if scan is None:
            self.memory_note.show_lines()
            return
        if advice is not None and not advice.kind:
            self.memory_note.show_lines([], [advice.problem])
            return
        try:
            line, warning = memory_text(scan, self.stages.stages(), advice)
        except Exception as error:  # noqa: BLE001 - a courtesy: the engine makes its own plan
            self.memory_note.show_lines(
                [f"memory unknown: {error}; Start all the same, it makes its own plan"]
            )
            return
        self.memory_note.show_lines([line], [warning] if warning else [])

    # -- a run

    def start(self) -> None:
        """Reconstruct the current scan from the chosen start."""
        start = self.start_box.start()
        if start is not None:
            stages = self.stages.stages()
            self._begin(start, stages, of_run(self.viewer, stages))

    def go_on(self) -> None:
        """Go on from the reconstruction that is shown.

        With what a stopped run has left, if its chain is as it was; else with the last stage.
        """
        stages, (asked, left) = self.stages.stages(), self._left
        before = self.session.reconstruction
        if before is not None:
            ahead = left if stages == asked and left else stages[-1:]
            self._begin(Start(reconstruction=before), ahead, of_more(self.viewer, before, ahead))

    def _begin(self, start: Start, stages: Stages, told: ToldRun) -> None:
        scan = self.session.scan
        if scan is None:
            show_info("Open a scan first, in the Scan dock.")
            return
        device = self.device.currentText()
        kept = kept_of(f"reconstruction of {scan.name}", told, device=device)
        self._launch(Run(scan, stages, start, device, told.toml, kept))

    def resume(self, offer: Offer) -> None:
        """Go on with a run that was interrupted; its scan is open."""
        scan, of, about = self.session.scan, offer.checkpoint, offer.checkpoint.about
        if scan is None:
            return
        self.device.setCurrentText(str(about.get("device", "auto")))
        chain = offer.recipe.stages
        stages = rest(chain, total(chain) - of.total)
        toml = about["recipe"] if about.get("tells") else ""
        kept = Kept.of(offer.path, about)
        if self._launch(Run(scan, stages, Start(), self.device.currentText(), toml, kept)):
            self.offers.take(offer)

    def _launch(self, run: Run) -> bool:
        scan, stages = run.scan, run.stages
        begun = self.runner.start(partial(make_job, run), f"reconstruct {scan.name}", total(stages))
        if begun:
            self._begun, self._run_stages, self._kept = False, stages, run.kept
            self._started = run.start.reconstruction
            self._left = (self.stages.stages(), ())
            self.box.begin(stages)
            self.guard.watch()
            self._refresh()
        return begun

    def _on_update(self, update: Update[ReconstructionView]) -> None:
        view = update.result
        if self._begun:
            self.layers.show(view.picture)
        else:
            self.layers.begin(view.picture, self._started)
            self._begun = True
        self.session.show_reconstruction(view.reconstruction)
        stage = self.box.show_update(update)
        self._show_running(stage)
        self.box.show_legend(self.layers.legend())

    def _show_running(self, stage: int | None) -> None:
        """Mark the stage under way in the list, if the list is that of the run."""
        asked, chain = self._left[0], self.stages.stages()
        if stage is not None and chain == asked:
            self.stages.show_running(stage + len(chain) - len(self._run_stages))
        else:
            self.stages.show_running(None)

    def _on_finished(self, outcome: str, value: Any) -> None:
        last = self.runner.last
        if last is not None:  # by now its picture is the last state's, see `views.viewed`
            self.layers.show(last.result.picture, last=True)
            self.box.show_legend(self.layers.legend())
            self._left = (self._left[0], rest(self._run_stages, last.done))
        self.guard.end(outcome, self._kept)
        self.box.show_end(outcome, last)
        self._show_running(None)
        self._refresh()

    # -- after it

    def _on_reconstruction(self) -> None:
        reconstruction = self.session.reconstruction
        if reconstruction is not None:
            self.box.show_errors(reconstruction)
        self._refresh()

    def _on_coloured(self, by: str) -> None:
        self.box.show_legend(self.layers.recolour(by))

    def _on_saved(self, path: str) -> None:
        self._tell(f"saved as {path}")

    def _tell(self, sentence: str) -> None:
        self.box.status.show_lines([sentence])

    def _refresh(self) -> None:
        """Make the buttons follow the session and the runner."""
        has_result = self.session.reconstruction is not None
        self.box.enable(self.runner.running, self.session.scan is not None, has_result)


def _savable(view: ReconstructionView) -> Savable | None:
    return of_reconstruction(view.reconstruction)


def _describe(scan: Scan | None) -> str:
    if scan is None:
        return "No scan is open: open one in the Scan dock."
    height, width = scan.frame_shape
    return f"{scan.name}: {len(scan)} patterns of {height} x {width}"
