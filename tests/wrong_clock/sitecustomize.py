"""For Python with libfaketime 0.9.10, which takes the end of a `time.sleep`, a time of the monotonic clock, for one of the day.

Python imports this module by itself where its folder is in PYTHONPATH. It imports nothing of this project.
"""

import threading
import time


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


time.sleep = _sleep
