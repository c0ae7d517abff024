"""Train, predict and fine-tune in the real window, and save docs/images/network-*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_network.py [--share 0.2]
"""

import argparse
from pathlib import Path

from screenshots import IMAGES, SIZE, open_star, raise_dock, settle, wait

from napari_ptycho.gui.app import open_dock, open_docks, open_window

LINES, EPOCHS, TUNING = 0.6, 60, 40
"""Share of the lines that teach; epochs: fewer than a person would give it."""
SECONDS = 1500


class Networking:
    """A window, and what a user does in its Network dock."""

    def __init__(self, images: Path, share: float) -> None:
        self.images, self.share = images, share
        self.viewer = open_window()
        self.viewer.window.resize(*SIZE)
        self.scan, self.reconstruct = open_docks(self.viewer)
        self.dock = open_dock(self.viewer, "Network")

    def star(self) -> None:
        """Reconstruct the measured star."""
        open_star(self.scan)
        wait(lambda: not self.reconstruct.adviser.runner.running, 120)
        self.reconstruct.start()
        wait(lambda: not self.reconstruct.runner.running, SECONDS)
        raise_dock(self.dock)

    def run(self, task: str, name: str) -> None:
        """Press the button of a task, wait, and save the window."""
        self.dock.form.open_task(task)
        self.dock.start()
        wait(lambda: not self.dock.runner.running, SECONDS)
        settle(3)
        path = str(self.images / f"network-{name}.png")
        self.viewer.screenshot(path, canvas_only=False, flash=False)
        box = self.dock.box
        print(task, box.status.text(), box.scores.text(), sep="\n")

    def few(self, epochs: int) -> int:
        """Return as many epochs as there is time for."""
        return max(2, round(epochs * self.share))

    def train(self) -> None:
        """Train on the first lines of the star."""
        page = self.dock.form.train
        page.data.shares.fields["lines"].setValue(LINES)
        page.form.fields["batch"].setValue(8)
        page.form.fields["epochs"].setValue(self.few(EPOCHS))
        self.run("Train", "train")

    def tune(self) -> None:
        """Fine-tune on all of the star."""
        self.dock.form.tune.fields["epochs"].setValue(self.few(TUNING))
        self.run("Fine-tune", "finetune")


def main() -> None:
    """Take the pictures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=Path, default=IMAGES)
    arguments.add_argument("--share", type=float, default=1.0, help="of the epochs")
    given = arguments.parse_args()
    window = Networking(given.images, given.share)
    window.star()
    window.train()
    window.run("Predict", "predict")
    window.tune()
    window.viewer.close()


if __name__ == "__main__":
    main()
