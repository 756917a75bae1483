"""Columns: what a directory holds as Arrow tables, derived from its objects and cached under the ids of its pages.

arrays    Arrow columns as numpy arrays
layout    the two tables, and the bytes of a cached page
crossing  which outlines cross themselves, many at a time
shapes    bounding boxes and areas of geometries, many at a time
build     the tables of some rows of a directory
store     the cache: reading it, filling it, going through it

Truth is instance sets and pages; deleting `cache/columns` loses nothing.
"""
