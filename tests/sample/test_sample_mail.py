"""Mail in the sample's files: what is sent to whom, what machines do with it, and when it ends."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import numpy as np
import pytest
from sample_files import block_behind, by_chance
from sample_reading import LOG_END, NEVER, World, is_whole, read_mail, small_world

from pipeline.sample.simulate import EVENT_NAMES
from pipeline.sample.tables import Machine

LEADS = 4_000
FIRST_TUESDAYS = [
    date(2024, 12, 3), date(2025, 1, 7), date(2025, 2, 4), date(2025, 3, 4), date(2025, 4, 1), date(2025, 5, 6),
    date(2025, 6, 3), date(2025, 7, 1), date(2025, 8, 5), date(2025, 9, 2), date(2025, 10, 7), date(2025, 11, 4),
    date(2025, 12, 2), date(2026, 1, 6), date(2026, 2, 3), date(2026, 3, 3), date(2026, 4, 7), date(2026, 5, 5),
    date(2026, 6, 2),
]  # fmt: skip
LETTERS = [datetime.combine(day, time(8), UTC) for day in FIRST_TUESDAYS]
NURTURE = [timedelta(seconds=1), timedelta(days=7), timedelta(days=21)]
AT_ONCE = timedelta(seconds=40)
KNOWN_AFTER = timedelta(hours=6)


class Mail(NamedTuple):
    """A line of the mail provider's log, under the id of the lead itself."""

    lead: str
    moment: datetime
    action: str
    campaign: str
    machine: str | None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw", leads=LEADS)


@pytest.fixture(scope="module")
def created(world: World) -> dict[str, datetime]:
    """Read when each lead, duplicates left out, was created."""
    first: dict[str, str] = {}
    for row in world.leads:
        first.setdefault(row["created_at"], row["lead_id"])
    return {lead: datetime.fromisoformat(moment) for moment, lead in first.items()}


@pytest.fixture(scope="module")
def mails(world: World) -> list[Mail]:
    first: dict[str, str] = {}
    lead_of = {row["lead_id"]: first.setdefault(row["created_at"], row["lead_id"]) for row in world.leads}
    whole = {fields[0]: fields for fields in world.email if is_whole(fields)}
    return [
        Mail(
            lead_of[contact],
            datetime.fromisoformat(moment).astimezone(UTC),
            action,
            campaign,
            world.machines.get(message),
        )
        for message, contact, moment, action, campaign in whole.values()
    ]


@pytest.fixture(scope="module")
def until(world: World) -> dict[str, datetime]:
    """Read until when mail goes to those who agreed to it."""
    return read_mail(world.consents)


def test_a_newsletter_goes_to_everybody_who_gets_mail_on_the_first_tuesday_of_a_month(
    mails: list[Mail], created: dict[str, datetime], until: dict[str, datetime]
) -> None:
    assert all(day.weekday() == 1 and day.day <= 7 for day in FIRST_TUESDAYS)
    sent = Counter((mail.lead, mail.moment, mail.campaign) for mail in mails if mail.action == "newsletter_sent")
    assert set(sent.values()) == {1}
    assert set(sent) == {
        (lead, letter, f"newsletter-{letter:%Y-%m}")
        for lead, end in until.items()
        for letter in LETTERS
        if created[lead] < letter <= end
    }


def test_three_mails_follow_the_creation_of_a_lead_that_agreed(
    mails: list[Mail], created: dict[str, datetime], until: dict[str, datetime]
) -> None:
    sent = Counter((mail.lead, mail.moment, mail.campaign) for mail in mails if mail.action == "email_sent")
    assert set(sent.values()) == {1}
    assert set(sent) == {
        (lead, created[lead] + wait, f"nurture-{place}")
        for lead, end in until.items()
        for place, wait in enumerate(NURTURE, start=1)
        if created[lead] + wait <= end and created[lead] + wait + KNOWN_AFTER < LOG_END
    }


def test_a_campaign_is_the_newest_letter_or_a_mail_that_was_sent(
    mails: list[Mail], created: dict[str, datetime]
) -> None:
    series: Counter[tuple[str, str]] = Counter()
    for mail in mails:
        if mail.action.startswith("newsletter") or mail.action == "unsubscribe":
            newest = LETTERS[bisect_left(LETTERS, mail.moment) - 1]
            if mail.action != "newsletter_sent":
                assert mail.campaign == f"newsletter-{newest:%Y-%m}"
        else:
            place = int(mail.campaign.removeprefix("nurture-"))
            assert mail.moment >= created[mail.lead] + NURTURE[place - 1]
            series[mail.action, mail.campaign] += 1
    assert len(series) == 9


def test_no_mail_goes_to_who_did_not_agree_and_nothing_is_heard_after_mail_has_ended(
    mails: list[Mail], created: dict[str, datetime], until: dict[str, datetime]
) -> None:
    assert len(until) / len(created) == pytest.approx(0.8, abs=by_chance(0.8, created))
    assert {mail.lead for mail in mails} <= set(until)
    assert all(mail.moment <= until[mail.lead] for mail in mails)
    ended = [mail for mail in mails if mail.moment == until[mail.lead]]
    assert {mail.action for mail in ended} == {"unsubscribe"}
    assert {mail for mail in mails if mail.action == "unsubscribe"} == set(ended)


def test_who_unsubscribes_withdraws_the_consent_to_mail_and_none_other(world: World, mails: list[Mail]) -> None:
    withdrawn = {
        (row["lead_id"], datetime.fromisoformat(row["changed_at"]))
        for row in world.consents
        if (row["purpose"], row["status"]) == ("mail", "withdrawn")
    }
    told = {(mail.lead, mail.moment) for mail in mails if mail.action == "unsubscribe"}
    assert told == {(lead, moment) for lead, moment in withdrawn if moment + KNOWN_AFTER < LOG_END}
    assert len(told) > 500


def test_who_unsubscribed_still_asks_for_quotes_and_buys(world: World, until: dict[str, datetime]) -> None:
    def after(rows: list[tuple[str, datetime]]) -> int:
        return sum(moment > until.get(lead, NEVER) for lead, moment in rows)

    events = [event for event in world.events() if event.kind in {"quote_request", "page_view"}]
    won = [
        (row["lead_id"], datetime.fromisoformat(row["closed_at"])) for row in world.outcomes if row["outcome"] == "won"
    ]
    assert after(won) > 10
    for kind in ("quote_request", "page_view"):
        assert after([(event.contact, event.occurred) for event in events if event.kind == kind]) > 30


def test_the_truth_names_exactly_the_lines_that_are_machines(mails: list[Mail], world: World) -> None:
    events = block_behind(LEADS).events
    by_machine = np.nonzero(events.machine)[0]
    expected = Counter(
        (int(events.occurred[event]), EVENT_NAMES[events.type[event]], Machine(events.machine[event]).name.lower())
        for event in by_machine
    )
    told = Counter((round(mail.moment.timestamp() * 1e6), mail.action, mail.machine) for mail in mails if mail.machine)
    assert told == expected
    assert len(world.machines) == told.total()


@pytest.fixture(scope="module")
def reactions(mails: list[Mail]) -> dict[Mail, list[Mail]]:
    """Put to each sending what follows within forty seconds under its campaign, by a machine or not."""
    sent: dict[tuple[str, str], Mail] = {}
    for mail in mails:
        if mail.action.endswith("_sent"):
            sent[mail.lead, mail.campaign] = mail
    followed: dict[Mail, list[Mail]] = {sending: [] for sending in sent.values()}
    for mail in mails:
        sending = sent.get((mail.lead, mail.campaign))
        if sending and mail is not sending and timedelta(0) < mail.moment - sending.moment <= AT_ONCE:
            followed[sending].append(mail)
    return followed


def test_machines_act_within_forty_seconds_of_a_sending_and_hardly_anybody_else(
    mails: list[Mail], reactions: dict[Mail, list[Mail]]
) -> None:
    swift = [mail for followed in reactions.values() for mail in followed]
    machines = [mail for mail in mails if mail.machine]
    assert Counter(machines) == Counter(mail for mail in swift if mail.machine)
    assert len(machines) > 10_000
    # Of the one and a half mails that a lead opens a week, one in fifteen thousand falls into these seconds.
    assert sum(mail.machine is None for mail in swift) <= 12


def test_a_scanner_opens_every_mail_and_clicks_its_three_links_and_a_proxy_opens_it(
    reactions: dict[Mail, list[Mail]], until: dict[str, datetime]
) -> None:
    passes: dict[str, set[str]] = defaultdict(set)
    for sending, followed in reactions.items():
        passes[sending.lead] |= {mail.machine for mail in followed if mail.machine}
    for sending, followed in reactions.items():
        end = sending.moment + AT_ONCE
        if end + KNOWN_AFTER >= LOG_END or until[sending.lead] <= sending.moment + AT_ONCE / 2:
            continue
        kind = sending.action.removesuffix("_sent")
        acts = Counter((mail.machine, mail.action) for mail in followed if mail.machine not in {None, "robot"})
        expected = Counter[tuple[str | None, str]]()
        if "scanner" in passes[sending.lead]:
            expected.update({("scanner", f"{kind}_open"): 1, ("scanner", f"{kind}_click"): 3})
        if "proxy" in passes[sending.lead]:
            expected["proxy", f"{kind}_open"] = 1
        assert acts == expected
        for mail in followed:
            if mail.machine in {"scanner", "proxy"}:
                assert timedelta(seconds=1) <= mail.moment - sending.moment < timedelta(seconds=20)


def test_mail_of_large_companies_is_scanned_more_often_and_images_are_fetched_for_all_alike(
    world: World, reactions: dict[Mail, list[Mail]]
) -> None:
    large = {row["lead_id"]: int(row["employees"]) >= 50 for row in world.leads}
    known = {False: set[str](), True: set[str]()}
    passes = defaultdict(set)
    for sending, followed in reactions.items():
        known[large[sending.lead]].add(sending.lead)
        for mail in followed:
            passes[mail.machine, large[mail.lead]].add(mail.lead)
    for is_large, share in ((False, 0.04), (True, 0.15)):
        of = known[is_large]
        assert len(passes["scanner", is_large]) / len(of) == pytest.approx(share, abs=by_chance(share, of))
        assert len(passes["proxy", is_large]) / len(of) == pytest.approx(0.15, abs=by_chance(0.15, of))


def test_a_robot_unsubscribes_of_one_letter_in_a_hundred_after_it_has_followed_the_links(
    reactions: dict[Mail, list[Mail]], until: dict[str, datetime]
) -> None:
    scanned = [
        (sending, followed)
        for sending, followed in reactions.items()
        if sending.action == "newsletter_sent" and any(mail.machine == "scanner" for mail in followed)
    ]
    left = []
    for _, followed in scanned:
        for mail in followed:
            if mail.machine == "robot":
                assert mail.action == "unsubscribe"
                assert mail.moment == until[mail.lead]
                assert all(other.moment < mail.moment for other in followed if other is not mail)
                left.append(mail)
    assert left == [mail for followed in reactions.values() for mail in followed if mail.machine == "robot"]
    assert len(left) / len(scanned) == pytest.approx(0.01, abs=by_chance(0.01, scanned))
    assert len(left) > 5
