"""``leadcast run --place``: all stages in another folder, and what git holds of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from command_line import call, call_executable
from house import outputs_of
from world import Project

from pipeline.commands.app import STAGES


def outputs(root: Path) -> dict[str, bytes]:
    """Read every file of every output of ``dvc.yaml``."""
    named = [root / output for stage in STAGES for output in sorted(outputs_of(stage))]
    assert [path for path in named if not path.exists()] == []
    files = [file for path in named for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return {str(file.relative_to(root)): file.read_bytes() for file in files if file.is_file()}


@pytest.fixture
def project(least: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project with raw files and settings, as it is before its first run."""
    root = tmp_path / "project"
    shutil.copytree(least.root / "data" / "raw", root / "data" / "raw")
    shutil.copy(least.root / "params.yaml", root)
    monkeypatch.chdir(root)
    return root


def test_a_clean_run_in_a_place_writes_there_the_same_bytes_as_another_process_does_here(
    least: Project, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sets have another order in that process, and LightGBM another number of threads."""
    place = tmp_path / "shared by all" / "leads"
    before = sorted(project.rglob("*"))
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    code, out, text = call_executable(project, "run", "--place", place.as_uri())
    assert code == 0, out + text
    assert sorted(set(project.rglob("*")) - set(before)) == [project / "place.json"]
    first, second = outputs(least.root), outputs(place)
    assert sorted(first) == sorted(second)
    assert [name for name, content in first.items() if second[name] != content] == []
    assert (place / "mlflow.db").is_file(), "it is a project of its own"
    manifest = json.loads((project / "place.json").read_text())
    assert manifest["place"] == place.as_uri()
    assert manifest["revision"] == "unknown", "there is no git here"
    held = manifest["outputs"]
    assert {"data/features.parquet", "data/quarantine/web.parquet", "reports/index.html"} <= set(held)
    assert not [name for name in held if "private" in name or "/." in name]
    for name, one in held.items():
        content = (place / name).read_bytes()
        assert one == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}, name

    # Settings are those of the project, whatever was changed in their copy.
    (place / "params.yaml").write_text((place / "params.yaml").read_text() + "unknown: 1\n")
    code, text = call("run", "--start", "report", "--place", str(place))
    assert code == 0, text
    assert json.loads((project / "place.json").read_text()) == manifest | {"place": str(place)}


@pytest.mark.parametrize(
    ("place", "code", "told"),
    [
        ("s3://bucket/leads", 3, "--place s3://bucket/leads: a place is a folder, as in /mnt/shared/leads or"),
        ("s3://bucket/leads", 3, "; mount the store on every machine, by s3fs, and name the folder where it is (docs"),
        ("gs://bucket/leads", 3, "mount the store on every machine, by gcsfuse, and name the folder"),
        ("abfs://files@account.dfs.core.windows.net/leads", 3, "by blobfuse2, and name the folder"),
        ("hdfs://name:8020/leads", 3, "by the NFS gateway of HDFS, and name the folder"),
        ("webdav://host/leads", 3, "mount the store on every machine and name the folder"),
        ("file://elsewhere/leads", 3, "a place is a folder"),
        (".", 3, "--place . is this project's own folder; leave --place out"),
        ("../others", 4, "and nothing is overwritten; name another place"),
    ],
)
def test_what_is_no_place_is_told_before_any_work(project: Path, place: str, code: int, told: str) -> None:
    others = project.parent / "others"
    others.mkdir()
    (others / "params.yaml").write_text("data_root: data/raw\n")
    found, text = call("run", "--place", place)
    assert (found, told in text) == (code, True), text
    assert not (project / "place.json").exists()
    assert (others / "params.yaml").read_text() == "data_root: data/raw\n"
