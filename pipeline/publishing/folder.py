"""Files into a folder that others open: all of them or none, and nothing goes but what we wrote ourselves.

A manifest in the folder says what that is. What stands there under one of our names and is not ours is not touched.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape, unescape
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from features.core.errors import InputError, SettingsError
from pipeline.core.project import Places, write_json, written_whole

MANIFEST = ".leadcast-published.json"
_LINK = re.compile(r'(<li>)?<a href="(?![a-z]+:|#)([^"#]+)(#[^"]*)?"([^>]*)>([^<]*)</a>(</li>)?')
_EMPTY = re.compile(r"<nav[^>]*><ul>\s*</ul></nav>\n?")


@dataclass(frozen=True)
class Parcel:
    """What goes into a folder: its place in the settings, the folder, and each file by its path there."""

    place: str
    folder: Path
    files: Mapping[str, Path]
    owner: str
    """Whose the folder is: the name of the model, as two projects must not share one."""


@dataclass
class Delivery:
    """What is, or would be, done in a folder."""

    contents: dict[str, bytes]
    unchanged: set[str] = field(default_factory=set)
    stale: list[str] = field(default_factory=list)
    """Ours, and not published any more."""
    altered: list[str] = field(default_factory=list)
    """Ours once, but changed by somebody since, and not published any more: they stay."""
    noted: dict[str, str] = field(default_factory=dict)
    """What the manifest says: the SHA-256 of each file that we wrote."""


def check_folder(places: Places, place: str, folder: Path) -> None:
    """Raise SettingsError where a folder is the project's own, InputError where it is not there, or not for us."""
    if any(folder.resolve().is_relative_to((places.root / own).resolve()) for own in ("data", "reports")):
        raise SettingsError(f"{place}: {folder} is where the project keeps its own files; name another folder")
    if not folder.is_dir():
        raise InputError(f"{place}: {folder} is not there, or is no folder; make it, or connect the share")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{place}: leadcast may not write to {folder}; give it the right to")


def plan(places: Places, parcel: Parcel) -> Delivery:
    """Find what would be written and removed, and write nothing.

    Raises SettingsError where the folder is the project's own, InputError where it is not there, is another project's,
    or holds a file of somebody else's under the name of one of ours.
    """
    folder = parcel.folder
    check_folder(places, parcel.place, folder)
    noted = _read_manifest(parcel)
    delivery = Delivery(_contents(parcel), noted=noted)
    for path, content in delivery.contents.items():
        target = folder / path
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{parcel.place}: {target.parent} leads out of the folder; take that link away")
        if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
            delivery.unchanged.add(path)
        elif (target.exists() or target.is_symlink()) and path not in noted:
            raise InputError(
                f"{parcel.place}: {target} is there, and is not ours; take it away, or name another folder"
            )
    for path in sorted(noted.keys() - delivery.contents.keys()):
        target = folder / path
        if target.is_file() and not target.is_symlink() and target.parent.resolve().is_relative_to(folder.resolve()):
            is_ours = sha256(target.read_bytes()).hexdigest() == noted[path]
            (delivery.stale if is_ours else delivery.altered).append(path)
    return delivery


def deliver(parcel: Parcel, delivery: Delivery) -> None:
    """Write what was planned, all of it or nothing, and then remove what is published no more.

    Raises InputError where the folder can't be written to.
    """
    written = {path: sha256(content).hexdigest() for path, content in delivery.contents.items()}
    changed = {path: content for path, content in delivery.contents.items() if path not in delivery.unchanged}
    manifest = parcel.folder / MANIFEST
    try:
        with ExitStack() as stack:
            # What is entered first takes its place last: the page that links to the others.
            places = [stack.enter_context(written_whole(parcel.folder / path)) for path in changed]
            for temporary, content in zip(places, changed.values(), strict=True):
                temporary.write_bytes(content)
            # Were we to die on the way, these would be ours all the same.
            write_json(manifest, {"of": parcel.owner, "files": {**delivery.noted, **written}})
        for path in delivery.stale:
            (parcel.folder / path).unlink(missing_ok=True)
        kept = {path: delivery.noted[path] for path in delivery.altered}
        write_json(manifest, {"of": parcel.owner, "files": {**kept, **written}})
    except OSError as error:
        raise InputError(
            f"{parcel.place}: {parcel.folder} can't be written to ({error.strerror or error}); give leadcast the right "
            "to, or free space, then publish again: no file is half-written"
        ) from None


def _read_manifest(parcel: Parcel) -> dict[str, str]:
    path = parcel.folder / MANIFEST
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        owner, files = str(content["of"]), {str(file): str(digest) for file, digest in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{parcel.place}: {path} can't be read, so nobody knows what is ours there; empty the folder, or name "
            "another one"
        ) from None
    if owner != parcel.owner:
        raise InputError(
            f"{parcel.place}: {parcel.folder} holds what another project has published ({owner}); name another folder"
        )
    inside = {name: digest for name, digest in files.items() if ".." not in PurePosixPath(name).parts}
    return {name: digest for name, digest in inside.items() if not PurePosixPath(name).is_absolute()}


def _contents(parcel: Parcel) -> dict[str, bytes]:
    placed = {source.resolve(): path for path, source in parcel.files.items()}
    return {
        path: relinked(source.read_text(encoding="utf-8"), source, path, placed).encode()
        if source.suffix == ".html"
        else source.read_bytes()
        for path, source in parcel.files.items()
    }


def relinked(html: str, source: Path, path: str, placed: Mapping[Path, str]) -> str:
    """Let the links of a page lead to where their pages are ``placed``; a link to what is not there goes."""

    def link(found: re.Match[str]) -> str:
        before, href, fragment, attributes, text, after = (part or "" for part in found.groups())
        target = placed.get((source.parent / unquote(unescape(href))).resolve())
        if target is None:
            return "" if before and after else before + after
        address = escape(PurePosixPath(os.path.relpath(target, PurePosixPath(path).parent)).as_posix())
        return f'{before}<a href="{address}{fragment}"{attributes}>{text}</a>{after}'

    return _EMPTY.sub("", _LINK.sub(link, html))
