"""The pictures of the pages: each is shown, and made by a script that says so."""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURES = sorted(path.name for path in (ROOT / "docs" / "images").iterdir())
MAKERS = [
    *(ROOT / "docs").glob("*.py"),
    *(ROOT / "benchmarks").rglob("*.py"),
    *(ROOT / "tests" / "stories").glob("*.py"),
]


def test_every_picture_is_on_a_page():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    shown = set(re.findall(r"images/([\w.-]+)\)", text))
    assert [name for name in PICTURES if name not in shown] == []


def test_every_picture_is_made_by_one_script_that_names_it():
    made = {}
    for script in MAKERS:
        words = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
        for pattern in re.findall(r"docs/images/([\w*.-]+\.(?:png|svg))", words):
            for name in PICTURES:
                if fnmatch(name, pattern):
                    made.setdefault(name, set()).add(script.name)
    assert [name for name in PICTURES if name not in made] == []
    assert {name: by for name, by in made.items() if len(by) > 1} == {}
