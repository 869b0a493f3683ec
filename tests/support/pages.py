"""The pages as a reader sees them."""

from __future__ import annotations

import re


def words(html: str) -> str:
    """Leave the words that a reader sees, a space between them."""
    html = re.sub(r"(?s)<(style|script)>.*?</\1>|<[^>]+>", " ", html)
    return re.sub(r"\s+", " ", html)
