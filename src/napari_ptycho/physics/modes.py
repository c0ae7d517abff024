"""Probe modes: orthogonal, sorted by power (torch)."""

import torch
from torch import Tensor


def power(probe: Tensor) -> Tensor:
    """Return the photons of each mode, (M,), of a probe (M, h, w)."""
    return torch.linalg.vector_norm(probe.flatten(1), dim=1).square()


def orthogonalise(probe: Tensor) -> Tensor:
    """Return the modes that describe the same partly coherent beam and are mutually orthogonal.

    The unitary that diagonalises the Gram matrix <P_k, P_l> leaves sum_k |P_k|^2 on every detector
    unchanged (Thibault & Menzel 2013). Strongest mode first.

    Args:
        probe: (M, h, w) complex.
    """
    flat = probe.flatten(1)
    gram = (flat.conj() @ flat.T).cpu().to(torch.complex128)
    _, vectors = torch.linalg.eigh(gram)
    unitary = vectors.flip(1).T.to(probe.device, probe.dtype)
    return (unitary @ flat).reshape(probe.shape)
