"""Tables against a dictionary: the same rows give the same root, however one got there."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.objects.store import ObjectStore
from tdvc.storage.base import MemoryStorage
from tdvc.tables import edit as editing
from tdvc.tables.page import Column, Layout
from tdvc.tables.rowdiff import diff_rows
from tdvc.tables.tree import Table

LAYOUT = Layout(b"test", (Column("name"), Column("id", 4), Column("size", 8, number=True, summed=True)))


def row(key: bytes, value: int) -> tuple[bytes, bytes, bytes, int]:
    return key, b"n%d" % (value % 3), value.to_bytes(4, "little"), value


def key(number: int) -> bytes:
    return b"folder/%06d.jpg" % number


class Model:
    """A table and the dictionary it should equal."""

    def __init__(self) -> None:
        self.writer = ObjectStore(MemoryStorage()).writer()
        self.rows: dict[bytes, int] = {}
        self.root = editing.empty(self.writer, LAYOUT)

    def edit(self, changes: dict[bytes, int | None]) -> None:
        rows = {k: None if v is None else row(k, v) for k, v in changes.items()}
        self.root = editing.edit(self.writer, LAYOUT, self.root, rows)
        for k, v in changes.items():
            if v is None:
                self.rows.pop(k, None)
            else:
                self.rows[k] = v

    def built(self) -> bytes:
        return editing.build(self.writer, LAYOUT, [row(k, v) for k, v in sorted(self.rows.items())])

    def table(self) -> Table:
        return Table(self.writer, LAYOUT, self.root)


keys = st.integers(0, 3000).map(key)
batches = st.lists(
    st.one_of(
        st.dictionaries(keys, st.one_of(st.none(), st.integers(0, 99)), max_size=30),
        st.tuples(st.integers(0, 3000), st.integers(0, 3000), st.one_of(st.none(), st.integers(0, 99))).map(
            lambda t: {key(i): t[2] for i in range(min(t[:2]), max(t[:2]))}
        ),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(batches)
def test_edits_in_any_order_give_the_root_that_building_gives(changes: list[dict[bytes, int | None]]) -> None:
    model = Model()
    for change in changes:
        model.edit(change)
        assert model.root == model.built()
    expected = [row(k, v) for k, v in sorted(model.rows.items())]
    assert list(model.table().scan()) == expected
    assert model.table().totals() == (len(expected), (sum(model.rows.values()),))


@settings(max_examples=60, deadline=None)
@given(batches, batches)
def test_row_diff_equals_the_difference_of_dictionaries(
    first: list[dict[bytes, int | None]], second: list[dict[bytes, int | None]]
) -> None:
    model = Model()
    for change in first:
        model.edit(change)
    before_rows, before = dict(model.rows), model.table()
    for change in second:
        model.edit(change)
    expected = [
        (k, row(k, before_rows[k]) if k in before_rows else None, row(k, model.rows[k]) if k in model.rows else None)
        for k in sorted(before_rows.keys() | model.rows.keys())
        if before_rows.get(k) != model.rows.get(k)
    ]
    assert list(diff_rows(before, model.table())) == expected
    assert [(k, b, a) for k, a, b in diff_rows(model.table(), before)] == expected


def test_large_tables_have_several_levels_and_find_rows() -> None:
    numbers = list(range(200_000))
    model = Model()
    rows = {b"%08x" % random.Random(n).getrandbits(32): n for n in numbers}
    model.root = editing.build(model.writer, LAYOUT, [row(k, v) for k, v in sorted(rows.items())])
    table = model.table()
    assert table.page(model.root).level == 2
    some = random.Random(1).sample(sorted(rows), 200)
    assert table.get_many([*some, b"zz", b"!"]) == {k: row(k, rows[k]) for k in some}
    assert table.get(some[0]) == row(some[0], rows[some[0]])
    assert table.get(b"nothing") is None
    prefix = some[0][:3]
    assert [r[0] for r in table.scan(prefix=prefix)] == sorted(k for k in rows if k.startswith(prefix))
    assert next(iter(table.scan(start=b"8")))[0] == min(k for k in rows if k >= b"8")


class Counting:
    """Objects that count what is read and written."""

    def __init__(self) -> None:
        self.writer = ObjectStore(MemoryStorage()).writer()
        self.read_count = self.put_count = 0

    def read(self, kind, identity):
        self.read_count += 1
        return self.writer.read(kind, identity)

    def put(self, kind, content):
        self.put_count += 1
        return self.writer.put(kind, content)


def test_one_row_edit_and_its_diff_touch_one_page_a_level() -> None:
    objects = Counting()
    root = editing.build(objects, LAYOUT, [row(b"%08d" % n, n) for n in range(150_000)])
    objects.read_count = objects.put_count = 0
    changed = editing.edit(objects, LAYOUT, root, {b"%08d" % 77_777: row(b"%08d" % 77_777, 5)})
    levels = Table(objects, LAYOUT, root).page(root).level + 1
    assert objects.put_count <= levels + 1
    assert objects.read_count <= 2 * levels + 3
    objects.read_count = 0
    assert len(list(diff_rows(Table(objects, LAYOUT, root), Table(objects, LAYOUT, changed)))) == 1
    assert objects.read_count <= 2 * levels
