"""Latent codes to train on: people who do not exist, and the mixes that decryption must invert."""

from __future__ import annotations

import torch
from torch import Tensor

from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN

__all__ = ["sample_codes"]


def sample_codes(generator: MobileStyleGAN, count: int, rng: torch.Generator, people: Tensor | None = None) -> Tensor:
    """``count`` codes (count, n_styles, style_dim) of the kinds that the encoder meets.

    A third are single people. The others take some layers from a second person: the layers outside the paper's
    3, 6, 7; the photo form's 3-7; a random run; or a random set. Truncation varies, because real faces lie closer to
    the mean than samples do, and some carry a little noise per layer, because inversions leave W. With ``people``
    (M, n_styles, style_dim), codes found in pictures, half of the first persons come from them.
    """
    n, d = generator.n_styles, generator.style_dim
    z = torch.randn(2 * count, d, generator=rng)
    w = generator.mapping(z)
    mean = generator.w_mean
    psi = 0.5 + 0.5 * torch.rand(2 * count, 1, generator=rng)
    a, b = (mean + psi * (w - mean))[:, None].expand(-1, n, -1).chunk(2)
    if people is not None:
        found = people[torch.randint(len(people), (count,), generator=rng)]
        a = torch.where(torch.rand(count, 1, 1, generator=rng) < 0.5, found, a)

    layers = torch.arange(n)
    kind = torch.randint(0, 6, (count, 1), generator=rng)
    ends = torch.randint(0, n + 1, (count, 2), generator=rng).sort(1).values
    run = (layers >= ends[:, :1]) & (layers < ends[:, 1:])
    scattered = torch.rand(count, n, generator=rng) < 0.5
    paper = ~((layers == 3) | (layers == 6) | (layers == 7))
    photo = (layers >= 3) & (layers <= 7)
    replaced = (kind == 2) & paper | (kind == 3) & photo | (kind == 4) & run | (kind == 5) & scattered
    codes = torch.where(replaced[:, :, None], b, a)

    amount = 0.25 * torch.rand(count, 1, 1, generator=rng) * (torch.rand(count, 1, 1, generator=rng) < 0.4)
    return codes + amount * generator.w_std * torch.randn(count, n, d, generator=rng)
