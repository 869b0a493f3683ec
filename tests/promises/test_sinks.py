"""What every sink promises of what it writes, tested against every CRM."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from crm_cases import COLD, HOT, WARM, Crm, holds, is_empty, natives, ours
from crm_files import FilesCrm
from pushing import Delivery, Lead, of_keys, ways

from features.core.errors import DeliveryError, LeadcastError, SettingsError
from pipeline.delivery.decisions import CLOSED, UNKNOWN
from pipeline.delivery.ledger import LEDGER, MOST_ATTEMPTS, Ledger
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect


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


def secret_of(value: str) -> str:
    """Give what is secret of a variable's value: all of it, or the password of a URL."""
    return urlsplit(value).password or value


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
