"""(c) Many wrong keys: does the best one come close to the sender?"""

from __future__ import annotations

from functools import partial

import numpy as np

from stylecrypt_msg.stylemix import mix

from .material import Material, resized, show, small
from .odds import Figure, Finding

__all__ = ["wrong_keys"]

_SIDE = 128  # px: the preview's


def wrong_keys(material: Material, keys: int, victims: int) -> list[Finding | Figure]:
    """Each of ``keys`` strangers as the key for each of ``victims`` senders, at 128 px.

    An oracle that knows the sender's face picks the best. Among so many people, some look like the sender anyway: what counts
    is whether the message helps, compared with the same strangers without it.
    """
    people, strange, pipeline, setting = material.people, material.strange, material.pipeline, material.setting
    chosen = people.some(victims)
    with_message, without = np.empty((len(chosen), keys)), np.empty((len(chosen), keys))
    for row, i in enumerate(chosen):
        material.progress("wrong keys", row, len(chosen))
        view = people.sent[i]
        faces = pipeline.preview(mix(material.posted.codes[i][None], strange.codes[i, :keys], setting.mask))
        arrived = small(view, _SIDE)
        seen = [show(arrived, resized(face, _SIDE), setting.form) for face in faces]
        with_message[row] = np.linalg.norm(pipeline.describe(seen) - people.sent_faces[i], axis=1)
        without[row] = np.linalg.norm(strange.small_faces[i, :keys] - people.sent_faces[i], axis=1)
    material.progress("wrong keys", len(chosen), len(chosen))
    finding, figure = partial(material.finding, "wrong keys"), partial(material.figure, "wrong keys")
    found: list[Finding | Figure] = []
    n, limit = len(chosen), pipeline.recogniser.threshold
    for count in sorted({1, min(10, keys), keys}):
        best, alone = with_message[:, :count].min(1), without[:, :count].min(1)
        for who, one in (("keys", best), ("strangers, with no message,", alone)):
            what = f"the best of {count} {who} is the sender, by the threshold"
            found.append(finding(what, int((one < limit).sum()), n))
    nearer = f"the best of {keys} keys is nearer than of as many strangers"
    return [
        *found,
        finding(nearer, int((best < alone).sum()), n, 0.5),
        figure(f"distance of the best of {keys} keys", float(best.mean()), n),
        figure(f"distance of the best of {keys} strangers", float(alone.mean()), n),
    ]
