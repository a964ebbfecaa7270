"""The command `pellucid`, also as `python -m pellucid`."""


def main() -> None:
    """Run the command line. See pellucid.cli.main."""
    from pellucid.cli.interruption import exit_at_once

    exit_at_once()
    from pellucid.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
