"""`stats`: what states hold, in figures.

records     the figures, as they become JSON
verb        a state gone through once, page by page
gathering   notes on pages, from which the figures of a state are made
counting    counts and bounded samples
answers     attributes and what they were answered with
comparing   what tells several states apart
words       figures as people read them
drawing     bars, columns and lines as SVG
page        one page with everything on it
plot        a picture, by matplotlib

Every figure is defined in `docs/stats.md`.
"""

from tdvc.ops.stats.verb import stats

__all__ = ["stats"]
