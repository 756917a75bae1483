"""`stats` as a page and as a picture: what is on them, and that nothing from outside is more than text there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from tdvc.errors import FormatError, NotFound, Refused
from tdvc.ops import libraries
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.stats import stats
from tdvc.ops.stats.page import write_stats_page
from tdvc.ops.stats.plot import draw, write_stats_plot
from tdvc.ops.transfer import mirror
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, lines, stock
from tests.ops.test_pictures import encoded

HOSTILE = [
    "</style><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"&'",
    "$\\frac{$",
    "{style}",
    "\x1b[2J",
]


@pytest.fixture
def hostile(repository: Repository) -> Repository:
    """Labels and attributes that are markup."""
    boxes = [box(text, attributes={text: text, "n": 3}) for text in HOSTILE]
    stock(repository, "Main", {"a.png": (encoded("PNG", (20, 20)), boxes), "b": (b"b", boxes[:2])})
    mirror(repository, ["Main"], "Other")
    annotate(repository, lines({"op": "add", "path": "b", "instance": box("only")}))
    commit(repository, "<b>first</b>")
    return repository


def test_the_page_shows_what_was_found_and_runs_nothing(hostile: Repository, tmp_path: Path) -> None:
    place = tmp_path / "stats.html"
    found = stats(hostile, ["Main", "Other"], where="path != '<x>'", growth=True)
    assert write_stats_page(found, place) == place.stat().st_size
    text = place.read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("</style>") == 1
    assert "\x1b" not in text
    assert "default-src 'none'; style-src 'sha256-" in text
    assert "&lt;/style&gt;&lt;script&gt;alert(1)" in text
    assert "Total variation distance" in text
    assert "&lt;x&gt;" in text
    assert 'class="line instances"' in text


NOON = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)


def of(repository: Repository, name: str) -> str:
    """How a page or picture calls a state of two that are on it: one staged, one committed."""
    state = repository[name]
    return f"{name}, commit {state.commit.hex()[:12]}" if state.commit else f"{name}, root {state.root.hex()[:12]}"


def test_the_page_says_what_it_is_of_and_is_the_same_every_time(hostile: Repository, tmp_path: Path) -> None:
    annotate(hostile, lines({"op": "add", "path": "b", "instance": box("later")}))
    found = stats(hostile, ["Main", "Main@"], where="path = 'b'")
    pages = [tmp_path / name for name in ("one.html", "two.html")]
    for place in pages:
        write_stats_page(found, place, moment=NOON)
    text = pages[0].read_text()
    assert f"{of(hostile, 'Main')}; {of(hostile, 'Main@')}; made 2026-11-01 12:30Z" in text
    assert ", root " in of(hostile, "Main") and ", commit " in of(hostile, "Main@")
    assert "<title>Main, Main@ - tdvc stats</title>" in text and "Only files with: path = &#x27;b&#x27;" in text
    assert text == pages[1].read_text()


def test_the_page_draws_the_share_of_each_state(repository: Repository, tmp_path: Path) -> None:
    stock(repository, "Main", {"a": (b"a", [box("dog"), box("dog"), box("dog"), box("cat")])})
    stock(repository, "Test", {"b": (b"b", [box("dog"), box("cat")])})
    write_stats_page(stats(repository, ["Main", "Test"]), tmp_path / "stats.html")
    table = (tmp_path / "stats.html").read_text().partition("Labels side by side")[2].partition("</table>")[0]
    heading, dog = re.findall("<th>(.*?)</th>", table), table.split("<tr>")[-1]
    assert heading == ["label", "Main", "Test", "spread, points", "missing in"]
    assert re.findall(r'(?:<td>|<td class="drawn">)([^<]*)', dog) == ["dog", "75.0%", "50.0%", "25.0", ""]
    assert re.findall(r'"fill" width="(.*?)"', dog) == ["75.00", "50.00"]


def test_the_plot_says_what_it_is_of_and_draws_every_state(hostile: Repository) -> None:
    pytest.importorskip("matplotlib")
    drawn = draw(stats(hostile, ["Main", "Other"], where="path != 'x'"), "2026-11-01 12:30Z")
    assert drawn.get_suptitle().splitlines() == [
        f"{of(hostile, 'Main')}; {of(hostile, 'Other')}; made 2026-11-01 12:30Z",
        "Only files with: path != 'x'",
    ]
    sizes = next(axes for axes in drawn.axes if axes.get_title() == "Sizes")
    assert [text.get_text() for text in sizes.get_legend().get_texts()] == ["Main", "Other"]
    assert len(sizes.collections) == 2


def test_a_file_that_is_there_stays_unless_forced(hostile: Repository, tmp_path: Path) -> None:
    place = tmp_path / "stats.html"
    place.write_text("mine")
    found = stats(hostile)
    with fails(Refused, "file-exists"):
        write_stats_page(found, place)
    assert place.read_text() == "mine"
    write_stats_page(found, place, force=True)
    assert place.read_text().startswith("<!doctype html>")
    with fails(NotFound, "source-not-found"):
        write_stats_page(found, tmp_path / "nowhere" / "stats.html")
    with fails(Refused, "file-exists"):
        write_stats_page(found, tmp_path, force=True)


def test_the_page_of_an_empty_state(repository: Repository, tmp_path: Path) -> None:
    write_stats_page(stats(repository), tmp_path / "stats.html")
    assert "labels in use" in (tmp_path / "stats.html").read_text()


@pytest.mark.parametrize(("revisions", "growth"), [(["Main"], False), (["Main", "Other"], True)])
def test_the_plot(hostile: Repository, tmp_path: Path, revisions: list[str], growth: bool) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    before = dict(matplotlib.rcParams)
    place = tmp_path / "stats.png"
    size = write_stats_plot(stats(hostile, revisions, growth=growth), place)
    with Image.open(place) as drawn:
        drawn.load()
        assert drawn.format == "PNG"
        assert size == place.stat().st_size
    assert dict(matplotlib.rcParams) == before
    with fails(Refused, "file-exists"):
        write_stats_plot(stats(hostile), place)


def test_the_plot_of_an_empty_state(repository: Repository, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert write_stats_plot(stats(repository), tmp_path / "stats.png") > 0


def test_a_plot_needs_its_library(hostile: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    found = stats(hostile)
    monkeypatch.setattr(libraries.importlib, "import_module", fail)
    with fails(FormatError, "library-missing") as caught:
        write_stats_plot(found, tmp_path / "stats.png")
    assert "tdvc[plots]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
