"""A scan is watched while it is written: shown, predicted and reconstructed as its frames come.

Importing this package imports no torch and opens no file; the first step of a job does.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from napari_ptycho.live.options import WatchOptions

if TYPE_CHECKING:  # options alone must open at once: forms and --help need no arrays
    from napari_ptycho.engines.options import EngineOptions
    from napari_ptycho.io.growing import Growing
    from napari_ptycho.job import Update
    from napari_ptycho.live.watched import Watched
    from napari_ptycho.model.arrays import Complexes
    from napari_ptycho.networks.network import Network

__all__ = ["WatchOptions", "watch"]


def watch(
    growing: "Growing",
    network: "Network | None" = None,
    stages: "EngineOptions | Sequence[EngineOptions] | None" = None,
    options: WatchOptions | None = None,
    device: str = "auto",
    probe: "Complexes | None" = None,
) -> "Iterator[Update[Watched]]":
    """Watch a scan that is still being written: a job.

    Args:
        growing: The scan; closed when the job ends.
        network: Predicts every frame as it comes; None predicts nothing.
        stages: Engine, or chain, of the reconstruction. Its first engine that needs only some
            frames at a time (else rPIE) goes over what has arrived; when all frames are there, the
            chain goes over all of them. None reconstructs nothing.
        options: How long to wait, and for how many epochs the chain runs at the end.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        probe: (M, h, w), where the file has none: of an earlier scan, say. None leaves it to the
            scan, the network, or the mean pattern.

    Yields:
        Updates whose `done` and `total` are frames, and at the end epochs of the chain. Their
        history has "error", one value per round over some of the frames and per epoch at the end.

    Raises:
        JobError: No frame came, or the device is not there or has too little memory.
        OptionsError: The network was taught with patterns of another size; no engine's options.
        ScanError: The scan lacks what the network or the engine needs.
        FileError: The files are of no known kind, or broken for good.
    """
    from napari_ptycho.engines import stages_of
    from napari_ptycho.live.job import watch_job

    chain = None if stages is None else stages_of(stages)
    yield from watch_job(growing, (network, chain, probe), options or WatchOptions(), device)
