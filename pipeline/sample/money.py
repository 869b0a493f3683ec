"""Orders of the sample world: what they are worth, in which currency, and what is sent back.

The size of an order goes by channel and size of the company, and by nothing else of the lead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.sample import company
from pipeline.sample.chain import Exit, Flags, Floats, Integers
from pipeline.sample.tables import Block, Table
from pipeline.sample.timeline import DAY, END, ORIGIN, WEEK, WEEKS

MEDIAN = (900.0, 4_500.0)
"""Of the orders of small, and of large companies, in euro, before the factor of the channel."""
CHANNEL_FACTORS = {"seo": 1.0, "sea": 0.8, "social": 0.6, "email": 0.9, "webinar": 1.3, "referral": 1.4, "direct": 1.1}
SPREAD = 0.6
"""Standard deviation of the logarithm of an order."""
REFUNDED, WHOLLY = 0.05, 0.6
"""The share of orders of which something is sent back; of these, that of those sent back as a whole, else by half."""
_EARLIEST_REFUND, _LATEST_REFUND = 3 * DAY, 40 * DAY
_POUNDS = company.COUNTRIES.index("GB")


@dataclass(frozen=True, eq=False)
class Orders(Table):
    """Orders, and refunds with a negative amount; cents are of the currency in which it was paid."""

    lead: Integers
    moment: Integers
    cents: Integers
    in_pounds: Flags
    refund: Flags


def orders(block: Block, generator: np.random.Generator) -> Orders:
    """Draw the orders of all conversions of a block, and their refunds before the end of the log."""
    sold = block.segments.take(block.segments.exit == Exit.CONVERT)
    people = block.people.take(sold.lead)
    factors = np.array([CHANNEL_FACTORS[channel] for channel in company.CHANNELS])
    median = np.array(MEDIAN)[people.size] * factors[people.channel]
    euro = median * np.exp(SPREAD * generator.standard_normal(len(sold.lead)))
    in_pounds = people.country == _POUNDS
    rate = np.where(in_pounds, pounds_in_euro(sold.end), 1.0)
    cents = np.rint(100 * euro / rate).astype(np.int64)
    refunded = generator.random(len(cents)) < REFUNDED
    wholly = generator.random(len(cents)) < WHOLLY
    back = sold.end + generator.integers(_EARLIEST_REFUND, _LATEST_REFUND, len(cents))
    paid = Orders(sold.lead, sold.end, cents, in_pounds, np.zeros(len(cents), dtype=np.bool_))
    returned = Orders(sold.lead, back, -np.where(wholly, cents, cents // 2), in_pounds, refunded)
    return Orders.concatenate([paid, returned.take(refunded & (back < END))])


def rate_days() -> Integers:
    """Return the Mondays on which an exchange rate is set."""
    return np.asarray(ORIGIN + np.arange(WEEKS) * WEEK)


def pounds_in_euro(moments: Integers) -> Floats:
    """Return what a pound is worth in euro at moments: it swings by two cents within forty weeks."""
    week = (moments - ORIGIN) // WEEK
    return np.asarray(np.round(1.17 + 0.02 * np.sin(2 * np.pi * week / 40), 4))
