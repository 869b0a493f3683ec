"""Runs of the sample: the same bytes again, blocks, a truth that changes nothing else, and folders left in order."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sample_files import LOGS, RAW_FILES, TRUTHS, fingerprints
from sample_reading import unzipped

from features.core.errors import InputError, SettingsError
from pipeline.sample import files, write_sample

OF_THE_COMPANY = {"owners.csv", "rates.csv"}
"""What goes by no draw: sellers, and exchange rates."""


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        write_sample(tmp_path / name, leads=60, seed=seed, truth=True)
    first, second, other = (fingerprints(tmp_path / name) for name in ("first", "second", "other"))
    assert first == second
    assert set(first) == {*RAW_FILES, *TRUTHS}
    assert {name for name in first if first[name] == other[name]} == OF_THE_COMPANY


def test_a_truth_is_written_where_it_is_asked_for_and_changes_nothing_else(tmp_path: Path) -> None:
    write_sample(tmp_path / "plain", leads=300)
    write_sample(tmp_path / "told", leads=300, truth=True)
    plain, told = fingerprints(tmp_path / "plain"), fingerprints(tmp_path / "told")
    assert set(plain) == set(RAW_FILES)
    assert set(told) - set(plain) == set(TRUTHS)
    assert plain.items() <= told.items()


def test_more_blocks_change_nothing_in_the_former_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 50)
    done: list[tuple[int, int]] = []
    write_sample(tmp_path / "small", leads=100, truth=True)
    write_sample(tmp_path / "large", leads=130, truth=True, progress=lambda leads, total: done.append((leads, total)))
    assert done == [(50, 130), (100, 130), (130, 130)]
    for name in ("web.parquet", *TRUTHS):
        small, large = (pq.read_table(tmp_path / size / name) for size in ("small", "large"))
        assert small.num_rows < large.num_rows
        assert large.slice(0, small.num_rows).equals(small)
    for name in ("email.csv.gz", "crm.jsonl", "leads.csv", "outcomes.csv", "identities.csv", "consents.csv"):
        read = unzipped if name.endswith(".gz") else Path.read_text
        small_text, large_text = (read(tmp_path / size / name) for size in ("small", "large"))
        assert len(small_text) < len(large_text)
        assert large_text.startswith(small_text)


def test_no_id_is_given_twice_in_a_world_of_several_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 50)
    write_sample(tmp_path / "raw", leads=130)
    rows = {tuple(row.values()) for row in pq.read_table(tmp_path / "raw" / LOGS["web"]).to_pylist()}
    assert len({row[0] for row in rows}) == len(rows)
    lines = set(unzipped(tmp_path / "raw" / LOGS["email"]).splitlines())
    assert len({line.partition(";")[0] for line in lines}) == len(lines)
    records = [line for line in (tmp_path / "raw" / LOGS["crm"]).read_text().splitlines() if line.endswith("}")]
    assert len({line.split('"')[3] for line in records}) == len(records)
    leads = (tmp_path / "raw" / "leads.csv").read_text().splitlines()
    assert len({line.partition(",")[0] for line in leads}) == len(leads)


def test_a_world_of_one_lead_can_be_written(tmp_path: Path) -> None:
    counts = write_sample(tmp_path / "raw", leads=1, seed=0, truth=True)
    assert counts.leads == 1
    assert counts.rows["leads.csv"] >= 1


def test_a_run_that_ends_early_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "raw", leads=10, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mine.csv").write_text("precious")
    with pytest.raises(InputError, match=r"raw already exists and isn't empty: remove it, or name another folder"):
        write_sample(tmp_path / "raw", leads=10)
    assert (tmp_path / "raw" / "mine.csv").read_text() == "precious"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    write_sample(tmp_path / "raw", leads=10)
    assert {path.name for path in (tmp_path / "raw").iterdir()} == set(RAW_FILES)


@pytest.mark.parametrize(("leads", "seed"), [(0, 7), (10, -1)])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, leads: int, seed: int) -> None:
    with pytest.raises(SettingsError, match="at least 1 lead and a seed from 0 on"):
        write_sample(tmp_path / "raw", leads=leads, seed=seed)
