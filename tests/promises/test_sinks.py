"""What every sink promises, tested against every CRM: servers on loopback, databases, and folders of files."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from crm_cases import Crm
from crm_files import FilesCrm
from crm_hubspot import HubSpotCrm
from crm_odoo import OdooCrm
from crm_rest import DynamicsCrm, PipedriveCrm
from crm_salesforce import SalesforceCrm
from crm_sql import PostgresqlCrm, SqliteCrm
from pushing import Delivery, Lead, of_keys, ways

from features.core.errors import DeliveryError, InputError, LeadcastError, SettingsError
from pipeline.delivery.ledger import LEDGER, MOST_ATTEMPTS, Ledger
from pipeline.delivery.sending import CLOSED, UNKNOWN
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect

Make = Callable[[Path, Callable[[str], Any]], AbstractContextManager[Crm]]

CRMS: dict[str, Make] = {
    "files": lambda folder, _: FilesCrm(folder),
    "sqlite": lambda *_: SqliteCrm(),
    "postgresql": lambda _, fixture: PostgresqlCrm(fixture("postgresql")),
    "odoo jsonrpc": lambda *_: OdooCrm("jsonrpc"),
    "odoo json2": lambda *_: OdooCrm("json2"),
    "hubspot": lambda *_: HubSpotCrm(),
    "salesforce": lambda *_: SalesforceCrm(),
    "dynamics": lambda *_: DynamicsCrm(),
    "pipedrive": lambda *_: PipedriveCrm(),
}


@pytest.fixture(params=CRMS)
def crm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    with CRMS[request.param](tmp_path / "crm", request.getfixturevalue) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def delivery(crm: Crm, tmp_path: Path) -> Delivery:
    return Delivery(tmp_path, crm.settings, crm.environment, before=crm.sync)


def ours(crm: Crm, key: str) -> dict[str, Any]:
    """Give what a lead holds in our fields, by our names."""
    lead = crm.lead(key)
    assert lead is not None
    return {name: lead.get(field) for name, field in Push.model_validate(crm.settings).mapping.items()}


def natives(crm: Crm, key: str) -> dict[str, Any]:
    """Give what a lead holds in all other fields."""
    lead = crm.lead(key)
    assert lead is not None
    mapped = set(Push.model_validate(crm.settings).mapping.values())
    return {name: value for name, value in lead.items() if name not in mapped}


def holds(crm: Crm, key: str, lead: Lead) -> bool:
    """Tell whether a lead holds what it shall: its tier, and its probability or score."""
    held = ours(crm, key)
    numbers = [
        held[name] not in {None, ""} and abs(float(held[name]) - number) <= slack
        for name, number, slack in (
            ("probability", lead.probability, 1e-6),
            ("score", 100 * lead.probability, 0.5),  # some systems take whole numbers
        )
        if name in held
    ]
    return held["tier"] == lead.tier and all(numbers)


def numbers(crm: Crm, key: str) -> dict[str, Any]:
    """Give what a lead holds in our fields of numbers."""
    return {name: value for name, value in ours(crm, key).items() if name in {"probability", "score", "model"}}


def is_empty(crm: Crm, key: str) -> bool:
    """Tell whether a lead holds nothing in our fields."""
    return all(value in {None, "", False} for value in ours(crm, key).values())


HOT, WARM, COLD = Lead("SQL", 0.31, ("asked for a quote 1 day ago",)), Lead("MQL", 0.12), Lead("IQL", 0.01)


def test_exactly_the_mapped_fields_are_touched(crm: Crm, delivery: Delivery) -> None:
    for key in ("L1", "L2", "L3"):
        crm.add(key)
    before = {key: natives(crm, key) for key in ("L1", "L2", "L3")}
    assert before["L1"], "the CRM has fields of its own"
    pushed = delivery.push({"L1": HOT, "L2": WARM})
    assert ways(pushed) == {"written": 2}
    assert holds(crm, "L1", HOT)
    assert holds(crm, "L2", WARM)
    assert is_empty(crm, "L3")
    assert {key: natives(crm, key) for key in ("L1", "L2", "L3")} == before


def test_no_native_field_is_mapped_by_default(crm: Crm) -> None:
    crm.add("L1")
    sink = crm.settings["sink"]
    by_default = Push.model_validate({"sink": sink}).mapping
    assert not set(by_default.values()) & set(natives(crm, "L1"))
    assert list(by_default) == ["tier", "probability", "reason_1", "reason_2", "action", "date"]


def test_no_lead_is_made_and_unknown_ones_are_named(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    pushed = delivery.push({"L1": HOT, "nobody": HOT, "L'); DROP TABLE leads; --": WARM})
    assert ways(pushed) == {"written": 1, "skipped": 2}
    assert crm.keys() == {"L1"}
    assert delivery.known("skipped") == dict.fromkeys(["nobody", "L'); DROP TABLE leads; --"], UNKNOWN)


def test_an_unknown_lead_is_looked_for_again_later(crm: Crm, delivery: Delivery) -> None:
    delivery.push({"L1": HOT})
    crm.add("L1")
    assert ways(delivery.push({"L1": HOT})) == {"skipped": 1}
    assert ways(delivery.push({"L1": HOT}, look_again_after="0h")) == {"written": 1}
    assert holds(crm, "L1", HOT)


def test_closed_leads_stay_untouched(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    crm.add("L2", closed=True)
    before = crm.lead("L2")
    assert ways(delivery.push({"L1": HOT, "L2": HOT})) == {"written": 1, "skipped": 1}
    assert crm.lead("L2") == before
    assert delivery.known("skipped") == {"L2": CLOSED}


def test_only_what_changed_significantly_is_sent(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    delivery.push({"L1": Lead("MQL", 0.120, ("2 visits in 7 days",))})
    calls = crm.calls
    # The probability moves by less than a hundredth, and of the reason only the number.
    same = Lead("MQL", 0.129, ("3 visits in 7 days",))
    assert ways(delivery.push({"L1": same})) == {"unchanged": 1}
    assert crm.calls == calls
    assert holds(crm, "L1", Lead("MQL", 0.120))
    other = Lead("MQL", 0.131, ("3 visits in 7 days",))
    assert ways(delivery.push({"L1": other})) == {"written": 1}
    assert holds(crm, "L1", other)
    assert ways(delivery.push({"L1": Lead("SQL", 0.131, ("3 visits in 7 days",))})) == {"written": 1}
    assert ours(crm, "L1")["tier"] == "SQL"


def test_the_same_run_twice_writes_nothing_the_second_time(crm: Crm, delivery: Delivery) -> None:
    leads = {"L1": HOT, "L2": WARM, "L3": COLD, "nobody": HOT}
    for key in ("L1", "L2", "L3"):
        crm.add(key)
    assert ways(delivery.push(leads)) == {"written": 3, "skipped": 1}
    calls = crm.calls
    again = delivery.push(leads)
    assert ways(again) == {"unchanged": 3, "skipped": 1}
    assert (crm.calls, again.calls) == (calls, 0)


def test_a_lost_ledger_costs_a_look_and_no_write(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    delivery.push({"L1": HOT})
    for path in (delivery.root / LEDGER).parent.glob("ledger.sqlite*"):
        path.unlink()
    assert ways(delivery.push({"L1": HOT})) == {"unchanged": 1}
    assert holds(crm, "L1", HOT)


def test_a_bad_record_is_rejected_alone_with_its_reason(crm: Crm, delivery: Delivery) -> None:
    keys = [f"L{number}" for number in range(1, 14)]
    for key in keys:
        crm.add(key)
    crm.refuse("L5")
    crm.refuse("L11")
    if isinstance(crm, FilesCrm):
        pytest.skip("a file refuses nobody; its import does, later")
    pushed = delivery.push(of_keys(keys, HOT))
    assert ways(pushed) == {"written": 11, "rejected": 2}
    assert all(holds(crm, key, HOT) for key in keys if key not in {"L5", "L11"})
    assert is_empty(crm, "L5")
    rejected = delivery.known("rejected")
    assert set(rejected) == {"L5", "L11"}
    assert all("not allowed" in reason for reason in rejected.values())


def test_the_same_values_rejected_three_times_are_a_dead_letter_until_they_change(crm: Crm, delivery: Delivery) -> None:
    if isinstance(crm, FilesCrm):
        pytest.skip("a file refuses nobody; its import does, later")
    crm.add("L1")
    crm.refuse("L1")
    for _ in range(MOST_ATTEMPTS):
        assert ways(delivery.push({"L1": HOT})) == {"rejected": 1}
    calls = crm.calls
    assert ways(delivery.push({"L1": HOT})) == {"dead letter": 1}
    assert crm.calls == calls
    assert ways(delivery.push({"L1": WARM})) == {"rejected": 1}
    crm.refuse("L1", refused=False)
    assert ways(delivery.push({"L1": WARM})) == {"written": 1}
    assert holds(crm, "L1", WARM)


def test_other_values_are_no_dead_letter_after_one_rejection(crm: Crm, delivery: Delivery) -> None:
    if isinstance(crm, FilesCrm) or not crm.has_calls:
        pytest.skip("nothing can be deferred")
    crm.add("L1")
    crm.refuse("L1")
    for _ in range(MOST_ATTEMPTS - 1):
        delivery.push({"L1": HOT})
    crm.faults.share, crm.faults.kinds = 1.0, ("500",)
    delivery.push({"L1": HOT}, attempts=1)
    crm.faults.share = 0.0
    assert ways(delivery.push({"L1": WARM})) == {"rejected": 1}
    assert ways(delivery.push({"L1": WARM})) == {"rejected": 1}
    assert ways(delivery.push({"L1": WARM})) == {"rejected": 1}
    assert ways(delivery.push({"L1": WARM})) == {"dead letter": 1}


def test_a_dead_letter_can_be_tried_again(crm: Crm, delivery: Delivery) -> None:
    if isinstance(crm, FilesCrm):
        pytest.skip("a file refuses nobody; its import does, later")
    crm.add("L1")
    crm.refuse("L1")
    for _ in range(MOST_ATTEMPTS):
        delivery.push({"L1": HOT})
    crm.refuse("L1", refused=False)
    with Ledger(delivery.root / LEDGER) as ledger:
        assert ledger.revive(connect(Push.model_validate(crm.settings), delivery.root).name) == 1
    assert ways(delivery.push({"L1": HOT})) == {"written": 1}


def test_an_edit_by_a_person_is_respected(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    crm.add("L2")
    delivery.push({"L1": WARM, "L2": WARM})
    former = ours(crm, "L1")
    crm.edit("L1", "tier", "hands off")
    pushed = delivery.push({"L1": HOT, "L2": HOT})
    assert pushed.tally.edited == 1
    assert holds(crm, "L2", HOT)
    assert ours(crm, "L1")["tier"] == "hands off"
    # It stays the person's in the nights that follow, and nothing beside it contradicts it: what stands together with a
    # tier is of the time before, while numbers are kept up to date.
    delivery.push({"L1": COLD, "L2": COLD})
    assert ours(crm, "L1") == former | {"tier": "hands off", **numbers(crm, "L2")}
    # Where the person puts our word back, the lead is ours again.
    crm.edit("L1", "tier", former["tier"])
    delivery.push({"L1": HOT, "L2": HOT})
    assert ours(crm, "L1") == ours(crm, "L2")


def test_an_edit_by_a_person_is_overwritten_where_the_settings_say_so(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    delivery.push({"L1": WARM})
    crm.edit("L1", "tier", "hands off")
    pushed = delivery.push({"L1": HOT}, edits="overwrite")
    assert (pushed.tally.edited, ways(pushed)) == (1, {"written": 1})
    assert holds(crm, "L1", HOT)


def test_what_a_person_emptied_stays_empty(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    delivery.push({"L1": WARM})
    crm.edit("L1", "tier", None)
    assert delivery.push({"L1": HOT}).tally.edited == 1
    assert ours(crm, "L1")["tier"] in {None, "", False}


def test_undo_puts_back_what_the_run_overwrote_but_not_what_was_changed_since(crm: Crm, delivery: Delivery) -> None:
    keys = ["L1", "L2", "L3"]
    for key in keys:
        crm.add(key)
    crm.edit("L1", "tier", "from the old tool")
    before = {key: crm.lead(key) for key in keys}
    first = delivery.push(of_keys(keys, WARM))
    crm.edit("L2", "tier", "hands off")
    undone = delivery.undo(first.run)
    assert crm.lead("L1") == before["L1"]
    assert crm.lead("L3") == before["L3"]
    assert ours(crm, "L2")["tier"] == "hands off"
    assert {name: value for name, value in ours(crm, "L2").items() if name != "tier"} == {
        name: value for name, value in ours(crm, "L3").items() if name != "tier"
    }
    assert undone.tally.leads == 3
    # The next push writes again.
    assert ways(delivery.push(of_keys(["L1", "L3"], WARM))) == {"written": 2}
    assert holds(crm, "L1", WARM)


def test_undo_leaves_a_lead_whole_that_a_later_run_has_written(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    first = delivery.push({"L1": Lead("MQL", 0.12)})
    delivery.push({"L1": Lead("MQL", 0.15)})
    before = crm.lead("L1")
    delivery.undo(first.run)
    assert crm.lead("L1") == before


def test_what_a_person_chose_stays_though_it_is_what_we_want_one_night(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    delivery.push({"L1": WARM})
    crm.edit("L1", "tier", "SQL")
    delivery.push({"L1": HOT})  # whose tier is SQL, too
    pushed = delivery.push({"L1": COLD})
    assert (pushed.tally.edited, ours(crm, "L1")["tier"]) == (1, "SQL")


def test_undo_refuses_fields_that_are_no_longer_mapped(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    run = delivery.push({"L1": HOT}).run
    mapping = dict(Push.model_validate(crm.settings).mapping)
    del mapping["tier"]
    delivery.settings = crm.settings | {"fields": mapping}
    with pytest.raises(InputError, match="put back the fields of that time"):
        delivery.undo(run)


def test_undo_leaves_what_a_later_run_wrote(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    first = delivery.push({"L1": WARM})
    second = delivery.push({"L1": HOT})
    delivery.undo(first.run)
    assert holds(crm, "L1", HOT)
    delivery.undo(second.run)
    assert holds(crm, "L1", WARM)


def test_a_suspended_segment_is_marked_with_the_date_and_keeps_no_old_score(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    crm.add("L2")
    delivery.push({"L1": HOT, "L2": HOT})
    assert ways(delivery.push({"L1": HOT, "L2": HOT}, suspended={"L1": "2026-06-28"})) == {"written": 1, "unchanged": 1}
    held = ours(crm, "L1")
    assert held["tier"] == "suspended"
    assert held.get("probability") in {None, "", False}
    if "action" in held:
        assert "2026-06-28" in held["action"]
    assert holds(crm, "L2", HOT)
    assert ways(delivery.push({"L1": HOT, "L2": HOT})) == {"written": 1, "unchanged": 1}
    assert holds(crm, "L1", HOT)


def test_a_staged_roll_out_sends_the_best_first_and_the_same_share_every_day(crm: Crm, delivery: Delivery) -> None:
    keys = [f"L{number}" for number in range(1, 41)]
    for key in keys:
        crm.add(key)
    leads = {key: Lead("MQL", round(0.9 - 0.02 * place, 4)) for place, key in enumerate(keys)}
    assert ways(delivery.push(leads, first=3)) == {"written": 3}
    assert [key for key in keys if not is_empty(crm, key)] == keys[:3]
    shared = delivery.push(leads, share=0.5)
    assert 0 < shared.tally.statuses["written"] < 35
    assert ways(delivery.push(leads, share=0.5)) == {"unchanged": shared.tally.leads + shared.left["unchanged"]}
    assert ways(delivery.push(leads | {"L1": HOT}, only={"tier": ["SQL"]})) == {"written": 1}
    assert ways(delivery.push(leads | {"L1": HOT}))["written"] > 0
    assert all(not is_empty(crm, key) for key in keys)


# What goes wrong on the way: for those that are reached over HTTP.


@pytest.fixture
def wired(crm: Crm) -> Crm:
    if not crm.has_calls:
        pytest.skip("no calls, no faults on the way")
    return crm


KEYS = ["L1", "L2", "L3"]


@pytest.fixture
def calls_of_a_push(wired: Crm, delivery: Delivery) -> int:
    """Push to three leads without a fault, and give the number of calls; another push takes as many."""
    for key in KEYS:
        wired.add(key)
    before = wired.calls
    delivery.push(of_keys(KEYS, COLD))
    return wired.calls - before


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut before"])
def test_a_refused_call_is_made_again(wired: Crm, delivery: Delivery, calls_of_a_push: int, fault: str) -> None:
    start = wired.calls
    wired.faults.planned = {start + number: fault for number in range(1, 2 * calls_of_a_push, 2)}
    pushed = delivery.push(of_keys(KEYS, HOT))
    assert ways(pushed) == {"written": 3}
    assert all(holds(wired, key, HOT) for key in KEYS)
    # Every other call failed, and each was repeated; sinks that make several calls before they tell repeat those, too.
    assert wired.calls - start >= 2 * calls_of_a_push
    assert pushed.calls == wired.calls - start


@pytest.mark.parametrize("fault", ["cut after", "half an answer", "no answer in time"])
def test_a_lost_answer_costs_a_repeat_and_has_no_double_effect(
    wired: Crm, delivery: Delivery, calls_of_a_push: int, fault: str
) -> None:
    for number in range(1, calls_of_a_push + 1):
        lead = Lead("SQL", round(0.2 + number / 20, 4))
        start = wired.calls
        wired.faults.planned = {start + number: fault}
        assert ways(delivery.push(of_keys(KEYS, lead))) == {"written": 3}
        assert all(holds(wired, key, lead) for key in KEYS)
        assert wired.calls - start >= calls_of_a_push + 1
        assert wired.keys() == set(KEYS)


def test_a_wait_that_is_asked_for_is_kept(wired: Crm, delivery: Delivery, calls_of_a_push: int) -> None:
    wired.faults.retry_after = "0.4"
    wired.faults.planned = {wired.calls + calls_of_a_push: "429"}
    assert ways(delivery.push(of_keys(KEYS, HOT))) == {"written": 3}
    assert wired.faults.wait_until > 0.0
    assert wired.faults.too_soon == 0


def test_a_wait_that_is_too_long_ends_the_push_and_loses_nothing(
    wired: Crm, delivery: Delivery, calls_of_a_push: int
) -> None:
    wired.faults.retry_after = "3600"
    wired.faults.planned = {wired.calls + calls_of_a_push: "429"}
    with pytest.raises(DeliveryError, match="3,600 s"):
        delivery.push(of_keys(KEYS, HOT))
    assert delivery.states()[0] == "stopped"
    assert ways(delivery.push(of_keys(KEYS, HOT)))["written"] > 0
    assert all(holds(wired, key, HOT) for key in KEYS)


def test_a_quota_of_the_day_ends_the_push(wired: Crm, delivery: Delivery, calls_of_a_push: int) -> None:
    assert calls_of_a_push > 0
    wired.exhaust()
    before = wired.calls
    with pytest.raises(DeliveryError, match="(?i)day|daily|quota|limit|expired"):
        delivery.push(of_keys(KEYS, HOT))
    # No more than one call for each connection: none is repeated.
    assert wired.calls - before <= connect(Push.model_validate(wired.settings), delivery.root).batches_at_once
    assert delivery.states()[0] == "stopped"


def test_a_system_that_is_down_ends_the_push_and_leaves_the_rest_waiting(
    wired: Crm, delivery: Delivery, calls_of_a_push: int
) -> None:
    assert calls_of_a_push > 0
    wired.faults.share, wired.faults.kinds = 1.0, ("500",)
    pushed = delivery.push(of_keys(KEYS, HOT), attempts=2)
    assert ways(pushed) == {"deferred": 3}
    wired.faults.share = 0.0
    assert ways(delivery.push(of_keys(KEYS, HOT))) == {"written": 3}


def push_killed(crm: Crm, delivery: Delivery, leads: dict[str, Lead], call: int, when: str) -> None:
    """Push in a process that is killed at a call: before it is done, after, or when it is answered."""
    with delivery.start(leads) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "ready\n"
        crm.faults.kill = {crm.calls + call: (when, process.pid)}
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.read() == "", f"call {call} was not made, or the process outlived it"
        assert process.wait() == -9
    crm.faults.kill = {}


def test_wherever_it_is_killed_the_next_push_ends_right(wired: Crm, delivery: Delivery, calls_of_a_push: int) -> None:
    wired.faults.kill = {}
    # Of earlier calls it is enough that they were answered: what follows is the same wherever they were cut.
    places = [(number, "answered") for number in range(1, calls_of_a_push)]
    places += [(calls_of_a_push, when) for when in ("before", "after", "answered")]
    for place, (number, when) in enumerate(places):
        lead = Lead("SQL", round(0.2 + place / 50, 4))
        push_killed(wired, delivery, of_keys(KEYS, lead), number, when)
        # What was written without our knowing is ours, and no edit by a person.
        pushed = delivery.push(of_keys(KEYS, Lead("SQL", round(0.21 + place / 50, 4))))
        assert pushed.tally.edited == 0
        assert all(holds(wired, key, Lead("SQL", round(0.21 + place / 50, 4))) for key in KEYS)
        assert delivery.states()[:2] == ["done", "killed"]


def test_a_push_without_calls_that_is_killed_again_and_again_ends_right(crm: Crm, delivery: Delivery) -> None:
    if crm.has_calls:
        pytest.skip("is killed at each of its calls, above")
    keys = [f"L{number}" for number in range(1_500)]
    for key in keys:
        crm.add(key)
    leads = {key: Lead("SQL", round(0.2 + number / 10_000, 4)) for number, key in enumerate(keys)}
    killed, calls = 0, 1_000
    while True:
        with delivery.start(leads) as process:
            said, _ = process.communicate(f"{calls}\n")
        if said.endswith("done\n"):
            break
        assert process.returncode == -signal.SIGKILL
        killed, calls = killed + 1, 3 * calls  # later each time: at the beginning, amid all, near the end
    assert killed > 3
    assert ways(delivery.push(leads)) == {"unchanged": 1_500}
    assert all(holds(crm, key, leads[key]) for key in keys)
    with Ledger(delivery.root / LEDGER) as ledger:
        assert {run.counts.get("edited", 0) for run in ledger.runs()} == {0}
    assert len(crm.keys()) == 1_500


def test_undo_of_a_run_that_was_killed_puts_back_what_it_may_have_written(
    wired: Crm, delivery: Delivery, calls_of_a_push: int
) -> None:
    push_killed(wired, delivery, of_keys(KEYS, HOT), calls_of_a_push, "after")
    with Ledger(delivery.root / LEDGER) as ledger:
        run = ledger.runs()[0].id
    delivery.undo(run)
    assert all(holds(wired, key, COLD) for key in KEYS)


def secret_of(value: str) -> str:
    """Give what is secret of a variable's value: all of it, or the password of a URL."""
    return urlsplit(value).password or value


def test_a_write_whose_answer_never_came_is_no_edit_however_often_the_next_push_fails(
    wired: Crm, delivery: Delivery, calls_of_a_push: int
) -> None:
    push_killed(wired, delivery, of_keys(KEYS, HOT), calls_of_a_push, "after")
    wired.faults.share, wired.faults.kinds = 1.0, ("500",)
    assert ways(delivery.push(of_keys(KEYS, WARM), attempts=1)) == {"deferred": 3}
    wired.faults.share = 0.0
    # The CRM holds what the killed push has written, which two pushes ago nobody came to confirm.
    pushed = delivery.push(of_keys(KEYS, COLD))
    assert (pushed.tally.edited, all(holds(wired, key, COLD) for key in KEYS)) == (0, True)


def test_what_stood_there_before_our_first_write_is_no_edit_though_that_write_failed(
    wired: Crm, delivery: Delivery
) -> None:
    wired.add("L1")
    wired.edit("L1", "tier", "from the old tool")
    wired.faults.share, wired.faults.kinds = 1.0, ("500",)
    assert ways(delivery.push({"L1": HOT}, attempts=1)) == {"deferred": 1}
    wired.faults.share = 0.0
    assert ways(delivery.push({"L1": WARM})) == {"written": 1}
    assert holds(wired, "L1", WARM)


def test_a_lead_that_appears_later_is_written_whatever_it_holds(crm: Crm, delivery: Delivery) -> None:
    assert ways(delivery.push({"L1": HOT})) == {"skipped": 1}
    crm.add("L1")
    crm.edit("L1", "tier", "from the old tool")
    assert ways(delivery.push({"L1": WARM}, look_again_after="0h")) == {"written": 1}
    assert holds(crm, "L1", WARM)


def test_secrets_are_in_no_message_ledger_or_rehearsal(
    crm: Crm, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not crm.environment:
        pytest.skip("needs no secret")
    crm.add("L1")
    delivery.push({"L1": HOT})
    told = [*delivery.said, str(delivery.rehearse({"L1": WARM}))]
    secrets = {secret_of(value) for value in crm.environment.values()}
    wrong = {name: value.replace(secret_of(value), "wr0ng-Sesame") for name, value in crm.environment.items()}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    for attempt in (lambda: delivery.push({"L1": COLD}), lambda: delivery.check()):  # noqa: PLW0108 - alike
        try:
            told += map(str, [attempt()])
        except LeadcastError as error:
            told.append(str(error))
    output = capfd.readouterr()
    ledger = b"".join(path.read_bytes() for path in (delivery.root / LEDGER).parent.glob("ledger*"))
    everything = json.dumps([*told, output.out, output.err]) + ledger.decode("latin-1")
    assert not [secret for secret in (*secrets, "wr0ng-Sesame") if secret in everything]


def test_a_secret_that_is_not_set_is_asked_for_by_name(
    crm: Crm, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not crm.environment:
        pytest.skip("needs no secret")
    for name in crm.environment:
        monkeypatch.delenv(name)
    with pytest.raises(LeadcastError, match=next(iter(crm.environment))):
        delivery.push({"L1": HOT})


@pytest.mark.parametrize("crm", ["odoo json2", "hubspot", "salesforce", "dynamics"], indirect=True)
def test_a_secret_that_no_header_can_hold_is_told_by_its_name(
    crm: Crm, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in crm.environment:
        monkeypatch.setenv(name, "Schlüssel")
    with pytest.raises(SettingsError, match="holds letters that no header can; correct the key") as caught:
        delivery.push({"L1": HOT})
    assert next(iter(crm.environment)) in str(caught.value)
    assert "Schl" not in str(caught.value)


def test_the_rehearsal_writes_nothing_and_tells_what_a_push_would_do(crm: Crm, delivery: Delivery) -> None:
    for key in ("L1", "L2", "L3"):
        crm.add(key)
    crm.add("L4", closed=True)
    delivery.push({"L1": WARM, "L2": WARM})
    before = {key: crm.lead(key) for key in sorted(crm.keys())}
    leads = {"L1": HOT, "L2": WARM, "L3": WARM, "L4": HOT, "nobody": HOT}
    found = delivery.rehearse(leads)
    assert {key: crm.lead(key) for key in sorted(crm.keys())} == before
    assert found.leads == {"to write": 2, "unchanged": 1, CLOSED: 1, UNKNOWN: 1}
    tier = Push.model_validate(crm.settings).mapping["tier"]
    assert found.movements[tier, "MQL", "SQL"] == 1
    assert found.movements[tier, "(empty)", "MQL"] == 1
    assert ("L1", tier, "MQL", "SQL") in found.rows
    calls = crm.calls
    pushed = delivery.push(leads)
    assert ways(pushed) == {"written": 2, "unchanged": 1, "skipped": 2}
    if crm.has_calls:
        assert pushed.calls == crm.calls - calls
        assert found.calls >= pushed.calls


def test_a_sink_that_is_ready_has_no_problems_and_setup_changes_nothing(crm: Crm, delivery: Delivery) -> None:
    crm.add("L1")
    before = crm.lead("L1")
    assert delivery.check() == []
    sink = connect(Push.model_validate(crm.settings), delivery.root)
    try:
        sink.setup()
    except DeliveryError as error:
        assert "by hand" in str(error)
    assert delivery.check() == []
    assert crm.lead("L1") == before
