"""Run as a program with gfal2's interface: checks and changes the class of one object, printing what it was told.

Arguments: address of the gateway, path, target class. Waits for a line on stdin before it looks again.
"""

import json
import sys

import gfal2

root, path, target = sys.argv[1:4]
context = gfal2.creat_context()
told = {
    "classes": context.qos_check_classes(root, "dataobject"),
    "before": context.check_file_qos(f"{root}{path}"),
}
told["allowed"] = context.check_available_qos_transitions(f"{root}{told['before']}")
told["change"] = context.change_object_qos(f"{root}{path}", target)
told["target"] = context.check_target_qos(f"{root}{path}")
print(json.dumps(told), flush=True)
sys.stdin.readline()
print(json.dumps({"after": context.check_file_qos(f"{root}{path}")}), flush=True)
