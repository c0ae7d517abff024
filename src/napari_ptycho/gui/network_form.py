"""What a network does and with which options: the upper part of the Network dock."""

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_ptycho.device import CHOICES
from napari_ptycho.gui import kept
from napari_ptycho.gui.form import OptionsForm, lined_up
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.network_choice import NetworkChoice
from napari_ptycho.gui.network_cost import Costs
from napari_ptycho.gui.network_jobs import PREDICT, TRAIN, TUNE, ObjectRequest, TrainRequest
from napari_ptycho.gui.network_train_page import TrainPage, unlike
from napari_ptycho.gui.session import Session
from napari_ptycho.gui.tabs import Tabs
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import FinetuneOptions, PredictOptions
from napari_ptycho.networks.central import reduction
from napari_ptycho.recipes.recipe import NetworkStep

TIPS = {
    PREDICT: "From the patterns of the open scan to its object, in one pass.",
    TRAIN: "Teach a network what was reconstructed, or simulated.",
    TUNE: "Teach the current network the patterns of the open scan by the physics, without labels.",
}
AUTOMATIC, RECONSTRUCTED = "automatic", "of the reconstruction"
PREDICT_MAIN = ("stitching", "every", "synchronise")
TUNE_MAIN = ("loop", "epochs", "rate", "probe_rate")


class NetworkForm(QWidget):
    """Chooses a network, what it does, and how."""

    changed = Signal()
    """Something else is chosen."""

    def __init__(self, viewer: Viewer, session: Session) -> None:
        super().__init__()
        self._session = session
        self.costs = Costs(self)
        self.network = NetworkChoice(viewer, self.costs)
        self.train = TrainPage(viewer, session, self.network, self.costs)
        self.predict = OptionsForm(PredictOptions, PREDICT_MAIN)
        self.tune = OptionsForm(FinetuneOptions, TUNE_MAIN)
        self.patches = QCheckBox("Predicted patches as a stack")
        self.patches.setToolTip(
            "A layer with what the network makes of each single pattern, computed when it is "
            "looked at: the slider of the patterns goes through it."
        )
        self.probe = Choice(
            "Whose probe weighs the patches and, in fine-tuning, makes the patterns. automatic: "
            "that of the scan's file, else of the network's training."
        )
        self.probe.addItems([AUTOMATIC, RECONSTRUCTED])
        self.device = Choice("Where to compute; auto takes a GPU if there is one.")
        self.device.addItems(CHOICES)
        self.note = Note(viewer, small=True)
        self.tabs = Tabs()
        self.tabs.setDocumentMode(True)
        self._lay_out()
        self._connect()
        self._keep()
        self.refresh()

    def _lay_out(self) -> None:
        pages = {PREDICT: (self.predict, self.patches), TRAIN: (self.train,), TUNE: (self.tune,)}
        for title, widgets in pages.items():
            page = QWidget()
            stack(page, *widgets, spacing=4).setContentsMargins(0, 6, 0, 0)
            self.tabs.setTabToolTip(self.tabs.addTab(page, title), TIPS[title])
        self.tabs.fit()
        self._rows = lined_up({"Probe": self.probe, "Device": self.device})
        stack(self, self.network, self.tabs, self._rows, self.note, spacing=4)

    def _connect(self) -> None:
        self.tabs.currentChanged.connect(self._on_tab)
        for signal in (
            self.network.changed,
            self.train.changed,
            self.probe.currentTextChanged,
            self._session.reconstruction_changed,
        ):
            signal.connect(self.refresh)
        self._session.scan_changed.connect(self._on_scan)

    def _keep(self) -> None:
        kept.form(self.predict, "Network.predict")
        kept.form(self.tune, "Network.finetune")
        kept.tick(self.patches, "Network.patches")
        kept.choice(self.probe, "Network.probe")
        kept.choice(self.device, "Network.device")
        kept.page(self.tabs, "Network.page")

    # -- what is chosen

    @property
    def task(self) -> str:
        """`PREDICT`, `TRAIN` or `TUNE`."""
        return str(self.tabs.tabText(self.tabs.currentIndex()))

    def open_task(self, task: str) -> None:
        """Show the page of a task."""
        self.tabs.setCurrentIndex(list(TIPS).index(task))

    @property
    def reconstruction(self) -> Reconstruction | None:
        """Whose probe can be taken."""
        return self.train.data.best()

    def train_request(self) -> TrainRequest | None:
        """Return the training that is asked for; None where `problem` says why not."""
        source = self.train.data.source()
        if source is None:
            return None
        start = self.network.current if self.train.from_current else None
        return TrainRequest(source, self.train.options(), self.device.currentText(), start)

    def object_request(self) -> ObjectRequest | None:
        """Return the prediction or fine-tuning that is asked for; None where no scan is open."""
        scan, of = self._session.scan, self.reconstruction
        options: PredictOptions | FinetuneOptions = (
            self.predict.options() if self.task == PREDICT else self.tune.options()
        )
        if scan is None:
            return None
        wanted = self.probe.currentText() == RECONSTRUCTED
        return ObjectRequest(
            scan=scan,
            network=self.network.current,
            options=options,
            probe=of.probe if wanted and of is not None else None,
            device=self.device.currentText(),
            patches=self.task == PREDICT and self.patches.isChecked(),
        )

    def show_step(self, step: NetworkStep) -> None:
        """Show the network of a recipe and what it does."""
        self.network.choose(step.file)
        self.predict.set_options(step.predict)
        if step.finetune is not None:
            self.tune.set_options(step.finetune)
        self.open_task(PREDICT if step.finetune is None else TUNE)

    # -- edits

    def _on_tab(self, _: int) -> None:
        self.tabs.fit()
        self.refresh()

    def _on_scan(self) -> None:
        """With a scan torch will be needed: count operations too."""
        self.costs.may_import = self._session.scan is not None
        self.costs.ask()
        self.refresh()

    def refresh(self, _: object = None) -> None:
        """Show what goes with the choices."""
        self._rows.setRowVisible(self.probe, self.task != TRAIN)
        problem = self.problem()
        self.note.show_lines([], [problem] if problem else [])
        self.changed.emit()

    def problem(self) -> str:
        """Say what is in the way of the task, as far as it is cheap to know; "" if nothing is."""
        if self.task == TRAIN:
            return self.train.problem()
        scan = self._session.scan
        if scan is None:
            return "No scan is open: open one in the Scan dock."
        return self._unfit(scan) or self._probe_problem(scan)

    def _unfit(self, scan: Scan) -> str:
        """Say why the network cannot be used on a scan, "" if it can."""
        shape = self.network.shape
        whole = self.task != PREDICT or reduction(scan, shape) == 1
        if whole and shape != scan.frame_shape:
            return unlike(shape, scan.name, scan.frame_shape)
        if scan.positions_px is None and scan.pixel_size_m is None:
            return (
                f"{scan.name}: the positions in pixels are unknown; complete Experiment in the "
                "Scan dock."
            )
        return ""

    def _probe_problem(self, scan: Scan) -> str:
        if self.probe.currentText() == RECONSTRUCTED and self.reconstruction is None:
            return (
                f"There is no reconstruction of {scan.name} whose probe could be taken: "
                f"reconstruct it first, or set Probe to '{AUTOMATIC}'."
            )
        if self.task == PREDICT:
            return ""
        if scan.geometry.propagation == "near":
            return (
                f"{scan.name} is a near-field scan and fine-tuning is for far-field scans: "
                "reconstruct it with an engine."
            )
        network = self.network.current.network
        known = scan.probe is not None or (network is not None and network.probe is not None)
        if self.probe.currentText() == AUTOMATIC and not known:
            return (
                "Nobody knows the probe: reconstruct the scan, or a part of it, and choose the "
                f"probe '{RECONSTRUCTED}'."
            )
        return ""
