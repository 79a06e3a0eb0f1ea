"""What fakes reveal to attackers, counted for each layer mask, so that a mask can be chosen by what it costs.

`run` tries every attack, `write_report` writes the results to a folder. docs/security.md says what else attackers can do, and
what that means for users. Every rate comes with its trials and its chance: the rate of the same attack without any message.
"""

from __future__ import annotations

from .bench import ATTACKS, NO_COVER, AttackResult, Effort, MaskOdds, Sight, default_settings, run
from .material import Setting
from .odds import Figure, Finding, wilson
from .report import NOTE, costs, sights, write_report

__all__ = [
    "ATTACKS",
    "NOTE",
    "NO_COVER",
    "AttackResult",
    "Effort",
    "Figure",
    "Finding",
    "MaskOdds",
    "Setting",
    "Sight",
    "costs",
    "default_settings",
    "run",
    "sights",
    "wilson",
    "write_report",
]
