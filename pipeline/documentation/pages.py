"""Which pages are generated, and what makes each of them."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.documentation.channels import channels_page
from pipeline.documentation.commands import commands_page
from pipeline.documentation.features import features_page
from pipeline.documentation.settings import settings_page
from pipeline.documentation.verdicts import verdicts_page

PAGES: dict[str, Callable[[], str]] = {
    "docs/channels.md": channels_page,
    "docs/commands.md": commands_page,
    "docs/features.md": features_page,
    "docs/parameters.md": settings_page,
    "docs/verdicts.md": verdicts_page,
}
"""A page's place, and the function that gives its text."""
