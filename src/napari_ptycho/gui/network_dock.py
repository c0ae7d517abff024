"""The Network dock: a network that is trained, predicts, and is fine-tuned; live layers, curves."""

from dataclasses import replace
from functools import partial
from typing import Any

from napari.viewer import Viewer

from napari_ptycho.gui.app import open_dock
from napari_ptycho.gui.closing import CloseGuard
from napari_ptycho.gui.network_box import NetworkBox
from napari_ptycho.gui.network_choice import savable as savable_network
from napari_ptycho.gui.network_form import NetworkForm
from napari_ptycho.gui.network_jobs import (
    TRAIN,
    TUNE,
    ObjectView,
    TrainRequest,
    TrainView,
    object_job,
    train_job,
)
from napari_ptycho.gui.network_layers import PredictionLayers, SampleLayer
from napari_ptycho.gui.network_named import Named
from napari_ptycho.gui.offer_kept import Kept
from napari_ptycho.gui.offer_network import Request, asked_again, kept_network
from napari_ptycho.gui.offer_rows import Offer, OfferRows
from napari_ptycho.gui.recipe_draft import of_prediction
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.saving import Savable, of_reconstruction
from napari_ptycho.gui.session import real_viewer, session_of
from napari_ptycho.gui.widgets import Dock
from napari_ptycho.job import Update


class NetworkDock(Dock):
    """Trains, predicts and fine-tunes in one viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.session = session_of(self.viewer)
        self.samples = SampleLayer(self.viewer)
        self.layers = PredictionLayers(self.viewer)
        self.runner, self.opener = Runner(self), Runner(self)
        self.offers = OfferRows(self.viewer, "Network", ("training", "finetuning"))
        self.form = NetworkForm(self.viewer, self.session)
        self.box = NetworkBox(self.viewer, lambda: savable(self.object))
        self.trained: TrainView | None = None
        """What the running or last training has reached."""
        self.object: ObjectView | None = None
        """What the running or last prediction or fine-tuning has reached."""
        self._training: TrainRequest | None = None  # the running or last one
        self._named: Named | None = None  # what it added to the networks
        self._kept: Kept | None = None  # of the running or last run
        self._begun = False
        self.rows.addWidget(self.offers)
        self.rows.addWidget(self.form)
        self.rows.addStretch(1)
        self.put_at_foot(self.box)
        self.give_rest_to_footer()
        self._connect()
        self.guard = CloseGuard(self, self.runner, savable, "A network's run")
        self._refresh()

    def _connect(self) -> None:
        box = self.box
        self.form.changed.connect(self._refresh)
        box.start_button.clicked.connect(self.start)
        box.stop_button.clicked.connect(self.runner.stop)
        box.continue_button.clicked.connect(self.go_on)
        box.refine_button.clicked.connect(self.refine)
        for button in (box.save_button, self.form.network.save_button):
            button.saved.connect(self._on_saved)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)
        self.offers.ready.connect(self.resume)
        self.opener.finished.connect(self._on_asked_again)

    # -- a run

    def start(self) -> None:
        """Train, predict or fine-tune, as the page that shows says."""
        training = self.form.task == TRAIN
        request = self.form.train_request() if training else self.form.object_request()
        if request is not None:
            self._launch(self._telling(self._keeping(request)))

    def go_on(self) -> None:
        """Train for as many epochs more, with the pairs and the state of the last training."""
        if self._training is not None and self.trained is not None:
            epochs = self.form.train.options().epochs
            options = replace(self._training.options, epochs=epochs)
            more = replace(self._training, options=options, resume=self.trained)
            self._launch(self._keeping(more))

    def _keeping(self, request: Request) -> Request:
        """Return a request that writes checkpoints."""
        return replace(request, kept=kept_network(request, self.session))

    def _telling(self, request: Request) -> Request:
        """Return a request whose object tells by which recipe it was made."""
        if isinstance(request, TrainRequest):
            return request
        return replace(request, recipe=of_prediction(self.session, request.step))

    def resume(self, offer: Offer) -> None:
        """Go on with a run that was interrupted; its scan is open, if it needs one."""
        self.opener.call(partial(asked_again, offer, self.session.scan), offer.text)

    def _on_asked_again(self, outcome: str, again: Any) -> None:
        if outcome == "done":
            self.form.open_task(again.request.task)
            if self._launch(self._telling(again.request)):
                self.offers.take(again.offer)

    def _launch(self, request: Request) -> bool:
        make: Any = train_job if isinstance(request, TrainRequest) else object_job
        begun = self.runner.start(partial(make, request), request.title, request.total)
        if begun:
            self._begun, self._kept = False, request.kept
            if isinstance(request, TrainRequest):
                self._training = request
            self.box.begin(request.task)
            self.guard.watch()
            self._refresh()
        return begun

    def _on_update(self, update: Update[Any]) -> None:
        if update.result is not None:
            self._show(update.result)
        self.box.show_update(update)

    def _show(self, view: TrainView | ObjectView, last: bool = False) -> None:
        """Show a result; the first one of a run makes its layers."""
        if isinstance(view, TrainView):
            self.trained = view
            if not self._begun:
                labels = None if self._training is None else self._training.source.labels
                self.samples.begin(view.sheet, self.session.scan, labels)
            self.samples.show(view.sheet)
        else:
            self.object = view
            if not self._begun:
                self.layers.begin_prediction(view.drawing)
            self.layers.show_prediction(view.drawing, last)
        self._begun = True

    def _on_finished(self, outcome: str, value: Any) -> None:
        last = self.runner.last
        view = last.result if isinstance(last, Update) else None
        self.guard.end(outcome, self._kept)
        if view is not None:  # by now it is complete, see `views.redrawn`
            self._show(view, last=True)
        if isinstance(view, TrainView):
            going_on = self._training is not None and self._training.resume is not None
            self._named = self.form.network.add(view.network, self._named if going_on else None)
        elif isinstance(view, ObjectView):
            self._on_object(view)
        self.box.show_end(outcome, last)
        self._refresh()

    def _on_object(self, view: ObjectView) -> None:
        """Make a predicted object the current reconstruction; of fine-tuning, keep the network."""
        request = view.request
        step = request.step
        if request.task != TUNE:
            self.form.network.show_read(request.network, view.network)
        elif step is None:
            self.form.network.add(view.network)
        else:
            self.form.network.add(view.network, file=step.file, taught=step.finetune)
        if step is not None:
            self.session.predictions[view.reconstruction] = step
        self.layers.show_patches(view)
        self.session.show_reconstruction(view.reconstruction)

    # -- after it

    def refine(self) -> None:
        """Go to the Reconstruct dock, with the predicted object as the start of its engines."""
        if self.object is not None:
            start, name = self.object.reconstruction, self.object.request.scan.name
            refined = replace(start, name=f"{name} · refined")  # the prediction keeps its layers
            step = self.object.request.step
            if step is not None:
                self.session.predictions[refined] = step
            box = open_dock(self.viewer, "Reconstruct").start_box
            box.set_given(refined, f"prediction: {name}")

    def _on_saved(self, path: str) -> None:
        self.box.status.show_lines([f"saved as {path}"])

    def _refresh(self) -> None:
        """Make the buttons follow the choices and the runner."""
        form = self.form
        self.box.enable(
            form.task,
            self.runner.running,
            form.problem(),
            can_go_on=self.trained is not None and self.trained.trained.run is not None,
            has_object=self.object is not None,
        )


def savable(view: TrainView | ObjectView | None) -> Savable | None:
    """Return a result as something to write: an object, or a network."""
    if isinstance(view, TrainView):
        return savable_network(Named(view.network.name, view.network))
    return None if view is None else of_reconstruction(view.reconstruction)
