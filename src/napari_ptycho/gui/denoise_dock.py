"""The Denoise dock: a layer, a network or a classical method; live image, curves and history."""

from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer

from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions
from napari_ptycho.gui.closing import CloseGuard
from napari_ptycho.gui.denoise_box import DenoiseBox
from napari_ptycho.gui.denoise_form import DenoiseForm
from napari_ptycho.gui.denoise_jobs import (
    HalvesView,
    Request,
    halves_viewed,
    make_job,
    run_whole,
)
from napari_ptycho.gui.denoise_layers import DenoisedLayers
from napari_ptycho.gui.denoise_views import DenoiseView, reconstruction_of, savable
from napari_ptycho.gui.offer_denoise import asked_again, kept_denoising, shown_again
from napari_ptycho.gui.offer_rows import Offer, OfferRows
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.score_table import Score, ScoreTable, score
from napari_ptycho.gui.session import real_viewer, session_of
from napari_ptycho.gui.widgets import Dock
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction


class DenoiseDock(Dock):
    """Denoises layers of one viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.session = session_of(self.viewer)
        self.layers = DenoisedLayers(self.viewer)
        self.runner, self.adopter, self.opener = Runner(self), Runner(self), Runner(self)
        self.offers = OfferRows(self.viewer, "Denoise", ("denoising",))
        self.form = DenoiseForm(self.viewer)
        self.box = DenoiseBox(self.viewer, self._savable)
        self.table = ScoreTable(self.viewer)
        self.view: DenoiseView | None = None
        """What the running or last denoising has reached."""
        self._request: Request | None = None  # of the running or last denoising
        self._source: Layer | None = None
        self._begun = self._discarding = False
        self._scores: WeakKeyDictionary[Layer, list[Score]] = WeakKeyDictionary()
        self._row = 0  # of the run, among the scores of its layer
        for widget in (self.offers, self.form, self.table):
            self.rows.addWidget(widget)
        self.rows.addStretch(1)
        self.put_at_foot(self.box)
        self.give_rest_to_footer()
        self._connect()
        self.guard = CloseGuard(self, self.runner, self._savable_of, "A denoising")
        self._on_scan()

    def _connect(self) -> None:
        box = self.box
        self.form.changed.connect(self._refresh)
        self.form.layer_changed.connect(self._show_scores)
        self.form.halves_asked.connect(self.make_halves)
        self.table.cleared.connect(self._clear_scores)
        box.start_button.clicked.connect(self.start)
        box.stop_button.clicked.connect(self.runner.end)
        box.continue_button.clicked.connect(self.go_on)
        box.discard_button.clicked.connect(self.discard)
        box.adopt_button.clicked.connect(self.adopt)
        box.history.chosen.connect(self._on_history)
        box.save_button.saved.connect(self._on_saved)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)
        self.adopter.finished.connect(self._on_adopted)
        self.offers.ready.connect(self.resume)
        self.opener.finished.connect(self._on_asked_again)
        self.session.scan_changed.connect(self._on_scan)

    # -- a run

    def start(self) -> None:
        """Denoise the chosen layer from the beginning."""
        request, source = self.form.request(self.session.halves.get), self.form.layer.layer
        if request is None or source is None:
            show_info("Choose a layer to denoise.")
        else:
            self._begin(self._keeping(request), source)

    def _begin(self, request: Request, source: Layer) -> bool:
        begun = self._launch(request)
        if begun:
            self.view, self._begun, self._source = None, False, source
            self.box.clear()
            self.box.begin()
            self._row = len(self._scores.setdefault(source, []))
            self._refresh()
        return begun

    def _keeping(self, request: Request) -> Request:
        """Return a request that writes checkpoints."""
        return replace(request, kept=kept_denoising(request, self.session))

    def resume(self, offer: Offer) -> None:
        """Go on with a denoising that was interrupted; its scan is open, if it needs one."""
        self.opener.call(partial(asked_again, offer, self.session.scan), offer.text)

    def _on_asked_again(self, outcome: str, again: Any) -> None:
        if outcome != "done":
            return
        source = shown_again(self.viewer, again)
        self.form.layer.choose(source)
        self.form.show_step(again.offer.recipe.denoise)
        if self._begin(again.request, source):
            self.offers.take(again.offer)

    def go_on(self) -> None:
        """Take more iterations with the network of the last run."""
        request, view, options = self._request, self.view, self.form.options()
        if request is None or view is None or not isinstance(request.options, DenoiseOptions):
            return
        more = request.options.as_dict()
        if isinstance(options, DenoiseOptions):
            more["iterations"] = options.iterations
        options = DenoiseOptions.from_dict(more)
        self._launch(self._keeping(replace(request, options=options, resume=view)))

    def _launch(self, request: Request) -> bool:
        """Run what was asked for; without a network, as a plain function."""
        title, options = f"denoise {request.name}", request.options
        if isinstance(options, ClassicalOptions) and not request.makes_halves:
            begun = self.runner.call(partial(run_whole, request), title)
        else:
            total = options.iterations if isinstance(options, DenoiseOptions) else 1
            begun = self.runner.start(partial(make_job, request), title, total)
        if begun:
            self._request, self._discarding = request, False
            self.box.begin()
            self.guard.watch()
            self._refresh()
        return begun

    def make_halves(self) -> None:
        """Make both half reconstructions of the one that the chosen layer shows."""
        scan, of = self.session.scan, self.form.reconstruction
        if scan is None or of is None:
            return
        job = partial(halves_viewed, scan, of, self.form.device.currentText())
        if self.runner.start(job, f"halves of {of.name}", 1):
            self._discarding = False
            self.box.prepare()
            self._refresh()

    def _on_update(self, update: Update[Any]) -> None:
        view = update.result
        if not isinstance(view, DenoiseView):
            self.box.show_preparing(update)
            return
        self._take(view)
        pinned = self.box.history.pinned
        if pinned is None:
            self._show(view, f" it {view.denoised.done}")
        self.box.show_update(update)
        self._refresh()

    def _take(self, view: DenoiseView) -> None:
        """Keep a result; the first one of a run makes its layers."""
        self.view, request, source = view, self._request, self._source
        if not self._begun and request is not None and source is not None:
            reference = self.form.reference.layer
            self.layers.begin(source, [] if reference is None else [reference], request, view)
            self._begun = True

    def _show(self, view: DenoiseView, state: str) -> None:
        self.layers.show(view.pictures, view, state if view.denoised.iteration else "")

    def _on_finished(self, outcome: str, value: Any) -> None:
        last = self.runner.last
        result = last.result if isinstance(last, Update) else None
        self.guard.end(outcome, None if self._request is None else self._request.kept)
        if self._discarding:
            self.discard_result()
        elif isinstance(result, HalvesView):
            self._on_halves(outcome, result)
        elif isinstance(result, DenoiseView):
            self._on_result(outcome, result)
        else:
            self.box.show_end(outcome, None)
        self._refresh()

    def _on_result(self, outcome: str, view: DenoiseView) -> None:
        """Show what is kept; by now it is complete, see `denoise_views.viewed`."""
        self._take(view)
        self.box.history.restart()
        self._show(view, f" it {view.denoised.iteration}")
        self.layers.show_spread(view)
        self.box.show_end(outcome, view.denoised)
        self.box.bar.setValue(self.box.bar.maximum())
        if view.halves is not None and view.subject.of is not None:
            self.session.halves[view.subject.of] = view.halves
        if self._source is not None:
            rows = self._scores.setdefault(self._source, [])
            self._row = min(self._row, len(rows))
            rows[self._row : self._row + 1] = [
                score(view.subject.channel, view.denoised, view.seconds)
            ]
            self._show_scores()

    def _on_halves(self, outcome: str, view: HalvesView) -> None:
        if view.pictures:
            self.session.halves[view.of] = view.halves
            self.layers.show_halves(view)
        self.box.show_end(f"half reconstructions: {outcome}", None)

    # -- after it

    def discard(self) -> None:
        """Stop, remove the layers of the run and forget what it reached."""
        if self.runner.running:
            self._discarding = True
            self.runner.end()
        elif self._source is not None:
            rows = self._scores.get(self._source, [])
            del rows[self._row : self._row + 1]
            self._show_scores()
            self.discard_result()
            self._refresh()

    def discard_result(self) -> None:
        """Remove the layers of the last run and forget what it reached."""
        self.layers.discard()
        self.view, self._request, self._source, self._begun = None, None, None, False
        if not self.runner.running:
            self.runner.last = None
        self.box.clear()

    def _on_history(self, iteration: int | None) -> None:
        """Show the output of a past iteration, or what is kept."""
        view, box = self.view, self.box
        box.show_cursor(iteration)
        if view is None:
            return
        if iteration is not None:
            self.layers.show(view.past(iteration), view, f" it {iteration}")
            return
        done = view.denoised.done if self.runner.running else view.denoised.iteration
        self._show(view, f" it {done}")
        box.history.show_past(view.denoised.past, view.denoised.iteration)

    def adopt(self) -> None:
        """Make the denoised reconstruction that is shown the current one."""
        if self.view is not None:
            work = partial(reconstruction_of, self.view, self.box.history.pinned)
            self.adopter.call(work, f"take over {self._name()}")

    def _on_adopted(self, outcome: str, reconstruction: Any) -> None:
        if outcome == "done" and isinstance(reconstruction, Reconstruction):
            self.layers.point_at(reconstruction)
            self.session.show_reconstruction(reconstruction)
            self.box.status.show_lines(
                [f"Continue in the Reconstruct dock now starts from '{reconstruction.name}'."]
            )

    def _name(self) -> str:
        return "image" if self._request is None else self._request.name

    def _savable(self) -> Savable | None:
        return savable(self.view, self._name(), self.box.history.pinned)

    def _savable_of(self, result: Any) -> Savable | None:
        """Return the newest result as something to write, for closing the window."""
        return savable(result, self._name()) if isinstance(result, DenoiseView) else None

    def _on_saved(self, path: str) -> None:
        self.box.status.show_lines([f"saved as {path}"])

    # -- showing

    def _on_scan(self) -> None:
        self.form.show_scan(self.session.scan)

    def _show_scores(self) -> None:
        layer = self.form.layer.layer
        self.table.show_scores(() if layer is None else self._scores.get(layer, ()))

    def _clear_scores(self) -> None:
        layer = self.form.layer.layer
        if layer is not None:
            self._scores.pop(layer, None)
            self._show_scores()

    def _refresh(self) -> None:
        """Make the buttons follow the choices and the runner."""
        result = None if self.view is None else self.view.denoised
        ours = self.view is not None and self.view.subject.of is not None
        self.box.enable(self.runner.running, self.form.layer.layer is not None, result, ours)
