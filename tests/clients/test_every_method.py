"""Every method of every official client, with every parameter; a new one in a newer client cannot be forgotten."""

from __future__ import annotations

import inspect
from collections import defaultdict

import elasticsearch
import pytest

from tests.clients.calls import CALLS, CONNECTOR, JOB, SECRET_CALLS, SINCE_9, Call
from tests.clients.official import JavaScriptClient, Official, PythonClient, Refused
from tests.service import Service

pytestmark = pytest.mark.filterwarnings("error")

ALL_CALLS = CALLS + SECRET_CALLS
JOB_METHODS = "sync_job_"


def calls_of(client: Official) -> list[Call]:
    return ALL_CALLS if isinstance(client, JavaScriptClient) else CALLS


def lacks(client: Official, call: Call, parameter: str) -> bool:
    """Is this a parameter that is known to be missing from this client?"""
    is_py_8 = isinstance(client, PythonClient) and elasticsearch.__version__[0] == 8
    return is_py_8 and (call.method, parameter) in SINCE_9
