"""Run as a program with gfal2's interface: carries out calls and prints what it was told.

Arguments: address of the gateway; then one call per line of stdin as JSON: the method's name and its arguments.
"""

import json
import sys

import gfal2

root = sys.argv[1]
context = gfal2.creat_context()
for line in sys.stdin:
    name, paths, *more = json.loads(line)
    urls = [root + path for path in paths] if isinstance(paths, list) else root + paths
    try:
        told = getattr(context, name)(urls, *more)
    except gfal2.GError as error:
        told = {"error": error.message, "code": error.code}
    if isinstance(told, tuple):
        told = list(told)
    if isinstance(told, list):
        told = [
            [str(each) if each is not None else None for each in one]
            if isinstance(one, list)
            else (one if one is None or isinstance(one, str | int) else str(one))
            for one in told
        ]
    print(json.dumps(told), flush=True)
