"""What a sink is: the one place where recommendations leave for another system, told in that system's field names.

A sink knows its system and nothing else: what has changed, what waits, what is tried again and what was written before
is the business of ``pipeline.delivery``. A new sink is a class with these members, and passes
``tests/promises/test_sinks.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Value = str | float | None
"""What a field holds: a text, a number, or nothing. A date is a text, as in 2026-06-30."""


@dataclass(frozen=True, slots=True)
class Record:
    """A lead, and what its fields shall hold."""

    key: str
    """What names the lead in the other system."""
    values: Mapping[str, Value]
    """By the other system's field names; None empties a field."""
    remote_id: str | None = None
    """The other system's own id, as ``read`` gave it; None where the lead is not there yet, or nothing was read."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A lead as the other system has it."""

    remote_id: str
    values: Mapping[str, Value]
    """What the mapped fields hold; None where a field is empty. A number may come as a text."""
    closed: bool = False
    """Won, lost or archived: not to be touched."""
    refused: str | None = None
    """Why it can't be written to, whatever the values: several leads have its key."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record."""

    key: str
    status: Literal["written", "skipped", "rejected"]
    """Skipped: the system doesn't know the lead, or has closed it. Rejected: it refuses these values."""
    reason: str | None = None
    """Of what was skipped or rejected, in the system's own words."""
    remote_id: str | None = None


class LaterError(Exception):
    """What was asked was not done, or nobody knows (429, 5xx, a timeout, a broken connection): ask again."""

    def __init__(self, reason: str, after: float | None = None, *, is_timeout: bool = False) -> None:
        super().__init__(reason)
        self.after = after
        """Seconds to wait, where the system says so."""
        self.is_timeout = is_timeout
        """Whether no answer came in time: it may all have been done, and was perhaps too much for one call."""
        self.further = False
        """Of ``read``: whether some of its calls came through, and will not be made again."""


class WholeBatchError(Exception):
    """Records were refused together, for the sake of some that the system doesn't name: halve them and ask again."""


class Sink(Protocol):
    """A system that takes scores.

    It is made of its settings, the mapping (our names to the system's) and the project's folder. ``read`` and ``write``
    are called from several threads at once. They raise LaterError for what is to be asked again, and DeliveryError for
    what no repetition mends: a key that is refused, a field that is not there, a quota of the day.
    """

    name: str
    """What is written to, in a few words and without secrets: what is known of its leads is kept under this name."""
    batch_size: int
    """How many records ``write`` takes at once; a setting, whose default is the best that was measured."""
    leads_a_call: int
    """How many leads one call writes; 0 where nobody counts calls."""
    batches_at_once: int
    """How many batches may be under way at once; to how many calls that leads is the sink's own business."""
    reads: bool
    """Whether ``read`` sees the system; otherwise each lead is taken to be there, and to hold what we wrote last."""
    creates: bool
    """Whether the settings ask for leads that are not there to be made; ``write`` gets no others without remote_id."""
    calls_a_day: int | None
    """How many calls the system takes in 24 hours, where it counts them."""

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        ...

    def check(self) -> list[str]:
        """Say what is not ready, each in plain words with its remedy; nothing is changed. Empty where all is well."""
        ...

    def missing(self) -> list[str]:
        """List the fields that are not there, as far as the system says so: whatever they held is gone."""
        return []

    def setup(self) -> list[str]:
        """Make the fields that are missing, and say what was made; raises DeliveryError where the system can't."""
        ...

    def sizes(self) -> Mapping[str, int | None]:
        """Tell how many letters the text fields take, None for any number, as far as the system says so.

        Longer texts are cut before they are written.
        """
        return {}

    def unseen(self) -> str | None:
        """Name the rule that hides leads from the user, and its remedy; None where there is none, or nobody can say."""
        return None

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the leads of at most ``batch_size`` keys, as they are now; those that are not there are left out."""
        ...

    def write(self, batch: Sequence[Record]) -> Iterable[Outcome]:
        """Write at most ``batch_size`` records, and yield the outcome of each as soon as it is known.

        Only the fields of ``values`` are touched. Raises WholeBatchError where the records whose outcome was not
        yielded were refused together.
        """
        ...
