"""Prints what CloudFormation makes of a SAM template, as JSON.

It runs by path in the AWS emulator's own virtual environment, where aws-sam-translator lives. SAM wants code in
S3; there is none here, so a function's or layer's bucket is ``laptop`` and its key the folder in the checkout.
"""

import json
import sys
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform  # type: ignore[import-not-found]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-not-found]

BUCKET = "laptop"


class NoManagedPolicies:
    """Names of managed policies need not be looked up: nothing on the laptop checks permissions."""

    def load(self) -> dict[str, str]:
        return {}


def transformed(template: dict[str, Any], region: str) -> dict[str, Any]:
    sections = [resource.get("Properties", {}) for resource in template["Resources"].values()]
    for properties in [*sections, *template.get("Globals", {}).values()]:
        for key in ("CodeUri", "ContentUri"):
            if key in properties:
                properties[key] = f"s3://{BUCKET}/{properties[key]}"
    result: dict[str, Any] = transform(template, {"AWS::Region": region}, NoManagedPolicies())
    return result


if __name__ == "__main__":
    path, region = sys.argv[1:]
    print(json.dumps(transformed(yaml_parse(Path(path).read_text(encoding="utf-8")), region)))
