"""The versions of a secret in Secrets Manager: the current one, which functions read, and the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import SecretVersionsListEntryTypeDef

_CURRENT: Literal["AWSCURRENT"] = "AWSCURRENT"
_PREVIOUS: Literal["AWSPREVIOUS"] = "AWSPREVIOUS"


class SecretsManagerVersions:
    """Implements ``ports.SecretVersions``.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html: whenever AWSCURRENT moves on to
    another version, AWSPREVIOUS moves to the one that it came from.
    """

    def __init__(self, client: SecretsManagerClient, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id

    def current(self) -> str:
        return self._value(_CURRENT)

    def previous(self) -> str:
        return self._value(_PREVIOUS)

    def replace(self, value: str) -> None:
        self._client.put_secret_value(SecretId=self._secret_id, SecretString=value)

    def go_back(self) -> None:
        versions = self._versions()
        self._client.update_secret_version_stage(
            SecretId=self._secret_id,
            VersionStage=_CURRENT,
            RemoveFromVersionId=versions[_CURRENT]["VersionId"],
            MoveToVersionId=versions[_PREVIOUS]["VersionId"],
        )

    def since(self) -> tuple[int | None, int | None]:
        versions = self._versions()
        current, previous = (
            int(versions[stage]["CreatedDate"].timestamp()) if stage in versions else None
            for stage in (_CURRENT, _PREVIOUS)
        )
        return current, previous

    def _value(self, stage: str) -> str:
        """A secret that the template made and nobody filled in has no version at all."""
        try:
            return self._client.get_secret_value(SecretId=self._secret_id, VersionStage=stage).get("SecretString", "")
        except self._client.exceptions.ResourceNotFoundException:
            self._client.describe_secret(SecretId=self._secret_id)
            return ""

    def _versions(self) -> dict[str, SecretVersionsListEntryTypeDef]:
        """Those that have a stage, by their stages; others are not listed."""
        listed = self._client.list_secret_version_ids(SecretId=self._secret_id)["Versions"]
        return {stage: version for version in listed for stage in version.get("VersionStages", [])}
