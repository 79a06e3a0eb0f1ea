"""(c) Wrong keys, many of them: does the best one come near the sender?"""

from __future__ import annotations

import numpy as np

from stylecrypt_msg.progress import Progress
from stylecrypt_msg.stylemix import mix

from .material import People, Pipeline, Posted, Setting, Strangers, resized, show, small
from .odds import Figure, Finding

__all__ = ["wrong_keys"]

_SIDE = 128  # px: the preview's


def wrong_keys(
    people: People,
    posted: Posted,
    strange: Strangers,
    keys: int,
    victims: int,
    setting: Setting,
    pipeline: Pipeline,
    progress: Progress,
) -> list[Finding | Figure]:
    """Each of ``keys`` strangers as the key for each of ``victims`` senders, at 128 px.

    An oracle, the sender's own face, picks the best. Among so many people, some look like the sender anyway: what counts
    is whether the message helped, against the same strangers without it.
    """
    chosen = people.some(victims)
    with_message, without = np.empty((len(chosen), keys)), np.empty((len(chosen), keys))
    for row, i in enumerate(chosen):
        progress("wrong keys", row, len(chosen))
        view = people.sent[i]
        faces = pipeline.preview(mix(posted.codes[i][None], strange.codes[i, :keys], setting.mask))
        arrived = small(view, _SIDE)
        seen = [show(arrived, resized(face, _SIDE), setting.form) for face in faces]
        with_message[row] = np.linalg.norm(pipeline.describe(seen) - people.sent_faces[i], axis=1)
        without[row] = np.linalg.norm(strange.small_faces[i, :keys] - people.sent_faces[i], axis=1)
    progress("wrong keys", len(chosen), len(chosen))
    found: list[Finding | Figure] = []
    n, limit = len(chosen), pipeline.recogniser.threshold
    for count in sorted({1, min(10, keys), keys}):
        best, alone = with_message[:, :count].min(1), without[:, :count].min(1)
        for who, one in (("keys", best), ("strangers, with no message,", alone)):
            found.append(
                Finding(
                    "wrong keys",
                    setting.name,
                    f"the best of {count} {who} is the sender, by the threshold",
                    int((one < limit).sum()),
                    n,
                )
            )
        if count == keys:
            found.append(
                Finding(
                    "wrong keys",
                    setting.name,
                    f"the best of {count} keys is nearer than of as many strangers",
                    int((best < alone).sum()),
                    n,
                    0.5,
                )
            )
            found.append(
                Figure("wrong keys", setting.name, f"distance of the best of {count} keys", float(best.mean()), "", n)
            )
            found.append(
                Figure(
                    "wrong keys", setting.name, f"distance of the best of {count} strangers", float(alone.mean()), "", n
                )
            )
    return found
