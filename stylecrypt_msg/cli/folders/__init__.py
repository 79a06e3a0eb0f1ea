"""``encrypt`` and ``decrypt`` for folders, with a report."""

from .plan import plan, read_plan
from .run import decrypt, encrypt
from .values import Plan

__all__ = ["Plan", "decrypt", "encrypt", "plan", "read_plan"]
