"""What every sink promises when something goes wrong on the way."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest
from crm_cases import COLD, HOT, KEYS, WARM, Crm, holds
from crm_files import FilesCrm
from crm_servers import IMPATIENT
from pushing import Delivery, Lead, of_keys, ways

from features.core.errors import DeliveryError
from pipeline.delivery.ledger import LEDGER, Ledger
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect


@pytest.fixture
def impatient(crm: Crm, delivery: Delivery) -> Delivery:
    settings = crm.settings
    settings["sink"]["timeout_seconds"] = IMPATIENT
    return replace(delivery, settings=settings)


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
    wired: Crm, impatient: Delivery, calls_of_a_push: int, fault: str
) -> None:
    for number in range(1, calls_of_a_push + 1):
        lead = Lead("SQL", round(0.2 + number / 20, 4))
        start = wired.calls
        wired.faults.planned = {start + number: fault}
        assert ways(impatient.push(of_keys(KEYS, lead))) == {"written": 3}
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
    begun = delivery.start(leads)
    crm.faults.kill = {crm.calls + call: (when, begun.number)}
    assert begun.end() == -signal.SIGKILL, f"call {call} was not made, or the process outlived it"
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
    while (code := delivery.start(leads).end(calls)) != 0:
        assert code == -signal.SIGKILL
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


def test_a_system_that_is_slower_than_the_timeout_gets_smaller_batches_and_all_is_written(
    wired: Crm, impatient: Delivery
) -> None:
    keys = [f"L{number}" for number in range(40)]
    for key in keys:
        wired.add(key)
    impatient.push(of_keys(keys, COLD))
    before = wired.calls
    server: Any = getattr(wired, "server", wired)
    server.seconds_a_lead = 0.06  # 40 leads in one call take 2.4 seconds, and the limit is one
    pushed = impatient.push(of_keys(keys, HOT))
    assert (ways(pushed), pushed.tally.edited) == ({"written": 40}, 0)
    assert all(holds(wired, key, HOT) for key in keys)
    assert wired.calls - before <= 2 * len(keys) + 8  # a call for each lead, and one to look at it, at the worst


def test_what_was_written_though_no_answer_came_is_not_sent_again(
    wired: Crm, impatient: Delivery, calls_of_a_push: int
) -> None:
    wired.faults.planned = {wired.calls + calls_of_a_push: "no answer in time"}
    before = wired.calls
    assert ways(impatient.push(of_keys(KEYS, HOT))) == {"written": 3}
    assert all(holds(wired, key, HOT) for key in KEYS)
    # The last call was done: to look is enough, and for each lead that needs a call of its own, too.
    assert wired.calls - before <= calls_of_a_push + len(KEYS)


def test_an_outage_is_waited_out_as_long_as_the_settings_say(
    wired: Crm, delivery: Delivery, calls_of_a_push: int
) -> None:
    start = wired.calls
    wired.faults.planned = {start + number: "500" for number in range(1, 7)}
    pushed = delivery.push(of_keys(KEYS, HOT), attempts=2, longest_wait_seconds=0.05, longest_outage_seconds=60)
    assert ways(pushed) == {"written": 3}
    assert wired.calls - start >= calls_of_a_push + 6


def test_an_outage_that_is_longer_ends_the_push_with_what_is_left_to_do(wired: Crm, delivery: Delivery) -> None:
    keys = [f"L{number}" for number in range(12)]
    for key in keys:
        wired.add(key)
    delivery.settings = wired.settings | {"sink": wired.settings["sink"] | {"batch_size": 1}}
    delivery.push(of_keys(keys, COLD))
    wired.faults.share, wired.faults.kinds = 1.0, ("503",)
    with pytest.raises(DeliveryError, match="push again when the system answers, nothing is lost; 12 leads are left"):
        delivery.push(of_keys(keys, HOT), attempts=1)
    with Ledger(delivery.root / LEDGER) as ledger:
        run = ledger.runs()[0]
    assert (run.state, run.leads, run.counts) == ("stopped", 12, {"deferred": 12})
    assert delivery.known("deferred") == {}, "no lead is told of for what concerns the system"
    wired.faults.share = 0.0
    assert ways(delivery.push(of_keys(keys, HOT))) == {"written": 12}


def test_a_rule_that_refuses_one_lead_in_twenty_leaves_all_others(crm: Crm, delivery: Delivery) -> None:
    if isinstance(crm, FilesCrm):
        pytest.skip("a file refuses nobody; its import does, later")
    keys = [f"L{number}" for number in range(60)]
    refused = {"L0", "L19", "L20", "L59"}
    for key in keys:
        crm.add(key)
    for key in refused:
        crm.refuse(key)
    assert ways(delivery.push(of_keys(keys, HOT))) == {"written": 56, "rejected": 4}
    assert set(delivery.known("rejected")) == refused
    assert all(holds(crm, key, HOT) != (key in refused) for key in keys)
