"""`python -m toolchain install` and `python -m toolchain verify`."""

import argparse
import sys

from rich.console import Console

from toolchain import ToolchainError, install, verify

COMMANDS = {
    "install": (install, "install what is missing of the engine; does nothing when all is there"),
    "verify": (verify, "run every part of the engine once"),
}


def main() -> int:
    """Runs one command; 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m toolchain", description="Pulumi's engine for this project."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, about) in COMMANDS.items():
        commands.add_parser(name, help=about)
    run, _ = COMMANDS[parser.parse_args().command]
    try:
        run(Console(highlight=False, soft_wrap=True))
    except ToolchainError as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("engine: interrupted; run the command again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
