"""Rotations as tensors, with derivatives."""

from __future__ import annotations

import torch
from torch import Tensor


def exp_so3(w: Tensor) -> Tensor:
    """Rodrigues' formula on tensors (..., 3), differentiable at zero."""
    angle2 = (w * w).sum(-1)
    small = angle2 < 1e-8
    safe = torch.where(small, torch.ones_like(angle2), angle2)
    angle = torch.sqrt(safe)
    a = torch.where(small, 1 - angle2 / 6, torch.sin(angle) / angle)
    b = torch.where(small, 0.5 - angle2 / 24, (1 - torch.cos(angle)) / safe)
    x, y, z = w.unbind(-1)
    o = torch.zeros_like(x)
    k = torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*w.shape[:-1], 3, 3)
    return (
        torch.eye(3, dtype=w.dtype, device=w.device)
        + a[..., None, None] * k
        + b[..., None, None] * (k @ k)
    )


def log_so3(R: Tensor) -> Tensor:
    """Inverse of :func:`exp_so3` for turns well below half a turn, differentiable at zero.

    Made for what happens between two frames; at exactly half a turn the axis is lost.
    """
    v = 0.5 * torch.stack(
        [
            R[..., 2, 1] - R[..., 1, 2],
            R[..., 0, 2] - R[..., 2, 0],
            R[..., 1, 0] - R[..., 0, 1],
        ],
        -1,
    )
    sine2 = (v * v).sum(-1)
    cosine = 0.5 * (R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1.0)
    small = sine2 < 1e-12
    sine = torch.sqrt(torch.where(small, torch.ones_like(sine2), sine2))
    factor = torch.where(small, 1.0 + sine2 / 6.0, torch.atan2(sine, cosine) / sine)
    return factor[..., None] * v
