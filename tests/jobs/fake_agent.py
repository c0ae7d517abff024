"""An agent whose tasks only pretend: `python fake_agent.py FOLDER`.

The recipe of a task says what it does: "steps=N" tells N steps, "hold" goes on until it is told to
stop or its output has a ".go" beside it, "crash" ends its process, "fail" reports a failure. A
checkpoint beside the output counts the steps, so that a second run goes on.
"""

import logging
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from napari_ptycho.io.autosave import beside
from napari_ptycho.jobs import agent
from napari_ptycho.jobs.child import run_apart
from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.tasks import Progress


def run(task, tell, stop):
    output, checkpoint = Path(task.output), beside(task.output)
    if task.recipe == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task.recipe == "fail":
        return Report(task.scan, task.output, "failed", "the scan is broken")
    began = done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    hold = task.recipe == "hold"
    total = 1000 if hold else int(task.recipe.partition("=")[2])
    while not stop() and (hold or done < total):
        done += 1
        tell(Progress(done, total, f"step {done} of {total}"))
        checkpoint.write_text(str(done))
        if hold and output.with_suffix(".go").exists():
            break
        time.sleep(0.02)
    checkpoint.unlink(missing_ok=True)
    output.write_text(str(done))
    state = "stopped" if stop() else "done"
    return Report(
        task.scan, task.output, state, epochs=done, error=0.0123, resumed_from=float(began)
    )


if __name__ == "__main__":
    logging.basicConfig()
    agent.Agent.__init__.__defaults__ = (partial(run_apart, run=run),)
    agent.IDLE_S = 1.0
    agent.Agent.work.__defaults__ = (1.0,)
    agent.main(Path(sys.argv[1]))
