"""The documentation says what the program does: every name is there, every example runs, every link leads somewhere."""

from __future__ import annotations

import doctest
import hashlib
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

import tdvc
from tdvc import errors
from tdvc.cli.main import COMMANDS
from tdvc.cli.main import tdvc as program
from tdvc.formats import FORMATS
from tdvc.ids import Kind, ObjectId, file_ids, object_id
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.problems import PROBLEMS
from tdvc.model.records import FIELDS, derived_instance_id
from tdvc.model.rules import RULES
from tdvc.model.schema import ATTRIBUTE_KINDS, Attribute, Label, Schema, Template
from tdvc.model.schematext import read_schema_text
from tdvc.ops.findings import FINDINGS
from tdvc.ops.sample import make_sample
from tdvc.repo.config import MEANINGS
from tdvc.repo.entry import FILES, PATHS, FileState
from tdvc.tables.page import encode_page
from tdvc.tables.tree import ends_page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import generate  # noqa: E402 (a script of the documentation, not of the package)

PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    ROOT / "benchmarks" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, subcommands included."""
    for name in COMMANDS:
        found = program.get_command(click.Context(program), name)
        assert found is not None
        below = found.commands if isinstance(found, click.Group) else {}
        yield from ((f"tdvc {name} {sub}", command) for sub, command in below.items())
        yield f"tdvc {name}", found


def section(page: str, heading: str) -> str:
    """The part of a page under a heading, up to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", page, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found.group(1)


@pytest.mark.parametrize("name", generate.PAGES)
def test_generated_page_is_in_step(name: str) -> None:
    assert text_of(name) == generate.PAGES[name](), "run: make docs"


@pytest.mark.parametrize("name", generate.SESSIONS)
def test_terminal_sessions_print_what_the_page_says(name: str) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("the sessions use sha256sum")
    page = DOCS / name
    assert page.read_text(encoding="utf-8") == generate.refresh_sessions(page), "run: make docs"


@pytest.mark.parametrize(
    ("name", "command"), tuple(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_command_and_its_options_are_documented(name: str, command: click.Command) -> None:
    part = section(text_of("cli.md"), name)
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else []:
            assert f"`{option}`" in part


def test_readme_lists_every_command() -> None:
    table = section((ROOT / "README.md").read_text(encoding="utf-8"), "Commands")
    assert [name for name in COMMANDS if not re.search(rf"`{name}\b", table)] == []


def test_every_format_is_documented_and_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in FORMATS:
        assert f"`{name}`" in text_of("formats.md")
        assert f"`{name}`" in readme


@pytest.mark.parametrize(("heading", "codes"), [("Error codes", errors.CODES), ("Problem codes", PROBLEMS)])
def test_every_code_is_documented_with_its_meaning(heading: str, codes: dict[str, str]) -> None:
    part = section(text_of("errors.md"), heading)
    assert [code for code, meaning in codes.items() if f"| `{code}` | {meaning} |" not in part] == []


def test_every_finding_of_fsck_is_documented() -> None:
    part = section(text_of("errors.md"), "Findings of fsck")
    rows = {code: f"| `{code}` | {kind.severity} | {kind.meaning} |" for code, kind in FINDINGS.items()}
    assert [code for code, row in rows.items() if row not in part] == []


def test_every_rule_and_setting_is_documented() -> None:
    page = text_of("rules.md")
    assert [code for code, rule in RULES.items() if f"| `{code}` | {rule.severity} | {rule.says} |" not in page] == []
    assert [key for key in MEANINGS if ".rules." not in key and f"| `{key}` |" not in page] == []


def test_every_exit_code_is_documented() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TdvcError)]
    assert {kind.exit_code for kind in classes} <= generate.EXIT_CODES.keys()


def test_every_public_function_is_in_python_md() -> None:
    page = text_of("python.md")
    verbs = [name for name in tdvc.__all__ if name.islower() and not name.startswith("_")]
    assert [name for name in verbs if f"tdvc.{name}(" not in page and f"`{name}`" not in page] == []


@pytest.fixture
def sample_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_sample(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("sample_folder")
def test_examples_of_python_md_give_what_they_show() -> None:
    blocks = "".join(re.findall(r"^```pycon\n(.*?)^```", text_of("python.md"), re.DOTALL | re.MULTILINE))
    examples = doctest.DocTestParser().get_doctest(blocks, {}, "python.md", "python.md", 0)
    report: list[str] = []
    outcome = doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    assert outcome.attempted > 30
    assert not outcome.failed, "".join(report)


@pytest.mark.usefixtures("sample_folder")
def test_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.endswith("\n44\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, target


def test_every_environment_variable_is_documented() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tdvc").rglob("*.py"))
    names = set(re.findall(r"\bTDVC_[A-Z_]+\b", sources))
    assert {name for name in names if f"`{name}`" not in text_of("cli.md")} == set()


def test_index_links_every_page() -> None:
    index = text_of("index.md")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"({page.name})" not in index] == []
    notes = text_of("design/README.md")
    assert [note.name for note in (DOCS / "design").glob("0*.md") if f"({note.name})" not in notes] == []


def test_makefile_stays_short() -> None:
    assert len((ROOT / "Makefile").read_text(encoding="utf-8").splitlines()) < 40


def test_makefile_has_the_targets_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"(?:`|^)make ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


def test_names_of_the_format_are_all_in_format_md() -> None:
    page = text_of("format.md")
    assert [kind.name for kind in Kind if f"| {kind.value} | `{kind.name.lower()}` |" not in page] == []
    assert [name for name in SPATIAL_TYPES if f"| `{name}` |" not in section(page, "Instances")] == []
    assert [name for name in FIELDS if f"| `{name}` |" not in section(page, "Instances")] == []
    assert [name for name in FileState._fields if f"| `{name}` |" not in section(page, "Tables")] == []


def test_examples_of_format_md_are_what_the_code_computes() -> None:
    nothing = ObjectId(hashlib.sha256(b"").digest())
    empty_files, empty_paths = encode_page(FILES, 0, ()), encode_page(PATHS, 0, ())
    names = [f"{number:04}.jpg" for number in range(10_000)]
    computed = [
        object_id(Kind.BLOB, b"").hex(),
        empty_files.hex(),
        object_id(Kind.PAGE, empty_files).hex(),
        object_id(Kind.PAGE, empty_paths).hex(),
        object_id(Kind.SCHEMA, Schema().encode()).hex(),
        file_ids("Pets", [("a.jpg", nothing)])[0].hex(),
        file_ids("Pets", [("a.jpg", nothing)], 1)[0].hex(),
        derived_instance_id("pascal-voc", "a.jpg", "0"),
        *(next(name for name in names if ends_page(name.encode(), level)) for level in (0, 1)),
    ]
    table = section(text_of("format.md"), "Examples")
    assert re.findall(r"\| `([^`|]+)` \|$", table, re.MULTILINE) == computed


def test_every_test_that_a_promise_names_is_there() -> None:
    promises = [line for line in text_of("promises.md").splitlines() if line.startswith("| P")]
    assert [line.split(" | ")[0] for line in sorted(promises, key=lambda line: int(line[3:5]))] == [
        f"| P{number}" for number in range(1, 23) if number != 21
    ]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of("promises.md"))
    assert len(named) > 40
    for file, name in named:
        assert re.search(rf"^(def|class) {name}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), name


def test_every_field_of_a_schema_is_in_format_md() -> None:
    part = section(text_of("format.md"), "Schema, commits, snapshots")
    named = set(re.findall(r"`(\w+)`", "".join(line.split(" | ")[0] for line in part.splitlines() if line[:1] == "|")))
    kinds = (Schema, Label, Attribute, Template)
    assert {field.name for kind in kinds for field in fields(kind)} - {"key"} - named == set()


def test_the_schema_file_of_schema_md_makes_sense() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", text_of("schema.md"), re.DOTALL | re.MULTILINE)
    assert set(read_schema_text(example.encode(), "schema.md").labels) == {"animal", "dog"}


def test_every_kind_of_attribute_is_in_schema_md() -> None:
    part = section(text_of("schema.md"), "Attributes")
    assert [kind for kind in ATTRIBUTE_KINDS if f"`{kind}`" not in part] == []
