"""What makes a frozen dataclass a section of the settings, without a word of the library that reads them."""

from __future__ import annotations

from typing import ClassVar


class SettingsSection:
    """A dataclass that is read as it stands: no unknown keys, and below each setting a text that says what it means.

    What must hold of several settings together it says itself, when it is made, by a ValueError.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}
