"""The `images` of COCO files, and where their pictures are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tdvc.formats._folder import picture_problem, shortened
from tdvc.formats._json import parse_strictly
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable


class Image(msgspec.Struct):
    """What matters of a record of `images`."""

    id: int | str
    file_name: str
    width: int | float | None = None
    height: int | float | None = None

    @property
    def name(self) -> str:
        """Its path, with `/` between components, as yet untrusted."""
        return self.file_name.replace("\\", "/").removeprefix("./")

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, px; None where the record does not say."""
        if not self.width or not self.height or self.width < 1 or self.height < 1:
            return None
        return int(self.width), int(self.height)


class Picture(NamedTuple):
    """A picture that was found or at least has a good name: its path, its bytes, what the file says of it."""

    path: str
    source: Path | None
    raw: msgspec.Raw
    split: str

    def properties(self, name: str) -> dict[str, Any]:
        """What the file says, kept under the name of the format. Raises ValueError, the end of a sentence."""
        fields = parse_strictly(bytes(self.raw))
        own = fields.pop("properties", None)
        fields.pop("file_name", None)
        properties: dict[str, Any] = dict(own) if isinstance(own, dict) else {}
        properties[name] = fields
        if self.split:
            properties["splits"] = [self.split]
        return properties


_images = msgspec.json.Decoder(Image)


def images_of(raws: Iterable[msgspec.Raw], place: str, report: Report) -> list[tuple[Image, msgspec.Raw]]:
    """The images of one file, each id once.

    Args:
        raws: the records.
        place: the name of the file, printable.
        report: told of those that are left out.
    """
    images: dict[int | str, tuple[Image, msgspec.Raw]] = {}
    for position, raw in enumerate(raws):
        where = f"{place}: images[{position}]"
        try:
            image = _images.decode(raw)
        except ValueError as error:
            report(Problem("record-unreadable", where, f"The image {error}.", dropped_files=1))
            continue
        if image.id in images:
            message = f"Image id {shortened(str(image.id))} is used twice."
            report(Problem("duplicate-path", where, message, dropped_files=1))
            continue
        images[image.id] = image, raw
    return list(images.values())


class Pictures:
    """Finds the pictures of a source, and gives each once.

    Args:
        root: the folder that no name may lead out of.
        report: told of pictures that can't be taken.
    """

    def __init__(self, root: Path, report: Report) -> None:
        self._root = root
        self._report = report
        self._listed: dict[str, frozenset[str]] = {}
        self._taken: set[str] = set()

    def take(self, image: Image, raw: msgspec.Raw, split: str, instances: int) -> Picture | None:
        """The picture of an image; None, reported with how many instances go with it, where it can't be taken."""
        refusal, path, source = None, image.name, None
        if problem := path_problem(path):
            refusal = "unsafe-path", f"The name {problem}."
        else:
            path, source, found = self._find(path, split)
            refusal = (found[0], f"The picture {found[1]}.") if found else None
        if refusal is None and path in self._taken:
            refusal = "duplicate-path", "The picture is named by more than one image."
        if refusal is not None:
            place = printable(image.name)
            self._report(Problem(refusal[0], place, refusal[1], dropped_files=1, dropped_instances=instances))
            return None
        self._taken.add(path)
        return Picture(path, source, raw, split)

    def _find(self, name: str, split: str) -> tuple[str, Path | None, tuple[str, str] | None]:
        """Where the picture is below the root; its own name where it is nowhere; and why it can't be taken."""
        places = [f"{split}/", f"images/{split}/"] if split else []
        for folder in ("", "images/", *places):
            if "/" not in name and name not in self._names_in(folder):
                continue
            problem = picture_problem(self._root, folder + name)
            if problem is None:
                return folder + name, self._root / (folder + name), None
            if problem[0] != "picture-missing":
                return name, None, problem
        return name, None, None

    def _names_in(self, folder: str) -> frozenset[str]:
        """What is in a folder, listed once: a look at each of four places for each picture would be slow."""
        names = self._listed.get(folder)
        if names is None:
            try:
                names = frozenset(os.listdir(self._root / folder))
            except OSError:
                names = frozenset()
            self._listed[folder] = names
        return names
