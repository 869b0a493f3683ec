"""Files that are no model, or not the one that was asked for, are refused, with what to do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_rows import PLATT, draw_rows, learn_three, with_horizons

from models.core.model import Model
from models.core.trees import ArtefactError

MEMBERS = ["members/0.txt", "members/1.txt", "members/2.txt"]
FILES = ["calibration.json", "manifest.json", *MEMBERS]


@pytest.fixture(scope="module")
def model() -> Model:
    return learn_three(draw_rows(2000, seed=1)[0])


@pytest.fixture(scope="module")
def further(model: Model) -> Model:
    """Give the model with two other horizons."""
    return with_horizons(model)


def forge(folder: Path, name: str, content: str) -> None:
    """Write a file of a model anew, and into the manifest what makes it the right one."""
    (folder / name).write_text(content)
    declare(folder, {name: hashlib.sha256(content.encode()).hexdigest()})


def declare(folder: Path, files: dict[str, str | None]) -> None:
    """Write the hashes of files into the manifest, and leave out those without one."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: known for name, known in {**manifest["files"], **files}.items() if known}
    (folder / "manifest.json").write_text(json.dumps(manifest))


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
