"""The wiring around the commands: the table, help, errors and exit codes, and what a start costs."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

import click
import pytest

from tdvc import __version__, errors
from tdvc.cli.main import COMMANDS, main
from tdvc.cli.main import tdvc as root
from tdvc.repo.repository import Repository


def commands():
    """Every command by its words, those below `directory` too."""
    found = {}
    context = click.Context(root, info_name="tdvc")
    for name in COMMANDS:
        command = root.get_command(context, name)
        found[(name,)] = command
        if isinstance(command, click.Group):
            found.update({(name, below): command.commands[below] for below in command.commands})
    return found


def in_new_process(code_or_arguments, **options):
    start = [sys.executable, *code_or_arguments]
    return subprocess.run(start, capture_output=True, text=True, timeout=60, **options)


# the table and the help


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_examples_that_parse(tdvc, words):
    ran = tdvc(*words, "--help")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.out.startswith(f"Usage: tdvc {' '.join(words)} ")
    examples = re.findall(r"^ +(tdvc .*)$", ran.out.rpartition("Example")[2], re.MULTILINE)
    assert examples or "completion" in words
    for example in examples:
        tokens = shlex.split(example)
        end = min((tokens.index(sign) for sign in ("|", ">", "&&", "#") if sign in tokens), default=len(tokens))
        assert_parses(tokens[1:end], words)


def assert_parses(tokens, words):
    assert tuple(tokens[: len(words)]) == words
    command, context = commands()[words], click.Context(root, info_name="tdvc")
    command.make_context(" ".join(words), tokens[len(words) :], parent=context)


def test_help_lists_each_command_with_the_first_sentence_of_its_own_help(tdvc):
    listing = tdvc("--help").out
    for words, command in commands().items():
        if len(words) == 1:
            assert command.help.split("\n")[0] == COMMANDS[words[0]].help
            assert re.search(rf"^  {words[0]} +{re.escape(COMMANDS[words[0]].help)}$", listing, re.MULTILINE)


def test_every_command_prints_json_but_those_that_print_bytes_or_text():
    without = {words for words, command in commands().items() if not any("--json" in p.opts for p in command.params)}
    assert without == {("bisect",), ("cat",), ("check",), ("completion",), ("demo",), ("help",), ("schema", "export")}


def test_what_deletes_or_exchanges_can_be_tried_first():
    found = {words for words, command in commands().items() if any("--dry-run" in p.opts for p in command.params)}
    of_schema = {"change-type", "delete", "import", "merge", "move-attribute", "split", "use"}
    assert {words[1] for words in found if words[0] == "schema" and len(words) > 1} == of_schema
    found = {words for words in found if words[0] != "schema"}
    assert found == {
        ("add",),
        ("apply",),
        ("import",),
        ("export",),
        ("remove",),
        ("directory", "remove"),
        ("checkout",),
        ("gc",),
        ("sample",),
        ("split",),
        ("fsck",),
        ("restore",),
        ("reset",),
        ("revert",),
        ("cherry-pick",),
        ("merge",),
        ("resolve",),
        ("validate",),
    }


def test_help_command(tdvc):
    assert tdvc("help", "directory", "create").out == tdvc("directory", "create", "--help").out
    assert tdvc("help").out == tdvc("-h").out
    ran = tdvc("help", "ad")
    assert (ran.code, ran.err) == (2, "error: There is no command 'ad'.\nhint: Did you mean 'add'?\n")


def test_version(tdvc):
    assert tdvc("--version") == (0, f"tdvc {__version__}\n", "")


def test_no_command_shows_the_help_as_an_error(tdvc):
    ran = tdvc()
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: tdvc" in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(tdvc, shell):
    ran = tdvc("completion", shell)
    assert ran.code == 0
    assert "_TDVC_COMPLETE" in ran.out


def test_completion_knows_commands_directories_and_snapshots(pets, tmp_path):
    pets("snapshot", "Pets", "Pets-v1")

    def completed(*words):
        environment = {"_TDVC_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": "2"}
        ran = in_new_process(["-m", "tdvc"], cwd=tmp_path, env={**os.environ, **environment})
        return ran.stdout.split()

    assert completed("tdvc", "show", "Pe") == ["plain,Pets", "plain,Pets-v1"]
    assert completed("tdvc", "switch", "P") == ["plain,Pets"]


# errors

CLASSES = {
    errors.Usage: 2,
    errors.NotFound: 1,
    errors.NoRepository: 10,
    errors.Refused: 1,
    errors.Locked: 11,
    errors.Conflict: 20,
    errors.SchemaError: 21,
    errors.FormatError: 1,
    errors.Corruption: 1,
    errors.StorageFailure: 1,
}


def raising(monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(Repository, "open", fail)


def test_each_class_of_error_has_an_exit_code():
    def below(kind):
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert below(errors.TdvcError) == {errors.TdvcError, *CLASSES}


@pytest.mark.parametrize(("kind", "code"), CLASSES.items())
def test_expected_errors_are_one_line_a_hint_and_an_exit_code(tdvc, monkeypatch, kind, code):
    raising(monkeypatch, kind("bad-usage", "It went\nwrong.", hint="Try it so."))
    assert tdvc("status") == (code, "", "error: It went\\nwrong.\nhint: Try it so.\n")


def test_errors_as_json_are_on_standard_error(tdvc, monkeypatch):
    raising(monkeypatch, errors.Refused("file-exists", "No.", path="ä", id=b"\x01\xff"))
    ran = tdvc("status", "--json")
    assert (ran.code, ran.out) == (1, "")
    fields = {"id": "01ff", "path": "ä"}
    assert json.loads(ran.err) == {"error": {"code": "file-exists", "fields": fields, "hint": "", "message": "No."}}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["stauts"], "There is no command 'stauts'.", "Did you mean 'status'?"),
        (["xyzzy"], "There is no command 'xyzzy'.", "tdvc --help"),
        (["add"], "Missing argument 'SOURCES...'.", "tdvc add --help"),
        (["log", "-n", "0"], "Invalid value for '-n' / '--limit': 0 is not in the range x>=1.", "tdvc log --help"),
        (["status", "folder", "-d", "Pets"], None, "tdvc status --help"),
    ],
)
def test_usage_errors(tdvc, arguments, message, hint):
    ran = tdvc(*arguments)
    assert (ran.code, ran.out) == (2, "")
    lines = ran.err.splitlines()
    assert len(lines) == 2
    assert message is None or lines[0] == f"error: {message}"
    assert lines[1] == f"hint: {hint}"


def test_a_usage_error_as_json(tdvc):
    ran = tdvc("log", "--json", "--limit")
    assert (ran.code, json.loads(ran.err)["error"]["code"]) == (2, "bad-usage")


def test_json_after_the_dashes_is_a_path(tdvc):
    assert tdvc("diff", "--", "--json").err.startswith("error: ")


def test_no_repository(tdvc):
    ran = tdvc("status")
    assert (ran.code, ran.out) == (10, "")
    assert ran.err.splitlines()[1] == "hint: tdvc init"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "a\x1b.jpg"),
            "disk-failure",
            "a\\x1b.jpg: Permission denied.",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full", "No space left on device."),
    ],
)
def test_failures_of_the_system_are_sentences(tdvc, monkeypatch, error, code, message):
    raising(monkeypatch, error)
    failure = json.loads(tdvc("status", "--json").err)["error"]
    assert (failure["code"], failure["message"]) == (code, message)
    ran = tdvc("status")
    assert ran.code == 1
    assert ran.err == f"error: {message}\n"


def test_an_unexpected_error_is_one_line_and_a_log(tdvc, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    raising(monkeypatch, ValueError("no such\nluck"))
    ran = tdvc("status", "-d", "a b")
    (log,) = tmp_path.glob("tdvc-*.log")
    assert ran.code == 1
    assert ran.err == f"internal error: ValueError: no such\\nluck (please report it with the log in {log})\n"
    text = log.read_text()
    assert "command: tdvc status -d 'a b'" in text
    assert "Traceback (most recent call last)" in text


def test_an_unexpected_error_without_a_place_for_the_log(tdvc, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    raising(monkeypatch, ValueError("x"))
    failure = json.loads(tdvc("status", "--json").err)["error"]
    assert failure["code"] == "internal-error"
    assert failure["message"].startswith("ValueError: x (no log")


def test_interruption(tdvc, monkeypatch):
    raising(monkeypatch, KeyboardInterrupt())
    assert tdvc("status") == (130, "", "interrupted\n")


def test_debugging_shows_the_traceback(tdvc, monkeypatch):
    monkeypatch.setenv("TDVC_DEBUG", "1")
    ran = tdvc("status")
    assert "Traceback (most recent call last)" in ran.err
    assert ran.code == 10


def test_the_script_exits_with_the_code_of_main(tmp_path):
    ran = in_new_process(["-m", "tdvc", "-C", str(tmp_path), "status"])
    assert (ran.returncode, ran.stdout) == (10, "")
    assert ran.stderr.startswith("error: There is no repository in ")


def test_nobody_reads_the_output(pets, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    start = [sys.executable, "-m", "tdvc", "ls"]
    with os.fdopen(writing, "w") as output:
        ran = subprocess.run(start, stdout=output, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60)
    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_the_output_does_not_fit(pets, tmp_path):
    start = [sys.executable, "-m", "tdvc", "ls"]
    with open("/dev/full", "w") as output:
        ran = subprocess.run(start, stdout=output, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60)
    assert (ran.returncode, ran.stderr) == (1, b"error: No space left on device.\n")


# where the repository is, and who is at work


def test_the_repository_is_found_above_and_by_option_and_environment(pets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "photos" / "night")
    assert pets("ls").out == "1.txt\n2.txt\nnight/3.txt\n"
    monkeypatch.chdir("/")
    assert pets("ls").code == 10
    assert pets("-C", str(tmp_path), "ls").code == 0
    monkeypatch.setenv("TDVC_DIR", str(tmp_path / "photos"))
    assert pets("ls").code == 0
    assert pets("-C", str(tmp_path / "missing"), "ls").code == 2


@pytest.mark.parametrize(
    ("environment", "author"),
    [
        ({"TDVC_AUTHOR": "ann", "TDVC_AUTHOR_NAME": "bob"}, "ann"),
        ({"TDVC_AUTHOR_NAME": "bob", "TDVC_AUTHOR_EMAIL": "b@x.org"}, "bob <b@x.org>"),
        ({"TDVC_AUTHOR_NAME": "bob"}, "bob"),
        ({"LOGNAME": "cy"}, "cy"),
    ],
)
def test_the_author(tdvc, monkeypatch, environment, author):
    for name in ("TDVC_AUTHOR", "TDVC_AUTHOR_NAME", "TDVC_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    tdvc("init")
    assert tdvc("operations", "--json").json[0]["author"] == author


# what a start costs

HEAVY = ("rich", "msgspec", "PIL", "pathspec", "numpy", "pyarrow", "tdvc.repo")


def loaded_by(*arguments, cwd):
    code = f"import sys; from tdvc.cli.main import main; main({list(arguments)!r}); print('loaded', *sys.modules)"
    ran = in_new_process(["-c", code], cwd=cwd)
    assert ran.returncode == 0, ran.stderr
    return {module for module in HEAVY if module in ran.stdout.rpartition("loaded ")[2].split()}


def test_the_help_loads_click_and_nothing_heavier(tmp_path):
    assert loaded_by("--help", cwd=tmp_path) == set()
    assert loaded_by("add", "--help", cwd=tmp_path) == set()
    assert loaded_by("--version", cwd=tmp_path) == set()


@pytest.mark.parametrize("arguments", [["status"], ["ls"], ["log"], ["mirror", "Pets", "New"], ["diff"]])
def test_everyday_commands_load_what_they_need(pets, tmp_path, arguments):
    assert loaded_by(*arguments, cwd=tmp_path) <= {"msgspec", "tdvc.repo"}


def test_main_returns_and_does_not_exit(tdvc):
    assert main(["--help"]) == 0
