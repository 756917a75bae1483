"""Queries: which files are meant, said in one line, such as `count(label = 'dog' and area > 400) >= 2`.

lexer       the words of a query, with their places
properties  what can be asked about
moments     dates, and what is so many months before one
tree        what a query says, as plain values
parser      from words to conditions
evaluate    the files of a page for which a condition holds, all at once
ranking     the first of many files by some of their properties

Nothing here reads anything: what there is comes in as columns. The language is described in `docs/query.md`.
"""

from tdvc.query.parser import Query, parse, parse_order

__all__ = ["Query", "parse", "parse_order"]
