"""The attacker's bench: what fakes reveal, in counts, for each layer mask, so that a mask can be chosen by its price.

`run` tries everything, `write_report` puts it into a folder. What else an attacker can do, and what that means for
a user, is in docs/security.md. Every rate has its trials and its chance: the rate of the same attack without any message.
"""

from __future__ import annotations

from .bench import ATTACKS, AttackResult, Effort, MaskOdds, default_masks, run
from .many import Averages
from .material import Setting
from .odds import Figure, Finding, wilson
from .report import NOTE, table, write_report

__all__ = [
    "ATTACKS",
    "NOTE",
    "AttackResult",
    "Averages",
    "Effort",
    "Figure",
    "Finding",
    "MaskOdds",
    "Setting",
    "default_masks",
    "run",
    "table",
    "wilson",
    "write_report",
]
