"""Runs Pty-Chi.

Set up as its examples do for the far field: an infinite distance (a finite one takes the near
field), unnormalised FFTs (so the probe is divided by n), a window whose middle is at (n - 1) / 2,
patterns not shifted (Pty-Chi does it), positions fixed.
"""

import bench
import numpy as np
import shim_torchvision  # noqa: F401
from ptychi import api
from ptychi.api.task import PtychographyTask

OPTIONS = {"rpie": api.RPIEOptions, "epie": api.EPIEOptions, "lsqml": api.LSQMLOptions}


def build(task: bench.Task, data: bench.Data) -> PtychographyTask:
    """Return a reconstruction at its beginning."""
    n = len(data.probe)
    options = OPTIONS[task.algorithm]()
    run, image = options.reconstructor_options, options.object_options
    run.num_epochs, run.batch_size, run.random_seed = task.epochs, task.batch, task.seed
    run.default_device = api.Devices.CPU
    image.determine_position_origin_coords_by = api.ObjectPosOriginCoordsMethods.SPECIFIED
    image.position_origin_coords = [(n - 1) / 2, (n - 1) / 2]
    options.probe_position_options.optimizable = False
    options.opr_mode_weight_options.optimizable = False
    parts = {"run": run, "object": image, "probe": options.probe_options}
    for name, value in task.settings.items():
        part, field = name.split(".")
        setattr(parts[part], field, value)
    return PtychographyTask(
        options,
        diffraction_data=data.patterns,
        object_data=np.ones((1, *data.shape), np.complex64),
        probe_data=(data.probe / n)[None, None],
        probe_position_y_px=data.corners[:, 0].astype(np.float32),
        probe_position_x_px=data.corners[:, 1].astype(np.float32),
    )


def main() -> None:
    """Warm up, run, write."""
    bench.torch_threads()
    task, data = bench.read()
    build(task, data.few()).run(1)
    job = build(task, data)
    recorder = bench.Recorder(task)
    for _ in range(task.epochs):
        with recorder.epoch():
            job.run(1)
        if recorder.wanted:
            image = job.get_data_to_cpu("object", as_numpy=True)[0]
            probe = job.get_data_to_cpu("probe", as_numpy=True)[0] * len(data.probe)
            recorder.keep(image, probe, data.corners)
    recorder.save("ptychi")


if __name__ == "__main__":
    main()
