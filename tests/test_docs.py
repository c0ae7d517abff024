import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page):
    text = re.sub(r"(?m)^ {4}(?! *!?\[).*$", "", page.read_text())  # equations look like links
    links = re.findall(r"\]\(([^)#]+)", text)
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_pages_are_those_of_the_code():
    tables = script("tables")
    for page in (ROOT / "docs").rglob("*.md"):
        assert tables.filled(page.read_text()) == page.read_text(), "run: python docs/tables.py"


def test_the_picture_of_the_layers_is_that_of_the_contract():
    assert script("layers").picture() == (ROOT / "docs" / "images" / "layers.svg").read_text()


def test_the_names_on_the_page_of_algorithms_resolve():
    page = (ROOT / "docs" / "algorithms.md").read_text()
    names = sorted(set(re.findall(r"napari_ptycho(?:\.\w+)+", page)))
    assert len(names) > 100
    lost = []
    for name in names:
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            lost.append(name)
    assert lost == []


def test_the_readme_holds_two_set_up_commands():
    commands = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    words = [line.split("#")[0].strip() for line in commands.strip().splitlines()]
    assert words == ["bash demo.sh", "bash test.sh"]


def test_files_stay_small():
    sizes = {p.name: len(p.read_text().splitlines()) for p in (ROOT / "src").rglob("*.py")}
    assert {name: size for name, size in sizes.items() if size > 300} == {}
