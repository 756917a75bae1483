"""What bytes from outside meet: targets, valid inputs to begin with, changes to make to them, and what was found.

`tests/test_fuzz.py` tries a bounded number of changes with Hypothesis in every run. `python -m tests.fuzz TARGET` goes
on for as long as one likes: led by coverage where `atheris` is installed, else at random.
"""
