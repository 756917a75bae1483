"""The command line: the only part that prints, reads the environment and exits. Functions without logic over `ops`.

main        the table of commands, and what becomes of errors
command     how a command is declared and how it finds its repository
output      text and JSON for standard output, problems for standard error
difftext    a diff as text
progress    how far a long command is

The commands themselves are in one module per noun.
"""
