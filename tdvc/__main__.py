"""`python -m tdvc`, for where the `tdvc` script is not on the path."""

from tdvc.cli.main import run

if __name__ == "__main__":
    run()
