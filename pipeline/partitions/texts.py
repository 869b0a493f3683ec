"""Numbers that stand for texts of few values: they travel, sort and are compared for a tenth of what texts take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.partitions.log_file import by_numbers

MOST_TEXTS = (1 << 16) - 1


class TooManyTextsError(Exception):
    """A column holds more texts than numbers stand for; the name is that of the column."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} holds more than {MOST_TEXTS} texts")
        self.name = name


class NumberedTexts:
    """The texts of a column, numbered from 1 on as they come, after those that are ``known``; 0 is for none.

    In the end, which text a number stands for is told in the order of their bytes, so that it does not follow from
    which rows came first.
    """

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        self._name = name
        self.known = known
        """What the first numbers stand for."""
        self._numbers = {text: number for number, text in enumerate(known, 1)}

    def encode(self, texts: pa.Array) -> NDArray[np.uint16]:
        """Give the number of each text; raises TooManyTextsError."""
        coded = texts.dictionary_encode()
        held = coded.dictionary.to_pylist()
        for text in held:
            self._numbers.setdefault(text, len(self._numbers) + 1)
        if len(self._numbers) > MOST_TEXTS:
            raise TooManyTextsError(self._name)
        numbers = np.array([*(self._numbers[text] for text in held), 0], np.uint16)
        found: NDArray[np.uint16] = numbers[np.asarray(coded.indices.fill_null(len(held)))]
        return found

    def encode_known(self, places: pa.DictionaryArray, others: pa.Array) -> NDArray[np.uint16]:
        """Give the number of each text, known ones by their places, and the few others as texts."""
        numbers = np.asarray(places.indices.fill_null(0)).astype(np.uint16)
        numbers += 1
        if places.null_count:
            numbers *= np.asarray(places.is_valid())
        if others.null_count < len(others):
            numbers[np.asarray(others.is_valid())] = self.encode(others.drop_null())
        return numbers

    def added(self) -> list[str]:
        """Give the texts beyond those that were known, in the order of their numbers."""
        return list(self._numbers)[len(self.known) :]

    def take_in(self, added: Sequence[str]) -> NDArray[np.uint16]:
        """Go on with what another one with the same known texts has ``added``, and give what its numbers are here.

        Raises TooManyTextsError.
        """
        own = self.encode(pa.array(added, pa.string()))
        found: NDArray[np.uint16] = np.concatenate([np.arange(len(self.known) + 1, dtype=np.uint16), own])
        return found

    def decode(self, numbered: pa.Array) -> pa.DictionaryArray:
        """Give texts, whose dictionary is in order, for their numbers; all texts must have been encoded by now."""
        texts = sorted(self._numbers, key=str.encode)
        places = np.zeros(len(texts) + 1, np.int32)
        places[[self._numbers[text] for text in texts]] = np.arange(len(texts), dtype=np.int32)
        numbers = np.asarray(numbered)
        lacking = numbers == 0
        return by_numbers(
            pa.array(places.take(numbers), mask=lacking if lacking.any() else None), pa.array(texts, pa.string())
        )
