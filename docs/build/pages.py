"""Which pages are generated, and what makes each of them."""

from __future__ import annotations

from collections.abc import Callable

from docs.build.channels import channels_page
from docs.build.commands import commands_page
from docs.build.features import features_page
from docs.build.recommendations import recommendations_page
from docs.build.settings import settings_page
from docs.build.verdicts import verdicts_page

PAGES: dict[str, Callable[[], str]] = {
    "docs/channels.md": channels_page,
    "docs/commands.md": commands_page,
    "docs/features.md": features_page,
    "docs/parameters.md": settings_page,
    "docs/recommendations.md": recommendations_page,
    "docs/verdicts.md": verdicts_page,
}
"""A page's place, and the function that gives its text."""
