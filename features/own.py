"""Features of your own, declared in Python: they join the catalogue with those of ``features.declared``.

For example, how fast a lead speeds up, and whether it reads late at night:

    from datetime import timedelta

    from features.language.filters import Filter

    WEEK = timedelta(days=7)
    FEATURES = (
        Feature("momentum", Filter("page_view"), window=WEEK, baseline=4 * WEEK),
        Feature("share", Filter(hours=(22, 6)), window=4 * WEEK),
    )
"""

from __future__ import annotations

from features.language.feature import Feature

FEATURES: tuple[Feature, ...] = ()
"""Yours; docs/features.md says what can be declared."""
