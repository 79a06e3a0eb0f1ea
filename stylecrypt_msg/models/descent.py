"""How a descent through a generator goes, whatever computes its gradients.

Adam (Kingma and Ba, arXiv 1412.6980) with less memory than usual: the steps are few, and each picture's slopes are exact, so
that there is no noise to average away. At 26 steps it comes as close as with its usual 0.9 and 0.99 in 40 (lab/LOG.md).
"""

from __future__ import annotations

__all__ = ["BETAS", "FIRM", "LOOSE", "STEPS", "checks", "rate"]

STEPS = 26
"""Of the embedded model: more go on to what 128 px cannot tell."""

BETAS = 0.6, 0.9
"""Of Adam: what the means of slopes and of their squares keep at each step."""

LOOSE, FIRM = 0.1, 1.0
"""What it costs a descent to leave its start: a first guess, or one that is known to be near."""

_RATE = 0.1
_FULL_RATE_FROM = 4  # steps
_CHECKS = 0.2, 0.6


def rate(step: int, steps: int) -> float:
    """Adam's, for ``step`` of ``steps``, from 0 on, in coordinates along the model's directions.

    Its first steps go at full length however small the slope is: where few follow, they must not lead far away.
    """
    return _RATE * min(1.0, steps / _FULL_RATE_FROM) * (1 - step / steps)


def checks(steps: int) -> set[int]:
    """The steps before which the preview is compared with the whole generator: what it lacks hardly changes between.

    A comparison takes as long as two steps: where these are few, one has to do.
    """
    return {round(share * steps) for share in _CHECKS[: 1 + steps // 12]}
