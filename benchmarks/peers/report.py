"""Turns results.json into tables; prints them when it is run by itself.

python benchmarks/peers/report.py
"""

import json
import statistics
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TITLES = {
    "ours": "napari-ptycho",
    "ptychi": "Pty-Chi",
    "ptyrad": "PtyRAD",
    "py4dstem": "py4DSTEM",
    "phaser": "phaser",
}
Row = dict[str, Any]


def spread(values: list[float]) -> str:
    """Return median [min-max]."""
    return f"{statistics.median(values):.3g} [{min(values):.3g}-{max(values):.3g}]"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def ratios(row: Row, rows: list[Row], time: str, shifted: bool) -> str:
    """Return theirs / ours round by round, at the same batch; "" where ours was not run so."""
    for ours in rows:
        same = ours["algorithm"] == row["ours"] and ours["batch"] == row["batch"]
        same = same and bool(ours["settings"].get("subpixel")) == shifted
        if ours["package"] == "ours" and same and len(ours[time]) == len(row[time]):
            return spread([b / a for a, b in zip(ours[time], row[time], strict=True)])
    return ""


def epochs_table(found: Row, threads: int) -> str:
    """Return seconds per epoch on the star."""
    rows = [row for row in found["epochs"] if row["threads"] == threads]
    times = {"cpu": "CPU s"} if threads == 1 else {"cpu": "CPU s", "wall": "wall s"}
    kinds = {False: "theirs / ours", True: "theirs / ours with sub-pixel shifts"}
    head = ["package", "algorithm", "batch", *(f"{unit} / epoch" for unit in times.values())]
    head += [f"{kind}, {unit}" for unit in times.values() for kind in kinds.values()]
    lines = []
    for row in rows:
        cells = [TITLES[row["package"]], row["title"], str(row["batch"])]
        cells += [spread(row[time]) for time in times]
        for time in times:
            for shifted in kinds:
                ours = row["package"] == "ours"
                cells.append("" if ours else ratios(row, rows, time, shifted))
        lines.append([*cells, f"{max(row['mb']):.0f}"])
    return table([*head, "peak MB"], lines)


def epoch_of(row: Row, key: str, level: float) -> str:
    """Return the epoch of the first checkpoint at the level."""
    hits = [point["epoch"] for point in row["curve"] if point.get(key, 9) <= level]
    return f"<= {hits[0]}" if hits else f"not in {row['curve'][-1]['epoch']}"


def levels_table(found: Row, data: str, key: str, level: float) -> str:
    """Return CPU seconds to a level."""
    rows = [row for row in found["levels"] if row["data"] == data]
    ours = [row for row in rows if row["package"] == "ours"]
    total = [row["curve"][-1]["cpu"] for row in ours]
    head = ["package", "algorithm", "batch", f"CPU s to {key} <= {level}", "times ours"]
    head += ["epochs", "all CPU s", f"{key} at the end", "peak MB"]
    lines = []
    if ours:
        ends = [row["curve"][-1][key] for row in ours]
        solved = sum(end <= level for end in ends)
        cells = [f"{spread(total)} (the whole chain)", "1", f"{solved} of {len(ours)} seeds"]
        most = max(row["mb"] for row in ours)
        more = [spread(total), spread(ends), f"{most:.0f}"]
        lines.append([TITLES["ours"], "chain 'quick'", "8", *cells, *more])
    for row in rows:
        if row["package"] == "ours":
            continue
        end, when = row["curve"][-1], row["reached"]
        times = f"{when / statistics.median(total):.1f}" if when and total else ""
        if not when and total:
            times = f"> {end['cpu'] / statistics.median(total):.1f}"
        cells = [f"{when:.1f}" if when else "-", times, epoch_of(row, key, level)]
        more = [f"{end['cpu']:.1f}", f"{end[key]:.4g}", f"{row['mb']:.0f}"]
        lines.append([TITLES[row["package"]], row["title"], str(row["batch"]), *cells, *more])
    return table(head, lines)


def halves_table(found: Row) -> str:
    """Return the resolution from halves of the star."""
    lines = [
        [TITLES[row["package"]], row["title"], f"{row['f']:.2f}", f"{max(row['cpu']):.1f}"]
        for row in found["halves"]
    ]
    return table(["package", "algorithm", "FRC < 0.5 at (Nyquist = 1)", "CPU s per half"], lines)


def setting(found: Row) -> str:
    """Return the machine, the versions and the repairs in sentences."""
    rows = found["epochs"] + found["levels"]
    versions = {TITLES[row["package"]]: row["version"] for row in rows}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = f"{found['date']}, {found['cores']} cores of {found['cpu']}, Python {found['python']}; "
    text += f"{named}; {found['rounds']} interleaved rounds."
    for note in found["notes"]:
        text += f" Repaired: `{note}`."
    return text


def tables(found: Row) -> str:
    """Return everything below the title."""
    parts = [setting(found)]
    for threads in sorted({row["threads"] for row in found["epochs"]}):
        name = "one thread" if threads == 1 else f"{threads} threads"
        parts += [f"**An epoch of the measured star, {name}**", epochs_table(found, threads)]
    parts += ["**Time to a level on the star**", levels_table(found, "star", "R", 0.0125)]
    parts += ["**Time to a level on the simulated scan**"]
    parts += [levels_table(found, "sim", "err", 0.17)]
    if found["halves"]:
        parts += ["**Two halves of the star**", halves_table(found)]
    return "\n\n".join(parts)


def read() -> Row:
    """Return what was found."""
    found: Row = json.loads((HERE / "results.json").read_text())
    return found


def write(found: Row) -> None:
    """Write results.json and results.md."""
    (HERE / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    text = f"# Our engine and others\n\nWritten by `run.py`.\n\n{tables(found)}\n"
    (HERE / "results.md").write_text(text)


if __name__ == "__main__":
    print(tables(read()))
