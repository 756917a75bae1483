"""Commands about directories, dynamic ones among them."""

from __future__ import annotations

from tests.cli.answers import keys, steady


def test_directories(pets):
    assert pets("directory", "create", "Night").out == "Created the directory Night.\n"
    assert pets("directory", "create", "Night").code == 1
    assert pets("directory", "create", "a:b").code == 2
    assert pets("directory", "rename", "Night", "Dusk").out == "Renamed the directory Night to Dusk.\n"
    pets("mirror", "Pets:1.txt", "Dusk")
    assert pets("switch", "Dusk").out == "The current directory is Dusk.\n"
    assert pets("switch", "Dusk").out == "The current directory is already Dusk.\n"
    listed = "*  Dusk  1 file   0 instances  -   staged edits\n   Pets  3 files  0 instances  ID\n"
    assert steady(pets("directory").out).replace("-           ", "- ") == listed
    assert pets("directory", "list").out == pets("directory").out
    assert pets("directory", "remove", "-n", "Dusk").out == "Would remove the directory Dusk (1 file, 0 instances).\n"
    assert pets("directory", "remove", "Dusk").out == "Removed the directory Dusk (1 file, 0 instances).\n"
    expected = {
        "name",
        "current",
        "files",
        "size_bytes",
        "instances",
        "complete",
        "commit",
        "staged",
        "rule",
        "problem",
    }
    assert keys(pets("directory", "--json")) == keys(pets("directory", "list", "--json")) == expected
    assert keys(pets("directory", "create", "New", "--json")) == {"directory", "files", "instances", "operation"}


def test_dynamic_directories(pets):
    made = pets("directory", "create", "Small", "--from", "Pets", "--where", "size < 2")
    assert made.out == "Created the directory Small with 0 files, 0 instances.\n"
    assert pets("directory", "rule", "Small").out == '--from Pets --where "size < 2"\n'
    changed = pets("directory", "rule", "Small", "--where", "size > 0", "--order", "path desc", "--limit", "2")
    assert changed.out == "Small holds 2 files. 2 files came in, 0 left.\n"
    first, second = pets("ls", "Small").out.split()
    pets("remove", f"Pets:{second}")
    assert pets("ls", "Small").out.split() == sorted({*pets("ls", "Pets").out.split()})[-2:]
    assert pets("directory", "refresh", "Small").out == "Small holds 2 files. Nothing changed.\n"
    rule = pets("directory", "rule", "Small", "--json").json
    assert rule == {"directory": "Small", "source": "Pets", "where": "size > 0", "order": "path desc", "limit": 2}
    assert "--from Pets" in pets("directory", "list").out
    refused = pets("remove", f"Small:{first}")
    assert (refused.code, refused.err.count("follows a rule")) == (1, 1)
    assert pets("directory", "rule", "Small", "--drop", "--limit", "1").code == 2
    assert pets("directory", "rule", "Small", "--drop").out == "Small follows nothing any more.\n"
    assert pets("remove", f"Small:{first}").code == 0
    bad = pets("directory", "create", "Bad", "--where", "size >")
    assert (bad.code, "character 7" in bad.err) == (2, True)
    assert pets("directory", "refresh", "Pets").code == 1
    assert pets("undo").code == 0
