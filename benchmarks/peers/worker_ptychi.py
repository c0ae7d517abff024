"""Runs Pty-Chi.

Set up as its examples do for the far field: an infinite distance (a finite one takes the near
field), unnormalised FFTs (so the probe is divided by n), a window whose middle is at (n - 1) / 2,
patterns not shifted (Pty-Chi does it), positions fixed.

"progressive" is LSQ-ML in its own coarse-to-fine workflow: one level of half the pixels, then full
resolution. There the object has sides divisible by four and positions count from its middle, since
the workflow scales neither odd sides nor a given origin.
"""

import bench
import numpy as np
import shim_torchvision  # noqa: F401
from ptychi import api
from ptychi.api.options.workflow import ProgressiveResolutionWorkflowOptions
from ptychi.api.task import PtychographyTask
from ptychi.workflows.progressive_resolution import ProgressiveResolutionWorkflow

OPTIONS = {
    "rpie": api.RPIEOptions,
    "epie": api.EPIEOptions,
    "lsqml": api.LSQMLOptions,
    "progressive": api.LSQMLOptions,
}
LEVELS = 2


def options_of(task: bench.Task, n: int) -> api.RPIEOptions:
    """Return Pty-Chi's options."""
    options = OPTIONS[task.algorithm]()
    run, image = options.reconstructor_options, options.object_options
    run.num_epochs, run.batch_size, run.random_seed = task.epochs, task.batch, task.seed
    run.default_device = api.Devices.CPU
    if task.algorithm != "progressive":
        image.determine_position_origin_coords_by = api.ObjectPosOriginCoordsMethods.SPECIFIED
        image.position_origin_coords = [(n - 1) / 2, (n - 1) / 2]
    options.probe_position_options.optimizable = False
    options.opr_mode_weight_options.optimizable = False
    parts = {"run": run, "object": image, "probe": options.probe_options}
    for name, value in task.settings.items():
        part, field = name.split(".")
        if part in parts:
            setattr(parts[part], field, value)
    return options


def arrays(task: bench.Task, data: bench.Data) -> dict[str, np.ndarray]:
    """Return what Pty-Chi works on."""
    n, shape, places = len(data.probe), np.array(data.shape), data.corners
    if task.algorithm == "progressive":
        shape += -shape % 4
        places = places + (n - 1) / 2 - (shape - 1) / 2
    return {
        "diffraction_data": data.patterns,
        "object_data": np.ones((1, *shape), np.complex64),
        "probe_data": (data.probe / n)[None, None],
        "probe_position_y_px": places[:, 0].astype(np.float32),
        "probe_position_x_px": places[:, 1].astype(np.float32),
    }


def build(task: bench.Task, data: bench.Data) -> PtychographyTask:
    """Return a reconstruction at its beginning; after the first fine epoch if progressive."""
    options = options_of(task, len(data.probe))
    if task.algorithm != "progressive":
        return PtychographyTask(options, **arrays(task, data))
    coarse = [task.settings["workflow.coarse_epochs"]] * (LEVELS - 1)
    levels = ProgressiveResolutionWorkflowOptions(LEVELS, [*coarse, 1])
    workflow = ProgressiveResolutionWorkflow(options, workflow_options=levels, **arrays(task, data))
    workflow.run()
    return workflow.get_full_resolution_task()


def main() -> None:
    """Warm up, run, write."""
    bench.torch_threads()
    task, data = bench.read()
    build(task, data.few()).run(1)
    recorder = bench.Recorder(task)
    if task.algorithm == "progressive":
        with recorder.epoch():
            job = build(task, data)
    else:
        job = build(task, data)
    while len(recorder.cpu) < task.epochs:
        with recorder.epoch():
            job.run(1)
        if recorder.wanted:
            image = job.get_data_to_cpu("object", as_numpy=True)[0]
            probe = job.get_data_to_cpu("probe", as_numpy=True)[0] * len(data.probe)
            recorder.keep(image, probe, data.corners)
    recorder.save("ptychi")


if __name__ == "__main__":
    main()
