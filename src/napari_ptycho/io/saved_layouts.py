"""Saved layouts: how files with certain paths are read, kept as TOML in the user's folder."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import tomli_w

from napari_ptycho.errors import FileError, OptionsError, PtychoError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import translated
from napari_ptycho.io.layout import Layout
from napari_ptycho.model import Geometry
from napari_ptycho.options import Options, describe
from napari_ptycho.prepare.detector import DetectorOptions

if TYPE_CHECKING:
    import h5py

FOLDER = "NAPARI_PTYCHO_LAYOUTS"
"""Environment variable that names another folder."""
PATHS = (
    "frames",
    "positions",
    "positions_y",
    "positions_x",
    "mask",
    "dark",
    "flat",
    "monitor",
    "energy",
    "distance",
    "detector_pixel",
)
"""Fields of a layout that are paths inside a file."""
LONGEST_NAME, MOST_BYTES = 80, 2**20


@dataclass(frozen=True)
class SavedLayout:
    """How one kind of file is read."""

    name: str
    needs: tuple[str, ...]
    """Paths that a file must have for the saved layout to open it."""
    layout: Layout
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    geometry: Mapping[str, Any] = field(default_factory=dict)
    """Values of `Geometry` that the person typed, by field."""


def saved_layout(
    path: str | os.PathLike[str],
    name: str,
    layout: Layout,
    detector: DetectorOptions | None = None,
    geometry: Mapping[str, Any] | None = None,
) -> SavedLayout:
    """Return a saved layout that opens files like this one: with the same paths.

    Positions that are not in the file belong to a second one, and are not looked for.

    Args:
        path: An HDF5 file that the layout reads.
        name: What the person calls it.
        layout: Its paths are what a file must have; if it names none, the best frames are.
        detector: How frames are cut and masked.
        geometry: Fields of `Geometry`; None among them are left out.

    Raises:
        OptionsError: The file lacks a path, or there is none to know such files by.
        FileError: The file is absent, no HDF5, or damaged.
    """
    from napari_ptycho.io import browse, hdf5

    named = {word: str(getattr(layout, word)).strip("/") for word in PATHS}
    with hdf5.open_file(path) as file:
        here = {word: value for word, value in named.items() if value and _has(file, value)}
    needs = list(here.values())
    if not needs:
        needs = [one.paths[0] for one in browse.contents(Path(path)).frames[:1]]
    lost = [
        value
        for word, value in named.items()
        if value and word not in here and not word.startswith("positions")  # of a second file
    ]
    if lost or not needs:
        found = f"there is no '{lost[0]}' in it" if lost else "it holds no frames to know it by"
        raise OptionsError(f"{Path(path).name}: makes no saved layout; {found}")
    given = {key: value for key, value in (geometry or {}).items() if value is not None}
    return SavedLayout(
        name, tuple(dict.fromkeys(needs)), layout, detector or DetectorOptions(), given
    )


def folder() -> Path:
    """Return where saved layouts lie; it may not be there yet."""
    named = os.environ.get(FOLDER)
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_config_dir("napari-ptycho")) / "layouts"


def load() -> tuple[list[SavedLayout], list[str]]:
    """Return all saved layouts by name, and a sentence for each file that is none."""
    found, notes = [], []
    for path in _files():
        try:
            found.append(_read(path))
        except PtychoError as error:
            notes.append(f"The saved layout {error}; it was skipped.")
    return sorted(found, key=lambda saved: saved.name), notes


def save(saved: SavedLayout) -> Path:
    """Write a saved layout, in place of one of the same name, and return its file.

    Raises:
        OptionsError: The name has no letter or digit, is too long, or another layout's file has it.
        FileError: The folder cannot be made or written.
    """
    path = folder() / f"{_file_name(saved.name)}.toml"
    with translated(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and (other := _name_in(path)) not in ("", saved.name):
        raise OptionsError(
            f"the saved layout '{saved.name}' would replace '{other}'; name it otherwise"
        )
    text = tomli_w.dumps(
        {
            "name": saved.name,
            "needs": list(saved.needs),
            "layout": changed(saved.layout),
            "detector": changed(saved.detector),
            "geometry": {key: _plain(value) for key, value in saved.geometry.items()},
        }
    )
    with written(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def delete(name: str) -> None:
    """Remove a saved layout.

    Raises:
        OptionsError: There is none of this name.
        FileError: Its file cannot be removed.
    """
    for path in _files():
        if _name_in(path) == name:
            with translated(path, "remove"):
                path.unlink()
            return
    raise OptionsError(_unknown(name))


def named(name: str) -> SavedLayout:
    """Return the saved layout of a name.

    Raises:
        OptionsError: There is none.
    """
    for saved in load()[0]:
        if saved.name == name:
            return saved
    raise OptionsError(_unknown(name))


def fitting(file: "h5py.File", saved_layouts: Iterable[SavedLayout]) -> list[SavedLayout]:
    """Return the saved layouts whose paths are all in a file, those with most paths first."""
    fit = [
        one for one in saved_layouts if one.needs and all(_has(file, need) for need in one.needs)
    ]
    return sorted(fit, key=lambda one: -len(one.needs))


def _has(file: "h5py.File", name: str) -> bool:
    """Whether a name is in the file, even as a broken link (then reading says what is broken)."""
    above, _, last = name.strip("/").rpartition("/")
    with translated(Path(file.filename)):
        group = file.get(above) if above else file
        return bool(last) and hasattr(group, "keys") and last in group


def _unknown(name: str) -> str:
    known = ", ".join(f"'{saved.name}'" for saved in load()[0])
    return f"no saved layout is called '{name}'; there {f'are {known}' if known else 'is none'}"


def _file_name(name: str) -> str:
    safe = re.sub(r"[^\w-]+", "-", name.strip()).strip("-_")
    if not safe or len(name) > LONGEST_NAME:
        raise OptionsError(
            f"the saved layout's name is '{name}'; it must have letters or digits, and at most "
            f"{LONGEST_NAME} characters"
        )
    return safe.lower()


def _files() -> list[Path]:
    place = folder()
    with translated(place, "list"):
        return sorted(place.glob("*.toml")) if place.is_dir() else []


def changed(options: Options) -> dict[str, Any]:
    """Return what differs from the defaults: a saved layout does not fix what nobody chose."""
    defaults = {parameter.name: parameter.default for parameter in describe(type(options))}
    return {key: value for key, value in options.as_dict().items() if value != defaults[key]}


def _plain(value: Any) -> Any:
    return [float(item) for item in value] if isinstance(value, tuple | list) else value


def _table(path: Path) -> dict[str, Any]:
    with translated(path):
        if path.stat().st_size > MOST_BYTES:
            raise FileError(f"{path.name}: is larger than any saved layout")
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise FileError(f"{path.name}: not TOML: {error}") from error


def _name_in(path: Path) -> str:
    """Return the name that a file gives its saved layout; of a broken file, that of the file."""
    try:
        return str(_table(path).get("name", path.stem))
    except FileError:
        return path.stem


def _read(path: Path) -> SavedLayout:
    """Read one file.

    Raises:
        FileError: It is no saved layout.
    """
    table = _table(path)
    name, needs = table.get("name"), table.get("needs")
    if not isinstance(name, str) or not isinstance(needs, list):
        raise FileError(f"{path.name}: lacks a name or the paths it needs")
    parts = [table.get(part, {}) for part in ("layout", "detector", "geometry")]
    if not all(isinstance(part, dict) for part in parts):
        raise FileError(f"{path.name}: layout, detector and geometry must be tables")
    layout, detector, geometry = parts
    try:
        with translated(path):
            Geometry(**geometry)
        return SavedLayout(
            name,
            tuple(map(str, needs)),
            Layout.from_dict(layout),
            DetectorOptions.from_dict(detector),
            geometry,
        )
    except PtychoError as error:
        raise FileError(f"{path.name}: {error}") from error
