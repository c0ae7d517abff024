"""Runs py4DSTEM: gradient descent in mini-batches.

Its preprocessing would look for the middle of the patterns and the rotation of the scan; both are
known here and forced. It counts windows from the middle pixel n // 2, keeps the probe in the corner
and has unnormalised FFTs (so the probe is divided by n).
"""

import warnings

import bench
import numpy as np
from py4DSTEM import DataCube
from py4DSTEM.process.phase import SingleslicePtychography

warnings.filterwarnings("ignore")


def build(data: bench.Data) -> SingleslicePtychography:
    """Return a reconstruction at its beginning."""
    n, count = len(data.probe), len(data.corners)
    job = SingleslicePtychography(
        energy=300e3,  # only names the unit of angles here
        datacube=DataCube(data.patterns.reshape(count, 1, n, n)),
        initial_object_guess=np.ones(data.shape, np.complex64),
        initial_probe_guess=np.fft.ifftshift(data.probe) / np.float32(n),
        initial_scan_positions=data.corners + n // 2,
        object_padding_px=((0, 0), (0, 0)),
        verbose=False,
    ).preprocess(
        force_com_measured=(float(n // 2), float(n // 2)),
        fit_function="constant",
        force_com_rotation=0.0,
        force_com_transpose=False,
        force_scan_sampling=1.0,
        force_reciprocal_sampling=1.0 / n,
        center_positions_in_fov=False,
        plot_center_of_mass=False,
        plot_rotation=False,
        plot_probe_overlaps=False,
        vectorized_com_calculation=False,
    )
    worst = np.abs(job._positions_px - (data.corners + n // 2)).max()
    assert worst < 1e-3, f"py4DSTEM moved the positions by {worst} pixels"
    return job


def epoch(job: SingleslicePtychography, task: bench.Task, number: int) -> None:
    """Go over all positions once."""
    job.reconstruct(
        num_iter=1,
        reset=False,
        reconstruction_method="gradient-descent",
        max_batch_size=task.batch,
        seed_random=task.seed + number,
        progress_bar=False,
        **task.settings,
    )


def main() -> None:
    """Warm up, run, write."""
    task, data = bench.read()
    epoch(build(data.few()), task, 0)
    job = build(data)
    recorder = bench.Recorder(task)
    for number in range(task.epochs):
        with recorder.epoch():
            epoch(job, task, number)
        if recorder.wanted:
            probe = np.fft.fftshift(job._probe) * len(data.probe)
            recorder.keep(job._object, probe[None], data.corners)
    recorder.save("py4dstem")


if __name__ == "__main__":
    main()
