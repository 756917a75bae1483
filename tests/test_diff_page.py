"""The page of a diff in a real browser: nothing from outside runs, filters filter, and long lists scroll."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tdvc.errors import NotFound, Refused
from tdvc.ids import Kind
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.records import make_instance
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.diffpage import PageOptions, write_page
from tdvc.ops.diffpage import page as page_module
from tdvc.ops.drawing import draw
from tdvc.ops.skeletons import Skeleton
from tdvc.ops.transfer import remove
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, identity, lines, stock

BROWSER = Path("/usr/bin/chromium")
HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<script>document.title='owned'</script>",
    "\u2028\u2029<!--<script>",
    "javascript:alert(1)",
    "{{script}}{{data}}{{pictures}}",
    "'\"><svg onload=alert(1)>",
    "</style><style>*{display:none}</style>",
]


def picture(colour: str = "teal", size: tuple[int, int] = (320, 240), kind: str = "JPEG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, kind)
    return made.getvalue()


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Two pictures with a box each, of which one moved; one file comes, one goes, one gets its mark."""
    stock(
        repository,
        "Main",
        {
            "in/a.jpg": (picture("teal"), [box("dog", (10, 10, 60, 60), 1)]),
            "b.jpg": (picture("tan"), [box("cat", (10, 10, 60, 60), 2)]),
            "c.jpg": picture("red"),
            "d.txt": b"text",
        },
    )
    commit(repository, "first", "Main")
    move = {"op": "update", "path": "in/a.jpg", "instance_id": identity(1), "set": {"geometry": [20, 10, 70, 60]}}
    annotate(repository, lines(move))
    relabel(repository, "cat", "lynx")
    complete(repository, ["c.jpg"])
    remove(repository, ["Main:d.txt"])
    return repository


def data_of(place: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="changes">(.*?)</script>', place.read_text(), re.DOTALL)
    assert found
    return json.loads(found.group(1))


def test_the_page_is_told_what_the_diff_says(pets: Repository, tmp_path: Path) -> None:
    place = tmp_path / "changes.html"
    result = write_page(diff(pets), place)
    assert (result.files, result.without_picture, result.written_bytes) == (4, 1, place.stat().st_size)
    told = {file["path"]: file for file in data_of(place)["files"]}
    assert {path: file["kinds"] for path, file in told.items()} == {
        "b.jpg": ["relabelled"],
        "c.jpg": ["marked"],
        "d.txt": ["file-removed"],
        "in/a.jpg": ["moved"],
    }
    assert told["b.jpg"]["labels"] == ["cat", "lynx"]
    assert told["in/a.jpg"]["picture"] == {"width": 320, "height": 240}
    (change,) = told["in/a.jpg"]["instances"]
    assert change["before"]["path"] == "M10 10L60 10L60 60L10 60Z"
    assert change["says"] == ["moved +10, +0 px", "overlap 0.67"]
    assert list(tmp_path.iterdir()) == [place]


def test_a_file_that_is_there_is_kept_unless_it_may_be_written_over(pets: Repository, tmp_path: Path) -> None:
    place = tmp_path / "changes.html"
    place.write_text("mine")
    with fails(Refused, "file-exists"):
        write_page(diff(pets), place)
    assert place.read_text() == "mine"
    write_page(diff(pets), place, PageOptions(force=True))
    assert place.read_text().startswith("<!doctype html>")
    with fails(NotFound, "source-not-found"):
        write_page(diff(pets), tmp_path / "none" / "x.html")


def test_pictures_are_embedded_small_or_linked_or_left_out(pets: Repository, tmp_path: Path) -> None:
    (tmp_path / "images" / "in").mkdir(parents=True)
    (tmp_path / "images" / "in" / "a.jpg").write_bytes(picture(size=(40, 30)))
    sizes = {}
    for name, options in {
        "small": PageOptions(thumbnail_pixels=32),
        "large": PageOptions(thumbnail_pixels=320),
        "linked": PageOptions(pictures="link", images=tmp_path / "images"),
        "none": PageOptions(pictures="none"),
    }.items():
        sizes[name] = write_page(diff(pets), tmp_path / f"{name}.html", options).written_bytes
    assert sizes["none"] < sizes["small"] < sizes["large"]
    linked = {file["path"]: file.get("picture") for file in data_of(tmp_path / "linked.html")["files"]}
    assert linked["in/a.jpg"] == {"width": 40, "height": 30, "link": "images/in/a.jpg"}
    assert linked["b.jpg"] is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xd8\xff\xe0 no picture", picture(size=(64, 64))[:200], picture(kind="PNG")[:60]],
    ids=["empty", "no JPEG", "cut JPEG", "cut PNG"],
)
def test_what_is_no_picture_is_shown_without_one(repository: Repository, tmp_path: Path, content: bytes) -> None:
    stock(repository, "Main", {"x.jpg": content})
    assert write_page(diff(repository), tmp_path / "x.html").without_picture == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_pictures_of_every_mode(repository: Repository, tmp_path: Path, mode: str) -> None:
    made = io.BytesIO()
    Image.new(mode, (40, 30)).save(made, "TIFF")
    stock(repository, "Main", {"x.tif": made.getvalue()})
    assert write_page(diff(repository), tmp_path / "x.html").without_picture == 0


DRAWN: dict[str, Any] = {
    "tag": None,
    "box": [1, 2, 3, 4],
    "polygon": [[[0, 0, 4, 0, 4, 4], [1, 1, 2, 1, 2, 2]], [[8, 8, 9, 8, 9, 9]]],
    "polyline": [0, 0, 1.25, 1],
    "point": [1, 2],
    "keypoints": [1, 1, 2, 5, 5, 1, 0, 0, 0],
    "ellipse": [5, 5, 2, 1, 90],
    "cuboid": [0, 0, 4, 0, 4, 4, 0, 4, 1, 1, 5, 1, 5, 5, 1, 5],
    "curve": [0, 0, 1, 2, 3, 4],
    "mask": {"size": [2, 2], "counts": "112"},
    "text_span": [1, 2],
    "time_span": [1, 2],
    "relation": [identity(1), identity(2)],
}
EXPECTED = {
    "box": "M1 2L3 2L3 4L1 4Z",
    "polygon": "M0 0L4 0L4 4ZM1 1L2 1L2 2ZM8 8L9 8L9 9Z",
    "polyline": "M0 0L1.25 1",
    "keypoints": "M1 1L5 5",
    "ellipse": "M5 3A2 1 90 1 1 5 7A2 1 90 1 1 5 3Z",
    "curve": "M0 0Q1 2 3 4",
    "mask": "M0 1L1 1L1 2L0 2Z",
}


@pytest.mark.parametrize("kind", SPATIAL_TYPES)
def test_every_spatial_type_is_drawn_from_numbers_alone(kind: str) -> None:
    drawing = draw(kind, DRAWN[kind], Skeleton(("a", "b"), ((0, 1), (0, 2))))
    assert not drawing.path.translate(str.maketrans("", "", "MLZQAe0123456789.+- "))
    if kind in EXPECTED:
        assert drawing.path == EXPECTED[kind]
    if kind == "keypoints":
        assert drawing.points == ((1.0, 1.0, True), (5.0, 5.0, False))
    drawn = drawing.path or drawing.points
    assert bool(drawn) == (kind not in ("tag", "text_span", "time_span", "relation"))


def test_hostile_text_can_not_leave_the_data(tmp_path: Path, repository: Repository) -> None:
    stock(repository, "Main", {f"{n}.txt": (b"", [box(label)]) for n, label in enumerate(HOSTILE)})
    place = tmp_path / "x.html"
    write_page(diff(repository), place)
    assert sorted(label for file in data_of(place)["files"] for label in file["labels"]) == sorted(HOSTILE)
    assert place.read_text().count("<script") == 2
    assert place.read_text().count("</style>") == 1


def test_the_policy_allows_nothing_but_our_own(tmp_path: Path, repository: Repository) -> None:
    place = tmp_path / "x.html"
    write_page(diff(repository), place)
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', place.read_text())
    assert found
    assert found.group(1).startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in found.group(1)
    assert "http" not in place.read_text().replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


# in a browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not BROWSER.exists():
        pytest.skip(f"there is no browser at {BROWSER}")
    with driver.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(BROWSER), args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page, and everything that went wrong or was asked for in it."""

    def __init__(self, chromium: Any, place: Path) -> None:
        self.page = chromium.new_page(viewport={"width": 1200, "height": 800})
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(place.as_uri())

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Any]:
    pages: list[Opened] = []

    def open_page(place: Path) -> Opened:
        pages.append(Opened(chromium, place))
        return pages[-1]

    yield open_page
    for found in pages:
        found.page.close()
        assert found.wrong == []


def outside(found: Opened) -> list[str]:
    """Requests for anything but the page itself and what is embedded in it."""
    return [url for url in found.requests[1:] if not url.startswith("data:")]


def test_nothing_from_outside_runs(opened: Any, repository: Repository, tmp_path: Path) -> None:
    with repository.transaction("hostile") as edit:
        for number, text in enumerate(HOSTILE):
            path = text.replace("/", "∕").replace("\\", "") + ".jpg"
            blob = edit.writer.put(Kind.BLOB, picture())
            (file_id,) = edit.fresh_ids("Main", [(path, blob)])
            made = make_instance(
                {"label": text, "type": "box", "geometry": [1, 1, 9, 9], "attributes": {text: text}, "source": text}
            )
            set_id, count = edit.write_instances([made])
            properties = json.dumps({f"p{number}": text}, ensure_ascii=False).encode()
            state = FileState(file_id, blob, 1, set_id, count, media_type=b"image/jpeg", properties=properties)
            edit.put("Main", path, state)
    place = tmp_path / "<title><img src=x onerror=alert(1)>.html"
    write_page(diff(repository), place)
    found = opened(place)
    found.page.wait_for_selector(".row")
    assert found.texts("#label option")[1:] == sorted(f"{label} (1)" for label in HOSTILE)
    found.page.keyboard.press("Enter")
    for _ in HOSTILE:
        found.page.keyboard.press("ArrowDown")
    assert found.page.title() == "Main@ (no commit) → Main"
    assert found.page.locator("main img, main script, dialog img, dialog script").count() == 0
    assert outside(found) == []


def test_filters_search_and_sides(opened: Any, pets: Repository, tmp_path: Path) -> None:
    write_page(diff(pets), tmp_path / "x.html")
    found = opened(tmp_path / "x.html")
    page = found.page
    assert found.texts(".path") == ["b.jpg", "c.jpg", "d.txt", "in/a.jpg"]
    page.click("[data-kind=relabelled]")
    assert found.texts(".path") == ["b.jpg"]
    page.click("[data-kind=moved]")
    assert found.texts(".path") == ["b.jpg", "in/a.jpg"]
    assert found.texts("#count") == ["2 of 4 files"]
    page.select_option("#label", index=found.texts("#label option").index("dog (1)"))
    assert found.texts(".path") == ["in/a.jpg"]
    page.fill("#search", "B.JPG")
    assert found.texts(".path") == []
    assert page.is_visible("#nothing")
    page.select_option("#label", index=0)
    assert found.texts(".path") == ["b.jpg"]
    page.fill("#search", "")
    assert page.locator("g.before:visible").count() == 1
    page.click("#show-before")
    assert page.locator("g.before:visible").count() == 0
    assert page.locator("svg image").count() == 2


def test_keys_walk_through_the_files(opened: Any, pets: Repository, tmp_path: Path) -> None:
    write_page(diff(pets), tmp_path / "x.html")
    found = opened(tmp_path / "x.html")
    keys = found.page.keyboard
    keys.press("j")
    keys.press("ArrowDown")
    assert found.texts(".row.current .path") == ["c.jpg"]
    keys.press("Enter")
    assert found.texts("#viewer-count") == ["2 / 4"]
    keys.press("End")
    assert found.texts("#viewer-path") == ["in/a.jpg"]
    assert found.texts("#viewer-changes .says") == ["moved +10, +0 px · overlap 0.67"]
    keys.press("Escape")
    assert not found.page.is_visible("#viewer")
    keys.press("/")
    found.page.keyboard.type("jab")
    assert found.page.input_value("#search") == "jab"


def test_thousands_of_files_are_rows_only_while_they_are_near(
    opened: Any, repository: Repository, tmp_path: Path
) -> None:
    stock(repository, "Main", {f"{n:05}.txt": (b"%d" % n, [box(number=n)]) for n in range(3000)})
    write_page(diff(repository), tmp_path / "x.html")
    found = opened(tmp_path / "x.html")
    page = found.page
    assert found.texts("#count") == ["3,000 files differ"]
    assert page.locator(".row").count() < 20
    for position in (0.25, 0.5, 1):
        page.evaluate(f"window.scrollTo(0, document.body.scrollHeight * {position})")
        number = f"{int(3000 * position) - 2:05}.txt" if position < 1 else "02999.txt"
        page.wait_for_function("path => document.querySelector('main').textContent.includes(path)", arg=number)
        assert page.locator(".row").count() < 20
    page.keyboard.press("Home")
    page.wait_for_function("() => document.querySelector('main').textContent.includes('00000.txt')")


def test_linked_pictures_show(opened: Any, pets: Repository, tmp_path: Path) -> None:
    (tmp_path / "my images" / "in").mkdir(parents=True)
    (tmp_path / "my images" / "in" / "a.jpg").write_bytes(picture(size=(40, 30)))
    write_page(diff(pets), tmp_path / "x.html", PageOptions(pictures="link", images=tmp_path / "my images"))
    found = opened(tmp_path / "x.html")
    found.page.wait_for_load_state("networkidle")
    assert [url.endswith("/my%20images/in/a.jpg") for url in outside(found)] == [True]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(chromium: Any, pets: Repository, tmp_path: Path, scheme: str) -> None:
    write_page(diff(pets), tmp_path / "x.html")
    page = chromium.new_page(color_scheme=scheme)
    page.goto((tmp_path / "x.html").as_uri())
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.close()
    assert (sum(map(int, re.findall(r"\d+", colour)[:3])) > 380) == (scheme == "light")


def test_the_parts_of_the_page_hold_no_end_of_their_element() -> None:
    assert "</script" not in page_module.part("tdvc.ops.diffpage", "page.js")
    assert "</style" not in page_module.part("tdvc.ops.diffpage", "page.css")
