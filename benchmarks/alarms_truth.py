"""How often an alarm is raised though nothing is wrong, looked at every week for two years, and how soon it is raised.

Quiet worlds are drawn of leads that change between three hazards (``benchmarks.drawn_worlds``): each Monday every open
lead is scored by the probability that the chain itself says, so that a lead has many scores whose horizons overlap.
Shifted worlds are the sample's, scored by what could be known (``p_observable``) by who does not know of the shift, as
a perfect model would be that has learned from before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.drawn_worlds import HORIZON, LEVELS, LOST, MOVES, Floats, World
from benchmarks.findings import Finding, Progress
from benchmarks.sample_truth import converts
from models.evaluation.promises import Promise, band_edges, bands, watch
from models.evaluation.segments import age_of
from pipeline.sample.company import CHANNELS, COMPANY, HORIZON_DAYS
from pipeline.sample.scenario import PLAIN, Scenario
from pipeline.sample.simulate import simulate_block
from pipeline.sample.timeline import DAY, END, microseconds
from pipeline.sample.truth import Oracle
from pipeline.settings.review import Monitor

QUIET, YEARS, ARRIVALS = 200, 2, 30
"""Worlds, for how long they are looked at, and how many leads come in a day."""
SHIFTED, LEADS = 50, (12_000, 24_000)
SETTINGS = Monitor()
MOST_FALSE, LEAST_FOUND = 17 / 200, 0.9
"""Of 200 worlds whose true rate is 5 %, more than 17 have an alarm in one case of a hundred."""
AFTER = timedelta(days=28)
"""How long after its horizon a shift is to be found at the latest."""
_BEGIN = np.datetime64("2026-01-05", "us")
_CUT_OFFS = (0.03, 0.1)
_CHANNELS = ("seo", "sea", "email", "referral")


def of_alarms(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Look at quiet worlds and at shifted ones."""
    count = max(2, round(QUIET * scale))
    progress(f"alarms in {count:,} quiet worlds, looked at every week for two years")
    for times, promised in ((1.0, MOST_FALSE), (1.05, None)):
        share = sum(alarm(watched(quiet_world(seed, times))) is not None for seed in range(count)) / count
        what = "worlds without a shift with a false alarm within two years"
        if promised is None:
            yield Finding(f"{what}, where the odds are {times:g} times those promised", share, None, None)
        else:
            yield Finding(what, share, f"at most {100 * promised:g} %", share <= promised)
    count = max(2, round(SHIFTED * scale))
    for leads in LEADS:
        progress(f"alarms in {count:,} worlds of {leads:,} leads that shift")
        share = sum(is_found(seed, leads) for seed in range(count)) / count
        what = f"shifts of the sample of {leads:,} leads that are found within four weeks after the horizon"
        if leads == max(LEADS):
            yield Finding(what, share, f"at least {100 * LEAST_FOUND:g} %", share >= LEAST_FOUND)
        else:
            yield Finding(what, share, None, None)


def watched(scores: pd.DataFrame) -> list[Promise]:
    """Watch scores by all kinds of parts, as ``leadcast monitor`` does."""
    first = scores.loc[scores["as_of"] == scores["as_of"].min(), "probability"].to_numpy()
    kinds = {
        "score": pd.Series(bands(scores["probability"].to_numpy(), band_edges(first))),
        "age": pd.Series(age_of(scores["age"].to_numpy())),
        "channel": scores["channel"],
        "tier": pd.Series(np.array(["IQL", "MQL", "SQL"])[np.digitize(scores["probability"], _CUT_OFFS)]),
    }
    return watch(
        scores,
        kinds,
        HORIZON,
        false_alarms=SETTINGS.false_alarms,
        tolerance=SETTINGS.tolerance,
        tolerance_of_parts=SETTINGS.tolerance_of_parts,
    )


def alarm(promises: list[Promise]) -> np.datetime64 | None:
    """Give the moment of the first look that raised an alarm; None where none did."""
    return min((one.looks[one.broken_at] for one in promises if one.broken_at is not None), default=None)


def quiet_world(seed: int, times: float = 1.0, arrivals: int = ARRIVALS) -> pd.DataFrame:
    """Draw a world, and score its open leads each Monday; the true odds are so many ``times`` those promised."""
    generator = np.random.default_rng([seed, 18])
    days, before = YEARS * 365, 120
    leads = arrivals * (days + before)
    hazards = np.array(World().hazards)
    converting = -np.expm1(-np.exp(generator.normal(0.0, LEVELS, leads))[:, None] * hazards)
    worth = World.probabilities(converting)
    lost, moves = np.array(LOST), np.cumsum(MOVES, axis=1)[:, :-1]
    begins = np.sort(generator.integers(-before, days, leads))
    channel = generator.integers(0, len(_CHANNELS), leads)
    state, is_open = np.zeros(leads, dtype=np.int64), np.ones(leads, dtype=bool)
    converted = np.full(leads, np.iinfo(np.int64).max)
    looked: list[tuple[NDArray[np.int64], int, Floats]] = []
    for day in range(-before, days + HORIZON.days):
        here = np.flatnonzero(is_open & (begins <= day))
        if 0 <= day < days and day % 7 == 0:
            looked.append((here, day, worth[here, state[here]]))
        chance = generator.random((3, len(here)))
        converts_now = chance[0] < converting[here, state[here]]
        converted[here[converts_now]] = day
        is_open[here[converts_now | (chance[1] < lost[state[here]])]] = False
        state[here] = (chance[2][:, None] >= moves[state[here]]).sum(axis=1)
    lead, day_of_row, probability = (
        np.concatenate(part)
        for part in zip(*((who, np.full(len(who), day), said) for who, day, said in looked), strict=True)
    )
    odds = probability / (1.0 - probability) / times
    return pd.DataFrame({
        "lead_id": lead,
        "as_of": _BEGIN + day_of_row * np.timedelta64(1, "D").astype("timedelta64[us]"),
        "probability": odds / (1.0 + odds),
        "happened": converted[lead] < day_of_row + HORIZON.days,
        "age": (day_of_row - begins[lead]).astype(np.float64),
        "channel": np.array(_CHANNELS)[channel[lead]],
    })  # fmt: skip


SHIFT = Scenario.read("2026-04-01", None)
_BLIND = Oracle(COMPANY, PLAIN, since=microseconds(2025, 9, 1))


def is_found(seed: int, leads: int) -> bool:
    """Tell whether a sample world's shift raises an alarm in time, and none was raised before."""
    scores = shifted_world(seed, leads)
    found = alarm(watched(scores))
    shift = np.datetime64(int(SHIFT.shift or 0), "us")
    if found is None:
        return False
    return bool(shift - np.timedelta64(HORIZON) < found <= shift + np.timedelta64(AFTER))


def shifted_world(seed: int, leads: int) -> pd.DataFrame:
    """Draw a sample world that shifts, and score its open leads each Monday, as who knows nothing of it would."""
    block = simulate_block(COMPANY, np.random.default_rng([seed, 18]), leads, SHIFT)
    truth = _BLIND.truth(block)
    truth = truth.take(truth.as_of + HORIZON_DAYS * DAY <= END)
    return pd.DataFrame({
        "lead_id": truth.lead,
        "as_of": truth.as_of.astype("datetime64[us]"),
        "probability": truth.observable[:, 0],
        "happened": converts(block, truth),
        "age": (truth.as_of - block.people.created[truth.lead]) / DAY,
        "channel": np.array(CHANNELS)[block.people.channel[truth.lead]],
    })  # fmt: skip
