"""What is counted over columns, a page at a time."""

from __future__ import annotations

import numpy as np

from tdvc.columns.arrays import numbers, words
from tdvc.columns.layout import ColumnPage


def of_labels(page: ColumnPage) -> dict[str, tuple[int, int]]:
    """Label to how many files of the page have it, and how many instances."""
    positions, labels = words(page.instances.column("label"))
    owners = numbers(page.instances.column("file")).astype(np.int64)
    instances = np.bincount(positions, minlength=len(labels))
    pairs = np.unique(owners * max(len(labels), 1) + positions)
    files = np.bincount(pairs % max(len(labels), 1), minlength=len(labels))
    return {label: (int(files[at]), int(instances[at])) for at, label in enumerate(labels)}
