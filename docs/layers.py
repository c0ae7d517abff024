"""Draw the import layers from the contract in pyproject.toml: docs/images/layers.svg.

    python docs/layers.py

Boxes beside each other may not import each other, boxes may import what lies below them. The
sentence in a box is the first paragraph of the docstring of its package.
"""

import ast
import tomllib
from pathlib import Path
from textwrap import wrap
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "layers.svg"
WIDTH, MARGIN, GAP = 900, 10, 8
TITLE_PX, LINE_PX = 15, 16
PER_LETTER = 5.9
"""Width of a letter of the text, in pixels: a little more than most have."""
STYLE = """
  .box { fill: #f4f6fb; stroke: #5b6b95; }
  .title { fill: #1f2a4d; font: 600 15px sans-serif; }
  .text { fill: #333a4a; font: 12px sans-serif; }
  .arrow { stroke: #7484b3; fill: none; stroke-width: 1.5; }
  .side { fill: #7484b3; font: 12px sans-serif; }
  @media (prefers-color-scheme: dark) {
    .box { fill: #262c3d; stroke: #8fa0cf; }
    .title { fill: #e3e8f7; }
    .text { fill: #c3cadb; }
  }
"""
"""Boxes bring their own ground; what stands beside them is seen on white and on black."""


def layers() -> tuple[str, list[list[str]]]:
    """Return the root package, and the modules of every layer, the uppermost first."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = tables["tool"]["importlinter"]["contracts"]
    contract = next(one for one in contracts if one["type"] == "layers")
    rows = [[name.strip() for name in row.split("|")] for row in contract["layers"]]
    return contract["containers"][0], rows


def sentence(package: str, name: str) -> str:
    """Return the first paragraph of a module's docstring, without backticks and full stop."""
    folder = ROOT / "src" / package
    file = folder / name / "__init__.py"
    file = file if file.exists() else folder / f"{name}.py"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("`", "").rstrip(".")


def box(left: float, top: float, width: float, height: float, words: tuple[str, list[str]]) -> str:
    """Return one box: a title, and lines of text below it."""
    title, lines = words
    x, y = left + 10, top + TITLE_PX + 5
    at = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}"'
    drawn = [
        f'<rect class="box" {at} rx="5"/>',
        f'<text class="title" x="{x:g}" y="{y:g}">{escape(title)}</text>',
    ]
    for number, line in enumerate(lines, 1):
        below = y + LINE_PX * number
        drawn.append(f'<text class="text" x="{x:g}" y="{below:g}">{escape(line)}</text>')
    return "\n".join(drawn)


def picture() -> str:
    """Return the whole drawing."""
    package, rows = layers()
    top, drawn = float(MARGIN), list[str]()
    right = WIDTH - MARGIN - 24  # the arrow stands beside the boxes
    for names in rows:
        width = (right - MARGIN - GAP * (len(names) - 1)) / len(names)
        letters = int((width - 20) / PER_LETTER)
        texts = [wrap(sentence(package, name), letters) for name in names]
        height = TITLE_PX + 14 + LINE_PX * max(map(len, texts))
        for number, words in enumerate(zip(names, texts, strict=True)):
            drawn.append(box(MARGIN + number * (width + GAP), top, width, height, words))
        top += height + GAP
    x, end = WIDTH - MARGIN - 8, top - GAP
    drawn.append(
        f'<path class="arrow" d="M{x} {MARGIN} V{end:g} m-6 -10 l6 10 l6 -10"/>'
        f'<text class="side" transform="translate({x - 6} {end / 2:g}) rotate(-90)" '
        'text-anchor="middle">imports</text>'
    )
    size = f'width="{WIDTH}" height="{end + MARGIN:g}" viewBox="0 0 {WIDTH} {end + MARGIN:g}"'
    label = f"Import layers of {package}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *drawn, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
