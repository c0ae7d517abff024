"""What a network says of itself, in sentences; anything may stand in a file."""

from collections.abc import Mapping
from typing import Any

from napari_ptycho.networks.network import Network

LONGEST = 200
"""Characters of a text from a file that show."""


def taught_with(network: Network) -> list[str]:
    """Return what a network was taught with, how well it learnt, and when to believe it."""
    about = network.about
    data, metrics = _mapping(about.get("data")), _mapping(about.get("metrics"))
    lines = [_data(data), _metrics(metrics), _limits(data)]
    if "source" in about:
        lines.insert(0, f"{str(about['source'])[:LONGEST]}.")
    return [line for line in lines if line] or ["Nothing is known of what it was taught with."]


def _data(data: Mapping[str, Any]) -> str:
    names, numbers = data.get("names"), _mapping(data.get("patterns"))
    if not isinstance(names, list | tuple) or not names:
        return ""
    what = ", ".join(map(str, names))[:LONGEST]
    count = _number(numbers.get("training"), "{:.0f} patterns of ")
    return f"Taught with {count}{what}."


def _metrics(metrics: Mapping[str, Any]) -> str:
    parts = (
        _number(metrics.get("correlation"), "phase correlation {:z.2f}"),
        _number(metrics.get("psnr_db"), "PSNR {:.1f} dB"),
    )
    known = [part for part in parts if part]
    return f"In validation: {', '.join(known)}." if known else ""


def _limits(data: Mapping[str, Any]) -> str:
    """Say how far what it was taught reaches."""
    parts = (
        _span(data.get("phase_rad"), "phases from {:.2g} to {:.2g} rad"),
        _span(data.get("photons"), "{:,.0f} to {:,.0f} photons a pattern"),
    )
    known = [part for part in parts if part]
    if not known:
        return ""
    return (
        f"Believe it only on scans like these ({', '.join(known)}), and where the R factor and "
        "the spread are low."
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any, text: str) -> str:
    return text.format(value) if isinstance(value, int | float) else ""


def _span(value: Any, text: str) -> str:
    pair = list(value) if isinstance(value, list | tuple) else []
    numbers = [number for number in pair if isinstance(number, int | float)]
    return text.format(*numbers) if len(pair) == len(numbers) == 2 else ""
