"""Columns of the sample's files made of arrays: texts, times and ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sample.chain import Integers


def cookies(generator: np.random.Generator, count: int) -> pa.StringArray:
    """Draw the ids of cookies."""
    return numbered("c-", generator.integers(0, 10**15, count), 15)


def numbered(prefix: str, numbers: Integers, digits: int) -> pa.StringArray:
    """Write numbers with leading zeros, after a prefix."""
    return joined(prefix, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0"))


def timestamps(moments: Integers) -> pa.Array:
    """Put moments as Arrow has them."""
    return pa.array(moments, pa.timestamp("us"))


def iso(moments: Integers) -> pa.StringArray:
    """Write moments as ISO 8601 does, without an offset."""
    return pc.binary_replace_slice(timestamps(moments).cast(pa.string()), 10, 11, "T")


def days(moments: Integers) -> pa.StringArray:
    """Write the days that hold the moments, as ISO 8601 writes them."""
    return pc.utf8_slice_codeunits(timestamps(moments).cast(pa.string()), 0, 10)


def amounts(cents: Integers) -> pa.StringArray:
    """Write cents as amounts with two decimals."""
    sign = pa.array(np.where(cents < 0, "-", ""))
    whole, rest = np.divmod(np.abs(cents), 100)
    return joined(sign, pa.array(whole).cast(pa.string()), ".", pc.utf8_lpad(pa.array(rest).cast(pa.string()), 2, "0"))


def joined(*parts: pa.StringArray | str, separator: str = "") -> pa.StringArray:
    """Join columns and constants row by row; null where any part is."""
    return pc.binary_join_element_wise(*parts, separator)
