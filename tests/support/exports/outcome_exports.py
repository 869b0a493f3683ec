"""Exports whose second table has a row for each that converted, written when it did: orders, goals, deals, charges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from exports import BEGINNING, Row, write_table

VISITORS = 1500
DRAWN = BEGINNING + timedelta(minutes=(VISITORS + 1) * 200)
"""When the exports were drawn, in the midst of it all."""
_PAGES = ("home", "product", "blog", "pricing", "cart")


@dataclass(frozen=True)
class Visitor:
    """What one visitor looked at, and when, and what it paid for; nothing more is known of it."""

    number: int
    visits: tuple[tuple[datetime, str], ...]
    bought: datetime | None
    amount: float
    declined: datetime | None = None

    @property
    def mail(self) -> str:
        """Its address."""
        return f"visitor{self.number * 7919 % 100_003}@example.org"

    @property
    def client(self) -> str:
        """The id that Google Analytics gives to its browser."""
        return f"{self.number * 104_729 % 2**31}.{1_736_000_000 + self.number * 3571}"

    @property
    def person(self) -> str:
        """The id that a CRM gives to it."""
        return f"003Q{self.number:06d}"


def visitors(count: int = VISITORS, seed: int = 11) -> Iterator[Visitor]:
    """Make up visitors, of whom those who look at prices buy more often; each ends, if at all, after its last visit."""
    rng = np.random.default_rng(seed)
    for number in range(1, count + 1):
        first = BEGINNING + timedelta(minutes=int(number * 200 + rng.integers(190)))
        eager = rng.random() < 0.3
        shares = [0.2, 0.25, 0.1, 0.3, 0.15] if eager else [0.4, 0.3, 0.2, 0.05, 0.05]
        days = sorted(float(day) for day in rng.random(int(rng.poisson(6 if eager else 3))) * 12)
        visits = [first, *(first + timedelta(days=day) for day in days)]
        seen = tuple((at, str(rng.choice(_PAGES, p=shares))) for at in visits)
        ends = visits[-1] + timedelta(minutes=int(rng.integers(5, 2000)))
        buys, fails = rng.random() < (0.45 if eager else 0.06), rng.random() < 0.1
        amount = round(float(rng.gamma(2, 60)), 2)
        seen, over = tuple(one for one in seen if one[0] < DRAWN), ends < DRAWN
        bought, declined = ends if buys and over else None, ends if fails and not buys and over else None
        yield Visitor(number, seen, bought, amount, declined)


def _views(zone: str = "") -> list[tuple[Visitor, str, str]]:
    return [(one, f"{at:%Y-%m-%d %H:%M:%S}{zone}", page) for one in visitors() for at, page in one.visits]


def write_shop(folder: Path) -> None:
    """Write Shopify's orders, named by the buyer's ``Email``, and what a shop's pages saw, by ``email``."""
    header = ("Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Accepts Marketing", "Currency",
              "Subtotal", "Shipping", "Taxes", "Total", "Created at", "Lineitem name", "Id")  # fmt: skip
    orders: list[Row] = []
    for one in visitors():
        if one.bought is None:
            continue
        paid, made = (f"{at:%Y-%m-%d %H:%M:%S} +0100" for at in (one.bought + timedelta(minutes=2), one.bought))
        orders.append(
            (f"#{1000 + len(orders)}", one.mail, "paid", paid, "fulfilled", "yes" if one.number % 3 else "no", "EUR",
             one.amount, "4.90", round(one.amount * 0.19, 2), round(one.amount + 4.9, 2), made, "Chair",
             5_500_000_000_000 + one.number * 77)
        )  # fmt: skip
    write_table(folder / "orders_export.csv", header, orders)
    rows = [(one.mail, at, f"{page}_view", f"/{page}") for one, at, page in _views(" +0100")]
    write_table(folder / "page_views.csv", ("email", "timestamp", "event", "url"), rows)


def write_goals(folder: Path) -> None:
    """Write Matomo's actions and the goals that visitors reached, both by ``userId``."""
    rows = [(one.person, at, page, 30 + one.number % 90) for one, at, page in _views()]
    write_table(folder / "actions.csv", ("userId", "serverTime", "actionType", "timeSpent"), rows)
    goals = [(one.person, f"{one.bought:%Y-%m-%d %H:%M:%S}", "Purchase") for one in visitors() if one.bought]
    goals += [(one.person, f"{one.declined:%Y-%m-%d %H:%M:%S}", "Newsletter") for one in visitors() if one.declined]
    write_table(folder / "goals.csv", ("userId", "time", "goal"), goals)


def write_deals(folder: Path) -> None:
    """Write a CRM's activities and deals, one for a contact, without the contacts."""
    rows = [(one.person, at, f"{page}_call") for one, at, page in _views()]
    write_table(folder / "activities.csv", ("contact_id", "occurred_at", "activity_type"), rows)
    _write_deals(folder / "deals.csv", "contact_id", "person")


def write_analytics(folder: Path) -> None:
    """Write Google's events, by the browser's id, and the deals of a CRM that keeps this id by another name."""
    epoch = datetime(1970, 1, 1)
    rows: list[Row] = [
        (
            one.client,
            round((at - epoch).total_seconds() * 1e6),
            f"view_{page}",
            "google" if one.number % 2 else "(direct)",
        )
        for one in visitors()
        for at, page in one.visits
    ]
    header = ("client_id", "event_timestamp", "event_name", "traffic_source")
    write_table(folder / "ga_events.csv", header, rows)
    _write_deals(folder / "crm_deals.csv", "GA Client ID", "client")


def _write_deals(path: Path, name: str, of: str) -> None:
    deals: list[Row] = []
    for one in visitors():
        at = one.bought or one.declined
        if at is None:
            continue
        created, closed = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (at, at + timedelta(hours=1 + one.number % 90)))
        stage = "Closed Won" if one.bought else "Closed Lost"
        deals.append((f"D-{one.number:05d}", getattr(one, of), created, closed, stage, one.amount))
    write_table(path, ("Deal ID", name, "Create Date", "Close Date", "Deal Stage", "Amount"), deals)


def write_charges(folder: Path) -> None:
    """Write Stripe's charges, by the customer's address, and page views of addresses."""
    charges: list[Row] = []
    for one in visitors():
        at = one.bought or one.declined
        if at is not None:
            status = "Paid" if one.bought else "Failed"
            charges.append((f"ch_{one.number * 15_485_863:016x}", f"{at:%Y-%m-%d %H:%M:%S}", one.amount, "eur", status,
                            f"cus_{one.number * 32_452_843:014x}", one.mail))  # fmt: skip
    header = ("id", "Created date (UTC)", "Amount", "Currency", "Status", "Customer ID", "Customer Email")
    write_table(folder / "unified_payments.csv", header, charges)
    rows = [(at, one.mail, f"/{page}", "page_view") for one, at, page in _views()]
    write_table(folder / "page_views.csv", ("timestamp", "user_email", "path", "event"), rows)


def write_customers(folder: Path) -> None:
    """Write page views by address, and the customers that a payment service knows, with the charges of each."""
    rows = [(one.mail, at, f"{page}_view") for one, at, page in _views()]
    write_table(folder / "page_views.csv", ("email", "time", "event"), rows)
    buyers = [(one, one.bought) for one in visitors() if one.bought]
    customers = [(f"cus_{one.number * 32_452_843:014x}", one.mail, f"{at:%Y-%m-%d %H:%M:%S}") for one, at in buyers]
    write_table(folder / "customers.csv", ("id", "Email", "Created (UTC)"), customers)
    charges = [
        (
            f"ch_{one.number * 15_485_863:016x}",
            f"cus_{one.number * 32_452_843:014x}",
            f"{at:%Y-%m-%d %H:%M:%S}",
            one.amount,
        )
        for one, at in buyers
    ]
    write_table(folder / "charges.csv", ("id", "Customer ID", "Created (UTC)", "Amount"), charges)
