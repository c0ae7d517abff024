"""What is built from this tree: the wheel, the sdist that it is made of, and what they say."""

import importlib.util
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import napari_ptycho

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://github.com/napari-ptycho/napari-ptycho"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The names and bytes of the files in the sdist and in the wheel made from it."""
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        members = [one for one in archive.getmembers() if one.isfile()]
        source = {m.name.partition("/")[2]: archive.extractfile(m).read() for m in members}
    with zipfile.ZipFile(wheel) as archive:
        return source, {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(built):
    return message_from_bytes(built[1][f"{distinfo()}/METADATA"])


def distinfo():
    return f"napari_ptycho-{napari_ptycho.__version__}.dist-info"


def tracked(folder):
    """The files of a folder that belong to the project."""
    paths = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_and_nothing_else(built):
    _, wheel = built
    package = {name.removeprefix("src/") for name in tracked("src")}
    ours = {f"{distinfo()}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    assert set(wheel) == package | ours | {f"{distinfo()}/licenses/LICENSE"}
    assert wheel["napari_ptycho/networks/shipped/w3net.safetensors"]
    assert "napari_ptycho/py.typed" in wheel


def test_the_sdist_holds_what_a_wheel_is_made_of(built):
    source, _ = built
    beside = {name for name in source if not name.startswith("src/")}
    assert {name for name in source if name.startswith("src/")} == tracked("src")
    assert beside == {
        ".gitignore",
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "constraints.txt",
        "hatch_build.py",
        "pyproject.toml",
    }


def test_no_file_of_the_wheel_names_where_it_was_made(built):
    _, wheel = built
    assert [name for name, data in wheel.items() if str(ROOT).encode() in data] == []


def test_the_index_is_told_what_the_hub_shows(metadata):
    assert metadata["Name"] == "napari-ptycho"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert len(metadata["Summary"]) <= 200
    assert "\n" not in metadata["Summary"]
    urls = dict(entry.split(", ") for entry in metadata.get_all("Project-URL"))
    assert set(urls) == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    assert all(url.startswith(REPOSITORY) for url in urls.values())
    told = set(metadata.get_all("Classifier"))
    for system in ("MacOS", "Microsoft :: Windows", "POSIX :: Linux"):
        assert f"Operating System :: {system}" in told
    assert "Framework :: napari" in told


def test_no_dependency_that_everyone_gets_is_a_qt(metadata):
    needed = [one for one in metadata.get_all("Requires-Dist") if "extra ==" not in one]
    assert needed
    assert [one for one in needed if re.match(r"(?i)(pyqt[56]|pyside|napari\b)", one)] == []


def test_every_link_of_the_readme_leads_out_of_the_index(metadata):
    text = metadata.get_payload()
    links = re.findall(r"\]\(([^)]+)\)", text)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    tag = f"v{napari_ptycho.__version__}"
    assert len(links) > len(pictures) > 3
    assert [link for link in links if not link.startswith("https://")] == []
    for picture in pictures:
        assert (ROOT / picture.removeprefix(f"{REPOSITORY}/raw/{tag}/")).is_file()
    ours = [link for link in links if link.startswith(f"{REPOSITORY}/blob/")]
    assert len(ours) > 10
    for link in ours:
        path = link.removeprefix(f"{REPOSITORY}/blob/{tag}/").partition("#")[0]
        assert (ROOT / path).is_file()


def test_what_leads_somewhere_already_is_left_alone():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    text = "[a](https://b.c/d) [e](#f) ![g](h/i.png) [j](k.md#l)"
    wanted = "[a](https://b.c/d) [e](#f) ![g](R/raw/T/h/i.png) [j](R/blob/T/k.md#l)"
    assert hook.absolute(text, "R", "T") == wanted
