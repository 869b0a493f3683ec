"""Today's list in words: who gets an hour, who waits for what, and what becomes of the day's time. It names nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.decision.capacity import LEAST

_WAITS = {
    "in work": "are worked on",
    "channel closed": "can not be called",
    "account": "stand behind another of their account",
    "no owner": "are of territories that nobody owns today",
    "capacity": "wait for a place",
}
"""Why a lead that is worth an hour gets none today."""
_CHANGED = {
    "model": "the model",
    "cut_offs": "the cut-offs, or what they come from",
    "rules": "the rules of decision",
    "time": "how much time sales has (decision.capacity, decision.work)",
    "costs": "what leads were measured to cost",
    "owners": "who owns which territory, or the time there (ingest.owners)",
}
"""What a list rests on beside what leads did."""


def told_of_the_list(scoring: Mapping[str, Any]) -> list[str]:
    """Say it line by line, of what ``data/scoring.json`` holds; where nobody can be called any more, that is first.

    Where ``since_last`` is there, too, it says what of the list is due to more than what leads did.
    """
    time, day, called = scoring["time"], scoring["day"], scoring["lists"].get("sales", 0)
    reasons = dict(scoring["list_reasons"])
    waiting = ", ".join(f"{count:,} {_WAITS[reason]}" for reason, count in sorted(reasons.items()) if reason in _WAITS)
    listed = f"{called:,} {_leads(called)} on the list of sales for {day}"
    told = [listed + (f"; of the others that are worth an hour, {waiting}" if waiting else "")]
    if not called and not waiting and not reasons:
        told = [f"No open lead is worth an hour of sales on {day}"]
    if time["untouched"]:
        first = time["untouched_called"]
        told.append(
            f"{time['untouched']:,} {'was' if time['untouched'] == 1 else 'were'} handed over and contacted by nobody "
            f"within the agreed time (decision.work): {first:,} of them come first on the list"
        )
    told += _since_last(scoring)
    if time["places"] is None:
        told.append(
            "Nobody said how much time sales has a day (decision.capacity, ingest.owners), so it is all of them"
        )
        return told
    return [*_first(scoring), *told, *_of_the_time(scoring)]


def _since_last(scoring: Mapping[str, Any]) -> Iterator[str]:
    """Tell what leads did apart from what else has changed since the last list."""
    if "since_last" not in scoring:
        return
    last = scoring["since_last"]
    if last is None:
        yield "There is no earlier list that it could be compared with"
        return
    came, went, changed = last["came"], last["went"], last["changed"]
    names = f"Since the list of {last['as_of']} UTC {came:,} came onto it, and {went:,} left it"
    if changed is None:
        yield f"{names}; what that one rests on was not noted"
    elif changed:
        yield f"{names}. Not leads alone did that: changed has {', '.join(_CHANGED[name] for name in changed)}"
    else:
        yield f"{names}: by what leads did, and by the date; nothing else has changed"


def _first(scoring: Mapping[str, Any]) -> Iterator[str]:
    """Say that nobody can be called any more, where that is so."""
    time, day, waiting = scoring["time"], scoring["day"], scoring["list_reasons"].get("capacity", 0)
    if not scoring["is_working_day"]:
        yield f"Sales does not work on {day} (decision.working_days), so nobody is called"
    elif not time["places"]:
        stated = sum(part["stated"] for part in time["amounts"].values())
        why = "leads in work take all the time there is" if stated else "nobody is there"
        yield f"There is no time for a new lead on {day}: {why}"
    elif not time["left"]:
        used = f", {time['used']:,} of them to leads that were dealt with today" if time["used"] else ""
        told = f"No place is left on {day}: all {time['places'] + time['used']:,} are given{used}"
        yield told + (f"; {waiting:,} {_leads(waiting, 'lead waits', 'leads wait')}" if waiting else "")


def _of_the_time(scoring: Mapping[str, Any]) -> Iterator[str]:
    """Say what is left of the day, what leads in work take of it, and what that rests on."""
    time, costs = scoring["time"], scoring["costs"]
    if not scoring["is_working_day"]:
        return
    if time["left"]:
        used = f"; {time['used']:,} more are used by leads that were dealt with today" if time["used"] else ""
        yield f"{time['left']:,} of {time['places']:,} places are left{used}"
    if time["away"]:
        yield f"{time['away']:,} of those who have leads, or a number of their own, have no time that day"
    for unit, part in sorted(time["amounts"].items()):
        if unit != "leads":
            yield (
                f"Of {part['stated']:,.4g} {unit}, {time['in_work']:,} leads in work take {part['in_work']:,.4g}; "
                f"a new lead takes {costs['new']:.2f} calls on its first day ({_measured(costs['new_leads'], 'leads')})"
                f", one in work {costs['in_work']:.2f} a working day ({_measured(costs['lead_days'], 'days of leads')})"
            )


def _measured(count: int, what: str) -> str:
    """Say on how much a measure rests."""
    if count < LEAST:
        return f"not measured, and taken to be 1: decision.work.contacts and the last 90 days give {count:,} {what}"
    return f"measured on {count:,} {what} of the last 90 days"


def _leads(count: int, one: str = "lead is", several: str = "leads are") -> str:
    return one if count == 1 else several
