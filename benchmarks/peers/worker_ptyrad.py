"""Runs PtyRAD: Adam on the object's amplitude and phase and on the probe, by autodiff.

Its own model, loss, batches, optimizer and step; patterns scaled as its reader does (the mean
pattern's brightest pixel is 1) and the probe with them, since Adam's rates depend on it. Positions
fixed, one slice, no blur; the intensity of the probe is kept, as its templates do.
"""

from typing import Any

import bench
import numpy as np
import shim_torchvision  # noqa: F401
import torch
from ptyrad.core.constraints import CombinedConstraint
from ptyrad.core.losses import CombinedLoss
from ptyrad.core.models.ptycho import PtychoModel
from ptyrad.params.constraint_params import ConstraintParams
from ptyrad.params.loss_params import LossParams
from ptyrad.params.model_params import ModelParams
from ptyrad.solver.reconstruction import (
    compute_loss,
    create_optimizer,
    make_batches,
    recon_step,
    toggle_grad_requires,
)

OFF = ("obj_rblur", "obj_zblur", "pos_recenter")


class Run:
    """A reconstruction with PtyRAD's parts."""

    def __init__(self, task: bench.Task, data: bench.Data) -> None:
        self.scale = float(data.patterns.mean(axis=0).max())
        parameters = ModelParams().model_dump()
        rates = {"obja": task.settings["object"], "objp": task.settings["object"]}
        rates |= {"probe": task.settings["probe"], "probe_pos_shifts": 0.0}
        for name, rate in rates.items():
            parameters["update_params"][name] = {"start_iter": 1 if rate else None, "lr": rate}
        self.model = PtychoModel(self.variables(task, data), parameters, device="cpu")
        self.optimizer = create_optimizer(
            self.model.optimizer_params, self.model.optimizable_params
        )
        constraints = ConstraintParams().model_dump()
        for name in OFF:
            constraints[name]["start_iter"] = None
        self.constraint = CombinedConstraint(constraints, device="cpu")
        self.loss = CombinedLoss(LossParams().model_dump(), device="cpu")
        ids = np.arange(len(data.corners))
        batches = make_batches(ids, data.corners, task.batch, mode="random", seed=task.seed)
        self.batches = [torch.from_numpy(batch) for batch in batches]
        self.done = 0

    def variables(self, task: bench.Task, data: bench.Data) -> dict[str, Any]:
        """Return what PtyRAD's initializer makes from files."""
        count, n = len(data.corners), len(data.probe)
        crop = np.round(data.corners)
        return {
            "measurements": data.patterns / np.float32(self.scale),
            "obj": np.ones((1, 1, *data.shape), np.complex64),
            "probe": data.probe[None] / np.float32(np.sqrt(self.scale)),
            "obj_tilts": np.zeros((1, 2), np.float32),
            "slice_thickness": 1.0,
            "probe_pos_shifts": (data.corners - crop).astype(np.float32),
            "crop_pos": crop.astype(np.int32),
            "omode_occu": np.ones(1, np.float32),
            "H": np.ones((n, n), np.complex64),
            "N_scan_slow": count,
            "N_scan_fast": 1,
            "dx": 1.0,
            "dk": 1.0 / n,
            "lambd": 0.01,
            "random_seed": task.seed,
            "length_unit": "Ang",
            "scan_affine": None,
            "meas_Npix": n,
            "simu_Npix": n,
            "simu_match_mode": None,
            "recon_provenance": {},
        }

    def epoch(self) -> None:
        """Go over all positions once."""
        self.done += 1
        toggle_grad_requires(self.model, self.done)
        parts = (self.model, self.optimizer, None, self.loss, self.constraint)
        recon_step(self.batches, 1, *parts, self.done, compute_loss_fn=compute_loss)

    def image(self) -> np.ndarray:
        """Return the object, (H, W) complex."""
        size, phase = self.model.opt_obja.detach()[0, 0], self.model.opt_objp.detach()[0, 0]
        return torch.polar(size, phase).numpy()

    def probe(self) -> np.ndarray:
        """Return the probe, (M, n, n) complex."""
        return self.model.get_complex_probe_view().detach().numpy() * np.sqrt(self.scale)


def main() -> None:
    """Warm up, run, write."""
    bench.torch_threads()
    task, data = bench.read()
    Run(task, data.few()).epoch()
    job = Run(task, data)
    recorder = bench.Recorder(task)
    for _ in range(task.epochs):
        with recorder.epoch():
            job.epoch()
        if recorder.wanted:
            recorder.keep(job.image(), job.probe(), data.corners)
    recorder.save("ptyrad")


if __name__ == "__main__":
    main()
