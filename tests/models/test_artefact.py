"""The model as three files: the same bytes, the same predictions, here and in a process that has only MLflow."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_rows import CATEGORICAL, COLUMNS, draw_rows

import models.core.artefact
from models.core.artefact import (
    ArtefactError,
    Model,
    calibrate,
    check_calibrator,
    check_trees,
    encode,
    without_settings,
)
from models.core.slices import Slice
from models.learning.learner import fit


@pytest.fixture(scope="module")
def part() -> Slice:
    return draw_rows(2000, seed=1)[0]


@pytest.fixture(scope="module")
def model(part: Slice) -> Model:
    settings = {"num_iterations": 40}
    fitted, _ = fit(
        fitting=part,
        early_stopping=draw_rows(1000, seed=2)[0],
        calibration=draw_rows(1000, seed=3)[0],
        columns=COLUMNS,
        categorical=CATEGORICAL,
        parameters=settings,
        manifest={"horizon": "30d", "größe": 0.1},
        seed=4,
        num_threads=1,
    )
    return fitted


def test_the_frame_is_encoded_by_name_whatever_its_order_and_index() -> None:
    frame = pd.DataFrame(
        {
            "extra": ["x"] * 5,
            "source": ["web", None, "fax", "mail", "web"],
            "clicks": pd.array([3, None, 1, 0, 2], dtype="Int64"),
            "open": [True, False, True, True, False],
        },
        index=[7, 7, 0, 1, 7],
    )
    encoded = encode(frame, ["open", "source", "clicks"], {"source": ["mail", "web"]})
    nan = np.nan
    expected = [[1, 2, 3], [0, nan, nan], [1, 0, 1], [1, 1, 0], [0, 2, 2]]
    np.testing.assert_array_equal(encoded, np.array(expected, dtype=float))


@pytest.mark.parametrize("kind", ["str", "object", "category", "string[pyarrow]"])
def test_categories_are_read_from_every_type_that_holds_text(kind: str) -> None:
    frame = pd.DataFrame({"source": pd.Series(["b", None, "z", "a"], dtype=kind)})
    np.testing.assert_array_equal(encode(frame, ["source"], {"source": ["a", "b"]}).ravel(), [2, np.nan, 0, 1])


def test_a_category_that_is_wholly_missing_is_missing() -> None:
    assert np.isnan(encode(pd.DataFrame({"source": [None, None]}), ["source"], {"source": ["a"]})).all()


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(ArtefactError, match=r"reads 3 columns, of which the frame lacks 'clicks', 'source'"):
        encode(pd.DataFrame({"age": [1.0]}), ["clicks", "age", "source"], {"source": []})


def test_text_in_a_column_of_numbers_is_named() -> None:
    with pytest.raises(ArtefactError, match="'age' must hold numbers"):
        encode(pd.DataFrame({"age": ["old"]}), ["age"], {})


def test_a_sigmoid_is_the_logistic_function_of_a_line() -> None:
    calibrator = {"method": "sigmoid", "slope": 2.0, "intercept": 1.0}
    # The logistic function at 1, -1 and 3.
    expected = [0.7310585786300049, 0.2689414213699951, 0.9525741268224334]
    np.testing.assert_allclose(calibrate(calibrator, np.array([0.0, -1.0, 1.0])), expected, rtol=1e-15)


def test_isotonic_is_straight_between_points_and_level_beyond_with_the_sigmoid_mixed_in() -> None:
    calibrator = {
        "method": "isotonic",
        "slope": 0.0,
        "intercept": 0.0,
        "blend": 0.1,
        "raw": [-1.0, 1.0],
        "rate": [0.0, 0.4],
    }
    # The sigmoid is 0.5 everywhere: 0.9 * rate + 0.1 * 0.5.
    expected = [0.05, 0.05, 0.23, 0.41, 0.41]
    np.testing.assert_allclose(calibrate(calibrator, np.array([-9.0, -1.0, 0.0, 1.0, 9.0])), expected, rtol=1e-14)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.sampled_from(["sigmoid", "isotonic"]))
def test_no_score_is_so_extreme_that_its_probability_is_certain(raw: list[float], method: str) -> None:
    calibrator = {"method": method, "slope": 3.0, "intercept": -1.0, "blend": 0.05, "raw": [-1, 1], "rate": [0, 1]}
    probabilities = calibrate(calibrator, np.array(raw))
    assert ((probabilities > 0.0) & (probabilities < 1.0)).all()
    assert (np.diff(probabilities[np.argsort(raw)]) >= 0.0).all()


def test_an_unknown_method_of_calibration_is_refused() -> None:
    with pytest.raises(ArtefactError, match="'beta' is unknown"):
        calibrate({"method": "beta", "slope": 1.0, "intercept": 0.0}, np.zeros(1))


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
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["booster.txt", "calibrator.json", "manifest.json"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_the_json_files_are_sorted_indented_and_end_with_a_new_line(tmp_path: Path) -> None:
    Model(booster_text="tree\n", calibrator={"slope": 0.1, "method": "sigmoid"}, manifest={}).save(tmp_path)
    written = (tmp_path / "calibrator.json").read_text()
    assert written == '{\n "method": "sigmoid",\n "slope": 0.1\n}\n'


def test_the_trees_file_holds_no_settings(model: Model) -> None:
    assert model.booster_text.startswith("tree\n")
    for word in ("parameters", "num_threads", "pandas_categorical"):
        assert word not in model.booster_text


def test_a_text_without_settings_is_no_text_of_lightgbm() -> None:
    with pytest.raises(ArtefactError, match="no part 'parameters:'"):
        without_settings("tree\nend of trees\n")


def test_the_version_is_the_hash_of_the_manifest_which_holds_those_of_the_other_files(
    model: Model, tmp_path: Path
) -> None:
    model.save(tmp_path)
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert model.version == hashes.pop("manifest.json")
    assert json.loads((tmp_path / "manifest.json").read_text())["files"] == hashes


def test_every_part_of_the_model_counts_in_its_version() -> None:
    parts = [("trees", {"method": "a"}, {"k": 1}), ("tree", {"method": "a"}, {"k": 1})]
    parts += [("trees", {"method": "b"}, {"k": 1}), ("trees", {"method": "a"}, {"k": 2})]
    assert len({Model(*part).version for part in parts}) == 4


def test_the_order_in_which_a_manifest_was_filled_does_not_count() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert Model("", {}, one).version == Model("", {}, other).version


def test_probabilities_are_the_calibrated_raw_scores(model: Model, part: Slice) -> None:
    raw = model.raw_score(part.frame)
    assert raw.shape == (2000,)
    np.testing.assert_array_equal(model.predict(part.frame), calibrate(model.calibrator, raw))


@pytest.mark.parametrize("rows", [1, 2, 3, 2047, 2048, 2049, 4096, 4099, 9000])
def test_lightgbm_says_the_same_of_all_rows_at_once(model: Model, part: Slice, rows: int) -> None:
    frame = pd.concat([part.frame] * 5, ignore_index=True).iloc[-rows:]
    matrix = encode(frame, COLUMNS, model.categories)
    raw = model.booster.predict(matrix, raw_score=True)
    np.testing.assert_array_equal(model.raw_score(frame), raw)
    np.testing.assert_array_equal(model.predict(frame), calibrate(model.calibrator, np.asarray(raw)))
    np.testing.assert_array_equal(
        model.contributions(frame.iloc[:5]), model.booster.predict(matrix[:5], pred_contrib=True)
    )


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


def test_a_missing_file_is_named(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ArtefactError, match=r"manifest\.json cannot be read"):
        Model.load(tmp_path)


def forge(folder: Path, name: str, content: str) -> None:
    """Write a file of a model anew, and into the manifest what makes it the right one."""
    (folder / name).write_text(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["booster.txt", "calibrator.json"])
def test_a_file_that_was_changed_is_refused(model: Model, tmp_path: Path, name: str) -> None:
    model.save(tmp_path)
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("1", "2", 1))
    with pytest.raises(ArtefactError, match=rf"{name} is not the one that manifest.json was written with: .*restore"):
        Model.load(tmp_path)


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
        ('{"method": "sigmoid", "slope": NaN, "intercept": 0}', "is broken .NaN is no number"),
    ],
)
def test_a_broken_file_is_named(model: Model, tmp_path: Path, content: str, complaint: str) -> None:
    model.save(tmp_path)
    forge(tmp_path, "calibrator.json", content)
    with pytest.raises(ArtefactError, match=rf"calibrator\.json {complaint}"):
        Model.load(tmp_path)


POINTS = {"method": "isotonic", "slope": 1.0, "intercept": 0.0, "blend": 0.05, "raw": [-1.0, 1.0], "rate": [0.0, 0.4]}


@pytest.mark.parametrize(
    "change",
    [{"slope": None}, {"intercept": "0"}, {"slope": 1e999}, {"blend": True}, {"raw": [1.0, -1.0]}, {"raw": []},
     {"rate": [0.4, 0.0]}, {"rate": [0.0, 1.5]}, {"rate": [0.0]}, {"raw": 3}, {"rate": [0.0, None]}],
)  # fmt: skip
def test_a_calibrator_that_could_give_more_than_probabilities_is_refused(change: dict[str, object]) -> None:
    check_calibrator(POINTS)
    with pytest.raises(ArtefactError, match="the calibrator's"):
        check_calibrator(POINTS | change)


@given(st.floats(0, 1, exclude_max=True))
def test_a_text_of_trees_that_is_cut_short_never_reaches_lightgbm(model: Model, share: float) -> None:
    check_trees(model.booster_text, len(COLUMNS))
    end = model.booster_text.index("end of trees")
    with pytest.raises(ArtefactError, match="the text of the trees is broken"):
        check_trees(model.booster_text[: int(share * end)], len(COLUMNS))


@pytest.mark.parametrize(
    ("pattern", "instead", "complaint"),
    [
        (r"left_child=\S+", "left_child=0", "leads nowhere"),  # a circle: LightGBM would walk it for ever
        (r"right_child=\S+", "right_child=-99", "leads nowhere"),
        (r"split_feature=\S+", "split_feature=99", "a feature that there is not"),
        (r"leaf_value=\S+", "leaf_value=nan", "no numbers"),
        (r"threshold=\S+ ", "threshold=", "lacks nodes"),
        (r"num_leaves=\d+", "num_leaves=3000000", "values"),
        (r"max_feature_idx=\d+", "max_feature_idx=2", "3 columns"),
    ],
)
def test_trees_that_lead_nowhere_are_refused(model: Model, pattern: str, instead: str, complaint: str) -> None:
    changed = re.sub(pattern, instead, model.booster_text, count=1)
    blocks = re.findall(r"Tree=\d+\n.*?(?=Tree=|end of trees)", changed, re.DOTALL)
    sizes = " ".join(str(len(block)) for block in blocks)
    with pytest.raises(ArtefactError, match=complaint):
        check_trees(re.sub("tree_sizes=.*", f"tree_sizes={sizes}", changed), len(COLUMNS))


def test_the_module_imports_nothing_that_a_logged_model_lacks() -> None:
    tree = ast.parse(Path(models.core.artefact.__file__).read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported - sys.stdlib_module_names <= {"lightgbm", "numpy", "pandas"}


# The installed packages without their .pth files, through which an editable install would bring the project along.
STRANGER = """
import json, sys
sys.path.append(sys.argv[3])
import mlflow, pandas
frame = pandas.read_parquet(sys.argv[2])
served = mlflow.pyfunc.load_model(sys.argv[1])
try:
    import models
except ImportError:
    print(json.dumps(served.predict(frame).tolist()))
"""


@pytest.mark.filterwarnings("ignore")  # of its own, MLflow gives several as it is imported
def test_a_logged_model_predicts_the_same_in_a_process_that_lacks_the_project(
    model: Model, part: Slice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow  # noqa: PLC0415 (a second and a half that only this test needs)

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's own code there
    mlflow.set_tracking_uri(store)
    mlflow.create_experiment("leads", artifact_location=str(tmp_path / "artifacts"))
    model.save(tmp_path / "model")
    plain = part.frame[COLUMNS].astype({"clicks": "float64"})
    with mlflow.start_run(experiment_id=mlflow.get_experiment_by_name("leads").experiment_id):
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module="artefact",
            data_path=str(tmp_path / "model"),
            code_paths=[models.core.artefact.__file__],
            pip_requirements=["lightgbm", "numpy", "pandas"],
            signature=mlflow.models.infer_signature(plain.iloc[:50], model.predict(plain.iloc[:50])),
        )
    expected = model.predict(part.frame)
    np.testing.assert_array_equal(mlflow.pyfunc.load_model(logged.model_uri).predict(plain), expected)

    plain.to_parquet(tmp_path / "frame.parquet")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    packages = sysconfig.get_paths()["purelib"]
    printed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", STRANGER, logged.model_uri, str(tmp_path / "frame.parquet"), packages],
        cwd=elsewhere,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    np.testing.assert_array_equal(json.loads(printed), expected)
