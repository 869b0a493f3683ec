"""What Salesforce must have ready: rights, a token, and fields, which setup makes and somebody has to grant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_cases import reachable, sink_of
from crm_salesforce import OURS, SalesforceCrm

from features.core.errors import DeliveryError, SettingsError, nearest

TIER = {"tier": "Leadcast_Tier__c"}


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[SalesforceCrm]:
    with reachable(SalesforceCrm(), monkeypatch) as made:
        yield made


def test_setup_makes_the_fields_and_says_who_must_grant_them(crm: SalesforceCrm, tmp_path: Path) -> None:
    for name in OURS:
        del crm.types[name]
    sink = sink_of(crm, tmp_path)
    assert len(sink.check()) == 6
    made = sink.setup()
    assert len(made) == 6
    assert made[0].startswith("field Leadcast_Tier__c of Lead; give the pushing user, and who shall see it, access")
    assert {name: crm.types[name] for name in OURS} == OURS
    assert sink.check() == []
    assert sink.setup() == []


def test_setup_that_is_not_allowed_says_how_to_do_it_by_hand(crm: SalesforceCrm, tmp_path: Path) -> None:
    del crm.types["Leadcast_Tier__c"]
    crm.may_make_fields = False
    with pytest.raises(DeliveryError, match="make it by hand in the Object Manager"):
        sink_of(crm, tmp_path).setup()


def test_the_check_tells_each_problem(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.readonly.add("Leadcast_Tier__c")
    problems = sink_of(crm, tmp_path, TIER | {"date": "Leadcast_Action__c"}, key_field="Lead_Nmuber__c").check()
    assert problems == [
        "Lead has no field Lead_Nmuber__c; did you mean 'Lead_Number__c'? (push.sink.key_field)",
        "the user may not write the field Leadcast_Tier__c; grant it by field-level security, in a permission set",
        "the field Leadcast_Action__c is of type string; date needs date",
    ]


def test_fields_that_are_there_but_unseen_are_not_made_again(crm: SalesforceCrm, tmp_path: Path) -> None:
    """A field made over the interface is seen by nobody until that is granted, so describe doesn't show it."""
    del crm.types["Leadcast_Tier__c"]
    crm.grants = False
    sink = sink_of(crm, tmp_path, TIER)
    assert len(sink.setup()) == 1
    assert sink.check() == [
        "Lead has no field Leadcast_Tier__c, or the user may not see it; leadcast crm setup makes it"
    ]
    (told,) = sink.setup()
    assert told.startswith("field Leadcast_Tier__c of Lead was there already, unseen; give the pushing user")


def test_the_check_sees_what_would_go_wrong_at_night(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.may_edit, crm.remaining = False, 120
    crm.scales["Leadcast_Probability__c"] = 2
    fields = {"probability": "Leadcast_Probability__c", "tier": "Teir"}
    assert sink_of(crm, tmp_path, fields, key_field="LastName", closed={"IsConvertd": [True]}).check() == [
        "the user may not edit leads; give it Read and Edit on the object Lead, in a permission set",
        "the field LastName is no external id; make it a text with External ID and Unique (push.sink.key_field)",
        "Lead has no field IsConvertd; did you mean 'IsConverted'? (push.sink.closed)",
        "the field Leadcast_Probability__c keeps 2 decimals; probability needs 4",
        f"Lead has no field Teir; {nearest('Teir', crm.types)} (push.fields)",
        "120 of the organisation's 100,000 calls of the day are left; push tomorrow",
    ]


def test_who_may_not_see_the_limits_may_push_all_the_same(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.may_see_limits = False
    assert sink_of(crm, tmp_path).check() == []


def test_a_token_that_has_ended_is_told(crm: SalesforceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFORCE_TOKEN", "an-old-token")
    (problem,) = sink_of(crm, tmp_path).check()
    assert problem == (
        "Salesforce refuses the token (INVALID_SESSION_ID: Session expired or invalid); put a new one into its variable"
    )


def test_a_token_does_not_travel_in_the_clear(crm: SalesforceCrm, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must begin with https://"):
        sink_of(crm, tmp_path, url="http://example.my.salesforce.com")


def test_the_token_is_not_replaced_by_a_password_of_netrc(
    crm: SalesforceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert sink_of(crm, tmp_path).check() == []


def test_the_lengths_of_texts_are_told_and_one_that_is_too_short_for_a_tier(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.lengths = {"Leadcast_Tier__c": 3, "Leadcast_Reason_1__c": 40, "Company": 5}
    sink = sink_of(crm, tmp_path)
    (problem,) = sink.check()
    assert problem.startswith("the field Leadcast_Tier__c takes 3 letters, and tier needs 12; make it longer, or map")
    calls = crm.calls
    assert sink.sizes() == {
        "Leadcast_Tier__c": 3, "Leadcast_Reason_1__c": 40, "Leadcast_Reason_2__c": 255, "Leadcast_Action__c": 255,
    }  # fmt: skip
    assert crm.calls == calls, "the check has seen them"
    assert sink_of(crm, tmp_path, TIER).sizes() == {"Leadcast_Tier__c": 3}


def test_a_status_that_no_lead_has_closes_nobody_and_is_told(crm: SalesforceCrm, tmp_path: Path) -> None:
    closed = {"IsConverted": [True], "Status": ["Closed - Not Converted", "Closed - Not converted"]}
    assert sink_of(crm, tmp_path, closed=closed).check() == [
        "the field Status is never 'Closed - Not converted'; did you mean 'Closed - Not Converted'? (push.sink.closed)"
    ]
