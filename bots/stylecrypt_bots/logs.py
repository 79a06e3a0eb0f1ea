"""Logs as lines of JSON: actions, places and errors. No keys, no texts, no pictures."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["set_up"]

_STANDARD = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime"}


def set_up(level: str) -> None:
    """Sends the bot's log to standard error, without that of libraries, which quote messages."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    mine = logging.getLogger("stylecrypt_bots")
    mine.handlers, mine.propagate = [handler], False
    mine.setLevel(level)
    for library in ("nio", "peewee", "aiohttp", "asyncio", "PIL"):
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)


class _Lines(logging.Formatter):
    """One JSON object per line: time, level, message, and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{key: value for key, value in record.__dict__.items() if key not in _STANDARD},
        }
        if record.exc_info and record.exc_info[1] is not None:
            # The type and the place; the text may quote secrets.
            frames = traceback.extract_tb(record.exc_info[2])
            place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
            line["exception"] = f"{type(record.exc_info[1]).__name__} at {place}"
        return json.dumps(line, default=str)
