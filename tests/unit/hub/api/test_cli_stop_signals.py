"""A signal stops a command whatever it is doing just then, also at the least convenient step."""

import subprocess
import sys

_AT_EVERY_STEP = """
import os, signal, sys
from periplus_hub.api.cli.stop_signals import StopSignals

def stopped_at(step):
    stop, left = StopSignals(), [step]
    def trace(frame, event, _):
        if frame.f_code.co_filename == "<string>":
            return trace
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return trace
    sys.settrace(trace)
    heard = stop.wait(0.01)
    sys.settrace(None)
    if left[0] > 0:
        assert not heard
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(30) and stop.wait(0)
    return left[0] > 0

step = 1
while not stopped_at(step):
    step += 1
print(step)
"""


def test_it_is_heard_at_every_step_of_the_wait() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AT_EVERY_STEP], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 3
