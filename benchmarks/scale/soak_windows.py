"""The windows of the soak test: napari with this plugin, and without it."""

import random
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

PATIENCE_S = 120.0  # for anything: the machine may be busy
FRAME, SIDE, STEP = 64, 5, 12  # of the scan: pixels of a frame, frames of a line, pixels apart
LOOKED_AT = 3  # layers that are selected and toggled in a cycle
SIZE = (900, 650)  # of the window: without a graphics card every picture costs by its pixels
DOCKS = ("Scan", "Reconstruct", "Network", "Denoise", "Inspect", "Jobs")


def events(seconds: float = 0.05) -> None:
    """Let the window live for some time."""
    wait(lambda: False, seconds)


def wait(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Run the event loop until a condition holds or time is up; return whether it holds."""
    from qtpy.QtCore import QEventLoop, QTimer

    if condition():
        return True
    loop, poll, limit = QEventLoop(), QTimer(interval=20), QTimer(singleShot=True)
    poll.timeout.connect(lambda: condition() and loop.quit())
    limit.timeout.connect(loop.quit)
    poll.start()
    limit.start(int(seconds * 1e3))
    loop.exec()
    return condition()


def must(condition: Callable[[], bool], what: str) -> None:
    """Wait for something.

    Raises:
        TimeoutError: It did not happen.
    """
    if not wait(condition):
        raise TimeoutError(f"{what}: waited for {PATIENCE_S:.0f} s")


class Window:
    """napari as a user drives it, without this plugin: the control."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.open()

    def open(self) -> None:
        """Open a fresh window with a stack, an image and points."""
        from napari import Viewer

        self.viewer = Viewer(show_welcome_screen=False)
        grey = np.random.default_rng(0).random((SIDE**2, FRAME, FRAME), np.float32)
        self.viewer.add_image(grey, name="stack")
        self.viewer.add_image(grey[0], name="image")
        self.viewer.add_points(np.argwhere(grey[0] > 0.99), name="points")
        self._docks: list[Any] = []
        self.viewer.window.resize(*SIZE)
        events()

    def close(self) -> None:
        """Close the window, and hold on to nothing of it."""
        self.viewer.close()
        del self.viewer
        events(0.2)

    def reopen(self) -> None:
        """Close the window and open a fresh one."""
        self.close()
        self.open()

    def actions(self) -> list[Callable[[], None]]:
        """Return what a cycle may do."""
        return [self.live, self.live, self.live, self.look, self.look, self.docks, self.sample]

    def live(self) -> None:
        """Show live images and a bar, as a run does."""
        from napari.utils import progress

        grey = np.random.default_rng(1)
        with progress(total=3, desc="live") as bar:
            for _ in range(3):
                self.viewer.layers["image"].data = grey.random((FRAME, FRAME), np.float32)
                bar.update(1)
                events(0.1)

    def look(self) -> None:
        """Select layers, toggle them, move the slider."""
        for layer in self.draw.choices(list(self.viewer.layers), k=LOOKED_AT):
            self.viewer.layers.selection = {layer}
            layer.visible = not layer.visible
            events()
        steps = int(self.viewer.dims.nsteps[0])
        self.viewer.dims.set_current_step(0, self.draw.randrange(steps))
        events()

    def docks(self) -> None:
        """Close a dock and open another."""
        from qtpy.QtWidgets import QLabel

        if self._docks:
            self.viewer.window.remove_dock_widget(self._docks.pop())
        self._docks.append(self.viewer.window.add_dock_widget(QLabel("a dock"), name="a dock"))
        events()

    def sample(self) -> None:
        """Open images, and remove what was there before."""
        self.viewer.layers.remove(self.viewer.layers["image"])
        self.viewer.add_image(np.random.default_rng(2).random((128, 128)), name="image")
        events()

    def alive(self) -> dict[str, int]:
        """Return what else is alive."""
        return {}


class Ours(Window):
    """The same with this plugin and its docks."""

    made: ClassVar["weakref.WeakSet[Any]"] = weakref.WeakSet()
    """All docks that were opened."""

    def open(self) -> None:
        """Open a fresh window with all docks and a tiny scan."""
        from napari_ptycho.gui.app import open_docks, open_window
        from napari_ptycho.gui.views import view_scan

        self.viewer = open_window()
        scan, _ = open_docks(self.viewer)
        view = view_scan(tiny_scan())
        scan.show_opened((view, view))
        self.made.update(self._open_docks())
        self.viewer.window.resize(*SIZE)
        events()

    def reopen(self) -> None:
        """Close the window and open a fresh one; sometimes a run is under way."""
        if self.draw.random() < 0.5:
            self._begin(self._dock("Reconstruct"))
        super().reopen()

    def actions(self) -> list[Callable[[], None]]:
        """Return what a cycle may do."""
        runs = [self.reconstruct, self.predict, self.denoise]
        return [*runs, self.look, self.look, self.docks, self.sample]

    def reconstruct(self) -> None:
        """Start a reconstruction, and stop it after its first update."""
        dock = self._dock("Reconstruct")
        self._begin(dock)
        dock.box.stop_button.click()
        must(lambda: not dock.runner.running, "stop a reconstruction")

    def _begin(self, dock: Any) -> None:
        dock.stages.form.fields["epochs"].setValue(100_000)
        dock.box.start_button.click()
        must(lambda: dock.runner.last is not None or not dock.runner.running, "start an engine")

    def predict(self) -> None:
        """Predict the object of the scan."""
        dock = self._dock("Network")
        dock.form.open_task("Predict")
        must(lambda: dock.box.start_button.isEnabled(), "a network that fits")
        dock.box.start_button.click()
        must(lambda: not dock.runner.running, "predict")

    def denoise(self) -> None:
        """Start a denoising, and stop it after its first image."""
        dock = self._dock("Denoise")
        fields = dock.form.network.fields
        fields["architecture"].setCurrentText("arch1-bilinear")
        fields["stop"].setCurrentText("none")
        fields["iterations"].setValue(100_000)
        dock.form.layer.choose(self._image())
        dock.box.start_button.click()
        must(lambda: dock.view is not None or not dock.runner.running, "start a denoising")
        dock.box.stop_button.click()
        must(lambda: not dock.runner.running, "stop a denoising")

    def docks(self) -> None:
        """Close a dock and open it again."""
        from napari_ptycho.gui.app import found_dock, open_dock

        name = self.draw.choice(DOCKS)
        self.viewer.window.remove_dock_widget(found_dock(self.viewer, name))
        events()
        self.made.add(open_dock(self.viewer, name))
        events()

    def sample(self) -> None:
        """Open a sample, and remove its layers."""
        before = list(self.viewer.layers)
        self.viewer.open_sample("napari-ptycho", "fibres-noisy")
        events()
        for layer in [layer for layer in self.viewer.layers if layer not in before]:
            self.viewer.layers.remove(layer)
        events()

    def alive(self) -> dict[str, int]:
        """Return docks beyond those of the window, and tasks."""
        from napari_ptycho.gui import worker

        there = len(DOCKS) if hasattr(self, "viewer") else 0
        return {"docks left": len(self.made) - there, "tasks": len(worker._running)}

    def _image(self) -> Any:
        """Return a layer to denoise."""
        if "noise" not in self.viewer.layers:
            noise = np.random.default_rng(3).random((64, 64), np.float32)
            self.viewer.add_image(noise, name="noise")
        return self.viewer.layers["noise"]

    def _dock(self, name: str) -> Any:
        from napari_ptycho.gui.app import open_dock

        return open_dock(self.viewer, name)

    def _open_docks(self) -> list[Any]:
        return [self._dock(name) for name in DOCKS]


def tiny_scan() -> Any:
    """Return a simulated scan of a few frames."""
    from napari_ptycho.phantoms import phantom
    from napari_ptycho.physics.simulation import simulate

    y, x = np.indices((FRAME, FRAME)) - FRAME // 2
    probe = np.exp(-(y**2 + x**2) / 200 + 0.005j * (y**2 + x**2))
    places = np.indices((SIDE, SIDE)).reshape(2, -1).T * float(STEP)
    image = np.exp(-1j * phantom("fibres", (SIDE - 1) * STEP + FRAME))
    return simulate(image, probe, places, photons=1e5, seed=0)
