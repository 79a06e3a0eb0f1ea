"""A worker of ``stylecrypt evaluate --ray`` that knows the results already, from the report that ``MEASURED`` names; the first
one is killed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
from stylecrypt_lab.evaluation import run
from stylecrypt_lab.evaluation.layers import LayerTrial
from stylecrypt_lab.evaluation.trial import Trial

from stylecrypt_msg.pictures import read_picture


def begin(*_: object) -> None: ...


def measure(job: Any) -> Any:
    report, name = Path(os.environ["MEASURED"]), job.subject.name
    killed = report / "killed"
    if not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    part, kind = ("layers", LayerTrial) if job.stranger is None else ("trial", Trial)
    lines = map(json.loads, (report / "results.jsonl").read_bytes().splitlines()[1:])
    known = next(line["result"] for line in lines if (line["part"], line["person"]) == (part, name))
    row = read_picture(run.Strips(report).path(part, name)).pixels
    return kind.model_validate(known), np.split(row, row.shape[1] // run.TILE, axis=1)
