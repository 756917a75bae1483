"""`diff --html`: one page that shows a diff, with nothing beside it: no server, no network, no other file.

    page.html   the frame, with places for what follows
    page.css    light and dark
    page.js     rows made as they scroll into view, filters, keys

The page is written in pieces while the diff is read: the pictures first, each in an element of its own that the browser
keeps as text until a row needs it, then what changed as JSON. Labels and file names come from outside: they travel in
that JSON with every `<` escaped and reach the page as text alone, and a content security policy allows no script but
ours, by its hash.
"""

from tdvc.ops.diffpage.page import PageOptions, PageResult, write_page

__all__ = ["PageOptions", "PageResult", "write_page"]
