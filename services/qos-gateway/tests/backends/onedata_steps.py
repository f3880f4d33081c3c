"""Run with OneData's Python client: what it does at the host in the first argument, as JSON."""

import json
import sys
import warnings

from onedatafilerestclient import OnedataFileRESTClient

warnings.simplefilter("ignore")
client = OnedataFileRESTClient(sys.argv[1], "secret", verify_ssl=False)
space = client.list_spaces()[0]
client.create_file(space, "theirs/a", create_parents=True)
client.put_file_content(space, b"their bytes", file_path="theirs/a")
client.set_extended_attribute(space, {"k": "v"}, file_path="theirs/a")
client.move(space, "theirs/a", space, "theirs/b")
print(
    json.dumps(
        {
            "space": space,
            "children": [each["name"] for each in client.list_children(space, file_path="theirs")["children"]],
            "part": client.get_file_content(space, offset=6, size=5, file_path="theirs/b").decode(),
            "ours": client.get_file_content(space, file_path="ours").decode(),
            "attributes": client.get_extended_attribute(space, file_path="theirs/b"),
        }
    )
)
