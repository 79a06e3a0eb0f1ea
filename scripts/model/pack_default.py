"""Packs the embedded model's two files into stylecrypt_msg/models/data, and writes its hash beside them.

    python scripts/model/pack_default.py GENERATOR.safetensors ENCODER

GENERATOR is the output of convert_mobilestylegan.py, fit_preview.py and fit_stand_ins.py, run one after the other. The encoder
comes from a model file that `stylecrypt train encoder -o` wrote, or from the checkpoint of an unfinished run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from stylecrypt_msg.models import families, store

DATA = Path(__file__).parents[2] / "stylecrypt_msg" / "models" / "data"


def encoder_tensors(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        tensors = {k: v for k, v in load_file(path).items() if k.startswith("encoder.")}
    else:
        average = torch.load(path, weights_only=True, map_location="cpu")["average"]
        tensors = {f"encoder.{k}": v for k, v in average.items()}
    return {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--out", type=Path, default=DATA)
    arguments = parser.parse_args()
    state = load_file(arguments.generator) | encoder_tensors(arguments.encoder)
    model = families.assemble(state, family="mobilestylegan", name="default")
    files = [arguments.out / "default.safetensors", arguments.out / "default-encoder.safetensors"]
    for file, part in zip(files, (("generator.", "latent_avg"), ("encoder.",)), strict=True):
        store.save(model, file, part_of=part, small=True)
        file.chmod(0o644)
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    digest = families.load(files, "default").digest
    files[0].with_suffix(".digest").write_text(f"{digest}\n", "ascii")
    print(f"model hash {digest}")


if __name__ == "__main__":
    main()
