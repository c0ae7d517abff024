"""How soon, and how well: the time to a level, and the resolution of halves of the data."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from plan import LEVELS, QUICK, SEEDS, TO_LEVEL, Run
from runner import Runner
from score import middle, misfit, onto, reached, resolution, truth_error

HALVES = 2  # peers whose halves are compared: those soonest at the level, or lowest at the end


def levels(runner: Runner) -> list[dict[str, Any]]:
    """Run every package on both data sets on one thread, and score its checkpoints."""
    cases = []
    for data, level in LEVELS.items():
        with np.load(runner.data[data]) as file:
            truth = dict(file)
        cases += [(QUICK, data, level, seed, truth) for seed in range(SEEDS)]
        peers = [run for run in TO_LEVEL if runner.wants(run) and data in run.only]
        cases += [(run, data, level, 0, truth) for run in peers]
    with ThreadPoolExecutor(runner.jobs) as pool:
        rows = pool.map(lambda case: _scored(runner, *case), cases)
    return [row for row in rows if row]


def _scored(
    runner: Runner, run: Run, data: str, level: float, seed: int, truth: dict[str, Any]
) -> dict[str, Any]:
    made = runner.run(run, data, seed=seed)
    if made is None:
        return {}
    area = middle(truth["corners"], truth["patterns"].shape[-1], truth["shape"])
    curve, size = [], len(made["epochs"])
    for at in range(size):
        results = made["objects"][at], made["probes"][at], made["corners"][at]
        image = onto(results[0], results[2], truth["corners"], truth["shape"])
        point = {"epoch": int(made["epochs"][at]), "cpu": float(made["cpu"][at])}
        if data == "star" or at + 1 == size:
            point["R"] = misfit(truth["patterns"], *results)
        if "truth" in truth:
            point["err"] = truth_error(truth["truth"], image, area)
        curve.append(point)
    if runner.pictures:
        picture(runner.pictures / f"{data}-{run.name.replace(' ', '-')}-{seed}.png", image, area)
    key = "R" if data == "star" else "err"
    cpu, values = [point["cpu"] for point in curve], [point[key] for point in curve]
    return {
        **vars(run),
        "data": data,
        "seed": seed,
        "curve": curve,
        "reached": reached(cpu, values, level),
        "mb": float(made["peak_mb"]),
        "version": str(made["version"]),
    }


def halves(runner: Runner, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reconstruct the star from two halves of its positions and compare them."""
    peers = [row for row in rows if row["data"] == "star" and row["package"] != "ours"]
    peers.sort(key=lambda row: (row["reached"] or np.inf, row["curve"][-1]["R"]))
    known = {run.name: run for run in TO_LEVEL}
    best = [known[f"{row['package']} {row['title']} {row['batch']}"] for row in peers[:HALVES]]
    with np.load(runner.data["star"]) as file:
        data = {name: file[name] for name in ("corners", "half", "shape", "probe")}
    area = middle(data["corners"], len(data["probe"]), data["shape"])
    found = []
    for run in (QUICK, *best):
        images, cpu = [], []
        for number, part in enumerate(("first", "second")):
            made = runner.run(run, "star", part=part)
            if made is None:
                break
            wanted = data["corners"][data["half"] == number]
            image = onto(made["objects"][-1], made["corners"][-1], wanted, data["shape"])
            images.append(image)
            cpu.append(float(made["cpu"][-1]))
        if len(images) == len(cpu) == 2:
            f = resolution(images[0], images[1], area)
            found.append({**vars(run), "cpu": cpu, "f": f})
    return found


def picture(path: Path, image: np.ndarray, area: np.ndarray) -> None:
    """Write the phase of an object, its mean removed, between its 1st and 99th percentile."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    phase = np.angle(image * np.exp(-1j * np.angle(image[area].sum())))
    low, high = np.percentile(phase[area], [1, 99])
    grey = np.clip((phase - low) / max(high - low, 1e-9), 0, 1) * 255
    Image.fromarray(grey.astype(np.uint8)).save(path)
