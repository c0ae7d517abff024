"""Denoise in the real window, and save what the documentation shows: docs/images/denoise*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_denoise.py [--share 0.2]
"""

from pathlib import Path
from typing import Any

from screenshots import Window, parser, wait

PHANTOMS = {"fibres": ("skip", 900), "star": ("arch1-bilinear", 300)}
"""Architecture and iterations of each."""
SECONDS = 1200


class Denoising(Window):
    """What a user does in the Denoise dock."""

    def __init__(self, images: Path, share: float) -> None:
        super().__init__(images)
        self.share, self.denoising = share, self.dock("Denoise")

    def denoise(self, architecture: str, iterations: int) -> None:
        """Choose an architecture, press Denoise, wait."""
        fields = self.denoising.form.network.fields
        fields["architecture"].setCurrentText(architecture)
        fields["iterations"].setValue(max(20, round(iterations * self.share)))
        self.denoising.start()
        wait(lambda: not self.denoising.runner.running, SECONDS)
        result = self.denoising.view.denoised
        print(
            f"{architecture}: iteration {result.iteration} of {result.done} by {result.rule}, grid "
            f"{result.grid[4]:.1f} dB, {len(result.past)} past outputs"
        )

    def choose(self, layer: Any, reference: Any = None) -> None:
        """Choose what is denoised, and what it is compared with."""
        self.denoising.form.layer.choose(layer)
        if reference is not None:
            self.denoising.form.reference.choose(reference)

    def phantom(self, name: str) -> None:
        """Denoise a phantom."""
        self.viewer.layers.clear()
        self.viewer.open_sample("napari-ptycho", f"{name}-noisy")
        layers = self.viewer.layers
        self.choose(layers[f"{name} · noisy"], layers[f"{name} · clean"])
        self.denoise(*PHANTOMS[name])
        self.dock("Denoise")

    def go_back(self) -> None:
        """Show an early output of the history."""
        slider = self.denoising.box.history.slider
        slider.setValue(max(1, slider.maximum() // 6))


def main() -> None:
    """Take the pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--share", type=float, default=1.0, help="of the iterations")
    given = arguments.parse_args()
    window = Denoising(given.images, given.share)
    window.phantom("fibres")
    window.shoot("denoise", 3)
    window.phantom("star")
    window.go_back()
    window.shoot("denoise-star-history", 3)
    window.viewer.close()


if __name__ == "__main__":
    main()
