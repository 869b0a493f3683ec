"""Settings that are wrong, and an environment that is, through the command line: all that is wrong is told at once."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from raw_logs import source_of
from small_project import SmallProject


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    """Make a sound project, for the test to break."""
    return SmallProject(tmp_path / "project")


WRITTEN: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "params.yaml is empty, and no sections such as 'ingest:'"),
    "a comment alone": (b"# later\n", "params.yaml is empty"),
    "a list": (b"- data_root\n- ingest\n", "params.yaml holds a list, and no sections such as 'ingest:'"),
    "another encoding": ("# café\ndata_root: raw\n".encode("cp1252"), "params.yaml is not UTF-8 (byte 6); save it as"),
    "tabs": (b"data_root: raw\ningest:\n\tsources: {}\n", "found character '\\t' that cannot start any token"),
    "NUL bytes": (b"data_root: raw\0\n", "params.yaml can't be read as YAML: unacceptable character #x0000"),
    "a bracket that never closes": (b"ingest: {sources: [\n", "params.yaml can't be read as YAML"),
    "an object to be made": (b"!!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    "a list for a key": (b"? [data_root]\n: raw\n", "line 1: a list or a section is no name of a setting"),
    "a key twice": (b"data_root: raw\ndata_root: other\n", "line 2: 'data_root' is given twice; keep one of them"),
    "brackets in brackets": (b"ingest: " + b"[" * 5000, "nested too deeply"),
}


@pytest.mark.parametrize(("content", "words"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_no_settings_is_told(project: SmallProject, content: bytes, words: str) -> None:
    (project.root / "params.yaml").write_bytes(content)
    outcome = project.ingest()
    assert outcome.code == 3
    assert words in outcome.text


def test_a_folder_in_the_place_of_the_settings_is_told(project: SmallProject) -> None:
    (project.root / "params.yaml").unlink()
    (project.root / "params.yaml").mkdir()
    outcome = project.ingest()
    assert outcome.code == 3
    assert "params.yaml can't be read: Is a directory" in outcome.text


CHANGES: dict[str, tuple[dict[str, str], list[str]]] = {
    "a typo": ({"horizon:": "horizn:"}, ["snapshots.horizn: unknown key; did you mean 'horizon'?"]),
    "two typos": (
        {"horizon:": "horizn:", "known_at:": "knwon_at:"},
        ["snapshots.horizn: unknown key; did you mean 'horizon'?", "knwon_at: unknown key; did you mean 'known_at'?"],
    ),
    "a length without a unit": ({"horizon: 30d": "horizon: 30"}, ["snapshots.horizon: 30 is no length of time; write"]),
    "a section without content": ({"train: {}": "train:"}, ["train: is empty; indent its settings below it"]),
    "a number for a section": ({"train: {}": "train: 7"}, ["train: is 7, and no section; indent its settings"]),
    "a section that is missing": ({"train: {}\n": ""}, ["train: is missing; it has no default"]),
    "an empty path": ({"data_root: raw": "data_root: ''"}, ["data_root: string should have at least 1 character"]),
    "a long value": ({"horizon: 30d": f"horizon: [{'x, ' * 9999}x]"}, ["snapshots.horizon:", " ..."]),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), CHANGES.values(), ids=CHANGES)
def test_a_wrong_setting_is_named_by_its_place(
    project: SmallProject, changes: dict[str, str], words: list[str]
) -> None:
    text = (project.root / "params.yaml").read_text()
    for written, wrong in changes.items():
        assert written in text
        text = text.replace(written, wrong)
    (project.root / "params.yaml").write_text(text)
    outcome = project.ingest()
    assert outcome.code == 3
    assert all(part in outcome.text for part in words), outcome.text
    assert f"settings that are wrong ({len(changes)}):" in outcome.text
    assert len(outcome.text) < 1000


@pytest.mark.parametrize(
    ("zone", "advice"),
    [("Europe/Amsterdm", "did you mean 'Europe/Amsterdam'?"), ("Mars", "name a place, as in Europe/Paris, or UTC")],
)
def test_a_time_zone_that_does_not_exist_is_told(project: SmallProject, zone: str, advice: str) -> None:
    outcome = project.set({"log": source_of(time_zone=zone)}).ingest()
    assert outcome.code == 3
    assert f"ingest.sources.log.time_zone: {zone!r} is no time zone; {advice}" in outcome.text


@pytest.mark.parametrize("limit", ["1", "much", "-1GB", "2 GB", "0MB"])
def test_a_memory_limit_that_is_none_is_told(project: SmallProject, limit: str) -> None:
    outcome = project.set(memory_limit=limit).ingest()
    assert outcome.code == 3
    assert "run.memory_limit: string should match pattern" in outcome.text


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (
            {"master": "local[2]"},
            "run: master: local[2] names a Spark that nothing asks; add executor: spark, or drop it",
        ),
        ({"executor": "spark", "master": "host:7077"}, "run.master: string should match pattern"),
        ({"executor": "sprak"}, "run.executor: input should be 'local' or 'spark'"),
    ],
)
def test_an_executor_that_is_none_is_told(project: SmallProject, run: dict[str, str], told: str) -> None:
    outcome = project.set(run=run).ingest()
    assert outcome.code == 3
    assert told in outcome.text


def test_the_doctor_says_what_spark_lacks(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    outcome = project.set(run={"executor": "spark", "master": "local[2]"}).run("doctor")
    lacks_java = f"wrong environment Spark needs Java 17, and there is no java below JAVA_HOME={tmp_path} -> apt-get"
    lacks_pyspark = "wrong environment run.executor: spark needs pyspark, which is not installed -> make spark"
    assert (lacks_java if find_spec("pyspark") else lacks_pyspark) in outcome.text
    outcome = project.set(run={"executor": "spark", "master": "sc://127.0.0.1"}).run("doctor")
    assert "Java" not in outcome.text


def test_a_stage_that_spark_does_not_do_says_that_it_works_here(project: SmallProject) -> None:
    assert project.ingest().code == 0
    outcome = project.set(run={"executor": "spark"}).run("validate")
    assert outcome.code == 0
    told = "validate works in this process: run.executor: spark is for ingest, snapshots and features (docs/scaling.md)"
    assert told in outcome.text


def test_the_doctor_says_of_an_empty_folder_what_is_missing(project: SmallProject) -> None:
    (project.root / "params.yaml").unlink()
    outcome = project.run("doctor")
    assert outcome.code == 3
    assert "wrong settings params.yaml is missing -> run the command in the project's folder" in outcome.text
    assert list(project.root.iterdir()) == [project.raw], "and leaves it as it is"


def test_the_doctor_tells_both_typos_of_broken_settings(project: SmallProject) -> None:
    text = (project.root / "params.yaml").read_text()
    (project.root / "params.yaml").write_text(text.replace("horizon", "horizn").replace("mql", "mqll"))
    outcome = project.run("doctor")
    assert outcome.code == 3
    assert "snapshots.horizn: unknown key; did you mean 'horizon'?" in outcome.text
    assert "decision.tiers.mqll: unknown key; did you mean 'mql'?" in outcome.text


def test_the_doctor_tells_all_tables_that_can_not_be_opened(project: SmallProject) -> None:
    (project.raw / "log.csv").write_bytes(b"")
    (project.raw / "leads.csv").unlink()
    outcome = project.run("doctor")
    assert outcome.code == 4
    assert "log.csv is empty -> export it again, or take it away" in outcome.text
    assert "ingest.leads: no file matches 'leads.csv' in raw -> did you mean 'log.csv'?" in outcome.text


def test_the_doctor_says_that_the_tracking_server_does_not_answer(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    outcome = project.run("doctor")
    assert outcome.code == 1
    assert "the server of MLFLOW_TRACKING_URI does not answer -> start it, or unset the variable" in outcome.text
