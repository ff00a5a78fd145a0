"""Writes and reads files below a folder: one line of JSON in, one out. For mixed-files-redis.toml."""

import json
import os
import sys

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
for line in sys.stdin:
    request = json.loads(line)
    if "write" in request:
        path = os.path.join(folder, request["write"])
        with open(path + ".part", "w") as file:
            file.write(request["text"])
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + ".part", path)
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        answer = {"outcome": "acknowledged"}
    else:
        try:
            with open(os.path.join(folder, request["read"])) as file:
                answer = {"text": file.read()}
        except FileNotFoundError:
            answer = {"text": None}
    print(json.dumps(answer), flush=True)
