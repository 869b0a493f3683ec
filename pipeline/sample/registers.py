"""Tables of the sample beside its logs: leads, outcomes, identities, consents, spend, owners and exchange rates."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sample import company
from pipeline.sample.chain import LOSS_REASONS, Exit, Integers, State
from pipeline.sample.columns import amounts, cookies, days, iso, joined
from pipeline.sample.money import orders, pounds_in_euro, rate_days
from pipeline.sample.records import CAMPAIGNS, PAID_CHANNELS, Identifiers
from pipeline.sample.sellers import TERRITORIES, owner_rows
from pipeline.sample.simulate import CAMPAIGNS_PER_CHANNEL
from pipeline.sample.tables import Block, Segments
from pipeline.sample.timeline import DAY, END, START, WEEK, amsterdam_offset, los_angeles_offset

CONTESTED_ALIASES = 3
_COST_PER_CLICK = {"sea": 1.90, "social": 0.80, "email": 0.15, "webinar": 3.20}
_CLICKS_PER_LEAD, _IDLE_CLICKS = 8.0, 2.0
_ABROAD = "sea"  # whose account is kept in another time zone

LEADS_HEADER = "lead_id,created_at,channel,country,employees,time_zone,territory,crm_stage\n"
OUTCOMES_HEADER = "lead_id,closed_at,outcome,reason,value,currency\n"
IDENTITIES_HEADER = "alias_id,lead_id,linked_at\n"
CONSENTS_HEADER = "lead_id,purpose,status,changed_at\n"
SPEND_HEADER = "day,time_zone,channel,campaign,clicks,cost,currency\n"
OWNERS_HEADER = "territory,owner,from,until,leads_per_day\n"
RATES_HEADER = "day,currency,rate\n"


def lead_lines(block: Block, ids: Identifiers) -> pa.StringArray:
    """Write leads and duplicates in order of their ids, with the stage of the end of the log over all earlier ones."""
    people = block.people
    last = block.segments.take(block.segments.end == END)
    stage = np.zeros(len(people.created), dtype=np.int64)
    stage[last.lead[last.state >= State.PAUSED]] = 1
    stage[last.lead[last.state == State.CUSTOMER]] = 2
    lines = [
        joined(
            lead,
            joined(iso(people.created), "Z"),
            pa.array(company.CHANNELS).take(pa.array(people.channel)),
            pa.array(company.COUNTRIES).take(pa.array(people.country)),
            pa.array(people.employees).cast(pa.string()),
            pa.array(company.TIME_ZONES).take(pa.array(people.country)),
            pa.array(TERRITORIES).take(pa.array(people.territory)),
            pa.array(["open", "lost", "customer"]).take(pa.array(stage)),
            separator=",",
        )
        for lead in (ids.lead, ids.duplicate)
    ]
    # A line without an id is null: its lead has no duplicate.
    written = pa.concat_arrays(lines).drop_null()
    number = pc.cast(pc.utf8_slice_codeunits(pc.list_element(pc.split_pattern(written, ","), 0), 1), pa.int64())
    return written.take(pc.sort_indices(number))


def outcome_lines(block: Block, ids: Identifiers, generator: np.random.Generator) -> pa.StringArray:
    """Write ends of episodes and what customers sent back, in order of time; an order has a value, a loss a reason."""
    lost = block.segments.take(block.segments.exit >= Exit.LOSE)
    money = orders(block, generator)
    lead, moment = np.concatenate([lost.lead, money.lead]), np.concatenate([lost.end, money.moment])
    details = [
        joined("lost", pa.array(LOSS_REASONS).take(pa.array(lost.exit - Exit.LOSE)), "", "", separator=","),
        joined(
            pc.if_else(pa.array(money.refund), "refund", "won"),
            "",
            amounts(money.cents),
            pc.if_else(pa.array(money.in_pounds), "GBP", "EUR"),
            separator=",",
        ),
    ]
    lines = joined(ids.lead.take(pa.array(lead)), joined(iso(moment), "Z"), pa.concat_arrays(details), separator=",")
    return lines.take(pa.array(np.argsort(moment, kind="stable")))


def identity_lines(block: Block, ids: Identifiers, generator: np.random.Generator, *, contested: int) -> pa.StringArray:
    """Cookies and merged duplicates, and some aliases without any event that two leads claim at the same time."""
    people = block.people
    merged = pa.array(people.duplicated & (people.merged < END))
    contested = min(contested, len(people.created) // 2)
    claimants = np.arange(2 * contested)
    claimed = cookies(generator, contested).take(pa.array(claimants // 2))
    linked = people.created[claimants | 1]  # leads are in order of creation: when the second of each pair is there
    lines = [
        joined(ids.cookie, ids.lead, joined(iso(people.created), "Z"), separator=","),
        joined(pc.if_else(merged, ids.duplicate, None), ids.lead, joined(iso(people.merged), "Z"), separator=","),
        joined(claimed, ids.lead.take(pa.array(claimants)), joined(iso(linked), "Z"), separator=","),
    ]
    return pa.concat_arrays(lines).drop_null()


_PHONED, _ADVERTISED, _ASKED = 0.60, 0.40, 0.5  # who agrees; who was asked, of those who didn't
_HANGING_UP = 0.10  # share of losses after which a lead is not to be called any more
_WEEKS_OF_ADVERTISING = 100  # on average


def consent_lines(block: Block, ids: Identifiers, generator: np.random.Generator) -> pa.StringArray:
    """Write what leads agreed to, withdrew, gave again with the next form, or objected to, in order of time."""
    people, segments = block.people, block.segments
    leads = len(people.created)
    everyone = np.arange(leads)
    changes: list[tuple[Integers, Integers, str, str]] = []
    for purpose, agreed in (
        ("mail", people.written),
        ("telephone", generator.random(leads) < _PHONED),
        ("advertising", generator.random(leads) < _ADVERTISED),
    ):
        asked = agreed | (generator.random(leads) < _ASKED)
        changes.append((everyone[agreed], people.created[agreed], purpose, "given"))
        changes.append((everyone[asked & ~agreed], people.created[asked & ~agreed], purpose, "refused"))
        if purpose == "telephone":
            lost = segments.take((segments.exit >= Exit.LOSE) & agreed[segments.lead])
            lost = lost.take(generator.random(len(lost.lead)) < _HANGING_UP)
            again = _returns(segments, lost)
            changes.append((lost.lead, lost.end, purpose, "withdrawn"))
            changes.append((again.lead, again.end, purpose, "given"))
        if purpose == "advertising":
            until = people.created + (generator.exponential(_WEEKS_OF_ADVERTISING, leads) * WEEK).astype(np.int64)
            changes.append((everyone[agreed], until[agreed], purpose, "withdrawn"))
    left = people.written & (block.mail_until < block.objected)
    changes.append((everyone[left], block.mail_until[left], "mail", "withdrawn"))
    objecting = block.objected < END
    changes.append((everyone[objecting], block.objected[objecting], "everything", "objected"))
    moment = np.concatenate([change[1] for change in changes])
    lines = [
        joined(ids.lead.take(pa.array(lead)), purpose, status, joined(iso(when), "Z"), separator=",")
        for lead, when, purpose, status in changes
    ]
    # An objection closes everything: nothing changes after it.
    open_ = moment <= block.objected[np.concatenate([change[0] for change in changes])]
    order = np.argsort(moment, kind="stable")
    return pa.concat_arrays(lines).take(pa.array(order[(open_ & (moment < END))[order]]))


def _returns(segments: Segments, lost: Segments) -> Segments:
    """Return the ends of those segments with which leads come back from the given losses."""
    opened = segments.take((segments.state >= State.LOST) & (segments.exit == Exit.REOPEN))
    losses = np.sort(_line(segments.take(segments.exit >= Exit.LOSE)))
    newest = losses[np.searchsorted(losses, _line(opened)) - 1]
    return opened.take(np.isin(newest, _line(lost)))


def _line(segments: Segments) -> Integers:
    """Put the ends of all segments on one line, lead after lead."""
    return np.asarray(segments.lead.astype(np.int64) * (2 * (END - START)) + (segments.end - START))


def arrivals(block: Block) -> Integers:
    """Leads created by day of the log and channel, shape (days, channels); a day is that of the channel's account."""
    created, channel = block.people.created, block.people.channel
    abroad = channel == company.CHANNELS.index(_ABROAD)
    offset = np.where(abroad, los_angeles_offset(created), amsterdam_offset(created))
    count, channels = (END - START) // DAY, len(company.CHANNELS)
    day = np.clip((created + offset - START) // DAY, 0, count - 1)
    counts = np.bincount(day * channels + channel, minlength=count * channels)
    return counts.reshape(count, channels)


def spend_lines(arrived: Integers, generator: np.random.Generator) -> pa.StringArray:
    """Clicks and cost of each day, paid channel and campaign; arrived has shape (days, channels)."""
    paid = np.array([company.CHANNELS.index(channel) for channel in PAID_CHANNELS])
    shape = (len(arrived), len(paid), CAMPAIGNS_PER_CHANNEL)
    expected = _CLICKS_PER_LEAD * arrived[:, paid, None] / CAMPAIGNS_PER_CHANNEL + _IDLE_CLICKS
    clicks = generator.poisson(np.broadcast_to(expected, shape))
    price = np.array([_COST_PER_CLICK[channel] for channel in PAID_CHANNELS])[:, None]
    cents = np.rint(100 * clicks * price * generator.uniform(0.8, 1.25, shape)).astype(np.int64)
    day, channel, number = (values.ravel() for values in np.indices(shape))
    abroad = pa.array(channel == PAID_CHANNELS.index(_ABROAD))
    return joined(
        days(START + day * DAY),
        pc.if_else(abroad, "America/Los_Angeles", "Europe/Amsterdam"),
        pa.array(PAID_CHANNELS).take(pa.array(channel)),
        CAMPAIGNS.take(pa.array(paid[channel] * CAMPAIGNS_PER_CHANNEL + number)),
        pa.array(clicks.ravel()).cast(pa.string()),
        amounts(cents.ravel()),
        "EUR",
        separator=",",
    )


def owner_lines(leads: int) -> pa.StringArray:
    """Write who owns each territory, from and until when, with room for how many new leads a working day."""
    return pa.array([",".join(row) for row in owner_rows(leads)], pa.string())


def rate_lines() -> pa.StringArray:
    """Write what a pound is worth in euro, from each Monday on."""
    moments = rate_days()
    rates = [f"{rate:.4f}" for rate in pounds_in_euro(moments).tolist()]
    return joined(days(moments), "GBP", pa.array(rates), separator=",")
