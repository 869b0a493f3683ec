"""Today's list in words: who gets an hour, who waits for what, and what becomes of the day's time. It names nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from features.core.schema import Language
from models.decision.capacity import LEAST
from pipeline.wording.list_words import WORDS, ListWords
from pipeline.wording.locales import Writing


def told_of_the_list(scoring: Mapping[str, Any], language: Language = "en") -> list[str]:
    """Say it line by line, of what ``data/scoring.json`` holds; where nobody can be called any more, that is first.

    Where ``since_last`` is there, too, it says how many moved since the last list, and why; of a champion that nobody
    has approved it says so, last.
    """
    return _Teller(scoring, WORDS[language], Writing(language)).told()


@dataclass(frozen=True)
class _Teller:
    scoring: Mapping[str, Any]
    words: ListWords
    writing: Writing

    def told(self) -> list[str]:
        scoring, words, time = self.scoring, self.words, self.scoring["time"]
        day, called, reasons = self._day(), scoring["lists"].get("sales", 0), dict(scoring["list_reasons"])
        waiting = ", ".join(
            f"{self.writing.whole(count)} {words.waits[reason]}"
            for reason, count in sorted(reasons.items())
            if reason in words.waits
        )
        told = [
            self._say(words.listed, called, called=called, day=day) + (f"{words.beside}{waiting}" if waiting else "")
        ]
        if not called and not waiting and not reasons:
            told = [words.nobody_worth_it.format(day=day)]
        if count := time["untouched"]:
            told.append(self._say(words.untouched, count, untouched=count, first=time["untouched_called"]))
        told += self.since_last()
        if time["places"] is not None:
            told = [*self._first(), *told, *self._of_the_time()]
        return told if scoring.get("is_approved", True) else [*told, words.not_approved]

    def _day(self) -> str:
        """Write the day that the list is for."""
        return self.writing.day(date.fromisoformat(self.scoring["day"]))

    def since_last(self) -> Iterator[str]:
        """Tell how many came and went since the last list, why each did, and what else has changed but leads."""
        if "since_last" not in self.scoring:
            return
        last, words = self.scoring["since_last"], self.words
        if last is None:
            yield words.first_list
            return
        sentence = words.moved if last.get("is_kept", True) else words.moved_anew
        moved = self._say(sentence, as_of=last["as_of"], came=last["came"], went=last["went"])
        yield from self._of_the_list(last, moved)
        if last.get("tiers"):  # an earlier version counted none
            number = sum(last["tiers"].values())
            why = self._counted(last["tiers"], words.tier_causes)
            yield self._say(words.other_tier, number, leads=number) + words.colon + why

    def _of_the_list(self, last: Mapping[str, Any], moved: str) -> Iterator[str]:
        words = self.words
        if last["changed"] is None:
            yield moved + words.not_noted
            return
        if counted := self._counted(last["causes"], words.causes):
            moved += words.colon + counted
        if last["changed"]:
            yield moved + words.more_changed + ", ".join(words.changed[name] for name in last["changed"])
        else:
            yield moved + words.leads_alone

    def _counted(self, counts: Mapping[str, int], causes: Mapping[str, str]) -> str:
        return ", ".join(f"{self.writing.whole(counts[name])} {why}" for name, why in causes.items() if name in counts)

    def _first(self) -> Iterator[str]:
        """Say that nobody can be called any more, where that is so."""
        scoring, words, time, day = self.scoring, self.words, self.scoring["time"], self._day()
        waiting, used = scoring["list_reasons"].get("capacity", 0), time["used"]
        if not scoring["is_working_day"]:
            yield words.day_off.format(day=day)
        elif not time["places"]:
            stated = sum(part["stated"] for part in time["amounts"].values())
            yield words.no_time.format(day=day, why=words.all_in_work if stated else words.nobody_there)
        elif not time["left"]:
            told = self._say(words.used_of_them, used, used=used) if used else ""
            yield self._say(words.no_place, day=day, places=time["places"] + used, used=told) + (
                self._say(words.waiting, waiting, waiting=waiting) if waiting else ""
            )

    def _of_the_time(self) -> Iterator[str]:
        """Say what is left of the day, what leads in work take of it, and what that rests on."""
        words, time, costs = self.words, self.scoring["time"], self.scoring["costs"]
        if not self.scoring["is_working_day"]:
            return
        if time["left"]:
            used = self._say(words.more_used, time["used"], used=time["used"]) if time["used"] else ""
            yield self._say(words.left, time["left"], left=time["left"], places=time["places"], used=used)
        if time["away"]:
            yield self._say(words.away, away=time["away"])
        for unit, part in sorted(time["amounts"].items()):
            if unit != "leads":
                yield self._say(
                    words.in_work,
                    stated=self.writing.number(part["stated"]),
                    unit=words.units[unit],
                    leads=time["in_work"],
                    taken=self.writing.number(part["in_work"]),
                    new=self.writing.cents(costs["new"]),
                    measured_new=self._measured(costs["new_leads"], words.leads),
                    each=self.writing.cents(costs["in_work"]),
                    measured_each=self._measured(costs["lead_days"], words.days_of_leads),
                )

    def _measured(self, count: int, what: str) -> str:
        """Say on how much a measure rests."""
        return self._say(self.words.not_measured if count < LEAST else self.words.measured, count=count, what=what)

    def _say(self, sentence: str | tuple[str, str], number: int = 1, **parts: str | int) -> str:
        """Fill a sentence; of two, the first is for one of ``number``, and in French for none."""
        if isinstance(sentence, tuple):
            is_one = number == 1 or (number == 0 and self.writing.language == "fr")
            sentence = sentence[0 if is_one else 1]
        written = {name: part if isinstance(part, str) else self.writing.whole(part) for name, part in parts.items()}
        return sentence.format(**written)
