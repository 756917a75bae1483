"""Bytes under names. The only part of tdvc that writes to a disk.

`base` says what a store can do (and keeps one in memory for tests), `local` is a folder written so that a power cut
leaves either the old or the new state, `folder` reads and writes the users' own folders without following links.
"""
