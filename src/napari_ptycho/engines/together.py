"""One scan on several devices: a process each, which has its share of the frames.

Every process has the whole object and probe; after each step (DM, RAAR, L-BFGS: each epoch) the
sums over frames are summed over the processes too (`torch.distributed`), so that all of them move
object and probe in the same way, as one device would with the same batches.
"""

import queue
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing

from napari_ptycho import device as devices
from napari_ptycho.engines.chain import chain
from napari_ptycho.engines.resuming import Run
from napari_ptycho.engines.share import Share
from napari_ptycho.errors import JobError, PtychoError
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan

POLL_S = 0.5  # how often the processes are looked after while there is nothing to receive
Job = tuple[Scan, Run, int | None]
UNSAVED = "not autosaved: several devices share the frames"


def chain_together(
    job: Job, names: Sequence[str], unsaved: bool = False
) -> Iterator[Update[Reconstruction]]:
    """Run a chain on several devices; errors as in `engines.reconstruct`.

    Args:
        job: Scan, run and memory limit, as for `chain`.
        names: The devices, one process each ("cuda:0", "cuda:1"; "cpu" may be named repeatedly).
        unsaved: Somebody wanted it autosaved, which a note answers.

    Raises:
        JobError: A process ended before its work was done.
    """
    for name in names:
        devices.pick(name)
    if len(names) > len(job[0]):
        raise JobError(f"{len(names)} devices for {len(job[0])} frames; use fewer")
    context = torch.multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        updates = context.Queue(maxsize=2)
        meeting = f"file://{Path(folder, 'meeting')}"
        processes = [
            context.Process(target=_member, args=(job, names, rank, meeting, updates), daemon=True)
            for rank in range(len(names))
        ]
        try:
            for process in processes:
                process.start()
            for update in _received(updates, processes):
                yield replace(update, notes=(*update.notes, UNSAVED)) if unsaved else update
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()


def _received(updates: Any, processes: Sequence[Any]) -> Iterator[Update[Reconstruction]]:
    """Yield what the first process sends, until it says that it is done."""
    while True:
        try:
            what = updates.get(timeout=POLL_S)
        except queue.Empty:
            codes = [process.exitcode for process in processes]
            if any(code not in (None, 0) for code in codes) or all(code == 0 for code in codes):
                raise JobError(f"a process of the run has died (exit codes {codes})") from None
            continue
        if what is None:
            return
        if isinstance(what, PtychoError):
            raise what
        yield what


def _member(job: Job, names: Sequence[str], rank: int, meeting: str, updates: Any) -> None:
    """Do one process's share; the first one sends the updates."""
    scan, run, memory = job
    on_gpus = all(name.startswith("cuda") for name in names)
    if on_gpus:
        torch.cuda.set_device(devices.pick(names[rank]))
    torch.distributed.init_process_group(
        "nccl" if on_gpus else "gloo", init_method=meeting, rank=rank, world_size=len(names)
    )
    try:
        for update in chain(scan, run, names[rank], memory, Share(rank, len(names))):
            if rank == 0:
                updates.put(update)
        torch.distributed.barrier()
        if rank == 0:
            updates.put(None)
    except PtychoError as error:
        updates.put(error)
    finally:
        updates.close()
        updates.join_thread()
        torch.distributed.destroy_process_group()
