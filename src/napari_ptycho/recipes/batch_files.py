"""The files of a batch: which scans patterns name, how results are called, what was seen before."""

import glob
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_ptycho.errors import FileError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import kind_of, name_of, read_head, translated, without_parts
from napari_ptycho.recipes import checksums
from napari_ptycho.recipes.recipe import SAMPLE

MANIFEST, CSV, PAGE = "batch.json", "summary.csv", "summary.html"
FORMAT = 1


@dataclass
class Manifest:
    """What a folder of results remembers of its scans, so that nothing is read in vain."""

    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    """File name of its result, by scan."""
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """"checksum", and "parts": path, bytes and time (ns) of every file it is made of, by scan."""

    @classmethod
    def of(cls, folder: Path) -> "Manifest":
        """Read the manifest of a folder; an empty one if there is none.

        Raises:
            FileError: It is damaged, or of a later version.
        """
        path = folder / MANIFEST
        if not path.exists():
            return cls(folder)
        with translated(path):
            values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise FileError(f"{path}: not the list of scans of a batch; move it elsewhere")
        return cls(folder, values["names"], values["seen"])

    def write(self) -> None:
        """Write it, whole or not at all.

        Raises:
            FileError: The disk is full.
        """
        values = {"format": FORMAT, "names": self.names, "seen": self.seen}
        with written(self.folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    def checksum(self, scan: str) -> str:
        """Return the checksum of a scan, computed only if a file of it was touched since.

        Raises:
            FileError: A file is absent or cannot be read.
        """
        if scan.startswith(SAMPLE):
            return checksums.of_scan(scan)
        known = self.seen.get(scan)
        if known is not None and known["parts"] == [_stamp(part[0]) for part in known["parts"]]:
            return str(known["checksum"])
        parts = stamps(scan)
        checksum = checksums.of_scan(scan)
        self.seen[scan] = {"checksum": checksum, "parts": parts}
        return checksum

    def is_own(self, path: Path) -> bool:
        """Whether a file was written by the batches of this folder."""
        if path.parent.resolve() != self.folder.resolve():
            return False
        return path.name in (MANIFEST, CSV, PAGE) or any(
            path.name == name or path.name.startswith(f"{name}.") for name in self.names.values()
        )


def stamps(scan: str) -> list[list[Any]]:
    """Return path, bytes and time (ns) of every file that a scan is made of; a sample has none.

    Raises:
        FileError: A file is absent or cannot be read.
    """
    if scan.startswith(SAMPLE):
        return []
    return [_stamp(str(part)) for part in checksums.parts(Path(scan))]


def _stamp(path: str) -> list[Any]:
    """Return path, bytes and time (ns) of a file; of one that is not there any more only its path.

    Raises:
        FileError: It may not be looked at.
    """
    if not Path(path).exists():
        return [path]
    with translated(Path(path), "look at"):
        status = Path(path).stat()
    return [path, status.st_size, status.st_mtime_ns]


def scans_of(patterns: Sequence[str], manifest: Manifest) -> list[str]:
    """Return the scans that patterns name: absolute, each once, in the order of numbers.

    Detector files that another file links to are no scans of their own, nor is what batches have
    written into their folder.

    Args:
        patterns: Files, folders, "sample:KEY", or names with *, ?, [abc] and ** (any folders).
        manifest: Of the folder of the results.

    Raises:
        FileError: A pattern names no file.
    """
    samples = [pattern for pattern in patterns if pattern.startswith(SAMPLE)]
    found: dict[Path, Path] = {}
    for pattern in patterns:
        if pattern in samples:
            continue
        files = [path.absolute() for path in _files(pattern) if not manifest.is_own(path)]
        if not files:
            raise FileError(f"{pattern}: names no scan")
        for path in sorted(files, key=_natural):
            found.setdefault(path.resolve(), path)
    return [*dict.fromkeys(samples), *map(str, without_parts(list(found.values())))]


def _files(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_dir():
        return [path] if _is_scan(path) else [one for one in path.iterdir() if _is_data(one)]
    if path.exists():
        return [path]
    found = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no "/..."
    return [one for one in map(Path, found) if one.is_file()]


def _is_scan(folder: Path) -> bool:
    """Whether a folder is one scan: frames, each in a file of its own."""
    from napari_ptycho.io.opened import opened

    try:
        with opened(folder):
            return True
    except FileError:
        return False


def _is_data(path: Path) -> bool:
    """Whether a file in a folder can be a scan: a note that lies beside them is none."""
    if path.name.startswith(".") or not path.is_file():
        return False
    return kind_of(read_head(path)) is not None


def _natural(path: Path) -> list[str | int]:
    """Return what sorts scan_2 before scan_10."""
    words = re.split(r"(\d+)", str(path))
    return [int(word) if number % 2 else word for number, word in enumerate(words)]


def name_results(scans: Sequence[str], manifest: Manifest, suffix: str) -> None:
    """Give the result of every scan a name of its own; one that it has, it keeps.

    Where two scans are called alike, their folders are put in front.
    """
    taken = {name.casefold() for name in manifest.names.values()}
    taken |= {Path(scan).name.casefold() for scan in scans if _lies_in(scan, manifest.folder)}
    for scan in scans:
        if not manifest.names.get(scan, "").endswith(suffix):
            name = next(name for name in _names(scan, suffix) if _free(name, taken))
            manifest.names[scan] = name
            taken.add(name.casefold())


def _free(name: str, taken: Collection[str]) -> bool:
    return name.casefold() not in taken


def _lies_in(scan: str, folder: Path) -> bool:
    return not scan.startswith(SAMPLE) and Path(scan).parent.resolve() == folder.resolve()


def _names(scan: str, suffix: str) -> Iterator[str]:
    """Yield names for the result of a scan, short ones first, without end."""
    if scan.startswith(SAMPLE):
        stem, folders = scan.removeprefix(SAMPLE), []
    else:
        stem, folders = name_of(Path(scan)), list(Path(scan).parts[1:-1])
    yield stem + suffix
    while folders:
        stem = f"{folders.pop()}-{stem}"
        yield stem + suffix
    number = 2
    while True:
        yield f"{stem}-{number}{suffix}"
        number += 1
