"""Great Expectations at work: frames and expectations in, findings and data docs out."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.core.errors import ContractError, LeadcastError

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """What became of one expectation."""

    suite: str
    name: str
    meaning: str
    severity: str
    success: bool
    count: float
    """How many rows break it, or the figure that is over its limit."""
    examples: tuple[str, ...] = ()
    """``source:line`` of some of these rows."""

    def to_json(self) -> dict[str, Any]:
        """Give the finding as JSON."""
        return asdict(self) | {"examples": list(self.examples)}

    def __str__(self) -> str:
        places = f"; rows {', '.join(self.examples)}" if self.examples else ""
        return f"{self.suite}.{self.name}: {self.meaning}, but found {self.count:,g}{places}"


@dataclass(frozen=True)
class Suite:
    """A frame and what is expected of it; the columns ``source`` and ``line``, where there are, name its rows."""

    name: str
    frame: pd.DataFrame
    expectations: Sequence[Expectation]


def judge(suites: Sequence[Suite], docs: Path | None = None) -> list[Finding]:
    """Run the suites in a context of their own, in memory; write data docs where a folder is given.

    An expectation that raises is a fault of ours and no bad data: RuntimeError.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx  # noqa: PLC0415 - takes seconds

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    if docs is not None:
        backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.resolve())}
        index = {"class_name": "DefaultSiteIndexBuilder"}
        site = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": backend}
        context.add_data_docs_site(site_name="leadcast", site_config=site)
    source = context.data_sources.add_pandas("leadcast")
    findings = []
    for suite in suites:
        kept = context.suites.add(gx.ExpectationSuite(name=suite.name, expectations=list(suite.expectations)))
        batch = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("whole")
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=suite.name, data=batch, suite=kept)
        )
        place = [name for name in ("source", "line") if name in suite.frame.columns]
        outcome = definition.run(
            batch_parameters={"dataframe": suite.frame},
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": place},
        )
        findings += [_finding(suite.name, result) for result in outcome.results]
    if docs is not None:
        with _failing_aloud(docs):
            context.build_data_docs()
    return findings


@contextmanager
def _failing_aloud(docs: Path) -> Iterator[None]:
    """Raise LeadcastError where pages are missing: Great Expectations itself logs a trace and goes on."""
    failures: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: failures.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("great_expectations")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
    if failures:
        told = re.search(r"follows:\s*(.*?)\W*Traceback", failures[0], re.DOTALL)
        what = told[1] if told else failures[0].splitlines()[0]
        raise LeadcastError(f"{docs} can't be written whole: {what}; free space on the disk, then run again")


def _finding(suite: str, result: Any) -> Finding:  # noqa: ANN401 - Great Expectations' own
    config = result.expectation_config
    name = config.meta.get("name", config.kwargs.get("column", ""))
    if result.exception_info.get("raised_exception", False):
        raise RuntimeError(f"{suite}.{name} could not be judged: {result.exception_info['exception_message']}")
    found = result.result
    # Rows of a frame that doesn't say where they came from are mere positions: these tell nobody anything.
    rows = [row for row in found.get("unexpected_index_list") or [] if isinstance(row, dict) and "line" in row]
    examples = tuple(f"{row['source']}:{row['line']}" for row in rows[:_EXAMPLES])
    # A row of counts holds its figure itself; elsewhere the figure is the number of rows that broke the rule.
    count = found["unexpected_count"]
    if found["element_count"] == 1 and count:
        count = found["unexpected_list"][0]
    meaning = config.meta.get("meaning") or config.type.removeprefix("expect_").replace("_", " ")
    return Finding(suite, name, meaning, config.severity.value, bool(result.success), float(count), examples)


def refuse_critical(findings: Sequence[Finding], advice: str) -> None:
    """Raise ContractError where a critical expectation failed, with every one of them named."""
    failed = [finding for finding in findings if not finding.success and finding.severity == "critical"]
    if failed:
        lines = "\n".join(f"  {finding}" for finding in failed)
        raise ContractError(f"{len(failed)} expectations failed:\n{lines}\n{advice}")
