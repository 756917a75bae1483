"""Parquet with the pictures inside, as Hugging Face data sets are: one row a file.

    image        struct<bytes, path>
    instances    list<struct<instance_id, label, type, geometry, ...>>, see `_columns`
    path, file_id, split, file_properties, width, height, complete

The features stand in the schema's metadata under `huggingface`, so that the library `datasets` shows the pictures, and
our classes under `tdvc`. Tables without our `instances` are read as `_hf` understands rows: class numbers get
their names from the features. A row whose picture has no bytes is looked for below the source under its path. Files are cut
into shards of some hundred megabytes, `data/train-00000.parquet`.

Needs pyarrow (the extra `parquet`). Source: huggingface/datasets, `features/image.py`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError
from tdvc.formats import _arrow, _columns, _hf, _whole
from tdvc.formats._carry import is_text, split_in
from tdvc.formats._classes import labels_from_json, labels_to_json
from tdvc.formats._folder import SPLIT_NAMES, ignore, is_file, listing, shortened, unreadable_source
from tdvc.formats._lookup import clean_name, find_picture, split_of, stem_of
from tdvc.formats._shards import Shard, is_inside, picture_bytes, shards
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions, WrittenFile
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.media import HEAD_BYTES, media_type
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable

NAME = "parquet"
TITLE = "Parquet with pictures, Hugging Face"
LOSES: tuple[str, ...] = ()
TYPES = frozenset(SPATIAL_TYPES)
KEEPS = frozenset(FIELDS)
