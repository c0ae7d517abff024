"""Reading ahead: the frames of the next batch come while the device works on this one."""

import ctypes
import mmap
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_ptycho.engines.frames import Ids


class Sender:
    """A thread that gathers rows and sends them to a GPU, on a stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.coming: dict[bytes, Future[tuple[list[Tensor], torch.cuda.Event]]] = {}

    def through(
        self, batches: "Iterable[Ids]", gather: "Callable[[Ids], list[Tensor]]"
    ) -> "Generator[Ids]":
        """Yield batches, each while the next one is on its way.

        Args:
            batches: Of frames.
            gather: Copies what belongs to a batch out of the RAM or from the disk.
        """
        with ThreadPoolExecutor(1, "frames") as thread:
            try:
                for ids, following in pairs(batches):
                    for one in (ids, following):
                        if one is not None and one.tobytes() not in self.coming:
                            self.coming[one.tobytes()] = thread.submit(self._send, gather, one)
                    yield ids
                    self.coming.pop(ids.tobytes(), None)
            finally:
                self.coming.clear()

    def _send(
        self, gather: "Callable[[Ids], list[Tensor]]", ids: "Ids"
    ) -> tuple[list[Tensor], torch.cuda.Event]:
        with torch.inference_mode(), torch.cuda.stream(self.stream):
            sent = [sent_to(part, self.device) for part in gather(ids)]
            return sent, self.stream.record_event()

    def take(self, ids: "Ids") -> list[Tensor] | None:
        """Return what has come for a batch; None if it was not sent for."""
        future = self.coming.get(ids.tobytes())
        if future is None:
            return None
        parts, event = future.result()
        stream = torch.cuda.current_stream(self.device)
        stream.wait_event(event)
        for part in parts:
            part.record_stream(stream)
        return parts


def sent_to(rows: Tensor, device: torch.device) -> Tensor:
    """Copy rows to the device; from pinned memory a GPU fetches them while it computes."""
    if device.type == "cuda":
        return rows.pin_memory().to(device, non_blocking=True)
    return rows.to(device)


def pairs(batches: "Iterable[Ids]") -> "Generator[tuple[Ids, Ids | None]]":
    """Yield every batch with the one after it."""
    waiting: deque[Ids] = deque()
    for ids in batches:
        waiting.append(ids)
        if len(waiting) == 2:
            yield waiting.popleft(), waiting[0]
    if waiting:
        yield waiting[0], None


def read_ahead(frames: Tensor, rows: "Ids") -> None:
    """Let the system begin to read rows of a file that is mapped, where it can."""
    advise = _advise()
    if advise is None:
        return
    size, origin = frames.stride(0) * frames.element_size(), frames.data_ptr()
    for row in rows.tolist():
        first = origin + row * size
        start = first - first % mmap.PAGESIZE
        advise(start, first + size - start, mmap.MADV_WILLNEED)


def read_only_what_is_asked(frames: Tensor) -> None:
    """Keep the system from reading what lies around rows of a file that is mapped.

    Batches are drawn at random: where the file is larger than the RAM, a disk that reads the
    megabytes around each frame too reads them in vain.
    """
    advise = _advise()
    if advise is not None:
        advise(frames.data_ptr(), frames.nbytes, mmap.MADV_RANDOM)


@cache
def _advise() -> Any:
    """Return the system's madvise; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return advise
