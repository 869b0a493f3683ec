"""``leadcast push`` and ``leadcast crm`` on a CRM that answers: what administrators do with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import call, call_for_its_output
from crm_odoo import ADMINISTRATOR, OURS, OdooCrm
from pushing import OLD, recommendations


@pytest.fixture
def crm(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OdooCrm]:
    """Have the project push to an Odoo that has all its leads."""
    with OdooCrm() as server:
        for row in recommendations(project):
            server.add(row["lead_id"])
        content = yaml.safe_load((project / "params.yaml").read_text())
        content["push"] = server.settings | {"maximum_age": "5000d"}
        content["push"]["sink"]["timeout_seconds"] = 10
        (project / "params.yaml").write_text(yaml.safe_dump(content))
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def tiers(crm: OdooCrm) -> dict[str, str]:
    return {row["x_lead_number"]: row.get("x_leadcast_tier", "") for row in crm.rows.values()}


def wanted(project: Path) -> dict[str, str]:
    return {row["lead_id"]: row["tier"] for row in recommendations(project)}


def first_lead(project: Path) -> str:
    lead: str = recommendations(project)[0]["lead_id"]
    return lead


def test_a_field_that_is_deleted_and_made_again_is_filled_in_all_leads(project: Path, crm: OdooCrm) -> None:
    assert call("push", *OLD)[0] == 0
    assert tiers(crm) == wanted(project)
    del crm.types["x_leadcast_tier"]
    for row in crm.rows.values():
        del row["x_leadcast_tier"]
    assert call("crm", "check")[0] == 9
    assert "field x_leadcast_tier of crm.lead" in call("crm", "setup")[1]
    code, text = call("push", *OLD)
    assert (code, "a person has changed" in text) == (0, False), text
    assert tiers(crm) == wanted(project)


def test_an_administrator_sets_up_with_a_key_of_his_own(
    project: Path, crm: OdooCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.types = {name: kind for name, kind in crm.types.items() if name not in OURS}
    crm.is_administrator = False
    code, text = call("crm", "setup")
    assert (code, "not allowed to create" in text) == (9, True), text
    monkeypatch.setenv("ODOO_ADMIN_KEY", ADMINISTRATOR[1])
    code, text = call("crm", "setup", "--user-env", "ODOO_ADMIN_KEY", "--user", ADMINISTRATOR[0])
    assert (code, ADMINISTRATOR[1] in text) == (0, False), text
    assert set(OURS) <= set(crm.types)
    assert "admin" not in (project / "params.yaml").read_text(), "the settings are as they were"
    code, text = call("crm", "setup", "--user-env", "the-key-itself", "--user", "x")
    assert (code, "the-key-itself" in text) == (2, False)


def test_the_check_says_how_many_leads_it_sees_and_which_rule_hides_the_others(project: Path, crm: OdooCrm) -> None:
    leads = len(recommendations(project))
    code, text = call("crm", "check")
    assert (code, f"it shows {min(leads, 1_000):,} of the {min(leads, 1_000):,} best leads" in text) == (0, True), text
    crm.own_documents_only = True
    code, text = call("crm", "check")
    assert code == 9
    assert "it shows 0 of the" in text
    assert "Personal Leads" in text
    assert "All Documents" in text
    crm.own_documents_only = False
    for row in crm.rows.values():
        row["x_lead_number"] = f"other {row['id']}"
    code, text = call("crm", "check")
    assert (code, "is push.sink.key_field right" in text) == (9, True), text


def test_what_a_person_changed_is_told_of_the_lead_and_given_back_to_us(project: Path, crm: OdooCrm) -> None:
    assert call("push", *OLD)[0] == 0
    lead = first_lead(project)
    crm.edit(lead, "tier", "hands off")
    for arguments in (["--resync", "--yes"], []):
        assert call("push", *OLD, "--lead", lead, *arguments)[0] == 0
        assert tiers(crm)[lead] == "hands off"
    code, text = call("crm", "status", "--lead", lead)
    assert (code, "changed by a person" in text, f"x_leadcast_tier {wanted(project)[lead]}" in text) == (0, True, True)
    assert call("crm", "release", "--lead", "nobody")[0] == 4
    assert call("crm", "release", "--lead", lead, "--field", "teir")[0] == 4
    code, text = call("crm", "release", "--lead", lead, "--field", "tier")
    assert (code, "x_leadcast_tier of the lead are ours again" in text) == (0, True), text
    assert call("push", *OLD)[0] == 0
    assert tiers(crm) == wanted(project)
    assert call("crm", "status", "--lead", "nobody")[0] == 4
    assert call("crm", "status", "--lead", lead, "--retry")[0] == 2
    for option in (("--dry-run",), OLD):
        code, text = call("push", "--lead", "nobody", *option)
        assert (code, "no lead 'nobody' among the scores" in text) == (4, True), text


def test_a_restored_crm_is_right_after_one_push_with_resync_which_rehearses_first(project: Path, crm: OdooCrm) -> None:
    assert call("push", *OLD)[0] == 0
    for row in crm.rows.values():  # a backup of before the first push
        for name in OURS:
            row.pop(name, None)
    assert call("push", *OLD)[0] == 0
    assert set(tiers(crm).values()) == {""}, "nobody looked: the ledger says that all is there"
    code, text = call("push", *OLD, "--resync")
    assert (code, "nothing is written yet" in text, f"to write {len(crm.rows):,}" in text) == (2, True, True), text
    assert set(tiers(crm).values()) == {""}
    assert call("push", *OLD, "--resync", "--yes")[0] == 0
    assert tiers(crm) == wanted(project)


def test_results_are_printed_for_programs_too(project: Path, crm: OdooCrm) -> None:
    lead = first_lead(project)
    found: dict[str, Any] = json.loads(call_for_its_output("push", "--dry-run", "--json"))
    assert found["leads"] == {"to write": len(crm.rows)}
    assert {row["lead"] for row in found["rows"]} == set(wanted(project))
    rows = list(csv.DictReader(io.StringIO(call_for_its_output("push", "--dry-run", "--csv", "--lead", lead))))
    assert [row["lead"] for row in rows] == [lead] * len(OURS)
    assert {row["field"]: row["to"] for row in rows}["x_leadcast_tier"] == wanted(project)[lead]
    assert "to write" in call_for_its_output("push", "--dry-run"), "the table goes to standard output, too"
    crm.refuse(lead)
    call("push", *OLD)
    (refused,) = csv.DictReader(io.StringIO(call_for_its_output("crm", "status", "--csv")))
    assert (refused["lead"], refused["what"]) == (lead, "rejected")
    state = json.loads(call_for_its_output("crm", "status", "--json"))
    assert [run["state"] for run in state["runs"]] == ["done"]
    assert [one["key"] for one in state["leads"]] == [lead]
    of_lead = json.loads(call_for_its_output("crm", "status", "--json", "--lead", lead))
    assert of_lead["fields"]["x_leadcast_tier"] == {"held": None, "target": wanted(project)[lead]}
    assert "rejected" in call_for_its_output("crm", "status", "--lead", lead)
    assert call("crm", "status", "--json", "--csv")[0] == 2
    assert call("push", "--json")[0] == 2
