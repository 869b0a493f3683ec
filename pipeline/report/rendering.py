"""Templates into pages: every value is escaped, and how numbers and times are written."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from features.core.time import DAY, HOUR, parse_duration

TEMPLATES = Path(__file__).parent / "templates"
_SPACE = "\N{NO-BREAK SPACE}"


def render(template: str, **context: object) -> str:
    """Fill a template; one that names what it isn't given is an error."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    """Keep templates as they were read and translated: a morning has a list of each owner, all by one template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=percent, cut=cut, whole=whole, day=day, content_hash=content_hash)
    return environment


def content_hash(script: str) -> str:
    """Name a script as a content security policy does, so that it alone may run."""
    return f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def whole(number: float) -> str:
    """Write a number without a fraction.

    >>> whole(12345.6)
    '12,346'
    """
    return f"{number:,.0f}"


def percent(share: float, like: float | None = None) -> str:
    """Write a share with as many decimals as tell something, or with those of another share.

    >>> [percent(share).replace(chr(160), " ") for share in (0.5, 0.1, 0.0272, 0.0045, 0.0)]
    ['50 %', '10 %', '2.7 %', '0.45 %', '0 %']
    """
    size = abs(share if like is None else like)
    decimals = 0 if size >= 0.0995 or not size else 1 if size >= 0.00995 else 2  # noqa: PLR2004 - what rounds to a digit more
    return f"{100 * share:.{decimals}f}{_SPACE}%"


def cut(share: float) -> str:
    """Write a share that somebody has set, as it was set.

    >>> cut(0.03).replace(chr(160), " ")
    '3 %'
    """
    return f"{100 * share:g}{_SPACE}%"


def day(moment: str) -> str:
    """Write the day of a time in ISO 8601.

    >>> day("2026-06-30T23:58:57.034504")
    '30 June 2026'
    """
    time = datetime.fromisoformat(moment)
    return f"{time.day} {time:%B %Y}"


def moment(utc: str, time_zone: str) -> str:
    """Write a time in UTC, in ISO 8601, by the company's clock.

    >>> moment("2026-06-30T23:58:57.034504", "Europe/Amsterdam")
    '2026-07-01 01:58 (Europe/Amsterdam)'
    """
    local = datetime.fromisoformat(utc).replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone))
    return f"{local:%Y-%m-%d %H:%M} ({time_zone})"


def duration_in_words(text: str) -> str:
    """Write a length of time as people say it.

    >>> duration_in_words("30d"), duration_in_words("24h"), duration_in_words("36h")
    ('30 days', '1 day', '36 hours')
    """
    length = parse_duration(text)
    for unit, size in (("day", DAY), ("hour", HOUR)):
        if length % size == 0 * DAY:
            count = length // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{length.total_seconds() / 60:.0f} minutes"
