"""Logs as JSON lines: time, level, logger, message, and what the caller adds as `extra=details(...)`.

A review is named by its uid, object and the rules it broke, never by what it contains: objects hold what users wrote,
and the text of a refusal repeats it.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import gunicorn.glogging

_DETAILS = "details"


def details(**values: Any) -> dict[str, Any]:
    """What a log line says besides its message: `log.info("denied", extra=details(uid=...))`."""
    return {_DETAILS: values}


class JsonLines(logging.Formatter):
    """One JSON object per record; line breaks in what a client sent cannot forge a second one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _DETAILS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Send all logs as JSON lines to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


class ServerLogger(gunicorn.glogging.Logger):  # type: ignore[misc]
    """gunicorn's own messages as JSON lines too. Reviews are logged where they are answered, not as accesses."""

    def setup(self, cfg: Any) -> None:
        """Leave handlers to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
