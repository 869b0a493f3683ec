"""The model as files: the same bytes and the same predictions, and the mean of its members."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from labelled_rows import COLUMNS, QUICK, draw_rows, learn_three, with_horizons

from models.core.calibrators import calibrate
from models.core.encoding import encode
from models.core.model import Model
from models.core.slices import Slice
from models.core.trees import ArtefactError
from models.learning.learner import Recipe, learn

MEMBERS = ["members/0.txt", "members/1.txt", "members/2.txt"]
FILES = ["calibration.json", "manifest.json", *MEMBERS]


@pytest.fixture(scope="module")
def part() -> Slice:
    return draw_rows(2000, seed=1)[0]


@pytest.fixture(scope="module")
def model(part: Slice) -> Model:
    return learn_three(part)


@pytest.fixture(scope="module")
def further(model: Model) -> Model:
    """Give the model with two other horizons."""
    return with_horizons(model)


def alone(model: Model, number: int) -> Model:
    """Give a model of one member of another."""
    return dataclasses.replace(model, members=model.members[number : number + 1])


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_saved_model_is_the_same_model(model: Model, part: Slice, tmp_path: Path) -> None:
    model.save(tmp_path / "new" / "folder")
    loaded = Model.load(tmp_path / "new" / "folder")
    assert loaded == model
    assert loaded.version == model.version
    np.testing.assert_array_equal(loaded.predict(part.frame), model.predict(part.frame))


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
    some = np.array([7, 1234, 7])
    np.testing.assert_array_equal(
        model.predict_at(model.numbers(part.frame), some), calibrate(model.calibrator, raw[some])
    )
    assert model.predict_at(model.numbers(part.frame), some[:0]).shape == (0,)


@pytest.mark.parametrize("rows", [1, 2, 3, 2047, 2048, 2049, 4096, 4099, 9000])
def test_lightgbm_says_the_same_of_all_rows_at_once(model: Model, part: Slice, rows: int) -> None:
    one = alone(model, 0)
    frame = pd.concat([part.frame] * 5, ignore_index=True).iloc[-rows:]
    matrix = encode(frame, COLUMNS, one.categories)
    raw = one.boosters[0].predict(matrix, raw_score=True)
    np.testing.assert_array_equal(one.raw_score(frame), raw)
    np.testing.assert_array_equal(one.predict(frame), calibrate(one.calibrator, np.asarray(raw)))
    every = [booster.predict(matrix, raw_score=True) for booster in model.boosters]
    np.testing.assert_allclose(model.raw_score(frame), np.mean(every, axis=0), rtol=1e-13, atol=1e-14)


def test_a_model_says_the_mean_of_what_its_members_say(model: Model, part: Slice) -> None:
    members = [alone(model, number) for number in range(3)]
    said = np.array([member.raw_score(part.frame) for member in members])
    assert (np.ptp(said, axis=0) > 0.0).any()
    np.testing.assert_allclose(model.raw_score(part.frame), said.mean(axis=0), rtol=1e-13, atol=1e-14)
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


def test_a_frame_without_rows_has_no_predictions(model: Model, part: Slice) -> None:
    empty = part.frame.iloc[:0]
    assert model.predict(empty).shape == (0,)


def test_a_model_takes_no_parameters(model: Model, part: Slice) -> None:
    with pytest.raises(ArtefactError, match="takes no parameters"):
        model.predict(part.frame, {"threshold": 0.5})
