"""Train, predict and fine-tune in the real window, and save docs/images/network-*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_network.py [--seconds 300]
    [--only shipped]
"""

import argparse
from pathlib import Path

from screenshots import IMAGES, SIZE, open_star, raise_dock, settle, wait

from napari_ptycho.gui.app import open_dock, open_docks, open_window

LINES, EPOCHS, TUNING = 0.6, 60, 60
"""Share of the lines that teach; epochs: fewer than a person would give it."""


class Networking:
    """A window, and what a user does in its Network dock."""

    def __init__(self, images: Path, seconds: float) -> None:
        self.images, self.seconds = images, seconds
        self.viewer = open_window()
        self.viewer.window.resize(*SIZE)
        self.scan, self.reconstruct = open_docks(self.viewer)
        self.dock = open_dock(self.viewer, "Network")

    def star(self) -> None:
        """Reconstruct the measured star."""
        open_star(self.scan)
        wait(lambda: not self.reconstruct.adviser.runner.running, 120)
        self.reconstruct.start()
        wait(lambda: not self.reconstruct.runner.running, 1200)
        raise_dock(self.dock)

    def small(self) -> None:
        """Predict the simulated star by a network that comes along."""
        self.scan.open_sample("star-64")
        wait(lambda: self.dock.session.scan is not None and not self.scan.runner.running, 300)
        raise_dock(self.dock)
        self.run("Predict", "shipped")

    def run(self, task: str, name: str) -> None:
        """Press the button of a task, wait, stop it when time is up, and save the window."""
        self.dock.form.open_task(task)
        self.dock.start()
        if not wait(lambda: not self.dock.runner.running, self.seconds):
            self.dock.runner.stop()
            wait(lambda: not self.dock.runner.running, 120)
        settle(3)
        path = str(self.images / f"network-{name}.png")
        self.viewer.screenshot(path, canvas_only=False, flash=False)
        box = self.dock.box
        print(task, box.status.text(), box.scores.text(), sep="\n")

    def train(self) -> None:
        """Train on the first lines of the star."""
        page = self.dock.form.train
        page.data.shares.fields["lines"].setValue(LINES)
        page.form.fields["batch"].setValue(8)
        page.form.fields["epochs"].setValue(EPOCHS)
        self.run("Train", "train")

    def tune(self) -> None:
        """Fine-tune on all of the star."""
        self.dock.form.tune.fields["epochs"].setValue(TUNING)
        self.run("Fine-tune", "finetune")


def main() -> None:
    """Take the pictures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=Path, default=IMAGES)
    arguments.add_argument("--seconds", type=float, default=1200, help="for each task, at most")
    arguments.add_argument("--only", choices=("shipped", "star"))
    given = arguments.parse_args()
    if given.only != "star":
        window = Networking(given.images, given.seconds)
        window.small()
        window.viewer.close()
    if given.only == "shipped":
        return
    window = Networking(given.images, given.seconds)
    window.star()
    window.train()
    window.run("Predict", "predict")
    window.tune()
    window.viewer.close()


if __name__ == "__main__":
    main()
