"""Makes the networks that come with the plugin: PtyNet-S and W3-Net for 64 x 64 pixels.

    python benchmarks/networks/make_shipped.py [--only ptynet-s] [--epochs 6] [--patterns 12000]
        [--quick]

They learn from simulation alone: natural images (scikit-image's) as objects of one material,
up to 2.4 rad, behind zone
plates 3.7 to 4.3 mm out of focus; 1e5 to 1e6 photons. Everything is drawn from fixed seeds; weights
are float32. On one CPU thread PtyNet-S takes some ten minutes, W3-Net twice as long. Each is then
asked to predict the sample scan "star-64", whose star it has not seen.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_ptycho import device, networks
from napari_ptycho.networks import SHIPPED, SimulationOptions, TrainOptions
from napari_ptycho.networks.inputs import Inputs, preparation_of
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.result import Trained
from napari_ptycho.networks.simulated import OPTICS, simulated
from napari_ptycho.samples import simulated as sample

FOLDER = Path(networks.__file__).parent / "shipped"
DATA = SimulationOptions(
    size=64,
    overlap="75",
    photons_least=1e5,
    photons=1e6,
    defocus_mm=0.3,
    phase_rad=2.4,
    absorption=0.5,
    one_material=1.0,
)
EPOCHS = {"ptynet-s": 6, "w3net": 4}
BATCH = 32
SEEN = 64  # patterns of a sample that are predicted
WARNING = (
    "Taught with simulated patterns of 64 x 64 pixels behind one kind of zone plate (400 um, "
    "200 nm, 3.7 to 4.3 mm out of focus; 11.1 keV, 3.8 m, 75 um pixels) and 1e5 to 1e6 photons. "
    "Another probe, camera length or binning makes patterns that it has never seen: what it then "
    "predicts may look sharp and be wrong. A preview, and a start for an engine; no result."
)


def taught(name: str, pairs: Pairs, epochs: int) -> Trained:
    """Teach a network, and print how it goes."""
    options = TrainOptions.of(name, epochs=epochs, batch=BATCH, warm_up=50)
    seen, update = 0, None
    for update in networks.train(pairs, options, device="cpu"):
        for values in list(zip(*update.history.values(), strict=True))[seen:]:
            told = zip(update.history, values, strict=True)
            print(" ".join(f"{curve} {value:.4g}" for curve, value in told), flush=True)
            seen += 1
    assert update is not None  # there is at least one epoch
    print(*update.notes, sep="\n")
    return update.result


def patch_scores(trained: Trained, name: str) -> dict[str, float]:
    """Return how patches of a simulated sample agree with its truth, over lit pixels."""
    scan, truth = sample(name)
    every = np.linspace(0, len(scan) - 1, SEEN).astype(int)
    pairs = networks.pairs_of([(scan, truth)])
    counts, labels = pairs.batch(every)
    network, found = trained.network, {}
    own = preparation_of(scan, network.preparation.scaling)
    for whose, made in (("network's mean", network.preparation), ("scan's mean", own)):
        inputs, module = Inputs(made, network.kind.multiple), network.module()
        with torch.inference_mode():
            phase = inputs.crop(module(inputs(torch.from_numpy(counts))))[:, -1].numpy()
        one, other = phase[:, pairs.lit], labels[:, 1][:, pairs.lit]
        found[f"correlation, {whose}"] = float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
        within = [np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)]
        found[f"median of patches, {whose}"] = float(np.median(within))
    return found


def make(name: str, epochs: int, patterns: int, folder: Path) -> None:
    """Teach one network, write it, and say what it reaches."""
    began, cpu = time.perf_counter(), time.process_time()
    pairs = simulated(replace(DATA, patterns=patterns), optics=OPTICS)
    print(f"{name}: {len(pairs.training)} pairs teach, {len(pairs.validation)} validate")
    trained = taught(name, pairs, epochs)
    about = {**trained.network.about, "warning": WARNING}
    title = trained.network.kind.title
    network = replace(trained.network, name=f"{title}, simulated zone plates", about=about)
    folder.mkdir(exist_ok=True)
    networks.save(network, folder / f"{name}.safetensors")
    print(f"scores {dict(trained.scores)}\nof a constant {dict(trained.baseline)}")
    print("star-64", patch_scores(trained, "star-64"))
    spent = time.process_time() - cpu
    print(f"{spent:.0f} s of CPU, {time.perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    """Read the flags, and make what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SHIPPED, help="one of them")
    parser.add_argument("--epochs", type=int, default=0, help="passes over the patterns")
    parser.add_argument("--patterns", type=int, default=12000, help="simulated patterns")
    parser.add_argument("--quick", action="store_true", help="few patterns: does it run?")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they are written")
    asked = parser.parse_args()
    patterns = 400 if asked.quick else asked.patterns
    with device.threads(1):
        for name in [asked.only] if asked.only else SHIPPED:
            epochs = asked.epochs or (1 if asked.quick else EPOCHS[name])
            make(name, epochs, patterns, asked.folder)


if __name__ == "__main__":
    main()
