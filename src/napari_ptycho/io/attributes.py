"""Attributes in HDF5 files, of the kinds that are safe to read."""

from collections.abc import Iterator, Mapping
from typing import Any

import h5py

_READ = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)


class Attributes(Mapping[str, Any]):
    """Attributes of a file, group or dataset: numbers and texts.

    Others (lists of varying length, references) count as absent: no format needs one, and HDF5
    ends the process when it reads a damaged one.
    """

    def __init__(self, owner: h5py.HLObject) -> None:
        """Remember whose they are."""
        self._owner = owner

    def __getitem__(self, name: str) -> Any:
        if name not in self._owner.attrs:
            raise KeyError(name)
        kind = h5py.h5a.open(self._owner.id, name.encode()).get_type().get_class()
        if kind not in _READ:
            raise KeyError(name)
        return self._owner.attrs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._owner.attrs)

    def __len__(self) -> int:
        return len(self._owner.attrs)
