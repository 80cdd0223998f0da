"""``python -m clvspark.cli``: the same as ``clvspark``."""

from clvspark.cli import main

if __name__ == "__main__":
    main()
