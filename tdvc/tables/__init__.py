"""Sorted tables in pages, cut where the hash of a key says so: equal rows give equal pages, equal tables one root id.

`page` is the byte format, `tree` reads, `edit` builds and changes, `rowdiff` compares two tables while skipping what
they share. What the columns mean is not known here.
"""
