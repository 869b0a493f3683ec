"""Rows of the sample's logs from a simulated block: identifiers, columns and lines of text, and their dirt.

Each source has its own shape, as in real companies: the web shop's hits are a table, the mail provider's log is
lines with semicolons, the CRM's is JSON. Dirt comes on top, from a generator of its own: it neither removes a
true event nor changes a draw of the world.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sample import company, mail
from pipeline.sample.chain import REFUSAL_REASONS, Source, State
from pipeline.sample.columns import cookies, days, iso, joined, numbered, timestamps
from pipeline.sample.contents import CONTENTS, draw_contents
from pipeline.sample.scenario import Scenario
from pipeline.sample.simulate import CAMPAIGNS_PER_CHANNEL, EVENT_NAMES, LETTERS, choose, content_kinds, sources_of
from pipeline.sample.tables import Block, Events
from pipeline.sample.timeline import DAY, END, HOUR, START, amsterdam_offset

WEB_DUPLICATES, WEB_WITHOUT_VISITOR = 0.005, 0.003
STRANGERS_A_LEAD = 1.1  # hits; three of a hundred
EMAIL_DUPLICATES, EMAIL_SHORT, EMAIL_UNREADABLE = 0.004, 0.002, 0.002
CRM_BROKEN, CRM_WITHOUT_LEAD = 0.003, 0.002

_NAMES, _CONTENTS = pa.array(EVENT_NAMES), pa.array(CONTENTS)
PAID_CHANNELS = ("sea", "social", "email", "webinar")
_THEMES = ("brand", "product", "retarget")
# Campaigns by channel and number; visits through other channels have none.
CAMPAIGNS = pa.array(
    [f"{channel}-{theme}" if channel in PAID_CHANNELS else None for channel in company.CHANNELS for theme in _THEMES]
)
WEB_SCHEMA = pa.schema(
    {
        "hit_id": pa.string(),
        "visitor": pa.string(),
        "ts": pa.timestamp("us"),
        "received_at": pa.timestamp("us"),
        "event": pa.string(),
        "channel": pa.string(),
        "campaign": pa.string(),
        "content": pa.string(),
        "cart_value": pa.float64(),
    }
)
EMAIL_HEADER = "message_id;contact;time;action;campaign\n"


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
    ids = numbered("L", number, 6)
    leads = len(people.created)
    place = np.full(leads, -1)
    place[duplicated] = leads + np.arange(len(duplicated))
    return Identifiers(
        lead=ids[:leads],
        duplicate=ids.take(pa.array(place, mask=place < 0)),
        cookie=pc.if_else(pa.array(people.born < people.created), cookies(generator, leads), None),
    )


def web_table(
    block: Block, ids: Identifiers, generator: np.random.Generator, first: int, scenario: Scenario
) -> pa.Table:
    """Hits of leads and cookies, of strangers, hits without a visitor, and some hits twice.

    Strangers are drawn first, by the number of leads: a day that is lost changes nothing in theirs of other days.
    """
    hits = block.events.take(sources_of(block.events.type) == Source.WEB)
    true = _web_columns(hits, ids.of(hits))
    strangers = _strangers(generator, math.ceil(len(block.people.created) * STRANGERS_A_LEAD), scenario)
    nameless = true.take(_some(generator, len(hits.lead), WEB_WITHOUT_VISITOR))
    nameless = nameless.set_column(0, "visitor", pa.nulls(len(nameless), pa.string()))
    rows = pa.concat_tables([true, strangers, nameless])
    rows = rows.add_column(0, "hit_id", numbered("h", first + np.arange(len(rows)), 9))
    twice = rows.take(_some(generator, len(hits.lead), WEB_DUPLICATES))
    return pa.concat_tables([rows, twice]).cast(WEB_SCHEMA)


def _web_columns(hits: Events, visitor: pa.StringArray) -> pa.Table:
    return pa.table(
        {
            "visitor": visitor,
            "ts": timestamps(hits.occurred),
            "received_at": timestamps(hits.known),
            "event": _NAMES.take(pa.array(hits.type)),
            "channel": pa.array(company.CHANNELS).take(pa.array(hits.visit_channel)),
            "campaign": CAMPAIGNS.take(pa.array(hits.visit_channel * CAMPAIGNS_PER_CHANNEL + hits.campaign)),
            "content": _CONTENTS.take(pa.array(hits.content, mask=hits.content < 0)),
            "cart_value": pa.array(hits.value, mask=np.isnan(hits.value)),
        }
    )


_HITS_PER_STRANGER = 5


def _strangers(generator: np.random.Generator, hits: int, scenario: Scenario) -> pa.Table:
    """Hits of cookies that never become a lead: a few a cookie, within a week; they look around as the unaware do."""
    strangers = -(-hits // _HITS_PER_STRANGER)
    cookie = generator.integers(0, strangers, hits)
    begin = generator.integers(START, END - 8 * DAY, strangers)
    occurred = begin[cookie] + generator.integers(0, 7 * DAY, hits)
    pages = np.array([company.TYPE_NAMES.index(name) for name in ("page_view", "download", "pricing_view")])
    type_ = pages[choose(generator, np.array([0.86, 0.06, 0.08]), hits)]
    visit = choose(generator, company.CHANNEL_MIX, hits)
    events = replace(
        Events.plain(lead=cookie, type_=type_, occurred=occurred),
        known=occurred + company.PROMPT_DELAY,
        visit_channel=visit,
        campaign=generator.integers(0, CAMPAIGNS_PER_CHANNEL, hits),
        content=draw_contents(generator, content_kinds(type_, visit), np.zeros(hits, dtype=np.int8)),
    )
    rows = _web_columns(events, cookies(generator, strangers).take(pa.array(cookie)))
    return rows.filter(pa.array(~scenario.loses(Source.WEB, occurred)))


def email_lines(block: Block, ids: Identifiers, generator: np.random.Generator, first: int) -> pa.StringArray:
    """Lines of the mail provider's log; half of the times are local, each with its offset from UTC."""
    events = block.events.take(sources_of(block.events.type) == Source.EMAIL)
    count = len(events.lead)
    contact, action, campaign = ids.of(events), _NAMES.take(pa.array(events.type)), _mailings(events)
    offset = np.where(generator.random(count) < _LOCAL_TIMES, amsterdam_offset(events.occurred), 0)
    zone = pa.array(["+00:00", "+01:00", "+02:00"]).take(pa.array(offset // HOUR))
    time = joined(iso(events.occurred + offset), zone)
    # Broken lines are made of true ones and have ids of their own.
    short, unreadable = _some(generator, count, EMAIL_SHORT), _some(generator, count, EMAIL_UNREADABLE)
    message = numbered("m", first + np.arange(count + len(short) + len(unreadable)), 9)
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
_NURTURE_MAILS = pa.array([f"nurture-{number + 1}" for number in range(len(mail.NURTURE))])
_NEWSLETTERS = pa.array([f"newsletter-{day.as_py()[:7]}" for day in days(mail.newsletters())])


def _mailings(events: Events) -> pa.StringArray:
    """Newsletters bear their month, all other mails their place in the series; who unsubscribes names a newsletter."""
    place = np.where(LETTERS[events.type], events.campaign + len(_NURTURE_MAILS), events.campaign)
    return pa.concat_arrays([_NURTURE_MAILS, _NEWSLETTERS]).take(pa.array(place))


def crm_lines(block: Block, ids: Identifiers, generator: np.random.Generator, first: int) -> pa.StringArray:
    """JSON lines of the CRM, in the local time of Amsterdam without an offset; some are broken, some lack the lead."""
    events = block.events.take(sources_of(block.events.type) == Source.CRM)
    count = len(events.lead)
    when = iso(events.occurred + amsterdam_offset(events.occurred))
    kind = _NAMES.take(pa.array(events.type))
    by = pc.if_else(pa.array(_BY_SALES[events.type]), "sales", "lead")
    rest = joined(',"when":"', when, '","kind":"', kind, '","by":"', by, '"', _details(events), "}")
    nameless, broken = _some(generator, count, CRM_WITHOUT_LEAD), _some(generator, count, CRM_BROKEN)
    record = numbered("r", first + np.arange(count + len(nameless)), 9)
    lines = joined('{"id":"', record[:count], '","lead":"', ids.of(events), '"', rest)
    without_lead = joined('{"id":"', record[count:], '","lead":null', rest.take(nameless))
    return pa.concat_arrays([lines, without_lead, pc.utf8_slice_codeunits(lines.take(broken), 0, _BROKEN_AFTER)])


def _details(events: Events) -> pa.StringArray:
    """Say what some records hold beyond their kind: the reason of a refusal, the topic of a webinar."""
    reasons = pa.array([f',"reason":"{reason}"' for reason in REFUSAL_REASONS])
    topics = pa.array([f',"topic":"{content}"' for content in CONTENTS])
    refused, about = events.type == _REFUSED, events.content >= 0
    place = np.where(refused, 1 + events.campaign, np.where(about, 1 + len(reasons) + events.content, 0))
    return pa.concat_arrays([pa.array([""]), reasons, topics]).take(pa.array(place))


_REFUSED = EVENT_NAMES.index("refused")
_BY_SALES = np.array([name not in company.BY_LEAD for name in EVENT_NAMES])
_BROKEN_AFTER = 60  # characters: within the time of an event


def _share(rows: int, share: float) -> int:
    return int(np.ceil(rows * share)) if rows else 0


def _some(generator: np.random.Generator, rows: int, share: float) -> pa.Array:
    """Places of some of the rows, each at most once."""
    return pa.array(generator.choice(rows, _share(rows, share), replace=False, shuffle=False))
