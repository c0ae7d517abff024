"""Denoise in the real window, and save what the documentation shows: docs/images/denoise*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_denoise.py [--share 0.2]
"""

import argparse
from pathlib import Path
from typing import Any

from screenshots import IMAGES, SIZE, raise_dock, settle, wait

from napari_ptycho.gui.app import open_dock, open_window

PHANTOMS = {"fibres": ("skip", 900), "star": ("arch1-bilinear", 300)}
"""Architecture and iterations of each."""
SECONDS = 1200


class Denoising:
    """A window, and what a user does in its Denoise dock."""

    def __init__(self, images: Path, share: float) -> None:
        self.images, self.share = images, share
        self.viewer = open_window()
        self.viewer.window.resize(*SIZE)
        self.dock = open_dock(self.viewer, "Denoise")

    def denoise(self, architecture: str, iterations: int) -> None:
        """Choose an architecture, press Denoise, wait."""
        fields = self.dock.form.network.fields
        fields["architecture"].setCurrentText(architecture)
        fields["iterations"].setValue(max(20, round(iterations * self.share)))
        self.dock.start()
        wait(lambda: not self.dock.runner.running, SECONDS)
        result = self.dock.view.denoised
        print(
            f"{architecture}: iteration {result.iteration} of {result.done} by {result.rule}, grid "
            f"{result.grid[4]:.1f} dB, {len(result.past)} past outputs"
        )

    def choose(self, layer: Any, reference: Any = None) -> None:
        """Choose what is denoised, and what it is compared with."""
        self.dock.form.layer.choose(layer)
        if reference is not None:
            self.dock.form.reference.choose(reference)

    def shoot(self, name: str) -> None:
        """Save the window as it is."""
        settle(3)
        path = str(self.images / f"{name}.png")
        self.viewer.screenshot(path, canvas_only=False, flash=False)

    def phantom(self, name: str) -> None:
        """Denoise a phantom."""
        self.viewer.layers.clear()
        self.viewer.open_sample("napari-ptycho", f"{name}-noisy")
        layers = self.viewer.layers
        self.choose(layers[f"{name} · noisy"], layers[f"{name} · clean"])
        self.denoise(*PHANTOMS[name])
        raise_dock(self.dock)

    def go_back(self) -> None:
        """Show an early output of the history."""
        slider = self.dock.box.history.slider
        slider.setValue(max(1, slider.maximum() // 6))


def main() -> None:
    """Take the pictures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=Path, default=IMAGES)
    arguments.add_argument("--share", type=float, default=1.0, help="of the iterations")
    given = arguments.parse_args()
    window = Denoising(given.images, given.share)
    window.phantom("fibres")
    window.shoot("denoise")
    window.phantom("star")
    window.go_back()
    window.shoot("denoise-star-history")
    window.viewer.close()


if __name__ == "__main__":
    main()
