"""A run in another folder than the project's own: on a file system that several machines share, and without DVC.

That folder is then a project of its own: with the settings, everything that the stages write, and MLflow's store. What
git can hold of it, what lies there and as which bytes, stands here, in ``place.json``.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from features.core.errors import InputError, SettingsError
from pipeline.commands.console import reporting, tell
from pipeline.core.project import Places, fingerprint, read_json, require, write_json, written_whole

MANIFEST = "place.json"
_MOUNTED_BY = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfuse", "abfs": "blobfuse2", "abfss": "blobfuse2",
    "hdfs": "the NFS gateway of HDFS",
}  # fmt: skip
"""What makes a folder of a store, by the scheme of its URLs."""
_WRITTEN = "# Written by leadcast run --place, anew each time. Change the settings where it is called: "


@contextmanager
def placed(uri: str | None) -> Iterator[None]:
    """Work in the place, where one is named, and write the manifest here when all has gone well."""
    if uri is None:
        yield
        return
    project = Path.cwd()
    with reporting("run"):
        folder = _open_place(uri, project).resolve()
    with chdir(folder):
        yield
    with reporting("run"):
        write_json(project / MANIFEST, _manifest(folder, project) | {"place": uri})
        tell("run", f"wrote {MANIFEST}, which says what lies in {uri}: commit it (git add {MANIFEST})")


def _open_place(uri: str, project: Path) -> Path:
    """Give the folder that is meant, with the settings of the project in it; its ``data_root`` is told from there, too.

    Raises SettingsError where it is no folder of a file system, InputError where there are settings of others.
    """
    from pipeline.settings.file import load_parameters  # noqa: PLC0415 - no command needs it to tell what it is for

    folder = _folder(uri)
    settings = project / "params.yaml"
    require(settings)
    if folder.resolve() == project.resolve():
        raise SettingsError(f"--place {uri} is this project's own folder; leave --place out")
    target, begins = folder / "params.yaml", f"{_WRITTEN}{settings.resolve()}\n"
    if target.exists() and not target.read_text(encoding="utf-8").startswith(begins):
        raise InputError(f"{target} is no copy of {settings.resolve()}, and nothing is overwritten; name another place")
    root = json.dumps(str((project / load_parameters(settings).data_root).resolve()), ensure_ascii=False)
    others = re.sub(r"^data_root:.*\n", "", settings.read_text(encoding="utf-8"), flags=re.MULTILINE)
    with written_whole(target) as temporary:
        temporary.write_text(f"{begins}data_root: {root}\n{others}", encoding="utf-8")
    return folder


def _manifest(folder: Path, project: Path) -> dict[str, Any]:
    """Say what lies in the place, each file with its size and its SHA-256, and by which code it was made."""
    places = Places(folder)
    return {
        "model_version": read_json(places.training)["model_version"],
        "outputs": {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": fingerprint(path)}
            for path in sorted(_outputs(places))
        },
        "revision": _revision(project),
        "settings_sha256": fingerprint(project / "params.yaml"),
    }


def _folder(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return Path(unquote(parts.path))
    if "://" in uri:
        by = f", by {_MOUNTED_BY[parts.scheme]}," if parts.scheme in _MOUNTED_BY else ""
        raise SettingsError(
            f"--place {uri}: a place is a folder, as in /mnt/shared/leads or file:///mnt/shared/leads; mount the store "
            f"on every machine{by} and name the folder where it is (docs/scaling.md)"
        )
    return Path(uri).expanduser()


def _outputs(places: Places) -> Iterator[Path]:
    """Give the files that the stages have written, but for private ones: their names may be those of people."""
    of_commands = (places.scores, places.kept_origins, places.kpis, places.comparisons, places.live_page.parent)
    for top in (places.interactions.parent, places.summary.parent):
        for path in top.rglob("*"):
            is_left_out = any(map(path.is_relative_to, (places.private, *of_commands)))
            is_hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
            if path.is_file() and not (is_left_out or is_hidden):
                yield path


def _revision(project: Path) -> str:
    """Give the commit of the project, with ``-dirty`` where files differ from it; unknown where git can't tell."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return told.stdout.strip() or "unknown"
