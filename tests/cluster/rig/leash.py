"""Runs a command that dies with the process that started it: `leash.py PARENT_PID COMMAND...`.

It is a program of its own because `preexec_fn` may deadlock in a parent that has threads. It is
run by path with `python -I -S`, so it imports nothing but the standard library.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never returns: the command takes the process over."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # The parent may have died before the signal was asked for; then nobody would stop us.
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
