"""A folder by a Ray cluster, which makes the covers. This machine signs, seals and writes, and reads its own files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from ...apps import APPS, reduced
from ...covering import Cover, Coverer, CoverOrder, coverer
from ...models.model_cache import ModelCache
from ...pictures import read_photo
from ...progress import silent
from ...recognisers import installed_recognisers
from ...sdk import Options, draft_of
from ..cluster import in_cluster, joined
from ..places import Folder, Place
from ..workers import worker_count
from .values import Job, Opening, Outcome, Setting
from .worker import begin, encrypt_one, finish_one, stylecrypt_here, tried

__all__ = ["encrypt_by_cluster"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Asked:
    """A photo to cover. ``own``: what its order has besides what all have. ``refused``: why it was not read."""

    job: Job
    own: dict[str, Any]
    photo: bytes = field(default=b"", repr=False)
    refused: Outcome | None = None


@dataclass(frozen=True)
class _Made:
    photo: bytes = field(repr=False)
    cover: Cover


def encrypt_by_cluster(
    jobs: Sequence[Job], setting: Setting, opening: Opening, address: str
) -> Iterator[tuple[Job, Outcome | None]]:
    """As `in_parallel` with `encrypt_one`."""
    options: Options = {**setting.options}  # type: ignore[typeddict-item]
    given = options.get("stand_in") is not None
    chat = bool(setting.to or options.get("conversation"))
    draft = draft_of(b"", setting.to, options)
    side = None if draft.app is None else APPS[draft.app].side
    model = opening[2]
    with joined(address) as ray:
        begin(setting, opening)
        messenger = stylecrypt_here().messenger
        waiting = deque(jobs)
        while waiting and chat and not given and not messenger.order(draft, model=model).known:
            job = waiting.popleft()
            yield job, encrypt_one(job)  # here: it chooses the stand-in that all others show
        common = messenger.order(draft, model=model)

        def asked(job: Job) -> _Asked:
            own: dict[str, Any] = {
                name: job.options[name] for name in ("only", "keep", "others") if name in job.options
            }
            if not chat and not given:  # somebody else in each photo
                own["key_faces"] = messenger.order(draft, model=model).key_faces
            return _Asked(job, own)

        source, before = setting.source, None
        if isinstance(source, Folder):
            before = partial(_read, Folder(source.path.absolute()))
        given_here = (common, side, None if before else source)
        made = in_cluster(ray, _cover, [*map(asked, waiting)], _begin, *given_here, before=before)
        yield from _in_threads(partial(_finish, common), made, worker_count())


def _read(source: Place, asked: _Asked) -> _Asked:
    photo = tried(asked.job, lambda: source.read(asked.job.photo))
    return replace(asked, refused=photo) if isinstance(photo, Outcome) else replace(asked, photo=photo)


def _finish(common: CoverOrder, result: tuple[_Asked, _Made | Outcome | None]) -> tuple[Job, Outcome | None]:
    asked, made = result
    if not isinstance(made, _Made):
        return asked.job, made
    key_faces = asked.own.get("key_faces", common.key_faces)
    return asked.job, finish_one(asked.job, made.photo, key_faces, made.cover)


def _in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item], count: int) -> Iterator[_Result]:
    """Results in the order in which they end; takes an item when it is to be worked on."""
    with ThreadPoolExecutor(count) as pool:
        running: set[Future[_Result]] = set()
        for item in items:
            running.add(pool.submit(work, item))
            ended, running = wait(running, None if len(running) == count else 0, FIRST_COMPLETED)
            yield from (one.result() for one in ended)
        yield from (one.result() for one in as_completed(running))


# ---- in a worker


@dataclass(frozen=True)
class _Covering:
    cover: Coverer
    common: CoverOrder
    side: int | None
    source: Place | None


_there: list[_Covering] = []


def _begin(common: CoverOrder, side: int | None, source: Place | None) -> None:
    """``source``: a bucket, which workers read by themselves."""
    _there[:] = [_Covering(coverer(ModelCache(), installed_recognisers), common, side, source)]


def _cover(asked: _Asked) -> _Made | Outcome:
    there = _there[0]
    if there.source is not None:
        asked = _read(there.source, asked)

    def work() -> _Made:
        pixels = reduced(read_photo(asked.photo).pixels, there.side)
        cover = there.cover(replace(there.common, pixels=pixels, **asked.own), silent)
        if there.common.form == "photo":
            cover = replace(cover, original=pixels[:0])  # it is in the photo
        return _Made(asked.photo, cover)

    return tried(asked.job, work) if asked.refused is None else asked.refused
