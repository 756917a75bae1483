"""All cases."""

from __future__ import annotations

from tests.bad_input import archives, folders, meaning, text, words

CASES = [*folders.cases(), *text.cases(), *meaning.cases(), *words.cases(), *archives.cases()]
