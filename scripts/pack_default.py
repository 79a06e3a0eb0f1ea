"""Packs the embedded model: stylecrypt_msg/models/data/default.safetensors.

    python scripts/pack_default.py GENERATOR.safetensors [ENCODER_RUN_OR_MODEL]

GENERATOR is what convert_mobilestylegan.py, fit_preview.py and fit_stand_ins.py made, one after the other. The encoder comes
from a model file that `stylecrypt train encoder -o` wrote, or from the checkpoint of a run that still goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from stylecrypt_msg.models import store

OUT = Path(__file__).parents[1] / "stylecrypt_msg" / "models" / "data" / "default.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path)
    parser.add_argument("encoder", type=Path, nargs="?")
    arguments = parser.parse_args()
    state = load_file(arguments.generator)
    if arguments.encoder is not None:
        if arguments.encoder.suffix == ".safetensors":
            tensors = load_file(arguments.encoder)
            encoder = {k: v for k, v in tensors.items() if k.startswith("encoder.")}
        else:
            average = torch.load(arguments.encoder, weights_only=True, map_location="cpu")["average"]
            encoder = {f"encoder.{k}": v for k, v in average.items()}
        state |= {k: v for k, v in encoder.items() if not k.endswith("num_batches_tracked")}
    model = store.assemble(state, family="mobilestylegan", name="default")
    store.save(model, OUT, small=True)
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.1f} MB, model hash {model.digest}")


if __name__ == "__main__":
    main()
