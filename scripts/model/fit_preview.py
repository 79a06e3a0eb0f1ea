"""Fits the embedded generator's preview head to its own full renders.

    python scripts/model/fit_preview.py GENERATOR.safetensors OUT.safetensors [--renders 6000]

Reads what convert_mobilestylegan.py wrote, adds the statistics of W (mean and standard deviation per dimension over
20,000 samples) and the fitted head. Prints the PSNR against renders not trained on.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from stylecrypt_lab.training.codes import sample_codes
from torch import Tensor, nn

from stylecrypt_msg.models.mobilestylegan import PREVIEW_LAYERS, MobileStyleGAN, PreviewHead, build

BATCH = 8
KEPT = 80  # batches of 8 to keep in memory, 67 MB each


@torch.no_grad()
def rendered(generator: MobileStyleGAN, codes: Tensor) -> tuple[Tensor, Tensor]:
    """The head's input features, and the full render scaled down to the head's size."""
    features = generator.features(codes, PREVIEW_LAYERS)
    x = features
    w = codes.unbind(1)
    for i in range(PREVIEW_LAYERS, len(generator.layers)):
        x = generator.layers[i](x, w[2 * i + 1], w[2 * i + 2])
    x = generator.to_img(x * generator.to_img_modulation(w[-1]))
    # The LL band of the last wavelet is the 2x2 sum; the rest of the downscaling is a mean.
    return features, F.avg_pool2d(x[:, :3], 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--renders", type=int, default=2400)
    arguments = parser.parse_args()
    rng = torch.Generator().manual_seed(0)

    tensors = load_file(arguments.generator)
    head = PreviewHead(tensors["generator.layers.4.conv2.bias"].shape[0], 512)
    tensors |= {f"generator.preview_head.{k}": v for k, v in head.state_dict().items()}
    tensors |= {"generator.w_mean": torch.zeros(512), "generator.w_std": torch.ones(512)}
    generator = build(tensors)[0].requires_grad_(False)
    samples = generator.mapping(torch.randn(20_000, 512, generator=rng))
    generator.w_mean.copy_(samples.mean(0))
    generator.w_std.copy_(samples.std(0))

    def batch() -> tuple[Tensor, Tensor, Tensor]:
        codes = sample_codes(generator, BATCH, rng)
        features, target = rendered(generator, codes)
        return (codes - generator.w_mean) / generator.w_std, features.half(), target

    def predict(codes: Tensor, features: Tensor) -> Tensor:
        return head(features.float().contiguous(memory_format=torch.channels_last), codes)  # type: ignore[no-any-return]

    def psnr() -> float:
        with torch.no_grad():
            error = sum(F.mse_loss(predict(c, f), t).item() for c, f, t in held_out) / len(held_out)
        return 10 * math.log10(4 / error)

    held_out = [batch() for _ in range(8)]
    head = generator.preview_head.requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    modulations = (head.modulation, head.to_rgb_modulation)
    with torch.no_grad():
        for affine in modulations:
            affine.weight.normal_(0, 0.005, generator=rng)
            affine.bias.fill_(1.0)
    slow = [p for affine in modulations for p in affine.parameters()]
    fast = [*head.reduce.parameters(), *head.mixing.parameters(), *head.to_rgb.parameters()]
    optimiser = torch.optim.Adam([{"params": slow}, {"params": fast}], betas=(0.9, 0.99))
    renders = arguments.renders // BATCH
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, [2e-4, 2e-3], total_steps=2 * renders, pct_start=0.15)

    # Renders cost more than steps: each batch is used when it is new and, most likely, once more later.
    start = time.monotonic()
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    for step in range(renders):
        kept.append(batch())
        kept = kept[-KEPT:]
        for codes, features, target in (kept[-1], kept[int(torch.randint(len(kept), (), generator=rng))]):
            loss = F.mse_loss(predict(codes, features), target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(head.parameters(), 0.5)
            optimiser.step()
            rates.step()
        if step % 25 == 24:
            print(
                f"{step + 1}/{renders} batches, held-out PSNR {psnr():.2f} dB, {time.monotonic() - start:.0f} s",
                flush=True,
            )
    save_file({f"generator.{k}": v.contiguous() for k, v in generator.state_dict().items()}, arguments.out)


if __name__ == "__main__":
    main()
