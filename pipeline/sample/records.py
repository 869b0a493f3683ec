"""Rows of the sample's files from a simulated block: identifiers, columns and lines of text, and their dirt.

Each source has its own shape, as in real companies: the web shop's hits are a table, the mail provider's log is
lines with semicolons, the CRM's is JSON. Dirt comes on top, from a generator of its own: it neither removes a
true event nor changes a draw of the world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sample import company
from pipeline.sample.chain import Exit, Integers, Source, State
from pipeline.sample.simulate import CAMPAIGNS_PER_CHANNEL, Block, Events, choose
from pipeline.sample.timeline import DAY, END, HOUR, START, amsterdam_offset
from pipeline.sample.truth import Truth

WEB_DUPLICATES, WEB_WITHOUT_VISITOR, WEB_STRANGERS = 0.005, 0.003, 0.031
EMAIL_DUPLICATES, EMAIL_SHORT, EMAIL_UNREADABLE = 0.004, 0.002, 0.002
CRM_BROKEN, CRM_WITHOUT_LEAD = 0.003, 0.002
CONTESTED_ALIASES = 3

_EVENT_NAMES = pa.array([*company.TYPE_NAMES, "case_opened"])
_EVENT_SOURCES = np.array([*(event_type.source for event_type in company.EVENT_TYPES), Source.CRM_SALES])
_PAID_CHANNELS = ("sea", "social", "email", "webinar")
_THEMES = ("brand", "product", "retarget")
_DECIMALS = 9
# Campaigns by channel and number; visits through other channels have none.
_CAMPAIGNS = pa.array(
    [f"{channel}-{theme}" if channel in _PAID_CHANNELS else None for channel in company.CHANNELS for theme in _THEMES]
)
_COST_PER_CLICK = {"sea": 1.90, "social": 0.80, "email": 0.15, "webinar": 3.20}
_CLICKS_PER_LEAD, _IDLE_CLICKS = 8.0, 2.0

WEB_SCHEMA = pa.schema(
    {
        "hit_id": pa.string(),
        "visitor": pa.string(),
        "ts": pa.timestamp("us"),
        "received_at": pa.timestamp("us"),
        "event": pa.string(),
        "channel": pa.string(),
        "campaign": pa.string(),
        "cart_value": pa.float64(),
    }
)
TRUTH_SCHEMA = pa.schema(
    {
        "lead_id": pa.string(),
        "as_of": pa.timestamp("us"),
        "state": pa.string(),
        "level": pa.int8(),
        "p_hidden": pa.float64(),
        "p_observable": pa.float64(),
    }
)
EMAIL_HEADER = "message_id;contact;time;action;campaign\n"
LEADS_HEADER = "lead_id,created_at,channel,country,employees,time_zone,crm_stage\n"
OUTCOMES_HEADER = "lead_id,closed_at,outcome\n"
IDENTITIES_HEADER = "alias_id,lead_id,linked_at\n"
SPEND_HEADER = "day,channel,campaign,clicks,cost,currency\n"


@dataclass(frozen=True, eq=False)
class Identifiers:
    """The ids of a block: of leads, of the duplicates of some, and the cookies of those who browsed before.

    duplicate and cookie hold a place for every lead; where there is none, they are null.
    """

    lead: pa.StringArray
    duplicate: pa.StringArray
    cookie: pa.StringArray

    def of(self, events: Events) -> pa.StringArray:
        """Under which id each event was recorded."""
        leads = len(self.lead)
        column = np.where(events.state == State.ANONYMOUS, 2, np.where(events.on_duplicate, 1, 0))
        return pa.concat_arrays([self.lead, self.duplicate, self.cookie]).take(pa.array(column * leads + events.lead))


def identifiers(block: Block, generator: np.random.Generator, first: int) -> Identifiers:
    """Give numbers from `first` on to leads and duplicates in order of creation, and random cookies."""
    people = block.people
    duplicated = np.nonzero(people.duplicated)[0]
    order = np.argsort(np.concatenate([people.created, people.created[duplicated]]), kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = first + np.arange(len(order))
    ids = _numbered("L", number, 6)
    leads = len(people.created)
    place = np.full(leads, -1)
    place[duplicated] = leads + np.arange(len(duplicated))
    return Identifiers(
        lead=ids[:leads],
        duplicate=ids.take(pa.array(place, mask=place < 0)),
        cookie=pc.if_else(pa.array(people.born < people.created), _cookies(generator, leads), None),
    )


def web_table(block: Block, ids: Identifiers, generator: np.random.Generator, first: int) -> pa.Table:
    """Hits of leads and cookies, of strangers, hits without a visitor, and some hits twice."""
    hits = block.events.take(_EVENT_SOURCES[block.events.type] == Source.WEB)
    true = _web_columns(hits, ids.of(hits))
    strangers = _strangers(generator, _share(len(hits.lead), WEB_STRANGERS))
    nameless = true.take(_some(generator, len(hits.lead), WEB_WITHOUT_VISITOR))
    nameless = nameless.set_column(0, "visitor", pa.nulls(len(nameless), pa.string()))
    rows = pa.concat_tables([true, strangers, nameless])
    rows = rows.add_column(0, "hit_id", _numbered("h", first + np.arange(len(rows)), 9))
    twice = rows.take(_some(generator, len(hits.lead), WEB_DUPLICATES))
    return pa.concat_tables([rows, twice]).cast(WEB_SCHEMA)


def _web_columns(hits: Events, visitor: pa.StringArray) -> pa.Table:
    return pa.table(
        {
            "visitor": visitor,
            "ts": _timestamps(hits.occurred),
            "received_at": _timestamps(hits.known),
            "event": _EVENT_NAMES.take(pa.array(hits.type)),
            "channel": pa.array(company.CHANNELS).take(pa.array(hits.visit_channel)),
            "campaign": _CAMPAIGNS.take(pa.array(hits.visit_channel * CAMPAIGNS_PER_CHANNEL + hits.campaign)),
            "cart_value": pa.array(hits.value, mask=np.isnan(hits.value)),
        }
    )


_HITS_PER_STRANGER = 5


def _strangers(generator: np.random.Generator, hits: int) -> pa.Table:
    """Hits of cookies that never become a lead: a few a cookie, within a week."""
    cookies = -(-hits // _HITS_PER_STRANGER)
    cookie = generator.integers(0, cookies, hits)
    begin = generator.integers(START, END - 8 * DAY, cookies)
    occurred = begin[cookie] + generator.integers(0, 7 * DAY, hits)
    pages = [company.TYPE_NAMES.index(name) for name in ("page_view", "download", "pricing_view")]
    events = Events(
        lead=cookie,
        state=np.full(hits, State.ANONYMOUS),
        type=np.array(pages)[choose(generator, np.array([0.86, 0.06, 0.08]), hits)],
        occurred=occurred,
        known=occurred + company.PROMPT_DELAY,
        on_duplicate=np.zeros(hits, dtype=np.bool_),
        marker=np.zeros(hits, dtype=np.bool_),
        visit_channel=choose(generator, company.CHANNEL_MIX, hits),
        campaign=generator.integers(0, CAMPAIGNS_PER_CHANNEL, hits),
        value=np.full(hits, np.nan),
    )
    return _web_columns(events, _cookies(generator, cookies).take(pa.array(cookie)))


def email_lines(block: Block, ids: Identifiers, generator: np.random.Generator, first: int) -> pa.StringArray:
    """Lines of the mail provider's log; half of the times are local, each with its offset from UTC."""
    events = block.events.take(_EVENT_SOURCES[block.events.type] == Source.EMAIL)
    count = len(events.lead)
    contact, action, campaign = ids.of(events), _EVENT_NAMES.take(pa.array(events.type)), _mailings(events)
    offset = np.where(generator.random(count) < _LOCAL_TIMES, amsterdam_offset(events.occurred), 0)
    zone = pa.array(["+00:00", "+01:00", "+02:00"]).take(pa.array(offset // HOUR))
    time = joined(_iso(events.occurred + offset), zone)
    # Broken lines are made of true ones and have ids of their own.
    short, unreadable = _some(generator, count, EMAIL_SHORT), _some(generator, count, EMAIL_UNREADABLE)
    message = _numbered("m", first + np.arange(count + len(short) + len(unreadable)), 9)
    lines = joined(message[:count], contact, time, action, campaign, separator=";")
    broken = [
        joined(message[count : count + len(short)], contact.take(short), time.take(short), separator=";"),
        joined(
            message[count + len(short) :],
            contact.take(unreadable),
            "31.02.2026 25:61",
            action.take(unreadable),
            campaign.take(unreadable),
            separator=";",
        ),
    ]
    return pa.concat_arrays([lines, *broken, lines.take(_some(generator, count, EMAIL_DUPLICATES))])


_LOCAL_TIMES = 0.5  # share of email times written with the local offset
_NURTURE_MAILS = pa.array(["nurture-1", "nurture-2", "nurture-3"])


def _mailings(events: Events) -> pa.StringArray:
    """Newsletters bear their month, all other mails their place in the nurturing."""
    month = events.occurred.view("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    earliest = int(month.min()) if len(month) else 0
    months = np.arange(earliest, int(month.max()) + 1 if len(month) else 0).astype("datetime64[M]").astype(str)
    newsletters = pa.array([f"newsletter-{name}" for name in months], pa.string())
    is_newsletter = np.array([name.startswith("newsletter") for name in company.TYPE_NAMES])[events.type]
    place = np.where(is_newsletter, month - earliest + len(_NURTURE_MAILS), events.campaign)
    return pa.concat_arrays([_NURTURE_MAILS, newsletters]).take(pa.array(place))


def crm_lines(block: Block, ids: Identifiers, generator: np.random.Generator, first: int) -> pa.StringArray:
    """JSON lines of the CRM, in the local time of Amsterdam without an offset; some are broken, some lack the lead."""
    events = block.events.take(_EVENT_SOURCES[block.events.type] >= Source.CRM_LEAD)
    count = len(events.lead)
    when = _iso(events.occurred + amsterdam_offset(events.occurred))
    kind = _EVENT_NAMES.take(pa.array(events.type))
    by_sales = pa.array(_EVENT_SOURCES[events.type] == Source.CRM_SALES)
    rest = joined(',"when":"', when, '","kind":"', kind, '","by":"', pc.if_else(by_sales, "sales", "lead"), '"}')
    nameless, broken = _some(generator, count, CRM_WITHOUT_LEAD), _some(generator, count, CRM_BROKEN)
    record = _numbered("r", first + np.arange(count + len(nameless)), 9)
    lines = joined('{"id":"', record[:count], '","lead":"', ids.of(events), '"', rest)
    without_lead = joined('{"id":"', record[count:], '","lead":null', rest.take(nameless))
    return pa.concat_arrays([lines, without_lead, pc.utf8_slice_codeunits(lines.take(broken), 0, _BROKEN_AFTER)])


_BROKEN_AFTER = 40  # characters: within the time of an event


def lead_lines(block: Block, ids: Identifiers) -> pa.StringArray:
    """Write leads and duplicates in order of their ids, with the stage of the end of the log over all earlier ones."""
    people = block.people
    stage = np.zeros(len(people.created), dtype=np.int64)
    ended = block.spells.end == END
    lost = (block.spells.state == State.PAUSED) | (block.spells.state == State.LOST)
    stage[block.spells.lead[ended & lost]] = 1
    stage[block.spells.lead[block.spells.exit == Exit.CONVERT]] = 2
    lines = [
        joined(
            lead,
            joined(_iso(people.created), "Z"),
            pa.array(company.CHANNELS).take(pa.array(people.channel)),
            pa.array(company.COUNTRIES).take(pa.array(people.country)),
            pa.array(people.employees).cast(pa.string()),
            pa.array(company.TIME_ZONES).take(pa.array(people.country)),
            pa.array(["open", "lost", "customer"]).take(pa.array(stage)),
            separator=",",
        )
        for lead in (ids.lead, ids.duplicate)
    ]
    # A line without an id is null: its lead has no duplicate.
    written = pa.concat_arrays(lines).drop_null()
    number = pc.cast(pc.utf8_slice_codeunits(pc.list_element(pc.split_pattern(written, ","), 0), 1), pa.int64())
    return written.take(pc.sort_indices(number))


def outcome_lines(block: Block, ids: Identifiers) -> pa.StringArray:
    """Write the ends of episodes in order of time."""
    closed = block.spells.take((block.spells.exit == Exit.CONVERT) | (block.spells.exit == Exit.LOSE))
    closed = closed.take(np.argsort(closed.end, kind="stable"))
    outcome = pc.if_else(pa.array(closed.exit == Exit.CONVERT), "won", "lost")
    return joined(ids.lead.take(pa.array(closed.lead)), joined(_iso(closed.end), "Z"), outcome, separator=",")


def identity_lines(block: Block, ids: Identifiers, generator: np.random.Generator, *, contested: int) -> pa.StringArray:
    """Cookies and merged duplicates, and some aliases without any event that two leads claim at the same time."""
    people = block.people
    merged = pa.array(people.duplicated & (people.merged < END))
    contested = min(contested, len(people.created) // 2)
    claimants = np.arange(2 * contested)
    claimed = _cookies(generator, contested).take(pa.array(claimants // 2))
    linked = people.created[claimants | 1]  # leads are in order of creation: when the second of each pair is there
    lines = [
        joined(ids.cookie, ids.lead, joined(_iso(people.created), "Z"), separator=","),
        joined(pc.if_else(merged, ids.duplicate, None), ids.lead, joined(_iso(people.merged), "Z"), separator=","),
        joined(claimed, ids.lead.take(pa.array(claimants)), joined(_iso(linked), "Z"), separator=","),
    ]
    return pa.concat_arrays(lines).drop_null()


def arrivals(block: Block) -> Integers:
    """Leads created by day of the log and channel, shape (days, channels)."""
    day = (block.people.created - START) // DAY
    days, channels = (END - START) // DAY, len(company.CHANNELS)
    counts = np.bincount(day * channels + block.people.channel, minlength=days * channels)
    return counts.reshape(days, channels)


def spend_lines(arrived: Integers, generator: np.random.Generator) -> pa.StringArray:
    """Clicks and cost of each day, paid channel and campaign; arrived has shape (days, channels)."""
    paid = np.array([company.CHANNELS.index(channel) for channel in _PAID_CHANNELS])
    days = len(arrived)
    shape = (days, len(paid), CAMPAIGNS_PER_CHANNEL)
    expected = _CLICKS_PER_LEAD * arrived[:, paid, None] / CAMPAIGNS_PER_CHANNEL + _IDLE_CLICKS
    clicks = generator.poisson(np.broadcast_to(expected, shape))
    price = np.array([_COST_PER_CLICK[channel] for channel in _PAID_CHANNELS])[:, None]
    cents = np.rint(100 * clicks * price * generator.uniform(0.8, 1.25, shape)).astype(np.int64)
    day, channel, number = (values.ravel() for values in np.indices(shape))
    dates = (START // DAY + np.arange(days)).astype("datetime64[D]").astype(str)
    return joined(
        pa.array(dates).take(pa.array(day)),
        pa.array(_PAID_CHANNELS).take(pa.array(channel)),
        _CAMPAIGNS.take(pa.array(paid[channel] * CAMPAIGNS_PER_CHANNEL + number)),
        pa.array(clicks.ravel()).cast(pa.string()),
        joined(
            pa.array(cents.ravel() // 100).cast(pa.string()),
            pc.utf8_lpad(pa.array(cents.ravel() % 100).cast(pa.string()), 2, "0"),
            separator=".",
        ),
        "EUR",
        separator=",",
    )


def truth_table(truth: Truth, ids: Identifiers) -> pa.Table:
    """Put the ids of leads to what is true of them."""
    return pa.table(
        {
            "lead_id": ids.lead.take(pa.array(truth.lead)),
            "as_of": _timestamps(truth.as_of),
            "state": pa.array(["open", "worked"]).take(pa.array(truth.state - State.OPEN)),
            "level": pa.array(truth.level),
            # The last bits of a product of matrices go by the kind of processor.
            "p_hidden": pa.array(truth.p_hidden.round(_DECIMALS)),
            "p_observable": pa.array(truth.p_observable.round(_DECIMALS)),
        },
        schema=TRUTH_SCHEMA,
    )


def _share(rows: int, share: float) -> int:
    return int(np.ceil(rows * share)) if rows else 0


def _some(generator: np.random.Generator, rows: int, share: float) -> pa.Array:
    """Places of some of the rows, each at most once."""
    return pa.array(generator.choice(rows, _share(rows, share), replace=False, shuffle=False))


def _cookies(generator: np.random.Generator, count: int) -> pa.StringArray:
    return _numbered("c-", generator.integers(0, 10**15, count), 15)


def _numbered(prefix: str, numbers: Integers, digits: int) -> pa.StringArray:
    return joined(prefix, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0"))


def _timestamps(moments: Integers) -> pa.Array:
    return pa.array(moments, pa.timestamp("us"))


def _iso(moments: Integers) -> pa.StringArray:
    return pc.binary_replace_slice(_timestamps(moments).cast(pa.string()), 10, 11, "T")


def joined(*parts: pa.StringArray | str, separator: str = "") -> pa.StringArray:
    """Join columns and constants row by row; null where any part is."""
    return pc.binary_join_element_wise(*parts, separator)
