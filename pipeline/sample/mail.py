"""Mails that the company of the sample world sends to its leads, and the machines that open and click them.

A newsletter goes to everybody on the first Tuesday of a month, and three mails follow each creation. Neither who gets
one nor what a machine does with it says anything of a lead's intent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from pipeline.sample import company
from pipeline.sample.chain import Floats, Integers
from pipeline.sample.tables import Events, Machine, People
from pipeline.sample.timeline import DAY, END, HOUR, SECOND, microseconds

_TYPES = {name: number for number, name in enumerate(company.TYPE_NAMES)}
SENT_TYPES = ("newsletter_sent", "email_sent")
"""The records of sendings, after all types that the chain draws and the markers of its states."""

NURTURE = (SECOND, 7 * DAY, 21 * DAY)
"""When the three mails go out after a creation: the first one at once, before anybody could open it."""
SCANNED = (0.04, 0.15)
"""Share of the small, and of the large companies whose mail is scanned: every link is clicked."""
PROXIED = 0.15
"""Share of people whose images are fetched as soon as a mail arrives."""
LINKS, ROBOT = 3, 0.01
"""Links of a mail; the share of newsletters to a scanned address of which a robot unsubscribes."""
FASTEST, SLOWEST = SECOND, 20 * SECOND
"""Bounds of the time that a machine takes."""


def newsletters() -> Integers:
    """Return the moments at which newsletters are sent: eight in the morning, UTC, of each month's first Tuesday.

    The first one goes out before the log begins; who comes before the next one may open it.
    """
    first = [date(2024, 12, 1), *(date(2025 + month // 12, month % 12 + 1, 1) for month in range(18))]
    tuesdays = [day + timedelta(days=(1 - day.weekday()) % 7) for day in first]
    return np.array([microseconds(day.year, day.month, day.day) + 8 * HOUR for day in tuesdays])


def sendings(people: People, *, sent_type: int) -> Events:
    """All mails to those who agreed to mail, as if it never ended; sent_type is the number of the first of SENT_TYPES.

    campaign holds the number of the newsletter, or the place in the series.
    """
    written = np.nonzero(people.written)[0]
    letters = newsletters()
    first = np.searchsorted(letters, people.created[written], side="right")
    count = len(letters) - first
    lead = np.repeat(written, count)
    number = np.arange(len(lead)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    followed = np.tile(written, len(NURTURE))
    occurred = np.concatenate([letters[number], *(people.created[written] + delay for delay in NURTURE)])
    campaign = np.concatenate([number, np.repeat(np.arange(len(NURTURE)), len(written))]).astype(np.int8)
    kind = np.repeat(np.array([sent_type, sent_type + 1], dtype=np.int8), [len(lead), len(followed)])
    sent = replace(
        Events.plain(lead=np.concatenate([lead, followed]), type_=kind, occurred=occurred),
        known=occurred + company.EMAIL_DELAY,
        marker=np.ones(len(kind), dtype=np.bool_),
        campaign=campaign,
    )
    return sent.take((occurred > people.created[sent.lead]) & (occurred < END))


def reactions(generator: np.random.Generator, people: People, sent: Events, *, sent_type: int) -> Events:
    """Draw what machines do within seconds of sendings: open, click every link, unsubscribe."""
    letter = sent.type == sent_type
    scanned, proxied = np.nonzero(people.scanned[sent.lead])[0], np.nonzero(people.proxied[sent.lead])[0]
    robot = scanned[letter[scanned] & (generator.random(len(scanned)) < ROBOT)]
    opened, clicked = (
        np.where(letter, _TYPES[f"newsletter_{act}"], _TYPES[f"email_{act}"]) for act in ("open", "click")
    )
    links = np.repeat(scanned, LINKS)
    mail = np.concatenate([proxied, scanned, links, robot])
    kind = np.concatenate([
        opened[proxied], opened[scanned], clicked[links], np.full(len(robot), _TYPES["unsubscribe"]),
    ])  # fmt: skip
    machine = np.repeat(
        np.array([Machine.PROXY, Machine.SCANNER, Machine.ROBOT], dtype=np.int8),
        [len(proxied), len(scanned) + len(links), len(robot)],
    )
    wait = generator.integers(FASTEST, SLOWEST, len(mail))
    # A robot follows the links it has seen.
    wait[len(mail) - len(robot) :] += SLOWEST
    occurred = sent.occurred[mail] + wait
    return replace(
        Events.plain(lead=sent.lead[mail], type_=kind.astype(np.int8), occurred=occurred),
        known=occurred + company.EMAIL_DELAY,
        marker=np.ones(len(mail), dtype=np.bool_),
        machine=machine,
        campaign=sent.campaign[mail],
    )


def first_of(lead: Integers, occurred: Integers, leads: int) -> Integers:
    """Return the first moment of each lead; END where it has none."""
    first = np.full(leads, END)
    np.minimum.at(first, lead, occurred)
    return first


def letter_before(occurred: Integers) -> Integers:
    """Return the number of the newest newsletter sent before each moment of the log."""
    return (np.searchsorted(newsletters(), occurred, side="left") - 1).astype(np.int8)


def of_series(draw: Integers, age: Integers) -> Integers:
    """Return the place in the series of the mail that a lead of an age opens, of those it has got; draw is a number."""
    got = np.searchsorted(np.array(NURTURE[1:]), age, side="right") + 1
    return (draw % got).astype(np.int8)


def share_scanned(size: Integers) -> Floats:
    """Return the probability that a lead's mail is scanned, by the size of its company."""
    return np.asarray(np.array(SCANNED)[size])
