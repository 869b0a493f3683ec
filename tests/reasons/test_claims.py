"""The figures behind a reason: counted by leads, each once, as plain SQL counts them."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.core.slices import Slice
from models.decision.claims import Claim, Claims
from models.learning.claims import claims_of

NAN = float("nan")


def slice_of(frame: pd.DataFrame, labels: list[int], leads: str) -> Slice:
    return Slice(frame, np.array(labels, dtype=np.float64), np.array(list(leads)))


def test_each_lead_counts_once_with_the_share_of_its_looks() -> None:
    # A is looked at three times, and converts after the last of them; B once, and does; C twice, and doesn't.
    days = pd.DataFrame({"since": [0.5, 3.0, 8.0, 0.2, NAN, 40.0]})
    found = claims_of(slice_of(days, [0, 0, 1, 1, 0, 0], "AAABCC"), {"since": True}, {})
    assert (found["leads"], found["share"]) == (3, pytest.approx((1 / 3 + 1 + 0) / 3))
    told = {(one["kind"], one.get("days")): (one["leads"], one["share"]) for one in found["columns"]["since"]}
    assert told == {
        ("within", 1): (2, 0.5),  # A's first look and B's
        ("silent", 1): (2, 0.25),  # of A two looks, one of which converts; one of C
        ("within", 7): (2, 0.5),
        ("silent", 7): (2, 0.5),
        ("within", 30): (2, pytest.approx((1 / 3 + 1) / 2)),
        ("silent", 30): (1, 0.0),
        ("within", 90): (3, pytest.approx((1 / 3 + 1 + 0) / 3)),
        ("missing", None): (1, 0.0),
    }


def test_a_number_is_parted_and_a_level_stands_by_itself() -> None:
    frame = pd.DataFrame({"size": [1.0, 1.0, 1.0, 2.0, 9.0], "source": ["web", "fax", None, "web", "rare"]})
    found = claims_of(slice_of(frame, [0, 0, 1, 1, 0], "ABCDE"), {"size": False, "source": False}, {"source": ["web"]})
    assert found["columns"]["size"] == [
        {"kind": "part", "from": 1.0, "below": 2.0, "leads": 3, "share": pytest.approx(1 / 3)},
        {"kind": "part", "from": 2.0, "below": None, "leads": 2, "share": 0.5},
    ]
    assert found["columns"]["source"] == [
        {"kind": "level", "level": "web", "leads": 2, "share": 0.5},
        {"kind": "missing", "leads": 1, "share": 1.0},
    ]


def test_a_column_that_is_never_known_has_one_claim() -> None:
    rows = slice_of(pd.DataFrame({"age": [NAN, NAN]}), [0, 1], "AB")
    assert claims_of(rows, {"age": False}, {})["columns"]["age"] == [{"kind": "missing", "leads": 2, "share": 0.5}]


def sql_of(claim: dict[str, Any]) -> str:
    match claim["kind"]:
        case "within":
            return f"value < {claim['days']}"
        case "silent":
            return f"value >= {claim['days']}"
        case "part":
            return f"value >= {claim['from']!r}" + (
                "" if claim["below"] is None else f" AND value < {claim['below']!r}"
            )
        case _:
            return "value IS NULL"


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ABCDEFG"),
            st.booleans(),
            st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0, 6.9, 7.0, 29.0, 30.0, 90.0, 400.0])),
        ),
        min_size=1,
        max_size=30,
    ),
    st.booleans(),
)
def test_every_claim_is_what_plain_sql_counts(rows: list[tuple[str, bool, float | None]], is_days: bool) -> None:
    table = pd.DataFrame(rows, columns=["lead", "label", "value"]).astype({"value": "float64", "label": "float64"})
    given_rows = Slice(table[["value"]], table["label"].to_numpy(), table["lead"].to_numpy())
    found = claims_of(given_rows, {"value": is_days}, {})["columns"]["value"]
    assert found
    with duckdb.connect() as connection:
        connection.register("rows_of_leads", table.astype({"value": object}).where(table.notna(), None))
        for claim in found:
            query = f"SELECT lead, avg(label) AS share FROM rows_of_leads WHERE {sql_of(claim)} GROUP BY lead"
            counted = connection.execute(f"SELECT count(*), avg(share) FROM ({query})").fetchone()
            assert counted == (claim["leads"], pytest.approx(claim["share"]))


ACT = Claims(
    [
        Claim("within", 40, 0.30, days=1),
        Claim("within", 400, 0.20, days=7),
        Claim("within", 500, 0.11, days=30),
        Claim("silent", 300, 0.09, days=7),
        Claim("silent", 200, 0.02, days=30),
        Claim("missing", 900, 0.05),
    ],
    0.10,
)


def found_in(claims: Claims, value: float, *, is_up: bool) -> Claim | None:
    (place,) = claims.find(np.array([value]), is_up=is_up).tolist()
    return None if place < 0 else claims.claims[place]


def test_the_narrowest_claim_that_bears_it_out_is_told() -> None:
    assert found_in(ACT, 0.5, is_up=True) == ACT.claims[0]
    assert found_in(ACT, 3.0, is_up=True) == ACT.claims[1]
    assert found_in(ACT, 20.0, is_up=True) is None  # 11 % of 500 is no more than chance
    assert found_in(ACT, 45.0, is_up=True) is None  # older than what an act is told within
    assert found_in(ACT, 45.0, is_up=False) == ACT.claims[4]
    assert found_in(ACT, 20.0, is_up=False) is None  # 9 % of 300
    assert found_in(ACT, NAN, is_up=False) == ACT.claims[5]
    assert found_in(ACT, NAN, is_up=True) is None


def test_fewer_than_thirty_leads_bear_nothing_out() -> None:
    few = Claims([Claim("within", 29, 0.9, days=1), Claim("within", 30, 0.9, days=7)], 0.1)
    assert found_in(few, 0.5, is_up=True) == few.claims[1]


def test_a_difference_that_nobody_cares_for_is_no_reason() -> None:
    many = Claims([Claim("missing", 1_000_000, 0.118), Claim("level", 1_000_000, 0.121, level="web")], 0.1)
    assert found_in(many, NAN, is_up=True) is None
    assert many.find(np.array(["web"], dtype=object), is_up=True).tolist() == [1]


def test_what_a_lead_never_did_must_tell_more_than_what_it_did() -> None:
    never = Claims([Claim("missing", 11_000, 0.024)], 0.031, is_of_act=True)
    assert found_in(never, NAN, is_up=False) is None  # a fifth less: what is rare, nearly every lead lacks
    telling = Claims([Claim("missing", 11_000, 0.023)], 0.031, is_of_act=True)
    assert found_in(telling, NAN, is_up=False) == telling.claims[0]
    by_chance = Claims([Claim("missing", 30, 0.020)], 0.031, is_of_act=True)
    assert found_in(by_chance, NAN, is_up=False) is None
    unknown = Claims(never.claims, 0.031)  # an attribute that is missing is no act that never was
    assert found_in(unknown, NAN, is_up=False) == never.claims[0]


def test_the_absence_of_an_act_can_be_left_out() -> None:
    left = ACT.without_absence()
    assert left.claims == ACT.claims[:3]
    assert found_in(left, NAN, is_up=False) is None
    assert found_in(left, 45.0, is_up=False) is None
    assert found_in(left, 3.0, is_up=True) == ACT.claims[1]


def test_of_an_act_and_a_silence_that_both_speak_against_the_worse_is_told() -> None:
    left = Claims([Claim("within", 500, 0.03, days=30), Claim("silent", 500, 0.01, days=7)], 0.1)
    assert found_in(left, 10.0, is_up=False) == left.claims[1]
    assert found_in(left, 2.0, is_up=False) == left.claims[0]
