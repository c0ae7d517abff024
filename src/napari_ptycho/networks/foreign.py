"""Published weights: PyTorch files of the networks' authors; nothing that is in them is run.

Networks are told by the names and shapes of their weights. The files do not say how inputs are
made, so the published way is taken.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.errors import FileError
from napari_ptycho.io.files import translated
from napari_ptycho.networks.architectures import ARCHITECTURES
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.table import misfit
from napari_ptycho.prepare.text import size as size_text

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""What PyTorch files begin with that are no zip archives (before PyTorch 1.6)."""
LARGEST = 2**30  # bytes; PtyNet-B with the state of its optimiser has a quarter of that
PREFIXES = ("module.", "model.", "_orig_mod.", "network.", "net.")
"""What wrappers (several GPUs, Lightning, a compiler) put before the names of all weights."""
PUBLISHED: dict[str, Preparation] = {
    "ptychonn": Preparation("counts", (64, 64)),
    "ptychonn2": Preparation("counts", (128, 128)),
    "ptychonn2-bn": Preparation("counts-standardised", (128, 128)),
    "ptychonn-package": Preparation("counts", (128, 128)),
    "ptychonn-package-nobn": Preparation("counts", (128, 128)),
    "ptychonn-uq": Preparation("counts", (64, 64)),
    "ptynet-s": Preparation("sqrt-max", (128, 128)),
    "ptynet-b": Preparation("sqrt-max", (128, 128)),
}
"""Architecture -> how its authors make inputs. A mean pattern must come from the scan."""


def is_torch_file(path: Path, head: bytes) -> bool:
    """Whether a file was written by `torch.save`."""
    if head.startswith(LEGACY):
        return True
    if not zipfile.is_zipfile(path):
        return False
    with translated(path), zipfile.ZipFile(path) as archive:
        return any(name.endswith("/data.pkl") for name in archive.namelist())


def load(path: Path) -> Network:
    """Read published weights (.pth) or a Lightning checkpoint (.ckpt).

    Raises:
        FileError: The file is damaged, needs code to be opened, or holds the weights of no network
            that is known here.
    """
    weights = _weights(_content(path), path)
    shapes = {key: tuple(weight.shape) for key, weight in weights.items()}
    name = next((name for name in PUBLISHED if not misfit(shapes, name)), None)
    if name is None:
        key, shape = next(iter(shapes.items()))
        titles = ", ".join(ARCHITECTURES[known].title for known in PUBLISHED)
        raise FileError(
            f"{path.name}: holds {len(shapes)} weights, the first '{key[:60]}' of shape {shape}, "
            f"which fit no network known here; need those of {titles}"
        )
    with translated(path):
        arrays = {key: _array(weight) for key, weight in weights.items()}
    return Network(
        name,
        arrays,
        PUBLISHED[name],
        name=path.stem,
        about={"source": f"published weights, loaded from {path.name}"},
    )


def _content(path: Path) -> Any:
    """Open a PyTorch file with the loader that runs nothing."""
    if zipfile.is_zipfile(path):
        with translated(path), zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise FileError(
                f"{path.name}: unpacks to {size_text(size)}; a network known here has at most "
                f"{size_text(LARGEST)}"
            )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise FileError(
            f"{path.name}: PyTorch does not open it as plain weights: it is damaged, or holds "
            "objects that only run code could make; save its state_dict() again"
        ) from error


def _weights(content: Any, path: Path) -> dict[str, Tensor]:
    """Return name -> weight without what wrappers put before the names."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise FileError(
            f"{path.name}: holds a {type(content).__name__}; need the weights of a network by name"
        )
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise FileError(
                f"{path.name}: holds '{str(key)[:60]}', which is a {type(value).__name__}; need "
                "the weights of a network by name and nothing else"
            )
    weights = dict(content)
    while prefix := next((p for p in PREFIXES if all(k.startswith(p) for k in weights)), ""):
        weights = {key.removeprefix(prefix): weight for key, weight in weights.items()}
    return weights


def _array(weight: Tensor) -> NDArray[Any]:
    """Return a weight as numpy has it: whole numbers as int64, all others as float32."""
    if weight.is_complex():
        raise TypeError("a weight is complex; need real ones")
    kind = torch.float32 if weight.is_floating_point() else torch.int64
    return weight.detach().to(kind).numpy()
