"""A repository from somebody who means harm: its objects hash right, and say what tdvc would never write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tdvc.ids import Kind, file_ids
from tdvc.model.records import encode_set, make_instance
from tdvc.repo import oplog
from tdvc.repo.commit import Commit
from tdvc.repo.entry import FILES, PATHS, FileState
from tdvc.repo.repository import Repository
from tdvc.repo.view import DirectoryRef, Operation
from tdvc.tables.edit import build
from tests.bad_input import png

TIME = "2026-11-01T12:30:00.000000Z"


def hand_over(
    repository: Repository, paths: Iterable[bytes], *, title: str = "by hand", name: str = "Main", **fields: bytes
) -> None:
    """Make `paths` the files of a directory, committed, with one box each, past every check.

    Args:
        repository: is written to.
        paths: keys of the rows.
        title: what the commit and the operation say.
        name: of the directory.
        fields: of every file.
    """
    content = png()
    instance = make_instance({"label": "dog", "type": "box", "geometry": [1, 2, 3, 4]})
    with repository.objects.writer() as writer:
        blob, found = writer.put(Kind.BLOB, content), writer.put(Kind.INSTANCES, encode_set([instance]))
        rows = []
        for path in sorted(paths):
            (identity,) = file_ids(name, [(path.hex(), blob)])
            state = FileState(identity, blob, len(content), found, 1, media_type=b"image/png")._replace(**fields)
            rows.append((path, *state))
        root = build(writer, FILES, rows)
        by_file = build(writer, PATHS, sorted((row[1], row[0]) for row in rows))
        view = repository.view
        commit = Commit(name, root, view.schema, (), title, TIME, title)
        ref = DirectoryRef(root, by_file, writer.put(Kind.COMMIT, commit.encode()))
        view = replace(view, directories={**view.directories, name: ref})
        operation = Operation(writer.put(Kind.VIEW, view.encode()), repository.head(), title, title, TIME)
        identity = oplog.write(writer, view, operation)
        writer.publish()
        oplog.move_head(repository.storage, oplog.heads(repository.storage), identity)
