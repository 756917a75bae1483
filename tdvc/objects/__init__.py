"""Objects under their hash: many small ones together in packs, those of 8 MiB and more as single files.

`pack` is the file format, `store` finds, verifies and writes. Neither knows what an object means; what is still in use
is told them from above.
"""
