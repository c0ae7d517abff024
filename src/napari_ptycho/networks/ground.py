"""What a scan gives a network to stand on: windows, probe, and where its result came from."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from napari_ptycho import device as devices
from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks.network import Network
from napari_ptycho.prepare import first_guess

State = TypeVar("State")
ADVICE = "for this network; choose a smaller batch, a smaller network, or the CPU"


def known_probe(scan: Scan, network: Network, probe: Complexes | None) -> Complexes | None:
    """Return the probe that is given, else the scan's own, else that of the network's training.

    Raises:
        OptionsError: The given probe has not the size of the patterns.
    """
    if probe is not None:
        given = np.asarray(probe)
        given = given[None] if given.ndim == 2 else given
        if given.ndim != 3 or given.shape[1:] != scan.frame_shape:
            raise OptionsError(
                f"{scan.name}: the probe has shape {np.shape(probe)}; need (M, "
                f"{scan.frame_shape[0]}, {scan.frame_shape[1]}), as the patterns have"
            )
        return given
    if scan.probe is not None:
        return scan.probe
    trained = network.probe
    return trained if trained is not None and trained.shape[1:] == scan.frame_shape else None


def ground(scan: Scan, probe: Complexes | None) -> Reconstruction:
    """Return the flat object over the windows of a scan, with the probe scaled to its counts.

    Args:
        scan: Patterns and positions.
        probe: (M, h, w); None takes the mean pattern's.

    Raises:
        ScanError: The scan lacks positions in object pixels.
    """
    given = scan if probe is scan.probe else replace(scan, probe=probe)
    return first_guess(given)


def checksum_of(scan: Scan) -> str:
    """Return the checksum of all counts of a scan, as engines have it in `scan_checksum`."""
    digest = Digest()
    for _, block in scan.blocks():
        digest.add(block)
    return digest.text()


class Digest:
    """The checksum of counts that come in parts, in the order of the frames."""

    def __init__(self) -> None:
        self._sum = hashlib.blake2b(digest_size=16)

    def add(self, counts: NDArray[np.generic]) -> None:
        """Take in the next frames (n, h, w), as they are stored."""
        self._sum.update(np.ascontiguousarray(counts).data)

    def text(self) -> str:
        """Return the checksum of what was taken in."""
        return f"blake2b-128 {self._sum.hexdigest()}"


def provenance_of(
    scan: Scan, network: Network, start: Reconstruction, device: torch.device
) -> dict[str, Any]:
    """Return where a predicted object came from: software, scan and network, fit for JSON."""
    return {
        **devices.software(device),
        "scan": scan.name,
        "scan_sources": dict(scan.sources),
        "scan_notes": list(scan.notes),
        "start": start.provenance.get("start", start.name),
        "predicted": {
            "network": network.name,
            "architecture": network.architecture,
            "about": dict(network.about),
        },
    }


def stepping(
    states: Iterator[State], within: Callable[[], AbstractContextManager[None]]
) -> Iterator[State]:
    """Advance an algorithm inside a context; between its steps all is as before.

    Raises:
        JobError: The device has too little memory.
    """
    try:
        while True:
            with within(), devices.enough_memory(ADVICE):
                state = next(states, None)
            if state is None:
                return
            yield state
    finally:
        getattr(states, "close", lambda: None)()
