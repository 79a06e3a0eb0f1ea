"""What all tests share."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import hypothesis
import numpy as np
import pytest

from stylecrypt_msg import recognisers
from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.faces.detectors import CenterFace, YuNet
from stylecrypt_msg.models import FaceModel, load_model, load_torch_model, model_cache
from stylecrypt_msg.models.embedded import EmbeddedModel
from stylecrypt_msg.models.face_model import Floats
from stylecrypt_msg.models.loading import DEFAULT
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.standins import stand_in

from .support import somebody as made_up
from .support.places import SHARED
from .support.quickly import shortened
from .support.remembering import remembered, remembering
from .support.synapse import homeserver  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from stylecrypt_msg.models.torch_model import TorchModel

# Machines differ in speed: a test that is slow on one is not wrong.
hypothesis.settings.register_profile("stylecrypt", deadline=None)
hypothesis.settings.load_profile("stylecrypt")


MOST_WORKERS = 4

# The fixtures that a test uses, directly or not, tell what it needs; `make quick` leaves these tests out.
MARKS = {"homeserver": "homeserver"} | dict.fromkeys(
    ("default_model", "torch_model", "generator_only", "large", "psp", "psp_content", "small"),
    "model",
)


def pytest_configure() -> None:
    """Workers share the processors: with all of them for each, threads of one wait busily for those of another."""
    if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, as some worker always waits for a homeserver or a browser; each takes up to 5 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min((os.cpu_count() or 1) + 1, memory // 5_000_000_000, MOST_WORKERS))


@pytest.hookimpl(tryfirst=True)  # before -m selects tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[fixture])
    # Spread files whose tests wait for a homeserver evenly among those that compute, so that two workers seldom wait at once.
    waiting = {item.path for item in items if item.get_closest_marker("homeserver")}
    files = list(dict.fromkeys(item.path for item in items))
    place: dict[Path, float] = {}
    for group in ([path for path in files if (path in waiting) is waits] for waits in (True, False)):
        place |= {path: (number + 0.5) / len(group) for number, path in enumerate(group)}
    items.sort(key=lambda item: place[item.path])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs tests that are coroutines."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in arguments}))
    return True


@pytest.fixture(scope="session", autouse=True)
def _faces_are_looked_at_once() -> Iterator[None]:
    """What detectors and recognisers said of a picture, they are not asked again."""
    with pytest.MonkeyPatch.context() as patch:
        for kind, method in ((YuNet, "__call__"), (CenterFace, "__call__"), (recognisers._Dlib, "describe")):
            patch.setattr(kind, method, remembered(getattr(kind, method)))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures and fixtures beside the repository; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there; set STYLECRYPT_SHARED to a folder with its pictures and fixtures")
    return SHARED


@pytest.fixture(scope="module")
def short_descents() -> Iterator[None]:
    """Short descents for a whole module, by its ``pytestmark``: otherwise they take seconds per face, as they do for users."""
    with shortened():
        yield


@pytest.fixture(scope="session")
def default_model() -> Iterator[FaceModel]:
    """The embedded model, which remembers its results. Whoever asks for it in this process gets the same."""
    model = load_model()
    assert isinstance(model, EmbeddedModel)
    model._graph = remembering(model._graph)  # type: ignore[method-assign, assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_cache, "load_model", lambda name: model if name == DEFAULT else load_model(name))
        yield model


@pytest.fixture(scope="session")
def torch_model() -> TorchModel:
    """The embedded model as PyTorch modules."""
    return load_torch_model()


@dataclass(frozen=True, eq=False)
class People:
    """Pictures of people who do not exist, (H, W, 3) uint8, made by the embedded model's generator.

    Attributes:
        photo: Ann, 420 x 300 px, her head in the left half, in front of a plain wall.
        ann: the same girl on another day, an aligned square of 256 px: her key face.
        bea: a woman, an aligned square of 256 px.
        group: Ann, then Bea, 560 x 260 px.
        cut: Ann, then Bea, of whose face the right border leaves half.
    """

    photo: Pixels
    ann: Pixels
    bea: Pixels
    group: Pixels
    cut: Pixels


@pytest.fixture(scope="session")
def people(default_model: FaceModel) -> People:
    somebody = default_model.latent_avg[None]
    bea, other = (stand_in(default_model, name, somebody) for name in ("bea", "another day"))
    ann = made_up.ann(default_model)
    drift = np.zeros((default_model.n_styles, 1), np.float32)
    drift[0:3], drift[8:] = 0.3, 0.2  # another pose, another light

    def square(codes: Floats) -> Pixels:
        pixels = to_pixels(default_model.synthesize(codes))[0]
        return np.asarray(cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)

    first, another_day, second = square(ann), square(ann + drift * (other - ann)), square(bea)

    def wall(height: int, width: int) -> Pixels:
        grain = np.random.default_rng(0).integers(-4, 5, (height, width, 1))  # so that a lost pixel shows
        return (np.array([90, 110, 130]) + grain).astype(np.uint8)

    photo, group = wall(300, 420), wall(260, 560)
    photo[20:276, 30:286] = first
    group[2:258, 10:266], group[2:258, 290:546] = first, second
    made = People(photo, another_day, second, group, group[:, :425].copy())
    for pixels in vars(made).values():
        pixels.setflags(write=False)
    return made
