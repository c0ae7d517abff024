import numpy as np
import torch

from napari_ptycho.physics.modes import orthogonalise, power
from napari_ptycho.physics.propagate import abs2


def test_modes_become_orthogonal_and_sorted_while_every_intensity_stays(rng):
    values = rng.normal(size=(4, 16, 16)) + 1j * rng.normal(size=(4, 16, 16))
    probe = torch.from_numpy(
        (values * np.array([1, 3, 0.2, 1])[:, None, None]).astype(np.complex64)
    )
    made = orthogonalise(probe)
    flat = made.flatten(1)
    gram = flat.conj() @ flat.T
    assert (gram - torch.diag(gram.diag())).abs().max() < 1e-4 * gram.abs().max()
    powers = power(made)
    assert (powers[:-1] >= powers[1:]).all()
    window = torch.from_numpy((rng.normal(size=(16, 16)) + 0j).astype(np.complex64))
    before = abs2(torch.fft.fft2(window * probe)).sum(dim=0)
    after = abs2(torch.fft.fft2(window * made)).sum(dim=0)
    torch.testing.assert_close(before, after, rtol=1e-3, atol=1e-2)
