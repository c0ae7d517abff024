"""Networks in files: ours is safetensors with a JSON header; published weights are read too.

Our file has one entry of metadata, "napari_ptycho", which is JSON: format, version, architecture,
name, amplitude_scale, preparation {scaling, shape, std} and about. Its tensors are "weights/NAME",
"mean" (h, w) and "probe" (M, h, w, 2: real and imaginary part), the last two where there are any.
"""

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from napari_ptycho import __version__
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import HDF5, existing, kind_of, read_head, stranger, translated
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks import SHIPPED, foreign
from napari_ptycho.networks.architectures import ARCHITECTURES
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.options import Scaling
from napari_ptycho.networks.table import misfit
from napari_ptycho.prepare.text import size as size_text

T = TypeVar("T")
FORMAT = 1
ENTRY = "napari_ptycho"
WEIGHTS = "weights/"
HEADER_BYTES = 8 * 2**20  # thousands of times of what ours need
LONGEST = 16_384  # pixels of a pattern's side
AGAIN = "save the network again, or choose another file"
NEED = "need a network of this plugin (.safetensors) or published weights (.pth, .ckpt)"


def save_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network: see `networks.save`.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    preparation = network.preparation
    header = {
        "format": FORMAT,
        "version": __version__,
        "architecture": network.architecture,
        "name": network.name,
        "amplitude_scale": network.amplitude_scale,
        "preparation": {
            "scaling": preparation.scaling,
            "shape": preparation.shape,
            "std": preparation.std,
        },
        "about": network.about,
    }
    tensors = {WEIGHTS + name: np.array(v, order="C") for name, v in network.weights.items()}
    if preparation.mean is not None:
        tensors["mean"] = np.array(preparation.mean, np.float32, order="C")
    if network.probe is not None:
        parts = (network.probe.real, network.probe.imag)
        tensors["probe"] = np.stack(parts, axis=-1).astype(np.float32)
    with written(path) as temporary:
        text = json.dumps(_plain(header), allow_nan=False)
        temporary.write_bytes(save(tensors, {ENTRY: text}))


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read a network: see `networks.load`.

    Raises:
        FileError: The file is absent, damaged, or holds no network that is known here.
    """
    path = existing(path)
    head = read_head(path)
    try:
        if head[8:9] == b"{":
            return _load_ours(path, int.from_bytes(head[:8], "little"))
        if foreign.is_torch_file(path, head):
            return foreign.load(path)
    except OptionsError as error:  # weights that are no numbers
        raise FileError(f"{path.name}: {error}") from error
    kind = kind_of(head)
    what = f"an {kind} file (of Keras?)" if kind == HDF5 else f"a {kind} file" if kind else None
    raise FileError(f"{path.name}: is {what or stranger(head)}; {NEED}")


def shipped_network(name: str) -> Network:
    """Return a network that comes with the plugin: see `networks.shipped`.

    Raises:
        OptionsError: None of them has this name.
        FileError: The installation lacks its file.
    """
    if name not in SHIPPED:
        raise OptionsError(f"no network '{name}' is shipped; there is {', '.join(SHIPPED)}")
    file = resources.files(__package__) / "shipped" / f"{name}.safetensors"
    with resources.as_file(file) as path:
        return load_network(path)


def _load_ours(path: Path, header_bytes: int) -> Network:
    if header_bytes > HEADER_BYTES:
        raise FileError(
            f"{path.name}: its header would have {size_text(header_bytes)}; a network's has at "
            f"most {size_text(HEADER_BYTES)}: the file is damaged or of another kind"
        )
    with _opened(path) as file:
        text = (file.metadata() or {}).get(ENTRY)
        if text is None:
            raise FileError(f"{path.name}: is safetensors of another program; {NEED}")
        fields = _Fields(json.loads(text), path.name)
        if fields.value("format", int) != FORMAT:
            raise FileError(
                f"{path.name}: has format {fields.value('format', int)}, and this version of the "
                f"plugin reads {FORMAT} only; update it"
            )
        made = _Fields(fields.value("preparation", dict), path.name)
        shape = _shape(made)
        architecture = fields.choice("architecture", ARCHITECTURES)
        return Network(
            architecture,
            _weights(file, architecture, path),
            Preparation(
                made.choice("scaling", get_args(Scaling)),
                shape,
                _numbers(file, "mean", shape, path),
                made.positive("std"),
            ),
            name=fields.value("name", str),
            amplitude_scale=fields.positive("amplitude_scale"),
            probe=_probe(file, shape, path),
            about=fields.value("about", dict),
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with translated(path), safe_open(path, framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise FileError(f"{path.name}: is damaged, or no safetensors ({error}); {AGAIN}") from error


class _Fields:
    """The values of a JSON object, checked as they are read."""

    def __init__(self, content: Any, file: str) -> None:
        self.file = file
        if not isinstance(content, dict):
            raise self._wrong("header", content, "an object")
        self.content = content

    def value(self, name: str, kind: type[T]) -> T:
        found: Any = self.content.get(name)
        if not isinstance(found, kind) or isinstance(found, bool):
            raise self._wrong(name, found, f"a {kind.__name__}")
        return found

    def positive(self, name: str) -> float:
        found: Any = self.content.get(name)
        if type(found) not in (int, float) or not 0 < found < math.inf:
            raise self._wrong(name, found, "a positive number")
        return float(found)

    def choice(self, name: str, choices: Collection[Any]) -> Any:
        found = self.value(name, str)
        if found not in choices:
            raise self._wrong(name, found, " or ".join(choices))
        return found

    def _wrong(self, name: str, found: Any, need: str) -> FileError:
        return FileError(f"{self.file}: its {name} is {repr(found)[:60]}; need {need}: {AGAIN}")


def _shape(made: _Fields) -> tuple[int, int]:
    sides = made.value("shape", list)
    whole = all(type(n) is int and 0 < n <= LONGEST for n in sides)
    if len(sides) != 2 or not whole:
        raise FileError(
            f"{made.file}: its patterns have the shape {repr(sides)[:60]}; need [height, width]: "
            f"{AGAIN}"
        )
    return sides[0], sides[1]


def _weights(file: Any, architecture: str, path: Path) -> dict[str, NDArray[Any]]:
    keys = [key for key in file.keys() if key.startswith(WEIGHTS)]  # noqa: SIM118 - no mapping
    shapes = {key.removeprefix(WEIGHTS): tuple(file.get_slice(key).get_shape()) for key in keys}
    if wrong := misfit(shapes, architecture):
        title = ARCHITECTURES[architecture].title
        raise FileError(f"{path.name}: these are not the weights of {title} ({wrong}); {AGAIN}")
    weights = {name: np.array(file.get_tensor(WEIGHTS + name)) for name in shapes}
    for name, value in weights.items():
        if value.dtype not in (np.float32, np.int64):
            raise FileError(
                f"{path.name}: '{name}' holds {value.dtype}; need float32 or int64: {AGAIN}"
            )
    return weights


def _probe(file: Any, shape: tuple[int, int], path: Path) -> Complexes | None:
    parts = _numbers(file, "probe", (None, *shape, 2), path)
    return None if parts is None else (parts[..., 0] + 1j * parts[..., 1]).astype(np.complex64)


def _numbers(
    file: Any, name: str, shape: tuple[int | None, ...], path: Path
) -> NDArray[np.float32] | None:
    """Return an array of finite numbers, None where there is none; None in a shape is any."""
    if name not in file.keys():  # noqa: SIM118 - no mapping
        return None
    found = tuple(file.get_slice(name).get_shape())
    if len(found) != len(shape) or any(
        n not in (m, None) for n, m in zip(shape, found, strict=True)
    ):
        raise FileError(f"{path.name}: its {name} has the shape {found}; need {shape}: {AGAIN}")
    values = np.array(file.get_tensor(name), np.float32)
    if not np.isfinite(values).all():
        raise FileError(
            f"{path.name}: its {name} holds values that are not finite numbers; {AGAIN}"
        )
    return values


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: lists, Python's numbers, and null for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
