"""What ingest marks in the sample's mail log is what machines did there, and people keep what they did."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.machines_truth import ACTS, count, read_acts


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return pd.concat([read_acts(tmp_path_factory.mktemp(f"seed-{seed}"), 2_000, seed) for seed in (1, 2)])


@pytest.mark.parametrize("kind", ACTS)
def test_marks_are_right_for_machines_and_for_people(acts: pd.DataFrame, kind: str) -> None:
    shares = count(acts)[kind]
    assert min(shares.values()) >= 0.95, shares


def test_shares_are_those_that_are_counted_by_hand() -> None:
    rows = [(True, True)] * 3 + [(False, True)] + [(True, False)] * 2 + [(False, False)] * 6
    acts = pd.DataFrame(rows, columns=["marked", "is_machine"])
    every = pd.concat([acts.assign(event_type=kind) for kind in ("x_open", "x_click", "unsubscribe")])
    assert count(every) == {kind: {"recall": 3 / 4, "precision": 3 / 5, "left": 6 / 8} for kind in ACTS}


def test_the_world_holds_machines_of_each_kind(acts: pd.DataFrame) -> None:
    kinds = acts.loc[acts["is_machine"], "event_type"].value_counts()
    assert set(kinds.index) == {"newsletter_open", "newsletter_click", "email_open", "email_click", "unsubscribe"}


def test_no_sending_is_marked(acts: pd.DataFrame) -> None:
    assert not acts.loc[acts["event_type"].str.endswith("_sent"), "marked"].any()
