"""``python -m local.snapstart BUILT``: prints the built template with functions that start from snapshots, as JSON.

Lambda makes snapshots of published versions, and requests reach a version by an alias. A version stays as its function
was, so every deployment has to publish each function anew, whatever it changes: code, layers, parameters or nothing.
SAM does where the environment has other words, before parameters have their values; and Lambda refuses where a function
is as its last version was. So each deployment has a ``RELEASE`` of its own in the environment, and what is printed is
for one deployment alone.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html#sam-function-autopublishaliasallproperties
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ALIAS = "live"


def with_snapshots(built: str, release: str) -> str:
    """``built`` is a template as ``sam build`` leaves it, without short tags; ``release`` is new to the stack.

    Functions that react to records stay as they are: nobody waits for them.
    """
    template: dict[str, Any] = yaml.safe_load(built)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function" and "Events" in properties:
            properties["AutoPublishAlias"] = ALIAS
            properties["VersionDeletionPolicy"] = "Delete"  # A snapshot is paid for as long as its version is there.
            properties["SnapStart"] = {"ApplyOn": "PublishedVersions"}
            properties.setdefault("Environment", {}).setdefault("Variables", {})["RELEASE"] = release
    return json.dumps(template, indent=1)


if __name__ == "__main__":
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sys.stdout.write(with_snapshots(Path(sys.argv[1]).read_text(encoding="utf-8"), release=now))
