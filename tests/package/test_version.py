"""The version is written once, in `napari_ptycho/__init__.py`; what must repeat it agrees."""

import re
from pathlib import Path

from napari_ptycho import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_the_citation_is_of_this_version():
    found = re.findall(r"(?m)^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert found == [__version__]


def test_the_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^## (\S+) - (not released yet|\d{4}-\d{2}-\d{2})$", text)
    assert headings[0][0] == __version__
    assert len(headings) == len(re.findall(r"(?m)^## ", text)), "a heading is no 'VERSION - DATE'"


def test_a_version_that_is_cited_with_a_date_is_a_released_one():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    dates = re.findall(r"(?m)^date-released: (.+)$", citation)
    released = re.findall(
        rf"(?m)^## {re.escape(__version__)} - (\d{{4}}-\d{{2}}-\d{{2}})$", changes
    )
    assert dates == released
