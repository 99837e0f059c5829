from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


class FakeSecretsManager:
    """``value`` is the secret string, or the error that reading it raises."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.reads: list[str] = []
        self.created = datetime.now(UTC)

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.reads.append(SecretId)
        if isinstance(self.value, Exception):
            raise self.value
        held = {"SecretString": self.value} if isinstance(self.value, str) else {"SecretBinary": self.value}
        return {**held, "CreatedDate": self.created}
