"""Who decides that a model is the champion: versions made on purpose, gates, force, rollback, reviews in MLflow."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracking_stores import NAME, Store, champion_scores, model_of, run_of
from world import Project

from features.core.errors import InputError, RegistryError, VerdictError
from pipeline.core.project import read_json
from pipeline.registry.approvals import read_approvals
from pipeline.registry.champion import load_champion
from pipeline.registry.mlflow import connected
from pipeline.review.promotion import decide_reviews, promote, register_run, roll_back


@pytest.fixture(scope="module")
def made(retrained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Track a second model beside the champion that nobody has approved, and register it as its challenger."""
    other = retrained.copy_to(tmp_path_factory.mktemp("made") / "project", with_store=True)
    other.run("evaluate")
    assert register_run(other, None, other.told.append)[0].startswith(f"{NAME} version 2 is run 'seed 8'")
    return other


@pytest.fixture
def project(made: Project) -> Iterator[Project]:
    """Give the project with its store as it was made: MLflow keeps absolute paths, so it is put back and not copied."""
    store, kept = made.root / "mlflow.db", made.root / "mlflow.db.kept"
    if not kept.exists():
        shutil.copy(store, kept)
    shutil.copy(kept, store)
    made.approvals.unlink(missing_ok=True)
    yield made
    shutil.copy(kept, store)


@pytest.fixture
def store(project: Project) -> Iterator[Store]:
    with connected(project) as client:
        yield Store(client)


def strict(project: Project, **gates: float) -> Project:
    """Give the project with other gates."""
    return project.with_settings({"review": {"gates": gates}})


def promoted(
    project: Project, version: str = "2", *, by: str = "Ada", why: str | None = None, force: bool = False
) -> list[str]:
    return promote(project, version, project.told.append, by=by, why=why, force=force)


def test_a_version_is_made_on_purpose_and_once(project: Project, store: Store) -> None:
    assert store.aliases() == {"champion": "1", "challenger": "2"}
    run = run_of(store, project)
    for named in (None, run.info.run_id[:8], model_of(project).version[:10], "seed 8"):
        assert register_run(project, named, project.told.append) == [
            f"{NAME} has it already, as version 2",
            "it is the challenger; next: leadcast compare champion 2, leadcast promote 2",
        ]
    assert len(store.versions()) == 2
    roles = {run.info.run_name: run.data.tags.get("role") for run in store.runs()}
    assert roles == {"first model": "champion", "seed 8": "challenger"}


@pytest.mark.parametrize("named", ["no such run", "baseline: the base rate", "abc"])
def test_what_is_no_run_of_a_model_is_not_registered(project: Project, named: str) -> None:
    with pytest.raises(RegistryError, match=f"no run '{named}' of a model in the experiment; leadcast ui shows them"):
        register_run(project, named, project.told.append)


def test_a_model_that_keeps_all_gates_takes_the_champions_place_and_who_and_why_are_kept(
    project: Project, store: Store
) -> None:
    lines = promoted(strict(project, calibration=10.0), why="email is back")
    version = model_of(project).version
    assert (
        lines[0]
        == f"version 2 ({version[:8]}) promoted by Ada: email is back: it is the champion in place of version 1"
    )
    assert store.aliases() == {"champion": "2"}
    (kept,) = read_approvals(project)
    assert (kept.action, kept.version, kept.model_version, kept.by, kept.was) == ("promoted", "2", version, "Ada", "1")
    names = ["verdicts", "judged", "calibration", "enough to tell", "log loss", "segments", "lists"]
    assert [gate["name"] for gate in kept.gates] == names
    assert all(gate["kept"] for gate in kept.gates)
    assert not kept.forced
    assert kept.rehearsal["sql_of_a"] > 0
    tags = store.versions()[1].tags
    assert json.loads(tags["approval"])["why"] == "email is back"
    assert tags["approved_by"] == "Ada"
    told = store.versions()[1].description
    assert told.endswith(f". Promoted on {kept.at[:10]} by Ada: email is back\n")
    assert told.count("## Who") == 1
    with connected(project) as client:
        note = client.get_experiment_by_name("leadcast").tags["mlflow.note.content"]
    assert f"[The champion's card](#/models/{NAME}/versions/2), version 2" in note
    champion = load_champion(project, project.parameters.evaluate)
    assert (champion.model.version, champion.version, champion.approved_by) == (version, "2", "Ada")
    lead = "L0"
    assert lead not in project.approvals.read_text().replace(version, "")


def test_gates_that_are_not_kept_refuse_by_name_and_nothing_is_changed_but_by_force(
    project: Project, store: Store
) -> None:
    other = strict(project, minimum_conversions=10_000, calibration=0.01, list_churn=0.0)
    with pytest.raises(VerdictError, match=r"version 2 does not become the champion: .*--force --why") as error:
        promoted(other)
    asked = (
        r"calibration .*asked: an error of at most 0.01 times",
        r"enough to tell .*asked: 10,000 leads that convert, and both have foretold",
        r"lists .*asked: at most 0% of the champion's SQL become another tier",
    )
    for told in asked:
        assert re.search(told, str(error.value)), str(error.value)
    assert store.aliases() == {"champion": "1", "challenger": "2"}
    assert not project.approvals.exists()
    promoted(other, why="the old source is gone", force=True)
    (kept,) = read_approvals(project)
    assert kept.forced
    assert [gate["name"] for gate in kept.gates if not gate["kept"]] == [told.partition(" .")[0] for told in asked]


def test_a_version_that_a_verdict_calls_wrong_is_refused_until_it_is_acquitted(project: Project, store: Store) -> None:
    store.client.set_model_version_tag(NAME, "2", "wrong", '["too_good"]')
    with pytest.raises(VerdictError, match=r"verdicts \(too_good; asked: none stands\)"):
        promoted(strict(project, calibration=10.0))
    acquitted = strict(project, calibration=10.0).with_settings({"evaluate.acquitted": {"too_good": "we know"}})
    assert promoted(acquitted)[0].endswith("it is the champion in place of version 1")
    project.with_settings({"evaluate.acquitted": {}})


def test_the_first_model_is_approved_by_promoting_it(project: Project, store: Store) -> None:
    assert load_champion(project, project.parameters.evaluate).approved_by == "nobody"
    lines = promoted(strict(project, calibration=10.0), "1")
    assert lines[0].endswith("promoted by Ada: it is the champion")
    assert store.aliases() == {"champion": "1", "challenger": "2"}
    assert load_champion(project, project.parameters.evaluate).approved_by == "Ada"
    assert promoted(project, "champion") == [
        "version 1 is the champion already, and somebody has approved it: leadcast history"
    ]
    assert len(read_approvals(project)) == 1


def test_a_champion_that_nobody_has_approved_says_so_where_it_scores(project: Project) -> None:
    project.told.clear()
    folder = champion_scores(project, "2026-06-30T23:45")
    warned = "warning: the champion, version 1, is the first model and was approved by nobody; look at it"
    assert any(line.startswith(warned) for line in project.told)
    assert read_json(folder / "decided.json")["approved_by"] == "nobody"
    promoted(strict(project, calibration=10.0))
    project.told.clear()
    folder = champion_scores(project, "2026-06-30T23:45")
    assert not any("approved by nobody" in line for line in project.told)
    assert read_json(folder / "decided.json")["approved_by"] == "Ada"


def test_an_alias_that_was_moved_by_hand_scores_nobody(project: Project, store: Store) -> None:
    store.client.set_registered_model_alias(NAME, "champion", "2")
    with pytest.raises(
        RegistryError,
        match="alias champion of 'lead-conversion' points to version 2, but it was decided on .* that version 1 is the "
        "champion, so the alias was moved by hand: decide it: leadcast promote 2; or put the alias back on version 1",
    ):
        champion_scores(project, "latest")
    store.client.delete_registered_model_tag(NAME, "champion")
    with pytest.raises(RegistryError, match="points to version 2, and nobody has decided that: decide it"):
        champion_scores(project, "latest")


def test_a_version_whose_model_is_another_than_was_decided_scores_nobody(project: Project, store: Store) -> None:
    promoted(strict(project, calibration=10.0))
    record = json.loads(store.client.get_registered_model(NAME).tags["champion"])
    changed = json.dumps(record | {"model_version": "0" * 64})
    store.client.set_registered_model_tag(NAME, "champion", changed)
    with pytest.raises(RegistryError, match="but what was decided on .* was 000000000000: it was changed since"):
        champion_scores(project, "latest")


def test_a_rollback_brings_the_champion_before_back_and_needs_a_reason(project: Project, store: Store) -> None:
    with pytest.raises(InputError, match="there is no champion before this one that anybody has decided"):
        roll_back(project, None, by="Ada", why="so")
    promoted(strict(project, calibration=10.0))
    with pytest.raises(InputError, match="a rollback needs a reason"):
        roll_back(project, None, by="Ada", why=" ")
    with pytest.raises(InputError, match="version 7 is no former champion .* what is: 1"):
        roll_back(project, "7", by="Ada", why="so")
    lines = roll_back(project, None, by="Ada", why="promises not kept")
    assert lines[0].endswith("rolled back by Ada: promises not kept: it is the champion in place of version 2")
    assert store.aliases() == {"champion": "1"}
    assert [one.action for one in read_approvals(project)] == ["promoted", "rolled back"]
    assert load_champion(project, project.parameters.evaluate).version == "1"
    assert roll_back(project, None, by="Ada", why="after all")[0].endswith("the champion in place of version 1")


def test_a_review_in_mlflow_is_decided_by_the_schedule(project: Project, store: Store) -> None:
    generous = strict(project, calibration=10.0)
    for tag, value in (("review", "approved"), ("review_reason", "better on email"), ("reviewer", "Grace")):
        store.client.set_model_version_tag(NAME, "2", tag, value)
    (line,) = decide_reviews(generous, None, project.told.append)
    assert line.startswith("version 2, approved by Grace: version 2 (")
    (kept,) = read_approvals(project)
    assert (kept.by, kept.why) == ("Grace", "better on email")
    assert store.aliases() == {"champion": "2"}
    assert decide_reviews(generous, None, project.told.append)[0].startswith(
        "no version has a review without an answer"
    )


def test_a_review_that_can_not_be_followed_is_answered_on_the_version(project: Project, store: Store) -> None:
    store.client.set_model_version_tag(NAME, "2", "review", "approved")
    (line,) = decide_reviews(project, "Grace", project.told.append)
    assert "nothing was done, for no reason is given: set the tag review_reason" in line
    store.client.set_model_version_tag(NAME, "2", "review_reason", "better")
    refusing = strict(project, minimum_conversions=10_000)
    assert "does not become the champion: " in decide_reviews(refusing, "Grace", project.told.append)[0]
    assert "enough to tell" in store.versions()[1].tags["review_answer"]
    assert store.aliases() == {"champion": "1", "challenger": "2"}
    store.client.set_model_version_tag(NAME, "2", "review", "refused")
    assert decide_reviews(project, "Grace", project.told.append) == [
        "version 2, refused by Grace: it is no longer the challenger"
    ]
    assert store.aliases() == {"champion": "1"}
    store.client.set_model_version_tag(NAME, "2", "review", "perhaps")
    assert "'perhaps' is neither approved nor refused" in decide_reviews(project, None, project.told.append)[0]


def test_a_new_store_is_told_by_the_file_who_is_the_champion(project: Project, tmp_path: Path) -> None:
    promoted(strict(project, calibration=10.0), why="email is back")
    clone = Project(tmp_path / "clone", project.copy_to(tmp_path / "clone").parameters)
    (line,) = register_run(clone, None, clone.told.append)[1:]
    assert line.startswith("it is the champion")
    assert any("the champion, as approvals.jsonl says: promoted by Ada on " in told for told in clone.told)
    champion = load_champion(clone, clone.parameters.evaluate)
    assert (champion.version, champion.approved_by) == ("1", "Ada")


def test_a_new_store_makes_no_other_model_the_champion_than_the_file_says(project: Project, tmp_path: Path) -> None:
    promoted(strict(project, calibration=10.0), "1")
    clone = Project(tmp_path / "clone", project.copy_to(tmp_path / "clone").parameters)
    register_run(clone, None, clone.told.append)
    assert any("not the champion, for approvals.jsonl says that" in told for told in clone.told)
    with pytest.raises(RegistryError, match="no champion of 'lead-conversion' in .*, but version 1; decide it"):
        load_champion(clone, clone.parameters.evaluate)


def test_a_broken_file_of_decisions_says_which_line(project: Project) -> None:
    project.approvals.write_text('{"action": "promoted"}\n')
    with pytest.raises(InputError, match="line 1 is no decision .* git checkout"):
        read_approvals(project)


def test_a_version_that_is_not_there_lists_those_that_are(project: Project) -> None:
    with pytest.raises(RegistryError, match="'lead-conversion' has no version 9; there are: 1, 2"):
        promoted(project, "9")
