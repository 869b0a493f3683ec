"""The model as files: the same bytes and the same predictions, the mean of its members, and nothing else is let in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

from models.core.additive import Additive, Term
from models.core.calibrators import calibrate
from models.core.encoding import encode
from models.core.horizons import Step
from models.core.model import Model
from models.core.slices import Slice
from models.core.trees import ArtefactError
from models.learning.learner import Recipe, learn

MEMBERS = ["members/0.txt", "members/1.txt", "members/2.txt"]
FILES = ["calibration.json", "manifest.json", *MEMBERS]
PLATT = {"method": "platt", "slope": 0.5, "intercept": -1.0}


@pytest.fixture(scope="module")
def part() -> Slice:
    return draw_rows(2000, seed=1)[0]


@pytest.fixture(scope="module")
def model(part: Slice) -> Model:
    # Each member draws half of the rows anew for each tree: they differ.
    parameters = {**QUICK, "bagging_fraction": 0.5, "bagging_freq": 1}
    recipe = Recipe(COLUMNS, CATEGORICAL, parameters, calibration="platt", seed=4, num_threads=1)
    learned, _ = learn(part, recipe, members=3, manifest={"horizon": "30d", "größe": 0.1})
    assert len(set(learned.members)) == 3
    return learned


STEPS = (
    Step("7d", "shorter", Additive(0.25, (Term("clicks", "log", weight=0.5),)), {}, PLATT),
    Step("60d", "longer", Additive(-1.0, (Term("source", "level", 1.0, weight=2.0),)), {"source": ["mail"]}, PLATT),
)


@pytest.fixture(scope="module")
def further(model: Model) -> Model:
    """Give the model with two other horizons."""
    return dataclasses.replace(model, steps=STEPS)


def alone(model: Model, number: int) -> Model:
    """Give a model of one member of another."""
    return dataclasses.replace(model, members=model.members[number : number + 1])


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def forge(folder: Path, name: str, content: str) -> None:
    """Write a file of a model anew, and into the manifest what makes it the right one."""
    (folder / name).write_text(content)
    declare(folder, {name: hashlib.sha256(content.encode()).hexdigest()})


def declare(folder: Path, files: dict[str, str | None]) -> None:
    """Write the hashes of files into the manifest, and leave out those without one."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: known for name, known in {**manifest["files"], **files}.items() if known}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_saved_model_is_the_same_model(model: Model, part: Slice, tmp_path: Path) -> None:
    model.save(tmp_path / "new" / "folder")
    loaded = Model.load(tmp_path / "new" / "folder")
    assert loaded == model
    assert loaded.version == model.version
    np.testing.assert_array_equal(loaded.predict(part.frame), model.predict(part.frame))
    np.testing.assert_array_equal(loaded.contributions(part.frame), model.contributions(part.frame))


def test_saving_what_was_loaded_writes_the_same_bytes(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "first")
    Model.load(tmp_path / "first").save(tmp_path / "second")
    assert written(tmp_path / "first") == written(tmp_path / "second") == FILES
    for name in FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_other_horizons_are_saved_and_are_the_same_again(
    model: Model, further: Model, part: Slice, tmp_path: Path
) -> None:
    further.save(tmp_path)
    loaded = Model.load(tmp_path, further.version)
    assert loaded == further
    assert written(tmp_path) == sorted([*FILES, "horizons.json"])
    assert further.version != model.version
    np.testing.assert_array_equal(loaded.predict(part.frame), model.predict(part.frame))
    said = loaded.other_horizons(part.frame)
    assert list(said) == ["7d", "60d"]
    for horizon, probabilities in further.other_horizons(part.frame, model.predict(part.frame)).items():
        np.testing.assert_array_equal(said[horizon], probabilities)
    assert model.other_horizons(part.frame) == {}


def test_a_model_without_other_horizons_leaves_none_of_one_with_some_behind(
    model: Model, further: Model, tmp_path: Path
) -> None:
    further.save(tmp_path)
    model.save(tmp_path)
    assert written(tmp_path) == FILES
    assert Model.load(tmp_path) == model


def test_a_step_says_the_same_of_a_row_alone_as_among_many(further: Model, part: Slice) -> None:
    frame = pd.concat([part.frame] * 3, ignore_index=True)  # more rows than are asked for at once
    some = [0, 2047, 2048, 5999]
    for step in further.steps:
        np.testing.assert_array_equal(step.shares(frame)[some], step.shares(frame.iloc[some]))


def test_a_model_of_fewer_members_leaves_none_of_one_of_more_behind(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    alone(model, 2).save(tmp_path)
    assert written(tmp_path) == ["calibration.json", "manifest.json", "members/0.txt"]
    assert Model.load(tmp_path) == alone(model, 2)


def test_more_than_ten_members_keep_their_order(model: Model, tmp_path: Path) -> None:
    many = dataclasses.replace(model, members=tuple(model.members[number % 3] for number in range(11)))
    many.save(tmp_path)
    assert Model.load(tmp_path) == many


def test_the_json_files_are_sorted_indented_and_end_with_a_new_line(tmp_path: Path) -> None:
    Model(members=("tree\n",), calibrator={"slope": 0.1, "method": "platt"}, manifest={}).save(tmp_path)
    content = (tmp_path / "calibration.json").read_text()
    assert content == '{\n "method": "platt",\n "slope": 0.1\n}\n'


def test_the_version_is_the_hash_of_the_manifest_which_holds_those_of_the_other_files(
    model: Model, tmp_path: Path
) -> None:
    model.save(tmp_path)
    hashes = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in written(tmp_path)}
    assert model.version == hashes.pop("manifest.json")
    assert json.loads((tmp_path / "manifest.json").read_text())["files"] == hashes


def test_every_part_of_the_model_counts_in_its_version() -> None:
    trees, other, calibrator, manifest = "trees", "tree", {"method": "a"}, {"k": 1}
    parts = [
        Model((trees, other), calibrator, manifest),
        Model((other, trees), calibrator, manifest),
        Model((trees,), calibrator, manifest),
        Model((trees, trees), calibrator, manifest),
        Model((trees, other, other), calibrator, manifest),
        Model((trees, other), {"method": "b"}, manifest),
        Model((trees, other), calibrator, {"k": 2}),
        Model((trees + "\n", other), calibrator, manifest),
    ]
    assert len({part.version for part in parts}) == len(parts)


def test_the_order_in_which_a_manifest_was_filled_does_not_count() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert Model(("",), {}, one).version == Model(("",), {}, other).version


def test_probabilities_are_the_calibrated_raw_scores(model: Model, part: Slice) -> None:
    raw = model.raw_score(part.frame)
    assert raw.shape == (2000,)
    np.testing.assert_array_equal(model.predict(part.frame), calibrate(model.calibrator, raw))


@pytest.mark.parametrize("rows", [1, 2, 3, 2047, 2048, 2049, 4096, 4099, 9000])
def test_lightgbm_says_the_same_of_all_rows_at_once(model: Model, part: Slice, rows: int) -> None:
    one = alone(model, 0)
    frame = pd.concat([part.frame] * 5, ignore_index=True).iloc[-rows:]
    matrix = encode(frame, COLUMNS, one.categories)
    raw = one.boosters[0].predict(matrix, raw_score=True)
    np.testing.assert_array_equal(one.raw_score(frame), raw)
    np.testing.assert_array_equal(one.predict(frame), calibrate(one.calibrator, np.asarray(raw)))
    np.testing.assert_array_equal(
        one.contributions(frame.iloc[:5]), one.boosters[0].predict(matrix[:5], pred_contrib=True)
    )
    every = [booster.predict(matrix, raw_score=True) for booster in model.boosters]
    np.testing.assert_allclose(model.raw_score(frame), np.mean(every, axis=0), rtol=1e-13, atol=1e-14)


def test_a_model_says_the_mean_of_what_its_members_say(model: Model, part: Slice) -> None:
    members = [alone(model, number) for number in range(3)]
    said = np.array([member.raw_score(part.frame) for member in members])
    assert (np.ptp(said, axis=0) > 0.0).any()
    np.testing.assert_allclose(model.raw_score(part.frame), said.mean(axis=0), rtol=1e-13, atol=1e-14)
    shares = np.array([member.contributions(part.frame) for member in members])
    np.testing.assert_allclose(model.contributions(part.frame), shares.mean(axis=0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(model.gains(), np.mean([member.gains() for member in members], axis=0), rtol=1e-12)


def test_a_column_that_only_one_member_asks_for_is_not_left_out(part: Slice) -> None:
    recipe = Recipe(["clicks", "age"], parameters=QUICK, calibration="platt", num_threads=1)
    by_age = dataclasses.replace(part, frame=part.frame.assign(clicks=0.0))
    by_clicks = dataclasses.replace(part, frame=part.frame.assign(age=0.0))
    members = [learn(rows, recipe)[0] for rows in (by_clicks, by_age)]
    both = dataclasses.replace(members[0], members=(*members[0].members, *members[1].members))
    expected = (members[0].raw_score(part.frame) + members[1].raw_score(part.frame)) / 2
    np.testing.assert_allclose(both.raw_score(part.frame), expected, rtol=1e-13)


@pytest.mark.parametrize("kind", ["float32", "Float32", "Int64", "int16", "object"])
def test_numbers_of_every_type_are_predicted_alike(model: Model, part: Slice, kind: str) -> None:
    plain = part.frame.iloc[:300].assign(clicks=np.arange(300.0) % 9)
    narrow = plain.assign(clicks=plain["clicks"].astype(kind))
    np.testing.assert_array_equal(model.predict(narrow), model.predict(plain))


def test_the_order_of_a_frame_and_what_else_it_holds_do_not_change_a_prediction(model: Model, part: Slice) -> None:
    shuffled = part.frame[COLUMNS[::-1]].assign(lead_id="x")
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(part.frame))


def test_contributions_add_up_to_the_raw_score(model: Model, part: Slice) -> None:
    contributions = model.contributions(part.frame)
    assert contributions.shape == (2000, len(COLUMNS) + 1)
    np.testing.assert_allclose(contributions.sum(axis=1), model.raw_score(part.frame), rtol=0, atol=1e-12)
    assert (contributions[:, COLUMNS.index("constant")] == 0.0).all()


def test_a_frame_without_rows_has_no_predictions(model: Model, part: Slice) -> None:
    empty = part.frame.iloc[:0]
    assert model.predict(empty).shape == (0,)
    assert model.contributions(empty).shape == (0, len(COLUMNS) + 1)


def test_a_model_takes_no_parameters(model: Model, part: Slice) -> None:
    with pytest.raises(ArtefactError, match="takes no parameters"):
        model.predict(part.frame, {"threshold": 0.5})


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(model: Model, tmp_path: Path, name: str) -> None:
    model.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ArtefactError, match=rf"{name} cannot be read .*restore"):
        Model.load(tmp_path)


@pytest.mark.parametrize("name", ["calibration.json", *MEMBERS])
def test_a_file_that_was_changed_is_refused(model: Model, tmp_path: Path, name: str) -> None:
    model.save(tmp_path)
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("1", "2", 1))
    with pytest.raises(ArtefactError, match=rf"{name} is not the one that manifest.json was written with: .*restore"):
        Model.load(tmp_path)


def test_horizons_that_are_missing_changed_or_not_named_are_refused(
    model: Model, further: Model, tmp_path: Path
) -> None:
    further.save(tmp_path)
    path = tmp_path / "horizons.json"
    path.write_text(path.read_text().replace("0.25", "0.5"))
    with pytest.raises(ArtefactError, match=r"horizons\.json is not the one that manifest\.json was written with"):
        Model.load(tmp_path)
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(ArtefactError, match=r"horizons\.json cannot be read .*restore"):
        Model.load(tmp_path)
    model.save(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"horizons\.json is not the one that manifest\.json was written with"):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"horizon": 60}, "a step to 60"),
        ({"horizon": "7d"}, "none, or one twice"),
        ({"direction": "sideways"}, "a step to '60d', 'sideways'"),
        ({"member": {"intercept": 0.0}}, "the terms of a member are broken"),
        ({"member": {"intercept": None, "terms": []}}, "None is no number"),
        ({"categories": {"colour": ["red"]}}, "the levels of 60d"),
        ({"categories": {"source": ["mail", 3]}}, "the levels of 60d"),
        ({"categories": {"source": "mail"}}, "the levels of 60d"),
        ({"categories": {}}, r"no levels of \['source'\]"),
        ({"categories": None}, "'NoneType' object"),
        ({"calibrator": {}}, "a calibrator without a method"),
        ({"calibrator": {"method": "sigmoid"}}, "the calibrator's method 'sigmoid' is unknown"),
        ({"calibrator": PLATT | {"slope": -1.0}}, "the calibrator's slopes must not fall"),
        ({"colour": "red"}, "unexpected keyword argument"),
    ],
)
def test_steps_that_could_give_something_else_than_probabilities_are_refused(
    further: Model, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    further.save(tmp_path)
    steps = json.loads((tmp_path / "horizons.json").read_text())["steps"]
    forge(tmp_path, "horizons.json", json.dumps({"steps": [steps[0], steps[1] | change]}))
    with pytest.raises(ArtefactError, match=rf"{complaint}.*restore its folder"):
        Model.load(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"steps": []}', '{"steps": [1]}', '{"steps": 1}'])
def test_a_file_that_holds_no_steps_is_refused(further: Model, tmp_path: Path, content: str) -> None:
    further.save(tmp_path)
    forge(tmp_path, "horizons.json", content)
    with pytest.raises(ArtefactError, match=r"(horizons\.json|the steps to other horizons).*restore its folder"):
        Model.load(tmp_path)


@given(name=st.sampled_from(FILES), share=st.floats(0.0, 1.0, exclude_max=True), bits=st.integers(1, 255))
def test_a_model_with_any_byte_changed_is_refused(
    model: Model, tmp_path_factory: pytest.TempPathFactory, name: str, share: float, bits: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "changed"
    model.save(folder)
    content = bytearray((folder / name).read_bytes())
    content[int(share * len(content))] ^= bits
    (folder / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=r"[Rr]estore"):
        Model.load(folder, model.version)


def test_members_that_changed_places_are_refused(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    first, last = tmp_path / "members/0.txt", tmp_path / "members/2.txt"
    contents = first.read_bytes(), last.read_bytes()
    first.write_bytes(contents[1])
    with pytest.raises(ArtefactError, match=r"members/0\.txt is not the one"):  # the text of another number
        Model.load(tmp_path)
    last.write_bytes(contents[0])
    with pytest.raises(ArtefactError, match=r"members/0\.txt is not the one"):
        Model.load(tmp_path)


def test_a_member_that_the_manifest_does_not_name_is_refused(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    (tmp_path / "members/3.txt").write_text(model.members[0])
    with pytest.raises(ArtefactError, match=r"members/3\.txt is not the one that manifest\.json was written with"):
        Model.load(tmp_path)


KNOWN = "0" * 64


@pytest.mark.parametrize(
    "files",
    [
        {"members/4.txt": KNOWN},  # a gap
        {"members/1.txt": None},
        {"members/0.txt": None},
        {"members/0.txt": None, "members/1.txt": None, "members/2.txt": None},
        {"calibration.json": None},
        {"../secret": KNOWN},
        {"members/02.txt": KNOWN},
    ],
)
def test_a_manifest_that_names_other_files_is_refused(
    model: Model, tmp_path: Path, files: dict[str, str | None]
) -> None:
    model.save(tmp_path)
    declare(tmp_path, files)
    with pytest.raises(ArtefactError, match="manifest.json names other files than a model has"):
        Model.load(tmp_path)


@pytest.mark.parametrize("files", ["[]", "null", '"members/0.txt"', "{}"])
def test_a_manifest_without_a_list_of_files_is_refused(model: Model, tmp_path: Path, files: str) -> None:
    model.save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"files": json.loads(files)}))
    with pytest.raises(ArtefactError, match="manifest.json names other files than a model has"):
        Model.load(tmp_path)


def test_one_member_of_another_model_needs_another_version(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    forge(tmp_path, "members/1.txt", model.members[0])
    with pytest.raises(ArtefactError, match=f"manifest.json is not that of model {model.version[:16]}"):
        Model.load(tmp_path, model.version)


def test_a_whole_model_is_refused_where_another_was_asked_for(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert Model.load(tmp_path, model.version) == model
    with pytest.raises(ArtefactError, match=r"manifest\.json is not that of model 0000000000000000"):
        Model.load(tmp_path, "0" * 64)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is broken"),
        ("{}", "lacks method"),
        ("[]", "lacks method"),
        ('{"method": "platt", "slope": NaN, "intercept": 0}', "is broken .NaN is no number"),
    ],
)
def test_a_broken_file_is_named(model: Model, tmp_path: Path, content: str, complaint: str) -> None:
    model.save(tmp_path)
    forge(tmp_path, "calibration.json", content)
    with pytest.raises(ArtefactError, match=rf"calibration\.json {complaint}"):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"method": "sigmoid"}, "the calibrator's method 'sigmoid' is unknown"),
        ({"slope": -1.0}, "the calibrator's slopes must not fall"),
        ({"intercept": None}, "the calibrator's slope, intercept must be numbers"),
    ],
)
def test_a_calibrator_that_could_give_more_than_probabilities_is_refused(
    model: Model, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    model.save(tmp_path)
    forge(tmp_path, "calibration.json", json.dumps(PLATT | change))
    with pytest.raises(ArtefactError, match=rf"{complaint}.*restore its folder"):
        Model.load(tmp_path)


@pytest.mark.parametrize("name", MEMBERS)
def test_trees_that_lightgbm_could_not_read_are_refused_in_every_member(
    model: Model, tmp_path: Path, name: str
) -> None:
    model.save(tmp_path)
    forge(tmp_path, name, model.members[0].replace("\nend of trees\n", "\n"))
    with pytest.raises(ArtefactError, match="the text of the trees is broken"):
        Model.load(tmp_path)
