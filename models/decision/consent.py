"""What leads agreed to, by purpose, as it stands at a moment.

    5 March  mail given             mail may be written
    9 March  mail withdrawn         mail is closed, as by a fact
    2 April  mail given             open again
    6 April  everything objected    the lead is closed altogether, and nothing outdoes it

Where nothing is known, mail and telephone are open, and advertising is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.core.schema import OBJECTED, Channel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Consent:
    """What leads said last of each purpose, each of shape (leads,); times in UTC, missing where they said nothing."""

    closed: Mapping[Channel, NDArray[np.datetime64]]
    """Since when each is closed, by what was not given again since."""
    by: Mapping[Channel, NDArray[np.object_]]
    """What closed it: refused, withdrawn or objected."""
    given: Mapping[Channel, NDArray[np.datetime64]]
    """When each was last given."""
    objected: NDArray[np.datetime64]
    """When they first objected to everything."""

    def is_given(self, channel: Channel) -> NDArray[np.bool_]:
        """Tell who has agreed to a purpose, and not taken it back."""
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        agreed: NDArray[np.bool_] = ~np.isnat(self.given[channel]) & np.isnat(self.closed[channel])
        return agreed & np.isnat(self.objected)

    def told(self) -> Iterator[tuple[NDArray[np.datetime64], NDArray[np.object_]]]:
        """Give all that closes something: since when, and in words, each of shape (leads,)."""
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        for channel, since in self.closed.items():
            words = [None if by is None else f"{channel} {by}" for by in self.by[channel]]
            yield since, np.array(words, dtype=object)
        yield self.objected, np.full(len(self.objected), OBJECTED, dtype=object)
