"""The training run of the documentation, and that it shows what it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "training.md"


def test_examples_of_training_md_give_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    blocks = "".join(re.findall(r"^```pycon\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    examples = doctest.DocTestParser().get_doctest(blocks, {}, PAGE.name, PAGE.name, 0)
    report: list[str] = []
    outcome = doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    assert outcome.attempted > 30
    assert not outcome.failed, "".join(report)
