"""(c) Many wrong keys: does the best one come close to the sender?"""

from __future__ import annotations

import numpy as np

from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import mix

from .material import Material, show
from .odds import Figure, Finding

__all__ = ["wrong_keys"]


def wrong_keys(material: Material, keys: int, victims: int) -> list[Finding | Figure]:
    """Each of ``keys`` people who do not exist as the key for each of ``victims`` senders.

    An oracle that knows the sender's face picks the best. Among so many people, some look like the sender anyway: what counts
    is whether the message helps, compared with the same people without it.
    """
    people, pipeline, setting = material.people, material.pipeline, material.setting
    chosen = material.victims(victims)
    # By each judge, with and without the message.
    best = np.empty((len(people.judges), 2, len(chosen)))
    for at, (row, i) in enumerate(chosen):
        material.progress("wrong keys", at, len(chosen))
        view, posted = people.sent[i], material.here
        strange = np.concatenate([stand_in(pipeline.model, f"stranger {k}", view.looks[None]) for k in range(keys)])
        faces = pipeline.preview(mix(posted.codes[row][None], strange, setting.mask))
        opened = [show(view, face, setting.form) for face in faces]
        alone = [show(view, face, setting.form) for face in pipeline.preview(strange)]
        for with_message, squares in enumerate((alone, opened)):
            for number, (judge, described) in enumerate(zip(people.judges, pipeline.describe(squares), strict=True)):
                best[number, with_message, at] = np.linalg.norm(described - judge.mine[i], axis=1).min()
    material.progress("wrong keys", len(chosen), len(chosen))
    found: list[Finding | Figure] = []
    for judge, (without, with_it) in zip(people.judges, best, strict=True):
        what = f"the best of {keys} keys is nearer than of as many strangers"
        found.append(material.finding("wrong keys", what, int((with_it < without).sum()), len(chosen), 0.5, judge.name))
        for who, one in (("keys", with_it), ("strangers", without)):
            what = f"distance of the best of {keys} {who}"
            found.append(material.figure("wrong keys", what, float(one.mean()), len(chosen), judge=judge.name))
    return found
