"""What is expected happens, however late outcomes become known: in worlds whose future was drawn."""

from __future__ import annotations

from benchmarks.late_outcomes import measure, pooled


def test_as_many_convert_as_are_expected_to_where_outcomes_are_known_twenty_days_late() -> None:
    """It was beyond sampling error by far, when who had ended unknown to us was left out of training."""
    kept = pooled(measure(range(2), (20,))).set_index("of")
    assert kept["rows"].min() > 1_000
    assert kept["surprise"].abs().max() < 2
