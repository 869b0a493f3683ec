"""Texts of LightGBM's trees: without what does not belong to a model, and looked at before LightGBM reads them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

RESTORE = "Train the model again, or restore its folder."


class ArtefactError(ValueError):
    """The files are no model, or a frame lacks what the model reads."""


def without_settings(booster_text: str) -> str:
    """LightGBM's text of a model without what does not change a prediction, as the number of threads.

    Raises `ArtefactError` where the text does not look like a model of LightGBM's.
    """
    trees, mark, _ = booster_text.partition("\nparameters:\n")
    if not mark:
        raise ArtefactError("the text of the trees has no part 'parameters:': this is another version of LightGBM.")
    return trees


def check_trees(text: str, columns: int) -> None:
    """Look whether LightGBM can read this text, and walk its trees to an end.

    Each tree lies where the header says, its lists have the lengths that its leaves ask for, nodes lead to later nodes
    or to leaves, splits ask for features that there are, and leaves hold numbers.

    Raises `ArtefactError` where one does not.
    """
    header, _, rest = text.partition("\n\n")
    try:
        _walk_trees(_entries(header), rest.encode(), columns)
    except (KeyError, ValueError) as error:
        raise ArtefactError(f"the text of the trees is broken ({error}). {RESTORE}") from None


def trees_in(text: str) -> list[dict[str, str]]:
    """Give the entries of each tree, as LightGBM names them, of a text that `check_trees` has looked at."""
    header, _, rest = text.partition("\n\n")
    return [_entries(block) for block in _blocks(_entries(header), rest.encode())]


def _walk_trees(head: Mapping[str, str], content: bytes, columns: int) -> None:
    if int(head["max_feature_idx"]) + 1 != columns:
        raise ValueError(f"they read {int(head['max_feature_idx']) + 1} columns, and the manifest has {columns}")
    for block in _blocks(head, content):
        _check_tree(_entries(block), columns)


def _blocks(head: Mapping[str, str], content: bytes) -> Iterator[str]:
    place = 0
    for number, size in enumerate(head["tree_sizes"].split()):
        block = content[place : place + int(size)].decode()
        place += len(block)
        if not block.startswith(f"Tree={number}\n"):
            raise ValueError(f"tree {number} does not begin where it should")
        yield block
    if not content[place:].startswith(b"end of trees\n"):
        raise ValueError("they do not end where they should")


def _check_tree(tree: Mapping[str, str], columns: int) -> None:
    leaves, categorical = int(tree["num_leaves"]), int(tree["num_cat"])
    values = [float(value) for value in tree["leaf_value"].split()]
    if len(values) != leaves or not all(map(math.isfinite, values)):
        raise ValueError(f"a tree of {leaves} leaves has {len(values)} values, or some that are no numbers")
    if leaves == 1:
        return
    lists = {name: tree[name].split() for name in ("split_feature", "threshold", "decision_type")}
    children = [[int(child) for child in tree[name].split()] for name in ("left_child", "right_child")]
    if {len(some) for some in lists.values()} | {len(side) for side in children} != {leaves - 1}:
        raise ValueError(f"a tree of {leaves} leaves lacks nodes")
    if not all(0 <= int(feature) < columns for feature in lists["split_feature"]):
        raise ValueError("a node asks for a feature that there is not")
    if not all(
        -leaves <= child < 0 or node < child < leaves - 1 for side in children for node, child in enumerate(side)
    ):
        raise ValueError("a node leads nowhere")
    bounds = [int(bound) for bound in tree["cat_boundaries"].split()] if categorical else [0]
    if len(bounds) != categorical + 1 or bounds != sorted(bounds) or bounds[0] != 0:
        raise ValueError("the sets of categories are not where they should be")
    if len(tree.get("cat_threshold", "").split()) != bounds[-1]:
        raise ValueError("a set of categories is cut short")
    for threshold, decision in zip(lists["threshold"], lists["decision_type"], strict=True):
        if int(decision) & 1 and not 0 <= int(float(threshold)) < categorical:
            raise ValueError("a node asks for a set of categories that there is not")


def _entries(lines: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)
