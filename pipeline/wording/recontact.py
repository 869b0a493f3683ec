"""In words: from when on to come back to a lead that was lost, or is quiet, or why to close it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from models.decision.recontact import MONTH, Basis, Rates
from pipeline.wording.locales import Writing
from pipeline.wording.texts import sentence, text


@dataclass(frozen=True)
class RecontactWords:
    """Says it in a language: ``pause`` is that of the settings, ``silence`` how long a quiet lead did nothing."""

    language: str
    pause: timedelta
    silence: timedelta

    def of_lost(
        self, basis: Basis, lost: date, reason: str, on: date | None, rates: Rates | None, waited: tuple[int, int]
    ) -> str:
        """Say it of a lead that was ``lost``, for a reason or for none that is known.

        ``rates`` are those of its reason, None where nobody comes back; ``waited`` counts months and returns.
        """
        month = Writing(self.language).month(lost)
        how = self._text("lost_for", month=month, reason=reason) if reason else self._text("lost", month=month)
        return self._say(basis, how, "leads_lost_for" if reason else "leads_lost", on, rates, waited)

    def of_quiet(self, basis: Basis, acted: date, on: date | None, rates: Rates | None, waited: tuple[int, int]) -> str:
        """Say it of an open lead that last ``acted`` long ago."""
        how = self._text("quiet", day=Writing(self.language).day(acted))
        return self._say(basis, how, "leads_quiet", on, rates, waited)

    def _say(
        self, basis: Basis, how: str, leads: str, on: date | None, rates: Rates | None, waited: tuple[int, int]
    ) -> str:
        writing = Writing(self.language)
        months, returns = waited
        filled = {
            "pause": writing.length(self.pause),
            "returns": writing.whole(returns),
            "waited": writing.whole(months),
        }
        if rates:
            share, half = rates.came_back()
            filled |= {
                "leads": self._text(leads, leads=writing.whole(rates.followed), silence=writing.length(self.silence)),
                "share": writing.share(share),
                "seen": writing.length(rates.months * MONTH),
                "half": writing.length(half * MONTH),
            }
        why = self._text(f"why.{basis if rates else 'unseen'}", **filled)
        if on is None:
            return sentence(self._text("close", how=how, why=why))
        return sentence(self._text("again", day=writing.day(on), how=how, why=why))

    def _text(self, name: str, /, **filled: object) -> str:
        return text(name, self.language, **filled)
