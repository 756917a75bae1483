from types import SimpleNamespace

import pytest

from tdvc.formats import FileRecord, Reconciliation
from tdvc.model.problems import Problem
from tdvc.model.records import make_instance


def record(path, labels=()):
    return FileRecord(path, None, [make_instance({"label": label, "type": "tag"}) for label in labels])


def source_of(records, problems=()):
    def read(source, report, options):
        for problem in problems:
            report(problem)
        yield from records

    return SimpleNamespace(NAME="toy", TITLE="Toy", LOSES=(), detect=lambda source: True, read=read)


def test_everything_came_out(tmp_path):
    reconciliation = Reconciliation()
    for found in reconciliation.read(source_of([record("a", ["cat", "dog"]), record("b", ["cat"])]), tmp_path):
        reconciliation.stored(found)
    assert reconciliation.sentence() == "2 of 2 files and 3 of 3 instances imported, 2 labels; nothing left out"
    assert reconciliation.unexplained == (0, 0)


def test_what_the_reader_drops_went_in_too(tmp_path):
    lost = Problem("record-unreadable", "x", "The line is torn.", dropped_files=1, dropped_instances=1200)
    reconciliation = Reconciliation()
    for found in reconciliation.read(source_of([record("a", ["cat"])], [lost]), tmp_path):
        reconciliation.stored(found)
    assert reconciliation.sentence("exported") == (
        "1 of 2 files and 1 of 1,201 instances exported, 1 label; 1 file and 1,200 instances left out"
    )
    assert reconciliation.unexplained == (0, 0)
    assert reconciliation.problems == [lost]


def test_what_is_dropped_after_reading_is_not_counted_in_twice(tmp_path):
    reconciliation = Reconciliation()
    for found in reconciliation.read(source_of([record("a", ["cat"])]), tmp_path):
        reconciliation.report(
            Problem("picture-unreadable", found.path, "It is cut.", dropped_files=1, dropped_instances=1)
        )
    assert (reconciliation.files_in, reconciliation.files_out, reconciliation.unexplained) == (1, 0, (0, 0))


def test_a_record_lost_between_reading_and_storing_shows(tmp_path):
    reconciliation = Reconciliation()
    assert len(list(reconciliation.read(source_of([record("a", ["cat", "cat"])]), tmp_path))) == 1
    assert reconciliation.unexplained == (1, 2)
    assert reconciliation.sentence().endswith("; nothing left out; 1 file and 2 instances unaccounted for")


def test_an_unlisted_problem_code_is_a_bug():
    with pytest.raises(AssertionError, match="no-such-code"):
        Problem("no-such-code", "a.jpg", "What?")
