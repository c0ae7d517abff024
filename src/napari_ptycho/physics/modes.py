"""Probe modes: orthogonal, sorted by power (torch)."""

import torch
from torch import Tensor


def power(probe: Tensor) -> Tensor:
    """Return the photons of each mode, (M,), of a probe (M, h, w)."""
    return torch.linalg.vector_norm(probe.flatten(1), dim=1).square()


def unitary(probe: Tensor) -> Tensor:
    """Return the unitary (M, M) that makes the modes orthogonal, strongest first.

    It diagonalises the Gram matrix <P_k, P_l> and leaves sum_k |P_k|^2 on every detector unchanged
    (Thibault & Menzel 2013). The same unitary must be applied to whatever follows the modes.

    Args:
        probe: (M, h, w) complex.
    """
    flat = probe.flatten(1)
    gram = (flat.conj() @ flat.T).cpu().to(torch.complex128)
    _, vectors = torch.linalg.eigh(gram)
    turned = vectors.flip(1).T
    # The phases are free: those nearest to the modes as they are keep momentum meaningful.
    diagonal = turned.diagonal()
    phases = torch.where(diagonal.abs() > 0, diagonal / diagonal.abs().clamp_min(1e-300), 1)
    return (turned * phases.conj()[:, None]).to(probe.device, probe.dtype)


def orthogonalise(probe: Tensor) -> Tensor:
    """Return the modes (M, h, w) of the same partly coherent beam that are mutually orthogonal."""
    return torch.einsum("nm,myx->nyx", unitary(probe), probe)
