"""What the scripts here share: a private homeserver, somebody's face, and the printing of reports."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.models import load_model
from stylecrypt_msg.pictures import encode_picture
from stylecrypt_msg.standins import stand_in
from tests.support.somebody import ann
from tests.support.synapse import Homeserver

__all__ = ["a_face", "a_photo", "on_a_homeserver", "report"]

T = TypeVar("T")


def a_face(seed: str, size: int) -> NDArray[np.uint8]:
    """Somebody who does not exist, made by the embedded model: an aligned square, (size, size, 3)."""
    model = load_model()
    face = to_pixels(model.synthesize(stand_in(model, seed, model.latent_avg[None])))[0]
    return np.asarray(cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def a_photo() -> bytes:
    """Somebody who does not exist, in front of a wall; small, so that most of the time goes into messages."""
    picture = np.full((240, 240, 3), (90, 110, 130), np.uint8)
    model = load_model()
    picture[16:224, 16:224] = cv2.resize(to_pixels(model.synthesize(ann(model)))[0], (208, 208))
    return encode_picture(picture, "JPEG")


def on_a_homeserver(job: Callable[[Homeserver, Path], Coroutine[Any, Any, T]]) -> T:
    """Runs a job with an empty homeserver and an empty folder, both temporary."""
    with tempfile.TemporaryDirectory() as folder:
        server = Homeserver(Path(folder))
        server.start()
        try:
            return asyncio.run(job(server, Path(folder)))
        finally:
            server.stop()


def report(
    parser: argparse.ArgumentParser,
    job: Callable[[Homeserver, Path, argparse.Namespace], Coroutine[Any, Any, dict[str, Any]]],
) -> None:
    """Runs a job with the arguments and prints its results; ``-o`` also writes them to a file."""
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    result = json.dumps(on_a_homeserver(lambda server, folder: job(server, folder, arguments)), indent=2)
    print(result)
    if arguments.output:
        arguments.output.write_text(result + "\n")
