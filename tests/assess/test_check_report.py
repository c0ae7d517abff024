"""The report of a check: a page that needs nothing else, or data."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from napari_ptycho.assess.check_report import LOOKS, as_html, limits_of, write_report
from napari_ptycho.assess.photons import Support
from napari_ptycho.assess.verdict import LIMITS, Check, Evidence, Place
from napari_ptycho.errors import FileError

NAME = "<b>a & $x_{</b>"


def found(**more):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(24, 30))
    area = np.ones(image.shape, bool)
    area[:2] = False
    holed = np.where(area, image, np.nan)
    known = {
        "support": Support(9.0, 1.0, rng.normal(size=4), True),
        "places": (Place(10, 12, -8.0, -0.2, "added"),),
        "evidence": (Evidence("photons", "t > 3 & more", True), Evidence("grid", "No grid.")),
        "maps": {"score": holed, "local grid": holed, "blobs": holed, "spread": abs(holed)},
        "centres_px": rng.uniform(5, 20, (4, 2)),
        "notes": ("a <note>",),
    }
    return Check(NAME, "phase", area, image, (8e-9, 8e-9), **{**known, **more})


class Page(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


def test_a_page_needs_no_other_file_and_names_are_only_names(tmp_path):
    write_report(found(), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.tags.count("img") == 6  # the image, four maps, the frames
    assert all(link.startswith("data:image/png;base64,iVBOR") for link in page.links)
    assert not re.search(r"https?://|@import|<script|<link", text)
    assert "b" not in page.tags  # of the name
    words = " ".join(page.words)
    for said in (NAME, "contradicted", "t > 3 & more", "a <note>", *LIMITS):
        assert said in words
    assert text.count('class="alarm"') == 1
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_a_page_of_a_check_without_photons_has_fewer_pictures():
    page = Page(as_html(found(support=None, places=(), maps={}, notes=())))
    assert page.tags.count("img") == 1
    words = " ".join(page.words)
    assert "not tested" in words
    assert "none" in page.words


def test_data_say_what_the_check_says(tmp_path):
    write_report(found(), tmp_path / "r.JSON")
    assert json.loads((tmp_path / "r.JSON").read_text()) == found().as_dict()


def test_other_endings_and_missing_folders_are_refused(tmp_path):
    with pytest.raises(FileError, match=r"r\.txt: a check is written to \.html or \.json"):
        write_report(found(), tmp_path / "r.txt")
    with pytest.raises(FileError, match="none"):
        write_report(found(), tmp_path / "none" / "r.json")
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("old")
    broken = found(notes=(object(),))  # no JSON
    with pytest.raises(TypeError):
        write_report(broken, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]


def test_colours_end_where_the_map_tells_or_the_values_do():
    values = np.full((20, 20), 0.5)
    ends = {"score": (-10, 10), "local grid": (0, 60), "blobs": (-8, 8)}
    assert {name: limits_of(name, values) for name in LOOKS} == {
        "lattice": (0, 0.5),
        **ends,
        "spread": (0, 0.5),
    }
    assert limits_of("spread", np.zeros((20, 20)))[1] > 0
