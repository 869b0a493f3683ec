"""A lottery among leads: some are worked whatever their score, some are left alone, to tell what a call does.

Whom sales calls is whom we believed in: that more of them convert says nothing of the calls. Where chance decides, the
difference is the call's. It costs: bad leads are called, and good ones are not. So nobody is drawn until a person
agrees to it by name, and who asked for something, is in work, or has closed the telephone is left out.

A lead is drawn by a hash of its id, and so for ever: a larger share draws further ones, and moves nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from features.core.schema import GROUPS, Group
from features.core.section import SettingsSection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PARTS = 2.0**64


@dataclass(frozen=True)
class Lottery(SettingsSection):
    """Which share of the leads chance decides of, a third of it each: worked, left alone, or dealt with as usual."""

    share: float = 0.0
    """The share that is drawn here, as in 0.1; with 0 nobody is."""
    agreed_by: str | None = None
    """Who agreed that sales calls some leads and leaves others alone by lot; nobody is drawn without a name."""
    attribute: str | None = None
    """An attribute of the lead that says its group, where people have drawn themselves: it goes before what is drawn
    here."""
    groups: dict[str, Group] = field(default_factory=dict)
    """The values of attribute, each with its group: worked, left alone, as usual."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise ValueError("share must lie between 0 and 1")
        if (self.share or self.attribute) and not (self.agreed_by or "").strip():
            raise ValueError(
                "by lot, sales calls bad leads and leaves good ones alone: name who agreed to it (agreed_by), or leave "
                "the lottery out"
            )
        if bool(self.attribute) != bool(self.groups):
            raise ValueError("attribute and groups go together: groups says what its values mean")

    @property
    def is_on(self) -> bool:
        """Whether chance decides of anybody."""
        return bool(self.share or self.attribute)


def draw(lottery: Lottery, lead_ids: NDArray[np.object_], arms: NDArray[np.object_]) -> NDArray[np.object_]:
    """Give the group of each lead, None of those that are not drawn; ``arms`` are the values of the attribute."""
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    found = np.full(len(lead_ids), None, dtype=object)
    if lottery.share:
        found[:] = [_drawn(lead, lottery.share) for lead in lead_ids.tolist()]
    for value, group in lottery.groups.items():
        found[arms == value] = group
    return found


def _drawn(lead: str, share: float) -> Group | None:
    digest = blake2b(lead.encode(), digest_size=16, person=b"lottery").digest()
    if int.from_bytes(digest[:8]) / _PARTS >= share:
        return None
    return GROUPS[int.from_bytes(digest[8:]) % len(GROUPS)]
