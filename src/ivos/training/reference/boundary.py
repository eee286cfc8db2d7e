"""Active boundary loss: moves predicted boundaries towards the true ones, pixel by pixel.

References:
    Wang, Zhang, Cui, Ren, Yang, Xie, Hua, Bao, Xu: Active Boundary Loss for Semantic Segmentation, AAAI 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ivos.training.reference.slices import IGNORED

if TYPE_CHECKING:
    from torch import Tensor

# where several neighbours are as near, the first is the direction: straight ones before diagonal ones
_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
_SHARE = 0.01  # pairs of neighbours that are a predicted boundary, to pixels of the slice
_ALIKE = 0.01  # pairs whose divergence (nats) is below this are none, however few others there are
_FAR = 20.0  # pixels from the true boundary at which the weight is 1
_SMOOTHING = 0.2 * 8 / 7  # leaves 0.8 to the true direction and 0.2 / 7 to each other one


def active_boundary(logits: Tensor, labels: Tensor) -> Tensor:
    """How little the predicted boundaries of slices lead towards the true ones.

    A pixel on a predicted boundary should differ most from that of its eight neighbours which is nearest to the true
    boundary: cross entropy of the direction, the eight divergences being its logits. Only the pixel itself is taught,
    its neighbours are not, for pixels side by side would want opposite things of each other. Each weighs as far as it
    is from the true boundary, up to 20 pixels.

    Unlike in the paper, both pixels of a pair that differs are boundary, predicted or true, in place of one of them and
    a widening by a pixel: so a right prediction costs nothing, and boundaries are drawn alike from either side.
    One that is a pixel off costs hardly anything: the loss is for use beside others.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) class numbers; pixels of :data:`IGNORED`, and all that are beside such
            or on the edge of the slice, do not count.

    Returns:
        Mean over slices of the mean over their predicted boundaries; 0 for a slice without a predicted or true one.
    """
    log_p, known = logits.log_softmax(1), labels != IGNORED
    on_it = _predicted_boundary(log_p.detach(), known) & _has_known_neighbours(known)
    distance = _distance(_true_boundary(labels, known))
    b, y, x = on_it.nonzero(as_tuple=True)
    dy, dx = torch.tensor(_AROUND, device=logits.device).T
    around = (b[:, None], y[:, None] + dy, x[:, None] + dx)
    here, there = log_p.movedim(1, -1)[b, y, x][:, None], log_p.detach().movedim(1, -1)[around]
    nearest = distance[around].argmin(1)
    each = F.cross_entropy(_divergence(here, there), nearest, reduction="none", label_smoothing=_SMOOTHING)
    lost = torch.zeros_like(log_p[:, 0]).index_put((b, y, x), each * (distance[b, y, x] / _FAR).clamp(max=1))
    return (lost.sum((1, 2)) / on_it.sum((1, 2)).clamp(min=1)).mean()


def _divergence(here: Tensor, there: Tensor, axis: int = -1) -> Tensor:
    """Kullback-Leibler divergence of log probabilities from others, in nats."""
    return (here.exp() * (here - there)).sum(axis)


def _predicted_boundary(log_p: Tensor, known: Tensor) -> Tensor:
    """(B, H, W): both pixels of the pairs of neighbours that differ most."""
    across = _divergence(log_p[..., :-1], log_p[..., 1:], 1) * (known[..., :-1] & known[..., 1:])
    down = _divergence(log_p[..., :-1, :], log_p[..., 1:, :], 1) * (known[..., :-1, :] & known[..., 1:, :])
    worst_first = torch.cat([across.flatten(1), down.flatten(1)], 1).sort(1, descending=True).values
    count = (known.sum((1, 2)) * _SHARE).long().clamp(min=1)
    least = worst_first.gather(1, count[:, None] - 1)[..., None].clamp(min=_ALIKE)
    return _mark_pairs(across >= least, down >= least)


def _true_boundary(labels: Tensor, known: Tensor) -> Tensor:
    """(B, H, W): both pixels of the pairs of neighbours that are of two classes."""
    across = (labels[..., :-1] != labels[..., 1:]) & known[..., :-1] & known[..., 1:]
    down = (labels[..., :-1, :] != labels[..., 1:, :]) & known[..., :-1, :] & known[..., 1:, :]
    return _mark_pairs(across, down)


def _mark_pairs(across: Tensor, down: Tensor) -> Tensor:
    """(B, H, W): pixels of pairs side by side (B, H, W-1) and one above the other (B, H-1, W)."""
    return F.pad(across, (0, 1)) | F.pad(across, (1, 0)) | F.pad(down, (0, 0, 0, 1)) | F.pad(down, (0, 0, 1, 0))


def _has_known_neighbours(known: Tensor) -> Tensor:
    """(B, H, W): pixels whose eight neighbours are all there and known."""
    return -F.max_pool2d(-F.pad(known.float(), (1, 1, 1, 1)), 3, 1) > 0


def _distance(boundary: Tensor) -> Tensor:
    """(B, H, W) pixels to the nearest one of a boundary; 0 all over a slice that has none."""
    slices = boundary.cpu().numpy()
    distances = [cv2.distanceTransform((~one).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for one in slices]
    found = [one if there.any() else np.zeros_like(one) for one, there in zip(distances, slices, strict=True)]
    return torch.from_numpy(np.stack(found)).to(boundary.device)
