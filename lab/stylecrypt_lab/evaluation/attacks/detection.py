"""(h) Is this picture one of ours?"""

from __future__ import annotations

import numpy as np

from stylecrypt_msg.cipher import to_images
from stylecrypt_msg.models import to_torch
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture

from .material import Material, Pipeline
from .odds import Figure, Finding, Floats, cross_validated, roc

__all__ = ["detection", "features"]

_QUALITY = 90  # both kinds travel as JPEG files of one quality: different tables would give them away


def detection(material: Material) -> list[Finding | Figure]:
    """A linear classifier of spectra and encoder features, on faces of 256 px; it never
    judges people whom it has seen."""
    n = len(material.here.who)
    real = features([material.people.sent[i].square for i in material.here.who], material.pipeline)
    fake = features(material.here.squares, material.pipeline)
    labels = np.repeat([False, True], n)
    scores = cross_validated(np.vstack([real, fake]), labels, np.tile(np.arange(n), 2))
    right = int(((scores > 0) == labels).sum())
    area, _ = roc(-scores[labels], -scores[~labels])
    return [
        material.finding("detection", "a face is taken for what it is, real or made", right, 2 * n, 0.5),
        material.figure("detection", "area under the ROC curve", area, 2 * n),
    ]


def features(squares: list[Pixels], pipeline: Pipeline) -> Floats:
    """(N, D): the spectrum over its radius, in decibels, and mean and deviation of the encoder's feature maps."""
    model = to_torch(pipeline.model)
    import torch

    rows = []
    for square in squares:
        file = encode_picture(square, "JPEG", quality=_QUALITY)
        arrived = read_picture(file).pixels
        with torch.inference_mode():
            maps = [one.cpu() for one in model.features(torch.from_numpy(to_images([arrived])).to(model.device))]
        pooled = [value for one in maps for value in (one.mean((2, 3))[0].numpy(), one.std((2, 3))[0].numpy())]
        rows.append(np.concatenate([_spectrum(arrived), *pooled]))
    return np.stack(rows)


def _spectrum(square: Pixels) -> Floats:
    side = square.shape[0]
    window = np.hanning(side)[:, None] * np.hanning(side)
    power = np.abs(np.fft.fftshift(np.fft.fft2(square.mean(2) * window))) ** 2
    y, x = np.indices(power.shape) - side // 2
    radius = np.hypot(x, y).astype(int)
    total, count = np.bincount(radius.ravel(), power.ravel()), np.bincount(radius.ravel())
    return np.asarray(10 * np.log10(total[: side // 2] / count[: side // 2] + 1e-9))
