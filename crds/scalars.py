"""What YAML 1.1 makes of an unquoted word. kubectl and most shell scripts read YAML 1.1, so `on` is true there.

The patterns are those of go-yaml v2, which kubectl uses: they differ from PyYAML's in `y` and `n` (bools), `1e3`
(a number) and `1:30` (a string).
"""

from __future__ import annotations

import re
from typing import Final

NULL: Final = re.compile(r"^(?:~|null|Null|NULL|)$")
BOOL: Final = re.compile(r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$")
INT: Final = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
FLOAT: Final = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


def reads_as(word: str) -> str | None:
    """What YAML 1.1 reads the unquoted `word` as, "null", "a bool" or "a number"; None where it stays a string."""
    if NULL.match(word):
        return "null"
    if BOOL.match(word):
        return "a bool"
    return "a number" if INT.match(word) or FLOAT.match(word) else None
