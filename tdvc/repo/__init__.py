"""History: directories and their commits, snapshots, views and operations, and the transactions that make them.

entry        one row of a directory: a path and the state of the file there
commit       an immutable state of one directory, with who, when, why
view         every ref of the repository at one moment; an operation is a view and how it came about
oplog        the chain of operations and the one pointer to its end
transaction  the only way to change anything
directory    reading the state of a directory
revision     which state a text like `Dogs~2` means
rule         which files a dynamic directory holds
repository   all of it, opened
"""
