"""Money in the sample's files: orders, refunds, exchange rates, and what advertising costs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sample_files import block_behind, by_chance
from sample_reading import AMSTERDAM, LOG_END, Row, table

from pipeline.sample import write_sample
from pipeline.sample.company import CHANNELS, COUNTRIES
from pipeline.sample.money import orders
from pipeline.sample.registers import arrivals
from pipeline.sample.timeline import DAY, HOUR, START, microseconds

LEADS = 12_000
MEDIANS = {"small": 900.0, "large": 4_500.0}
FACTORS = {"seo": 1.0, "sea": 0.8, "social": 0.6, "email": 0.9, "webinar": 1.3, "referral": 1.4, "direct": 1.1}
SPREAD = 0.6
LOS_ANGELES = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True)
class Books:
    """The tables that have to do with money, and the leads by their ids."""

    leads: dict[str, Row]
    outcomes: list[Row]
    spend: list[Row]
    rates: dict[str, float]

    def orders(self, outcome: str = "won") -> list[Row]:
        """Return the rows of one outcome."""
        return [row for row in self.outcomes if row["outcome"] == outcome]

    def in_euro(self, row: Row) -> float:
        """Convert by the rate of the week."""
        day = datetime.fromisoformat(row["closed_at"]).date()
        rate = 1.0 if row["currency"] == "EUR" else self.rates[(day - timedelta(days=day.weekday())).isoformat()]
        return float(row["value"]) * rate

    def size(self, row: Row) -> str:
        """Say how large the company is that bought."""
        return "large" if int(self.leads[row["lead_id"]]["employees"]) >= 50 else "small"

    def surprise(self, row: Row) -> float:
        """By how many standard deviations the logarithm of an order lies above that of the median of its kind."""
        median = MEDIANS[self.size(row)] * FACTORS[self.leads[row["lead_id"]]["channel"]]
        return math.log(self.in_euro(row) / median) / SPREAD


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    folder = tmp_path_factory.mktemp("books") / "raw"
    write_sample(folder, leads=LEADS, seed=1)
    return Books(
        leads={row["lead_id"]: row for row in table(folder / "leads.csv")},
        outcomes=table(folder / "outcomes.csv"),
        spend=table(folder / "spend.csv"),
        rates={row["day"]: float(row["rate"]) for row in table(folder / "rates.csv")},
    )


def test_an_order_has_a_value_and_a_currency_and_a_loss_a_reason(books: Books) -> None:
    filled = {
        outcome: {tuple(bool(row[name]) for name in ("reason", "value", "currency")) for row in books.orders(outcome)}
        for outcome in ("won", "refund", "lost")
    }
    assert filled == {"won": {(False, True, True)}, "refund": {(False, True, True)}, "lost": {(True, False, False)}}
    assert len(books.orders()) > 800
    assert all(float(row["value"]) > 0 for row in books.orders())
    assert all(float(row["value"]) < 0 for row in books.orders("refund"))
    assert all(len(row["value"].partition(".")[2]) == 2 for row in books.outcomes if row["value"])


def test_an_order_goes_by_the_size_of_the_company_and_the_channel(books: Books) -> None:
    surprises = defaultdict(list)
    for row in books.orders():
        surprise = books.surprise(row)
        surprises[books.size(row)].append(surprise)
        surprises[books.leads[row["lead_id"]]["channel"]].append(surprise)
        surprises["all"].append(surprise)
    assert set(surprises) == {"small", "large", *CHANNELS, "all"}
    for values in surprises.values():
        assert len(values) > 20
        assert np.mean(values) == pytest.approx(0, abs=4 / math.sqrt(len(values)))
    assert np.std(surprises["all"]) == pytest.approx(1, abs=4 / math.sqrt(2 * len(surprises["all"])))


def test_only_the_british_pay_in_pounds(books: Books) -> None:
    for outcome in ("won", "refund"):
        for row in books.orders(outcome):
            british = books.leads[row["lead_id"]]["country"] == "GB"
            assert row["currency"] == ("GBP" if british else "EUR")
    pounds = [books.surprise(row) for row in books.orders() if row["currency"] == "GBP"]
    assert len(pounds) > 40
    assert np.mean(pounds) == pytest.approx(0, abs=4 / math.sqrt(len(pounds)))


def test_a_pound_is_worth_what_the_rate_of_the_week_says(books: Books) -> None:
    block = block_behind(2_000)
    paid = {}
    for country in ("NL", "GB"):
        everywhere = np.full(2_000, COUNTRIES.index(country))
        settled = replace(block, people=replace(block.people, country=everywhere))
        paid[country] = orders(settled, np.random.default_rng(1))
    assert paid["GB"].in_pounds.all()
    assert not paid["NL"].in_pounds.any()
    sold = ~paid["GB"].refund
    moments = [datetime.fromtimestamp(moment / 1e6, tz=LOG_END.tzinfo) for moment in paid["GB"].moment[sold].tolist()]
    rates = [books.rates[(moment.date() - timedelta(days=moment.weekday())).isoformat()] for moment in moments]
    assert len(rates) > 100
    assert paid["GB"].cents[sold] * np.array(rates) == pytest.approx(paid["NL"].cents[sold], abs=1.2)


def test_a_rate_stands_for_every_monday_and_moves_by_two_cents(books: Books) -> None:
    mondays = [date(2024, 12, 30) + timedelta(weeks=week) for week in range(79)]
    assert list(books.rates) == [monday.isoformat() for monday in mondays]
    assert mondays[-1] == date(2026, 6, 29)
    assert (min(books.rates.values()), max(books.rates.values())) == (1.15, 1.19)
    assert len(set(books.rates.values())) > 15


def test_one_order_in_twenty_is_sent_back_as_a_whole_or_by_half(books: Books) -> None:
    sold = defaultdict(list)
    for row in books.orders():
        sold[row["lead_id"]].append(row)
    wholly = 0
    for refund in books.orders("refund"):
        back, cents = datetime.fromisoformat(refund["closed_at"]), -round(100 * float(refund["value"]))
        waits = []
        for order in sold[refund["lead_id"]]:
            paid = round(100 * float(order["value"]))
            wait = back - datetime.fromisoformat(order["closed_at"])
            if cents in {paid, paid // 2} and order["currency"] == refund["currency"]:
                waits.append(wait)
                wholly += cents == paid
        assert len(waits) == 1
        assert timedelta(days=3) <= waits[0] < timedelta(days=40)
    limit = (LOG_END - timedelta(days=40)).isoformat()
    early = {row["lead_id"] for row in books.orders() if row["closed_at"] < limit}
    refunds = [row for row in books.orders("refund") if row["lead_id"] in early]
    assert len(refunds) / len(early) == pytest.approx(0.05, abs=by_chance(0.05, early))
    everything = books.orders("refund")
    assert wholly / len(everything) == pytest.approx(0.6, abs=by_chance(0.6, everything))


def test_clicks_cost_money_every_day_in_every_paid_channel(books: Books) -> None:
    days = (LOG_END.date() - date(2025, 1, 1)).days
    assert len(books.spend) == days * 4 * 3
    assert {row["currency"] for row in books.spend} == {"EUR"}
    assert books.spend[0]["day"] == "2025-01-01"
    assert books.spend[-1]["day"] == "2026-06-30"
    assert {(row["channel"], row["time_zone"]) for row in books.spend} == {
        ("sea", "America/Los_Angeles"),
        ("social", "Europe/Amsterdam"),
        ("email", "Europe/Amsterdam"),
        ("webinar", "Europe/Amsterdam"),
    }
    campaigns = Counter((row["channel"], row["campaign"]) for row in books.spend)
    assert set(campaigns.values()) == {days}
    assert all(campaign.startswith(f"{channel}-") for channel, campaign in campaigns)
    clicks: defaultdict[str, int] = defaultdict(int)
    cost: defaultdict[str, float] = defaultdict(float)
    for row in books.spend:
        clicks[row["channel"]] += int(row["clicks"])
        cost[row["channel"]] += float(row["cost"])
    price = {channel: cost[channel] / clicks[channel] for channel in clicks}
    # The list prices times a uniform factor from 0.80 to 1.25.
    assert price == {
        "sea": pytest.approx(1.9475, abs=0.02),
        "social": pytest.approx(0.82, abs=0.01),
        "email": pytest.approx(0.15375, abs=0.003),
        "webinar": pytest.approx(3.28, abs=0.04),
    }


def scatter(books: Books, channel: str, zone: ZoneInfo) -> float:
    """Mean of the squared differences of a day's clicks from 8 a lead and 2 a campaign, in units of the variance."""
    born: Counter[date] = Counter()
    for created in {row["created_at"] for row in books.leads.values() if row["channel"] == channel}:
        day = datetime.fromisoformat(created).astimezone(zone).date()
        born[min(max(day, date(2025, 1, 1)), date(2026, 6, 30))] += 1
    clicks: Counter[date] = Counter()
    for row in books.spend:
        if row["channel"] == channel:
            clicks[date.fromisoformat(row["day"])] += int(row["clicks"])
    expected = np.array([8.0 * born[day] + 3 * 2.0 for day in clicks])
    return float(np.mean((np.array([*clicks.values()]) - expected) ** 2 / expected))


@pytest.mark.parametrize(
    ("channel", "zone", "wrong"),
    [("sea", LOS_ANGELES, AMSTERDAM), ("social", AMSTERDAM, LOS_ANGELES), ("webinar", AMSTERDAM, LOS_ANGELES)],
)
def test_clicks_follow_the_arrivals_of_a_day_of_the_account(
    books: Books, channel: str, zone: ZoneInfo, wrong: ZoneInfo
) -> None:
    # Poisson: the mean square is one, with a standard error of a little more than the root of two by the days.
    chance = 4 * math.sqrt(2.3 / 546)
    assert scatter(books, channel, zone) == pytest.approx(1, abs=chance)
    assert scatter(books, channel, wrong) > 1 + chance


@pytest.mark.parametrize(("channel", "days_before"), [("sea", 1), ("social", 0), ("webinar", 0)])
def test_a_lead_of_three_in_the_morning_counts_on_the_day_before_in_los_angeles(channel: str, days_before: int) -> None:
    block = block_behind(1)
    day = (microseconds(2026, 2, 10) - START) // DAY
    created = np.array([START + day * DAY + 3 * HOUR])
    people = replace(block.people, created=created, channel=np.array([CHANNELS.index(channel)]))
    counts = arrivals(replace(block, people=people))
    assert np.argwhere(counts).tolist() == [[day - days_before, CHANNELS.index(channel)]]
