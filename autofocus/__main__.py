"""``python -m autofocus`` is ``autofocus``."""

from autofocus.cli import main

if __name__ == "__main__":
    main()
