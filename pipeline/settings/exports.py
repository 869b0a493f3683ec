"""The settings of ``exports``: what files for others say. No stage depends on them, for no output does."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from pipeline.settings.types import Name, Strict


class Exports(Strict):
    """What leadcast export writes into files for others: which column holds the click id, and what conversions are
    called there.
    """  # noqa: D205 - two halves of one sentence

    click_id: Name | None = None
    """The column of the table of ingest.leads that holds the click id of an advertising platform, as in gclid. It is
    read when the file is made, and kept nowhere else."""
    names: dict[Name, Name] = Field(default_factory=dict)
    """What event types of episodes.conversion are called on the platform: {won: Purchase}; others keep their names."""
    expected: Name = "expected conversion"
    """What an open lead is called there, whose value is expected. It should be an action of its own: a platform that
    adds it to real conversions counts a sale twice."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.expected in self.names.values():
            raise ValueError(
                f"expected and names both say {self.expected!r}: what is expected would be added to what has happened; "
                "give it a name of its own"
            )
        return self
