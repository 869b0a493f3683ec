"""Files that are parts of one table: their names are the same but for dates, numbers and hashes, their columns alike.

``events_20260101.jsonl``, ``events_20260102.jsonl`` and ``events_intraday_20260103.jsonl`` are ``events_*.jsonl``,
``2026-01/orders.csv`` and ``2026-02/orders.csv`` are ``*/orders.csv``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from features.core.errors import InputError
from pipeline.reading.raw_files import find_files
from pipeline.settings.table import Table

_HASH = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![a-z])(?=[a-f]*[0-9])[0-9a-f]{16,}(?![a-z])"
_MONTH = (
    r"(?<![a-z])(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])"
)
_NOT_YET = r"(?<=[-_.])(?:intraday|fresh|streaming)[-_.]"
"""What GA4 calls the tables of days that are not over."""
_SHARED = 0.8
_SEVERAL = 3


@dataclass(frozen=True)
class Part:
    """A file, how it is read, and its columns."""

    name: str
    settings: Table
    columns: tuple[str, ...]
    is_ascii: bool = False
    """Whether it has no letter that tells its encoding."""


def join_families(parts: Sequence[Part], folder: Path) -> list[Table]:
    """Give the settings of each table, of one file or of several that no other file is among."""
    families: dict[tuple[str, str], list[list[Part]]] = {}
    for part in _with_encodings(parts):
        read_alike = part.settings.model_copy(update={"path": None}).model_dump_json()
        clusters = families.setdefault((_pattern(part.name), read_alike), [])
        own = next((cluster for cluster in clusters if _are_alike(part.columns, cluster)), None)
        if own is None:
            clusters.append([part])
        else:
            own.append(part)
    tables = []
    for (pattern, _), clusters in families.items():
        for cluster in clusters:
            names = sorted(part.name for part in cluster)
            glob = _glob(pattern, names, folder) if len(names) > 1 else None
            settings = cluster[0].settings
            tables += [settings.model_copy(update={"path": path}) for path in ([glob] if glob else names)]
    return tables


def is_empty_part(name: str, parts: Sequence[Part], folder: Path) -> bool:
    """Tell whether a file without a byte is a part of a table whose other parts hold rows."""
    return not (folder / name).stat().st_size and _pattern(name) in {_pattern(part.name) for part in parts}


def _with_encodings(parts: Sequence[Part]) -> list[Part]:
    """Let files whose letters are all plain share the encoding of those that are called alike."""
    told: dict[str, set[str | None]] = defaultdict(set)
    for part in parts:
        if not part.is_ascii:
            told[_pattern(part.name)].add(part.settings.encoding)
    alike = {pattern: encoding for pattern, (encoding, *others) in told.items() if not others}
    return [
        replace(part, settings=part.settings.model_copy(update={"encoding": alike[_pattern(part.name)]}))
        if part.is_ascii and _pattern(part.name) in alike
        else part
        for part in parts
    ]


def _pattern(name: str) -> str:
    """Write a name without what differs between the parts of a table.

    >>> [_pattern(name) for name in ("events_intraday_20260101.jsonl", "2026-01/Orders Jan 26.csv", "q1_sales.csv")]
    ['events_*.jsonl', '*-*/Orders * *.csv', 'q*_sales.csv']
    """
    for pattern, instead in ((_NOT_YET, ""), (_HASH, "*"), (_MONTH, "*"), (r"\d+", "*")):
        name = re.sub(pattern, instead, name, flags=re.IGNORECASE)
    return name


def _are_alike(columns: Iterable[str], cluster: Sequence[Part]) -> bool:
    """Tell whether a file has the columns of a table, but for a few that either lacks."""
    known = {name for part in cluster for name in part.columns}
    own = set(columns)
    return len(own & known) >= _SHARED * min(len(own), len(known))


def _glob(pattern: str, names: Sequence[str], folder: Path) -> str | None:
    """Write the glob that matches these files and no other; None where there is none."""
    short = re.sub(r"(\*[-_. ]?)+\*", "*", pattern)
    globs = [short, pattern]
    digits = {re.sub(r"\d", "[0-9]", name) for name in names}
    if len(digits) == 1 and len(names) >= _SEVERAL:
        globs.append(digits.pop())
    for glob in globs:
        try:
            if [file.name for file in find_files(glob, glob, folder)] == names:
                return glob
        except InputError:  # a bracket in a name is no pattern
            continue
    return None
