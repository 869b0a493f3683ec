"""Numbers that stand for texts of few values: they travel, sort and are compared for a tenth of what texts take."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

MOST_TEXTS = 1 << 16


class TooManyTextsError(Exception):
    """A column holds more texts than numbers stand for; the name is that of the column."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} holds more than {MOST_TEXTS} texts")
        self.name = name


class NumberedTexts:
    """The texts of a column, numbered as they come; in the end, which text a number stands for is told in their order.

    The order is that of their bytes, so that it does not follow from which rows came first.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers: dict[str, int] = {}

    def encode(self, texts: pa.Array) -> pa.Array:
        """Give the number of each text; raises TooManyTextsError."""
        coded = texts.dictionary_encode()
        for text in coded.dictionary.to_pylist():
            self._numbers.setdefault(text, len(self._numbers))
        if len(self._numbers) > MOST_TEXTS:
            raise TooManyTextsError(self._name)
        numbers = np.array([self._numbers[text] for text in coded.dictionary.to_pylist()], np.uint16)
        if coded.null_count:
            numbers = np.append(numbers, np.uint16(0))
            lacking = np.asarray(coded.indices.is_null())
            return pa.array(numbers[np.asarray(coded.indices.fill_null(len(numbers) - 1))], mask=lacking)
        return pa.array(numbers[np.asarray(coded.indices)])

    def decode(self, numbers: pa.Array) -> pa.DictionaryArray:
        """Give texts, whose dictionary is in order, for their numbers; all texts must have been encoded by now."""
        texts = sorted(self._numbers, key=str.encode)
        places = np.empty(max(len(texts), 1), np.int32)
        places[[self._numbers[text] for text in texts]] = np.arange(len(texts), dtype=np.int32)
        lacking = np.asarray(numbers.is_null()) if numbers.null_count else None
        found = places[np.asarray(numbers if lacking is None else numbers.fill_null(0))]
        return pa.DictionaryArray.from_arrays(pa.array(found, mask=lacking), pa.array(texts, pa.string()))
