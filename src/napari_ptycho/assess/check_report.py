"""A hallucination check as a page to read and to hand on: verdict, evidence, maps, limits."""

import base64
import io as streams
import json
import os
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.assess.figure import INK, PAPER, map_figure
from napari_ptycho.assess.verdict import LIMITS, Check
from napari_ptycho.errors import FileError

LOOKS: dict[str, tuple[str, str, tuple[float, float]]] = {
    "lattice": (
        "Lattice that is not in the sample (rms, in rad or 1)",
        "magma",
        (0, 0),
    ),
    "score": ("Where the photons want another value: S (alarm beyond 5)", "RdBu_r", (-10, 10)),
    "local grid": ("Grid in what was taken away (alarm beyond 30)", "magma", (0, 60)),
    "blobs": ("Blobs in what was taken away: z (alarm beyond 6)", "RdBu_r", (-8, 8)),
    "spread": ("Spread of the networks", "inferno", (0, 0)),
}
"""Map of a check -> title, colours, limits; (0, 0) takes those of the map."""
COLOURS = {
    "supported": "#2e7d32",
    "neutral": "#8a6d00",
    "contradicted": "#b3261e",
    "not tested": "#555555",
}
STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222 }
h1 { font-size: 1.4em } h2 { font-size: 1.1em; margin-top: 1.6em }
.verdict { font-size: 1.3em; font-weight: bold; color: white; padding: .3em .6em;
  display: inline-block; border-radius: .2em }
table { border-collapse: collapse } td { padding: .25em .8em .25em 0; vertical-align: top }
.alarm { color: #b3261e; font-weight: bold }
img { max-width: 30em; width: 48%; margin: 0 1% 1em 0 }
"""


def limits_of(name: str, values: NDArray[Any]) -> tuple[float, float]:
    """Return at which values the colours of a map end."""
    low, high = LOOKS[name][2]
    if high > low:
        return low, high
    return 0.0, max(float(np.nanpercentile(values, 99.5)), 1e-9)


def as_json(found: Check) -> str:
    """Return verdict and evidence as JSON."""
    return json.dumps(found.as_dict(), indent=2, allow_nan=False)


def write_report(found: Check, path: str | os.PathLike[str]) -> None:
    """Write a check as a page (.html) or as data (.json).

    Args:
        found: The check.
        path: The file to write.

    Raises:
        FileError: The ending is another, the folder is missing, or the disk is full.
    """
    ending = Path(path).suffix.lower()
    if ending == ".json":
        text = as_json(found)
    elif ending in (".html", ".htm"):
        text = as_html(found)
    else:
        raise FileError(f"{Path(path).name}: a check is written to .html or .json")
    from napari_ptycho.io.atomic import written  # brings h5py

    with written(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def as_html(found: Check) -> str:
    """Return a check as a page that needs no other file."""
    rows = "".join(
        f'<tr><td class="{"alarm" if one.alarm else ""}">{"look" if one.alarm else "ok"}</td>'
        f"<td>{escape(one.test)}</td><td>{escape(one.sentence)}</td></tr>"
        for one in found.evidence
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(found.name)}</title>'
        f"<style>{STYLE}</style><h1>Hallucination check: {escape(found.name)}, {found.channel}</h1>"
        f'<p><span class="verdict" style="background:{COLOURS[found.verdict]}">{found.verdict}'
        f"</span></p><p>{escape(found.sentence())}</p>"
        f"<h2>Evidence</h2><table>{rows}</table>"
        f"<h2>Maps</h2>{_pictures(found)}"
        f"<h2>Limits</h2>{_list(LIMITS)}"
        f"<h2>Notes</h2>{_list(found.notes or ('none',))}</html>\n"
    )


def _list(sentences: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in sentences) + "</ul>"


def _pictures(found: Check) -> str:
    pixel, values = found.pixel_m, found.values
    inside = values[found.area]
    low, high = (float(value) for value in np.percentile(inside, (0.5, 99.5)))
    unit = "rad" if found.channel == "phase" else ""
    figures = [map_figure(values, pixel, found.name, unit, (low, high), "gray")]
    for place in found.invented:
        figures[0].axes[0].plot(place.x, place.y, "o", mfc="none", mec="#ff5252", ms=14)
    for name, found_map in found.maps.items():
        title, colours, _ = LOOKS[name]
        limits = limits_of(name, found_map)
        figures.append(map_figure(found_map, pixel, title, "", limits, colours))
    if found.support is not None:
        figures.append(_frames(found))
    return "".join(f'<img alt="" src="data:image/png;base64,{_png(one)}">' for one in figures)


def _frames(found: Check) -> Any:
    """Draw what each frame prefers, at its place."""
    from matplotlib.figure import Figure

    assert found.support is not None  # asked before
    figure = Figure(figsize=(6.4, 5.6), dpi=150, facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    gap = found.support.per_frame
    most = max(float(np.percentile(np.abs(gap), 98)), 1e-9)
    y, x = found.centres_px.T
    shown = axes.scatter(x, y, c=gap, cmap="RdBu_r", vmin=-most, vmax=most, s=14)
    axes.set_facecolor("#1c1e24")
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.set_title(
        "What each pattern prefers (blue: this image; red: the original), in nats",
        color=INK,
        fontsize=9,
    )
    axes.tick_params(colors=INK, labelsize=8)
    figure.colorbar(shown, ax=axes).ax.tick_params(colors=INK, labelsize=8)
    return figure


def _png(figure: Any) -> str:
    stream = streams.BytesIO()
    figure.savefig(stream, format="png", facecolor=figure.get_facecolor())
    return base64.b64encode(stream.getvalue()).decode("ascii")
