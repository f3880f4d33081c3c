"""Run with dCache's Python client: what it finds and does at the address in the first argument, as JSON."""

import json
import sys

from ada.client import AdaClient

with AdaClient(api=sys.argv[1], token="secret", verify=False, igtf=False) as client:
    listed = client.list("/vo")
    (before,) = client.longlist("/vo/cold")
    request = client.stage(["/vo/cold"], lifetime="7D")
    client.stat_request(request.request_id)
    done = client.stat_request(request.request_id)
    (after,) = client.longlist("/vo/cold")
    print(
        json.dumps(
            {
                "listed": listed,
                "before": [before.size, str(before.locality), before.current_qos],
                "request": str(done.status),
                "after": str(after.locality),
            }
        )
    )
