"""The folder of the model's code on its own, as it goes along with a logged model: it needs nothing of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

from models.core.additive import Additive, Term
from models.core.horizons import Step
from models.core.model import Model
from models.core.slices import Slice
from models.learning.learner import Recipe, learn

CODE = Path(__file__).parents[2] / "models/core"


@pytest.fixture(scope="module")
def part() -> Slice:
    return draw_rows(2000, seed=1)[0]


@pytest.fixture(scope="module")
def model(part: Slice) -> Model:
    recipe = Recipe(COLUMNS, CATEGORICAL, QUICK, calibration="isotonic", seed=4, num_threads=1)
    step = Step("60d", "longer", Additive(-1.0, (Term("clicks", "log", weight=0.5),)), {}, {"method": "none"})
    return replace(learn(part, recipe, members=2)[0], steps=(step,))


# The installed packages without their .pth files, through which an editable install would bring the project along.
ALONE = """
import json, sys
sys.path.append(sys.argv[3])
import core.model, pandas
model = core.model._load_pyfunc(sys.argv[1])
assert not {"features", "models", "pipeline"} & sys.modules.keys()
frame = pandas.read_parquet(sys.argv[2])
print(json.dumps([model.predict(frame).tolist(), model.other_horizons(frame)["60d"].tolist()]))
"""


def test_the_folder_is_a_package_of_its_own_wherever_it_lies(model: Model, part: Slice, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    frame = tmp_path / "frame.parquet"
    part.frame[COLUMNS].to_parquet(frame)
    packages = sysconfig.get_paths()["purelib"]
    printed = subprocess.run(
        [sys.executable, "-S", "-c", ALONE, str(tmp_path / "model"), str(frame), packages],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CODE.parent)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    said, further = json.loads(printed)
    np.testing.assert_array_equal(said, model.predict(part.frame))
    np.testing.assert_array_equal(further, model.other_horizons(part.frame)["60d"])


# As above, and without the folder: MLflow brings it.
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
            loader_module="core.model",
            data_path=str(tmp_path / "model"),
            code_paths=[str(CODE)],
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
