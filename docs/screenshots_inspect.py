"""Inspect in the real window, and save what the documentation shows: docs/images/inspect-*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_inspect.py [--only fibres]

Figure 1 of Erin et al. 2025 on the simulated fast fly-scan (unbinned and binned, raw and denoised:
FRC by the paper's way and by the honest way, difference, radial profile, curtain, local
resolution); the grid of the fibre phantom, found by the check; the honest FRC of the measured star.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from napari.layers import Image
from screenshots import Window, open_star, parser, settle, wait

from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.gui import canvas
from napari_ptycho.gui.views import picture, view_scan
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.prepare import bin_positions, first_guess
from napari_ptycho.samples import SampleOptions, simulated, small_scan

FAST = SampleOptions(photons=1000)
"""Photons per frame of the fly-scan: few, as at 28 kHz."""
EPOCHS, FIXED = 20, 100_000
PAPER = {"architecture": "arch1", "iterations": 170, "rate": 0.01, "stop": "none"}
"""Arch 1 at a rate at which it is done in minutes."""
EARLY = {**PAPER, "iterations": 40, "rate": 0.003}
SECONDS = 1500


class Inspecting(Window):
    """What a user does in the Inspect dock."""

    def __init__(self, images: Path) -> None:
        super().__init__(images)
        self.denoise, self.inspect = self.dock("Denoise"), self.dock("Inspect")

    def open(self, scan: Scan) -> None:
        """Show a scan as the Scan dock does."""
        view = view_scan(scan)
        self.scan.show_opened((view, view))

    def show(self, scan: Scan, name: str, probe: Any = None) -> Reconstruction:
        """Reconstruct a scan with rPIE, and show it as the Reconstruct dock does."""
        start = replace(first_guess(scan), name=name)
        options = RpieOptions(epochs=EPOCHS)
        if probe is not None:
            start, options = replace(start, probe=probe), replace(options, probe_start=FIXED)
        found = run_to_end(reconstruct(scan, options, start))
        self.reconstruct.layers.begin(picture(found))
        self.reconstruct.session.show_reconstruction(found)
        return found

    def phase(self, name: str) -> Image:
        """Return the layer of a phase."""
        return self.viewer.layers[f"{name} · {canvas.PHASE}"]

    def denoised(self, name: str, options: dict[str, Any]) -> Image:
        """Denoise a phase in the Denoise dock; return its new layer."""
        self.denoise.form.layer.choose(self.phase(name))
        for key in ("architecture", *options):
            field, value = self.denoise.form.network.fields[key], options[key]
            (field.setCurrentText if isinstance(value, str) else field.setValue)(value)
        self.denoise.start()
        wait(lambda: not self.denoise.runner.running, SECONDS)
        return next(
            layer
            for layer in self.viewer.layers
            if layer.name.startswith(f"{name} · {canvas.PHASE} · DIP")
        )

    def choose(self, title: str, layer: Image, other: Image | None = None) -> Any:
        """Choose layers and a page; return the page."""
        chosen = self.inspect.chosen
        chosen.first.choose(layer)
        if other is None:
            chosen.second.setCurrentIndex(0)
        else:
            chosen.second.choose(other)
        page = self.inspect.open_page(title)
        self.dock("Inspect")
        settle(2)
        return page

    def beside(self, *layers: Image) -> None:
        """Show these layers beside each other, and select them."""
        with canvas.beside(self.viewer) as shown:
            shown += layers
        self.viewer.layers.selection = set(layers)

    def shoot(self, name: str, seconds: float = 4.0) -> None:
        """Save the window as it is."""
        super().shoot(f"inspect-{name}", seconds)

    # -- the stories

    def figure_1(self) -> None:
        """Rebuild Figure 1 on the simulated fly-scan."""
        self.viewer.layers.clear()
        scan = replace(simulated("siemens-star", FAST)[0], name="star")
        binned = replace(bin_positions(scan, (2, 2)), name="star binned")
        layers = []
        for one in (binned, scan):
            self.open(one)
            self.show(one, one.name, one.probe)
            layers += [self.phase(one.name), self.denoised(one.name, PAPER)]
        self.by_the_paper(layers)
        self.honestly(*layers[2:])
        self.difference(*layers[2:])
        self.profile(layers)
        self.curtain(*layers[2:])

    def by_the_paper(self, layers: list[Image]) -> None:
        """Correlate each image with itself, as the paper does."""
        self.beside(*layers)
        page = self.choose("FRC", layers[2])
        page.what.setCurrentText("selected layers")
        page.form.fields["mode"].setCurrentText("siFRC")
        page.form.fields["convention"].setCurrentText("paper")
        page.form.fields["threshold"].setCurrentText("0.5")
        self.viewer.layers.selection = set(layers)
        wait(lambda: len(page.view.curves) == len(layers), 60)
        self.shoot("frc")

    def honestly(self, raw: Image, denoised: Image) -> None:
        """Correlate two halves, raw and denoised with different and with the same seeds."""
        self.beside(raw, denoised)
        page = self.choose("FRC", denoised)
        page.what.setCurrentText("two halves (honest)")
        page.form.fields["mode"].setCurrentText("standard")
        page.honest_box.denoise.setCurrentText("as the layer was denoised")
        page.honest_box.start_button.click()
        wait(lambda: not page.honest_box.runner.running, SECONDS)
        self.shoot("honest")

    def difference(self, raw: Image, denoised: Image) -> None:
        """Show what the network has added and taken away."""
        page = self.choose("Difference", denoised, raw)
        page.show_button.setChecked(True)
        wait(lambda: page.found is not None, 60)
        settle(2)
        self.beside(raw, denoised, *canvas.find(self.viewer.layers, (canvas.DIFFERENCE,)))
        self.shoot("difference")
        page.show_button.setChecked(False)

    def profile(self, layers: list[Image]) -> None:
        """Show mean and spread over rings around the middle of the star."""
        self.beside(*layers)
        page = self.choose("Profile", layers[2], layers[3])
        page.form.fields["kind"].setCurrentText("radial")
        self.viewer.layers.selection = set(layers)
        settle(3)
        self.shoot("profile")

    def curtain(self, raw: Image, denoised: Image) -> None:
        """Draw a curtain between two images."""
        page = self.choose("Compare", raw, denoised)
        page.toggle("Curtain")
        self.shoot("compare")
        page.end()

    def fibres(self) -> None:
        """Let Arch 1 print its grid on the fibres, and find it."""
        self.viewer.layers.clear()
        scan, truth = small_scan("fibres")
        self.open(scan)
        self.show(scan, "fibres", truth.probe)
        image = self.denoised("fibres", EARLY)
        page = self.choose("Check", image)
        page.start()
        wait(lambda: not page.runner.running, SECONDS)
        print(page.found.sentence())
        self.shoot("check-grid")

    def real(self) -> None:
        """Correlate halves of the measured star: all of it, and place by place."""
        self.viewer.layers.clear()
        open_star(self.scan)
        scan = self.scan.session.scan
        self.show(scan, scan.name)
        page = self.choose("FRC", self.phase(scan.name))
        page.what.setCurrentText("two halves (honest)")
        page.honest_box.start_button.click()
        wait(lambda: not page.honest_box.runner.running, SECONDS)
        self.shoot("real")
        self.denoise.form.layer.choose(self.phase(scan.name))
        self.denoise.make_halves()
        wait(lambda: not self.denoise.runner.running, SECONDS)
        halves = [self.phase(f"{scan.name} · half {letter}") for letter in "AB"]
        page = self.choose("Map", *halves)
        page.map_button.click()
        wait(lambda: bool(canvas.find(self.viewer.layers, (canvas.RESOLUTION,))), 120)
        self.beside(halves[0], *canvas.find(self.viewer.layers, (canvas.RESOLUTION,)))
        self.shoot("map")


def main() -> None:
    """Take the pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--only", choices=["figure_1", "fibres", "real"], help="one part")
    given = arguments.parse_args()
    window = Inspecting(given.images)
    for name in ("fibres", "real", "figure_1"):
        if given.only in (None, name):
            getattr(window, name)()
    window.viewer.close()


if __name__ == "__main__":
    main()
