"""Writes the tables of the pages that come from the code: run it after changing an Options class.

    python docs/tables.py

A page holds `<!-- table: NAME -->` ... `<!-- end -->`; what is between is replaced.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from napari_ptycho.assess import (
    AlignOptions,
    CheckOptions,
    DifferenceOptions,
    FrcOptions,
    HonestOptions,
    MapOptions,
    MetricsOptions,
    ProfileOptions,
)
from napari_ptycho.cli.listing import allowed
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions
from napari_ptycho.engines import ENGINES, PRESETS, EngineOptions
from napari_ptycho.engines.stages import in_words
from napari_ptycho.io.forms.table import WRITERS
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.opened import known_formats
from napari_ptycho.model.reconstruction import EXTRAS
from napari_ptycho.networks import (
    ARCHITECTURES,
    FinetuneOptions,
    PredictOptions,
    SimulationOptions,
    TrainOptions,
)
from napari_ptycho.networks.cost import cost
from napari_ptycho.options import Options, Parameter, describe
from napari_ptycho.prepare import Optics
from napari_ptycho.prepare.detector import DetectorOptions
from napari_ptycho.recipes import AssessOptions, BinningOptions, OutputOptions
from napari_ptycho.samples import SampleOptions

PAGES = Path(__file__).parent
SHARED = describe(EngineOptions)


def rows(parameters: Iterable[Parameter]) -> str:
    """Return the Markdown table of parameters."""
    lines = ["| name | default | allowed | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{p.name}` | {str(p.default).lower()} | {allowed(p)} | {p.help} |" for p in parameters
    ]
    return "\n".join(lines)


def all_of(options: type[Options]) -> str:
    """Return the table of an Options class."""
    return rows(describe(options))


def more_than_align(options: type[Options]) -> str:
    """Return the table of what an Options class adds to `AlignOptions`, or changes in it."""
    return rows(p for p in describe(options) if p not in describe(AlignOptions))


def group(name: str) -> str:
    """Return the table of a group that all engines share; "" are those of every run."""
    return rows(p for p in SHARED if p.group == name)


def own(name: str) -> str:
    """Return the table of what an engine adds to the shared options, or changes in them."""
    return rows(p for p in describe(ENGINES[name]) if p not in SHARED)


def engines() -> str:
    """Return the table of the engines."""
    lines = ["| `--engine` | | own options |", "|---|---|---|"]
    for name, kind in ENGINES.items():
        added = [f"`{p.name}`" for p in describe(kind) if p not in SHARED]
        anchor = re.sub(r"[^\w\- ]", "", kind.title).lower().replace(" ", "-")
        lines.append(f"| `{name}` | [{kind.title}](#{anchor}) | {', '.join(added)} |")
    return "\n".join(lines)


def presets() -> str:
    """Return the table of the presets."""
    lines = ["| `--preset` | in the window | stages | what it does |", "|---|---|---|---|"]
    for name, preset in PRESETS.items():
        stages = "<br>".join(f"{n}. {in_words(o)}" for n, o in enumerate(preset.stages, 1))
        lines.append(f"| `{name}` | {preset.title} | {stages} | {preset.help} |")
    return "\n".join(lines)


def extras() -> str:
    """Return the table of the extras."""
    lines = ["| name | what it is |", "|---|---|"]
    return "\n".join(lines + [f"| `{name}` | {meaning} |" for name, meaning in EXTRAS.items()])


def networks() -> str:
    """Return the table of the networks that lead from patterns to the object."""
    lines = ["| `--network` | | weights | GFLOP, 64 px | GFLOP, 128 px | sides | |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, kind in ARCHITECTURES.items():
        price = [f"{cost(name, (size, size)).gflop:.3g}" for size in (64, 128)]
        cells = [f"`{name}`", kind.title, f"{kind.parameters:,}", *price]
        lines.append(f"| {' | '.join(cells)} | multiples of {kind.multiple} | {kind.help} |")
    return "\n".join(lines)


def formats() -> str:
    """Return the table of the formats: read, written, and what they were checked against."""
    lines = ["| format | read | write (`--format`) | checked against |", "|---|---|---|---|"]
    for name, known in known_formats().items():
        read = {"scan": known.read_scan, "reconstruction": known.read_reconstruction}
        kinds = ", ".join(kind for kind, reader in read.items() if reader)
        forms = [one for one in WRITERS if one.reader == name]
        keys = ", ".join(f"`{one.key}` ({one.suffix})" for one in forms) or "–"
        checked = dict.fromkeys([known.checked, *(one.checked for one in forms if one.checked)])
        lines.append(f"| {known.title} | {kinds} | {keys} | {'; '.join(checked)} |")
    for one in WRITERS:
        if not one.reader:
            lines.append(f"| {one.title} | – | `{one.key}` ({one.suffix}) | {one.checked} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {
    **{name: partial(own, name) for name in ENGINES},
    **{p.group.lower().replace(" ", "_") or "run": partial(group, p.group) for p in SHARED},
    "engines": engines,
    "presets": presets,
    "extras": extras,
    "formats": formats,
    "align": partial(all_of, AlignOptions),
    "assess": partial(all_of, AssessOptions),
    "binning": partial(all_of, BinningOptions),
    "check": partial(all_of, CheckOptions),
    "classical": partial(all_of, ClassicalOptions),
    "denoise": partial(all_of, DenoiseOptions),
    "finetune": partial(all_of, FinetuneOptions),
    "frames": partial(all_of, DetectorOptions),
    "layout": partial(all_of, Layout),
    "networks": networks,
    "predict": partial(all_of, PredictOptions),
    "simulation": partial(all_of, SimulationOptions),
    "train": partial(all_of, TrainOptions),
    "difference": partial(more_than_align, DifferenceOptions),
    "frc": partial(all_of, FrcOptions),
    "honest": partial(all_of, HonestOptions),
    "map": partial(all_of, MapOptions),
    "numbers": partial(more_than_align, MetricsOptions),
    "optics": partial(all_of, Optics),
    "output": partial(all_of, OutputOptions),
    "profile": partial(all_of, ProfileOptions),
    "sample": partial(all_of, SampleOptions),
}


def filled(page: str) -> str:
    """Return a page with its tables brought up to date."""

    def fresh(found: re.Match[str]) -> str:
        return f"<!-- table: {found[1]} -->\n{TABLES[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->.*?<!-- end -->", fresh, page, flags=re.DOTALL)


if __name__ == "__main__":
    for path in sorted(PAGES.rglob("*.md")):
        path.write_text(filled(path.read_text()))
