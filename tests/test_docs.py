import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_tables_of_the_pages_are_those_of_the_code():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for page in (ROOT / "docs").glob("*.md"):
        assert tables.filled(page.read_text()) == page.read_text(), "run: python docs/tables.py"


def test_the_readme_holds_two_set_up_commands():
    commands = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    words = [line.split("#")[0].strip() for line in commands.strip().splitlines()]
    assert words == ["bash demo.sh", "bash test.sh"]


def test_the_version_comes_from_one_place():
    import napari_ptycho

    assert re.fullmatch(r"\d+\.\d+\.\d+", napari_ptycho.__version__)
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()


def test_files_stay_small():
    sizes = {p.name: len(p.read_text().splitlines()) for p in (ROOT / "src").rglob("*.py")}
    assert {name: size for name, size in sizes.items() if size > 300} == {}
