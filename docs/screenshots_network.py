"""Train, predict and fine-tune in the real window, and save docs/images/network-*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_network.py [--seconds 300]
    [--only shipped]
"""

from pathlib import Path

from screenshots import Window, open_star, parser, wait

LINES, EPOCHS, TUNING = 0.6, 60, 60
"""Share of the lines that teach; epochs: fewer than a person would give it."""


class Networking(Window):
    """What a user does in the Network dock."""

    def __init__(self, images: Path, seconds: float) -> None:
        super().__init__(images)
        self.seconds, self.network = seconds, self.dock("Network")

    def star(self) -> None:
        """Reconstruct the measured star."""
        open_star(self.scan)
        wait(lambda: not self.reconstruct.adviser.runner.running, 120)
        self.reconstruct.start()
        wait(lambda: not self.reconstruct.runner.running, 1200)
        self.dock("Network")

    def small(self) -> None:
        """Predict the simulated star by a network that comes along."""
        self.scan.open_sample("star-64")
        wait(lambda: self.network.session.scan is not None and not self.scan.runner.running, 300)
        self.dock("Network")
        self.run("Predict", "shipped")

    def run(self, task: str, name: str) -> None:
        """Press the button of a task, wait, stop it when time is up, and save the window."""
        self.network.form.open_task(task)
        self.network.start()
        if not wait(lambda: not self.network.runner.running, self.seconds):
            self.network.runner.stop()
            wait(lambda: not self.network.runner.running, 120)
        self.shoot(f"network-{name}", 3)
        box = self.network.box
        print(task, box.status.text(), box.scores.text(), sep="\n")

    def train(self) -> None:
        """Train on the first lines of the star."""
        page = self.network.form.train
        page.data.shares.fields["lines"].setValue(LINES)
        page.form.fields["batch"].setValue(8)
        page.form.fields["epochs"].setValue(EPOCHS)
        self.run("Train", "train")

    def tune(self) -> None:
        """Fine-tune on all of the star."""
        self.network.form.tune.fields["epochs"].setValue(TUNING)
        self.run("Fine-tune", "finetune")


def main() -> None:
    """Take the pictures."""
    arguments = parser(__doc__)
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
