"""Who made which model the champion, when and why: on the version, on the registered model, and in a file for git.

The registered model's tag says which version is the champion by whose decision. An alias that says otherwise was moved
by hand, and nobody is scored with it. ``approvals.jsonl`` holds every decision, the last one at its end.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from features.core.errors import InputError, RegistryError
from pipeline.core.project import Places
from pipeline.registry.card import with_people

NOBODY, FIRST = "nobody", "approved by nobody"
_RECORD, _APPROVAL = "champion", "approval"
"""The tag of the registered model, and that of a version."""

Action = Literal["promoted", "rolled back", "first"]


@dataclass(frozen=True)
class Approval:
    """A decision about the champion."""

    action: Action
    model_name: str
    version: str
    """In the registry; in another registry it may be another one."""
    model_version: str
    """The hash of the model: it is the same everywhere."""
    by: str
    at: str
    """In UTC."""
    why: str | None = None
    was: str | None = None
    """The version that was champion before."""
    was_model: str | None = None
    """The hash of its model."""
    forced: bool = False
    gates: list[dict[str, Any]] = field(default_factory=list)
    """Each with what was asked, what was found and whether it is kept."""
    rehearsal: dict[str, Any] = field(default_factory=dict)
    """What would become of today's lists, as counted before the decision."""

    def told(self) -> str:
        """Say it in a line."""
        failed = [gate["name"] for gate in self.gates if not gate["kept"]]
        against = f", against {', '.join(failed)}" if failed else ""
        why = f": {self.why}" if self.why else ""
        return f"version {self.version} ({self.model_version[:8]}) {self.action} by {self.by}{against}{why}"

    def in_words(self) -> str:
        """Say it as the card does."""
        if self.action == "first":
            return "Champion since " + self.at[:10] + ", being the first; approved by nobody."
        failed = [gate["name"] for gate in self.gates if not gate["kept"]]
        against = f", against {', '.join(failed)}" if failed else ""
        why = f": {self.why}" if self.why else "."
        return f"{self.action.capitalize()} on {self.at[:10]} by {self.by}{against}{why}"


def now() -> str:
    """Give the moment of a decision, in UTC."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def read_approvals(places: Places) -> list[Approval]:
    """Read all decisions, the oldest first; raises InputError where a line is none."""
    if not places.approvals.exists():
        return []
    found = []
    for number, line in enumerate(places.approvals.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                found.append(Approval(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"{places.approvals}, line {number} is no decision ({error}); put back what git has of it: "
                    f"git checkout {places.approvals}"
                ) from None
    return found


def append(places: Places, approval: Approval) -> None:
    """Add a decision to the file, on disk before anything else is done."""
    with places.approvals.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(approval), ensure_ascii=False, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())


def record(client: Any, approval: Approval) -> None:  # noqa: ANN401 - MLflow's own
    """Write a decision on the version, and on the registered model as the one that holds."""
    said = json.dumps(asdict(approval), ensure_ascii=False)
    client.set_model_version_tag(approval.model_name, approval.version, _APPROVAL, said)
    client.set_model_version_tag(approval.model_name, approval.version, "approved_by", approval.by)
    version = client.get_model_version(approval.model_name, approval.version)
    client.update_model_version(
        approval.model_name,
        approval.version,
        with_people(version.description or "", owner_of(client, version.run_id), approval.in_words()),
    )
    short = {name: getattr(approval, name) for name in ("version", "model_version", "by", "at", "action")}
    client.set_registered_model_tag(approval.model_name, _RECORD, json.dumps(short))


def owner_of(client: Any, run_id: str) -> str:  # noqa: ANN401 - MLflow's own
    """Give who made the model of a run."""
    return str(client.get_run(run_id).data.tags.get("author", "nobody whose name is known"))


def record_first(client: Any, version: Any, model_version: str) -> None:  # noqa: ANN401 - MLflow's own
    """Write down that a version is the champion because it is the first, and that nobody has approved it."""
    record(client, Approval("first", version.name, str(version.version), model_version, NOBODY, now()))


def move_record(client: Any, name: str, old: str, new: str) -> None:  # noqa: ANN401 - MLflow's own
    """Say of a version that takes another's place, being the same model, what was decided of that one."""
    held = _record_of(client, name)
    if held is not None and held["version"] == old:
        client.set_registered_model_tag(name, _RECORD, json.dumps(held | {"version": new}))


def decided(client: Any, name: str, version: Any, model_version: str) -> str:  # noqa: ANN401 - MLflow's own
    """Give who decided that this version is the champion; raises RegistryError where nobody did."""
    held = _record_of(client, name)
    number = str(version.version)
    remedy = f"decide it: leadcast promote {number}; or put the alias back" + (
        f" on version {held['version']}" if held else ""
    )
    if held is None:
        raise RegistryError(
            f"the alias champion of {name!r} points to version {number}, and nobody has decided that: {remedy}"
        )
    if held["version"] != number:
        raise RegistryError(
            f"the alias champion of {name!r} points to version {number}, but it was decided on {held['at'][:10]} that "
            f"version {held['version']} is the champion, so the alias was moved by hand: {remedy}"
        )
    if held["model_version"] != model_version:
        raise RegistryError(
            f"version {number} of {name!r} is the model {model_version[:12]}, but what was decided on "
            f"{held['at'][:10]} was {held['model_version'][:12]}: it was changed since; {remedy}"
        )
    return str(held["by"])


def last_decision(places: Places, name: str) -> Approval | None:
    """Give the last decision about a model of this name."""
    return next((one for one in reversed(read_approvals(places)) if one.model_name == name), None)


def _record_of(client: Any, name: str) -> dict[str, str] | None:  # noqa: ANN401 - MLflow's own
    said = client.get_registered_model(name).tags.get(_RECORD)
    return None if said is None else dict(json.loads(said))
