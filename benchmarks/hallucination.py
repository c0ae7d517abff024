"""Can the hallucination check be trusted? Plants errors in images of known truth, and counts.

    python benchmarks/hallucination.py [--draws 20] [--processes 2]

Fills benchmarks/hallucination.md, from which `tables.py` takes the tables of docs/hallucination.md.
Every draw simulates a scan of its own (`samples.small_scan`: 289 patterns), thins or reconstructs
it, and asks the check as the window does. Draws that were made are kept in hallucination.json.
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_ptycho import device
from napari_ptycho.assess.case import Case, case_of
from napari_ptycho.assess.lattices import Lattice, beside, lattices
from napari_ptycho.assess.photons import score_map, support
from napari_ptycho.assess.signs import PERIODS, of_grid, places_of
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions, classical, dip
from napari_ptycho.denoise.subject import applied, subject_of
from napari_ptycho.engines import RpieOptions, reconstruct, reconstruct_halves
from napari_ptycho.engines.referee import Referee
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction
from napari_ptycho.phantoms import PHANTOMS
from napari_ptycho.physics.align import illumination
from napari_ptycho.samples import small_scan

RESULTS, KEPT = Path(__file__).with_suffix(".md"), Path(__file__).with_suffix(".json")
BRIGHT = 2e4  # photons per pattern, for what is planted
DIM = {4e3: ("skip", "arch1"), 1e3: ("skip",)}  # the same, halved for networks: which of them
GRIDS = [(period, size) for period in (2, 4, 8) for size in (0.01, 0.02, 0.05)]
BLOBS = (0.05, 0.1, 0.2)  # rad
SIGMA_PX = 4.0
NEAR_PX, ERASED_PX = 3.0, 7
FIXED = 100_000  # the epoch in which the probe would be learnt: it is known
NETWORKS = {
    "skip": ({"iterations": 480, "history_every": 80}, (80, 160, 320, 480)),
    "arch1": ({"iterations": 150, "rate": 1e-3, "history_every": 30}, (30, 60, 150)),
}
"""Name -> options beside the defaults, and the iterations that are asked about."""
Row = dict[str, Any]


@dataclass
class Scene:
    """A scan, what was reconstructed from it, and the photons."""

    truth: Reconstruction
    raw: Reconstruction
    referee: Referee
    seed: int
    _before: tuple[Any, ...] = ()

    def lattices_before(self, case: Case) -> tuple[Lattice, ...]:
        """Return the lattices that are wrong in what was reconstructed."""
        if not self._before:
            periods = [*map(float, PERIODS)]
            self._before = lattices(self.referee, self.raw.object, case.area, periods)
        return self._before

    def case(self, image: Any) -> Case:
        """Return an object as the denoised version of what was reconstructed."""
        return case_of(replace(self.raw, object=image.astype(np.complex64)), self.raw)


def bright(name: str, seed: int) -> Scene:
    """Reconstruct a scan of many photons with its known probe."""
    scan, truth = small_scan(name, BRIGHT, seed)
    start = replace(truth, object=np.full_like(truth.object, np.abs(truth.object).mean()))
    options = RpieOptions(epochs=40, probe_start=FIXED, seed=seed)
    raw = run_to_end(reconstruct(scan, options, start, "cpu"))
    return Scene(truth, raw, Referee(scan, raw, "cpu"), seed)


def planted(scene: Scene, base: str, image: Any) -> Iterator[Row]:
    """Plant grids, blobs and holes in an image, and look for them."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    draw = np.random.default_rng(scene.seed)
    case = scene.case(image)
    yield {"base": base, "what": "nothing", **asked(scene, case, image, None)}
    for period, size in GRIDS:
        wave = size * np.cos(2 * np.pi * y / period) * np.cos(2 * np.pi * x / period)
        row = asked(scene, case, image * np.exp(1j * wave), None, places=False)
        row["found"] = float(period) in row["periods"]
        row["seen"] = period in row["grid"]
        yield {"base": base, "what": f"grid {period} px", "size": size, **row}
    inside = np.argwhere(gaussian_filter(case.area.astype(float), 8) > 0.99)
    for size in BLOBS:
        at = inside[draw.integers(len(inside))]
        radius = (y - at[0]) ** 2 + (x - at[1]) ** 2
        blob = size * draw.choice((-1, 1)) * np.exp(-radius / (2 * SIGMA_PX**2))
        row = asked(scene, case, image * np.exp(1j * blob), (at, NEAR_PX))
        yield {"base": base, "what": "blob", "size": size, **row}
    yield {"base": base, "what": "erased", **erased(scene, case, image, inside)}


def erased(scene: Scene, case: Case, image: Any, inside: Any) -> Row:
    """Replace what is within 7 pixels of the place richest in detail by its mean."""
    detail = gaussian_filter(case.values**2, 4) - gaussian_filter(case.values, 4) ** 2
    few = inside[np.random.default_rng(scene.seed).permutation(len(inside))[:200]]
    at = few[np.argmax([detail[tuple(place)] for place in few])]
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    hole = np.hypot(y - at[0], x - at[1]) < ERASED_PX
    gone = np.where(hole, image[hole].mean(), image)
    return asked(scene, case, gone, (at, ERASED_PX))


def asked(
    scene: Scene, case: Case, image: Any, at: tuple[Any, float] | None, places: bool = True
) -> Row:
    """Ask the photons for lattices, and for places; tell whether they found the one that is."""
    case = replace(case, image=image, values=case.shown(image))
    grids = lattices(scene.referee, image, case.area, [*map(float, PERIODS)])
    grids = beside(grids, scene.lattices_before(case))
    wrong = [one.period_px[0] for one in grids if one.contradicted]
    grid = of_grid(case.residual, case)
    row: Row = {"periods": wrong, "t": grids[0].t, "grid": grid.numbers["added"]}
    if not places:
        return row
    scores = score_map(scene.referee, image, case.area, SIGMA_PX)
    before = score_map(scene.referee, scene.raw.object, case.area, SIGMA_PX)
    found = [one for one in places_of(scores, before, case, SIGMA_PX) if "already" not in one.kind]
    row |= {"places": len(found), "largest": scores.largest}
    row["contradicted"] = bool(found or wrong)
    if at is not None:
        off = [float(np.hypot(one.y - at[0][0], one.x - at[0][1])) for one in found]
        row["off"] = min(off, default=None)
        row["found"] = bool(off) and min(off) <= at[1]
    return row


def dim(name: str, seed: int, photons: float) -> Iterator[Row]:
    """Denoise half of few photons by networks, and ask the other half."""
    scan, truth = small_scan(name, photons, seed)
    options = RpieOptions(epochs=30, probe_start=FIXED, seed=seed)
    halves = run_to_end(reconstruct_halves(scan, truth, options, seed, "cpu"))
    judge = Referee(scan, truth, "cpu", half=1, seed=seed)
    subject, light = subject_of(halves[0], "phase"), illumination(truth)
    light /= light.sum()

    def error(found: Reconstruction) -> float:
        """Return the rms phase error, weighted by the light: in the dark there is no truth."""
        off = np.angle(found.object * truth.object.conj())
        off -= (light * off).sum()
        return float(np.sqrt((light * off**2).sum()))

    raw = error(halves[0])
    for architecture in DIM[photons]:
        settings, iterations = NETWORKS[architecture]
        how = DenoiseOptions.of(architecture, stop="none", seed=seed, **settings)
        result = run_to_end(dip(subject.image, how, weight=subject.weight, device="cpu"))
        for iteration in iterations:
            image = result.at(iteration)
            found = applied(subject, result, image)
            row = preferred(judge, found, halves[0], error(found))
            yield {"what": architecture, "iteration": iteration, "raw": raw, **row}
    for method in ("tv", "nlm"):
        result = classical(subject.image, ClassicalOptions(method=method), weight=subject.weight)
        found = applied(subject, result)
        row = preferred(judge, found, halves[0], error(found))
        yield {"what": method, "iteration": 0, "raw": raw, **row}
    row = preferred(judge, replace(halves[0], object=truth.object), halves[0], 0.0)
    yield {"what": "truth", "iteration": 0, "raw": raw, **row}


def preferred(judge: Referee, found: Reconstruction, half: Reconstruction, error: float) -> Row:
    """Return what photons that were held out say, and whether the residual has a grid."""
    asked_ = support(judge, found.object, half.object, held_out=True)
    case = case_of(found, half)
    grid = of_grid(case.residual, case)
    return {"error": error, "t": asked_.t, "verdict": asked_.verdict, "grid": grid.alarm}


def drawn(name: str, seed: int, part: str) -> list[Row]:
    """Make one draw of one phantom: of what is planted, or of what methods do."""
    with device.threads(1):
        if part == "methods":
            rows = [{"base": n, **row} for n in DIM for row in dim(name, seed, n)]
            return [{"phantom": name, "seed": seed, "part": part, **row} for row in rows]
        scene = bright(name, seed)
        tv = classical(subject_of(scene.raw, "phase").image, ClassicalOptions(method="tv"))
        smooth = applied(subject_of(scene.raw, "phase"), tv).object
        half_way = (scene.raw.object + onto(scene.truth.object, scene.raw.object)) / 2
        rows = [
            *planted(scene, "truth", onto(scene.truth.object, scene.raw.object)),
            *planted(scene, "TV", smooth),
        ]
        for base, image in (("half way", half_way), ("original", scene.raw.object)):
            row = asked(scene, scene.case(image), image, None)
            rows.append({"base": base, "what": "nothing", **row})
    return [{"phantom": name, "seed": seed, "part": part, **row} for row in rows]


def onto(image: Any, other: Any) -> Any:
    """Return an object with the global phase of another one."""
    return image * np.exp(1j * np.angle(np.vdot(image, other)))


# -- tables


def rate(rows: list[Row], name: str) -> str:
    """Return how many of the rows have something, in percent."""
    return f"{100 * np.mean([bool(row[name]) for row in rows]):.0f} %" if rows else ""


def tables(rows: list[Row]) -> str:
    """Return all tables as Markdown."""
    lines = [
        "| planted | size | in the truth | in a TV result | grid alarm, TV result | off by (px) |",
        "|---|---|---|---|---|---|",
    ]
    kinds = [(f"grid {p} px", s) for p, s in GRIDS] + [("blob", s) for s in BLOBS]
    for what, size in [*kinds, ("erased", None)]:
        some = [row for row in rows if row["what"] == what and row.get("size") == size]
        truth, tv = ([r for r in some if r["base"] == base] for base in ("truth", "TV"))
        off = [r["off"] for r in truth if r.get("off") is not None and r["found"]]
        unit = "" if size is None else f"{size:g} rad"
        error = f"{np.median(off):.1f}" if off else ""
        seen = rate(tv, "seen") if "grid" in what else ""
        cells = [what, unit, rate(truth, "found"), rate(tv, "found"), seen, error]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| nothing planted | contradicted | lattices | largest S |", "|---|---|---|---|"]
    for base in ("truth", "half way", "original", "TV"):
        some = [r for r in rows if r["base"] == base and r["what"] == "nothing"]
        cells = [base, rate(some, "contradicted"), rate(some, "periods")]
        lines.append(f"| {' | '.join(cells)} | {max(r['largest'] for r in some):.1f} |")
    return "\n".join([*lines, "", *networks([r for r in rows if r["base"] in DIM])])


def networks(rows: list[Row]) -> list[str]:
    """Return the tables of what networks did."""
    lines = [
        "| photons | method | iteration | better | supported | neutral | contradicted | grid |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        row["better"] = row["error"] < row["raw"]
    for photons, names in DIM.items():
        methods = (*names, "tv", "nlm", "truth")
        asked_about = [(m, i) for m in methods for i in NETWORKS.get(m, (None, (0,)))[1]]
        for what, iteration in asked_about:
            key = (photons, what, iteration)
            some = [r for r in rows if (r["base"], r["what"], r["iteration"]) == key]
            shares = [share(some, verdict) for verdict in ("supported", "neutral", "contradicted")]
            cells = [f"{photons / 2:g}", what, str(iteration or ""), rate(some, "better")]
            cells += [*shares, rate(some, "grid")]
            lines.append(f"| {' | '.join(cells)} |")
    done = [r for r in rows if r["what"] != "truth"]
    lines += ["", "| phase error against the original's | results | supported | contradicted |"]
    lines += ["|---|---|---|---|"]
    bins = [(0, 0.9), (0.9, 0.97), (0.97, 1.0), (1.0, 1.03), (1.03, 1.1), (1.1, 1e9)]
    for low, high in bins:
        some = [r for r in done if low <= r["error"] / r["raw"] < high]
        shares = [share(some, verdict) for verdict in ("supported", "contradicted")]
        name = f"{low:g} to {high:g}" if high < 1e9 else f"over {low:g}"
        lines.append(f"| {name} | {len(some)} | {' | '.join(shares)} |")
    for better in (True, False):
        some = [r for r in done if r["better"] == better]
        shares = [f"{share(some, verdict)} {verdict}" for verdict in ("supported", "contradicted")]
        word = "better" if better else "worse"
        lines += ["", f"Truly {word}: {len(some)} results, {', '.join(shares)}."]
    return lines


def share(rows: list[Row], verdict: str) -> str:
    """Return how many of the rows have a verdict, in percent."""
    return f"{100 * np.mean([row['verdict'] == verdict for row in rows]):.0f} %" if rows else "none"


def main() -> None:
    """Make the draws that are missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    rows: list[Row] = json.loads(KEPT.read_text()) if KEPT.exists() else []
    made = {(row["phantom"], row["seed"], row["part"]) for row in rows}
    parts = ("planted", "methods")
    wanted = [(n, seed, part) for seed in range(given.draws) for n in PHANTOMS for part in parts]
    with ProcessPoolExecutor(given.processes) as pool:
        jobs = [pool.submit(drawn, *one) for one in wanted if one not in made]
        for number, job in enumerate(as_completed(jobs), 1):
            rows += job.result()
            KEPT.write_text(json.dumps(rows))
            print(f"{number} of {len(jobs)} draws", flush=True)
    draws = len({(row["phantom"], row["seed"]) for row in rows})
    head = (
        f"{draws} draws ({given.draws} of each phantom). Planted: {BRIGHT:g} photons per pattern; "
        f"denoised: half of {' and '.join(f'{n:g}' for n in DIM)}."
    )
    RESULTS.write_text(f"# Trust in the hallucination check\n\n{head}\n\n{tables(rows)}\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
