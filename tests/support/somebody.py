"""Somebody who does not exist, and whom every stand-in hides."""

from __future__ import annotations

from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.models.face_model import Floats

__all__ = ["ann"]


def ann(model: FaceModel) -> Floats:
    """The latent codes of a girl: to a recogniser, made-up adults look more alike than real ones do."""
    import torch  # not needed for anything else here

    z = torch.randn(1, model.style_dim, generator=torch.Generator().manual_seed(4)).numpy()
    return model.map(z, truncation=0.75)
