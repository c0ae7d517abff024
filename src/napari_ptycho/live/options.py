"""How a scan is watched while it is written: no arrays here, so that forms open at once."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from napari_ptycho.options import Options, Range


@dataclass(frozen=True)
class WatchOptions(Options):
    """How long to wait for the writer, and what is done when it has ended."""

    title: ClassVar[str] = "Watch"

    patience_s: Annotated[
        float,
        Range(0.1, 86_400, 5),
        "After so many seconds without a new frame the writer has ended; what is there is used.",
    ] = 30.0
    wait_s: Annotated[
        float, Range(0.1, 604_800, 60), "How many seconds to wait for the first frame."
    ] = 3600.0
    epochs: Annotated[
        int,
        Range(1, 100_000),
        "Epochs over all frames when all are there, of each engine of the chain (or what the "
        "engine asks for, if that is less).",
    ] = 20
    newest: Annotated[int, Range(1, 1000), "Newest frames that are kept at hand."] = 16
