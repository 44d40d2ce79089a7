"""Runs one Pulumi program in its own environment: `python pulumi_program.py SETTINGS PROGRAM [ARGUMENTS]`.

SETTINGS is a JSON object of pulumi.runtime.Settings. This file must import nothing of the language host.
"""

import asyncio
import contextlib
import json
import logging
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
from pulumi import runtime

FAILURE_SHOWN = 32
"""Exit status when the program failed and the engine has been told why; the language host knows it too."""


def show(text: str) -> None:
    """Logs an error through the engine; once the engine has gone there is nobody to tell."""
    with contextlib.suppress(Exception):
        pulumi.log.error(text)


def own_traceback(error: BaseException, folder: str) -> str:
    """The traceback from the first frame of the program on: what is above is this runner's business."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [name.startswith(folder) and not name.startswith(sys.prefix) for name, *_ in frames]
    skipped = own.index(True) if True in own else 0
    return "".join(traceback.format_exception(error, limit=skipped - len(frames)))


def run_file(program: Path) -> None:
    """Runs a folder with a __main__.py, or a file, as a program."""
    runpy.run_path(str(program), run_name="__main__")


def main() -> int:
    """Runs the program; 0, or FAILURE_SHOWN when it failed and has said so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the engine interrupts the process group: end quietly
    settings = runtime.Settings(**json.loads(sys.argv[1]))
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    runtime.configure(settings)
    program = Path(sys.argv[2]).resolve()
    folder = program if program.is_dir() else program.parent
    sys.argv = sys.argv[2:]
    sys.path[0] = str(folder)  # instead of this file's own folder
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    pool = ThreadPoolExecutor(max(settings.parallel or 1, 1) * 4)
    loop.set_default_executor(pool)
    try:
        loop.run_until_complete(runtime.run_in_stack(lambda: run_file(program)))
        return 0
    except pulumi.RunError as error:
        show(str(error))
    except Exception as error:  # whatever the program raised is the user's to see
        show("Program failed with an unhandled exception:\n" + own_traceback(error, str(folder) + os.sep))
    finally:
        pool.shutdown(wait=True)
        loop.close()
    return FAILURE_SHOWN


if __name__ == "__main__":
    sys.exit(main())
