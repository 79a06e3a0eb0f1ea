"""The settings of a descent through a generator, whatever computes its gradients.

Adam (Kingma and Ba, arXiv 1412.6980) with a shorter memory than usual: the steps are few, and each picture's gradients are
exact, so there is no noise to average away. In 26 steps it comes as close as with the usual 0.9 and 0.99 in 40 (lab/LOG.md).
"""

from __future__ import annotations

__all__ = ["BETAS", "FIRM", "LOOSE", "STEPS", "checks", "rate"]

STEPS = 26
"""Of the embedded model: more would fit what 128 px cannot show."""

BETAS = 0.6, 0.9
"""Of Adam: the decay rates of the means of gradients and of their squares."""

LOOSE, FIRM = 0.1, 1.0
"""The weight of the distance from the start: for a first guess, and for a start known to be close."""

_RATE = 0.1
_FULL_RATE_FROM = 4  # steps
_CHECKS = 0.2, 0.6


def rate(step: int, steps: int) -> float:
    """Adam's learning rate for ``step`` of ``steps``, counted from 0, in coordinates along the model's directions.

    Adam's first steps have full length however small the gradient: where few follow, they must not lead far away.
    """
    return _RATE * min(1.0, steps / _FULL_RATE_FROM) * (1 - step / steps)


def checks(steps: int) -> set[int]:
    """The steps before which the preview is compared with the whole generator: its error hardly changes in between.

    A comparison takes as long as two steps: for few steps, one must do.
    """
    return {round(share * steps) for share in _CHECKS[: 1 + steps // 12]}
