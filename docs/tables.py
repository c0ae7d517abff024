"""Writes the tables of the pages that come from the code: run it after changing an Options class.

    python docs/tables.py

A page holds `<!-- table: NAME -->` ... `<!-- end -->`; what is between is replaced.
"""

import re
from pathlib import Path

from napari_ptycho.engines import ENGINES
from napari_ptycho.options import Options, Parameter, describe
from napari_ptycho.prepare import Optics
from napari_ptycho.samples import SampleOptions

PAGES = Path(__file__).parent
TABLES: dict[str, type[Options]] = {**ENGINES, "optics": Optics, "sample": SampleOptions}


def allowed(parameter: Parameter) -> str:
    """Return what a parameter may be, as text."""
    if parameter.choices:
        return ", ".join(parameter.choices)
    if parameter.range is None:
        return "true, false"
    return f"{parameter.range.low:g} to {parameter.range.high:g}"


def table(options: type[Options]) -> str:
    """Return the Markdown table of an Options class."""
    rows = ["| name | default | allowed | meaning |", "|---|---|---|---|"]
    rows += [
        f"| `{p.name}` | {str(p.default).lower()} | {allowed(p)} | {p.help} |"
        for p in describe(options)
    ]
    return "\n".join(rows)


def filled(page: str) -> str:
    """Return a page with its tables brought up to date."""

    def fresh(found: re.Match[str]) -> str:
        return f"<!-- table: {found[1]} -->\n{table(TABLES[found[1]])}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->.*?<!-- end -->", fresh, page, flags=re.DOTALL)


if __name__ == "__main__":
    for path in sorted(PAGES.glob("*.md")):
        path.write_text(filled(path.read_text()))
