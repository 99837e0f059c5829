"""What the laptop makes of a SAM template: resources in the emulator, functions and routes read back from it."""

import asyncio
from pathlib import Path

import pytest

from local import emulator as aws
from local.deployment import deploy
from local.gateway import Route

DATA = Path(__file__).parents[2] / "data" / "laptop"

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def deployment(emulator):
    template = asyncio.run(aws.transform(DATA / "template.yaml"))
    return deploy(template, emulator, DATA)


@pytest.fixture(scope="module")
def functions(deployment):
    return {function.code.name: function for function in deployment.functions}


def test_every_function_has_its_folder_handler_and_limits_from_the_template(functions):
    sample, broken = functions["sample"], functions["broken"]
    assert sample.code == DATA / "functions" / "sample"
    assert (sample.handler, sample.timeout, sample.memory) == ("app.lambda_handler", 20, 256)
    assert (broken.handler, broken.timeout, broken.memory) == ("app.lambda_handler", 3, 128)


def test_references_in_the_environment_are_names_of_what_was_made(functions, emulator):
    environment = functions["sample"].environment
    tables = aws.client("dynamodb", emulator).list_tables()["TableNames"]
    assert environment["TABLE_NAME"] in tables
    assert aws.client("secretsmanager", emulator).describe_secret(SecretId=environment["SECRET_ID"])
    assert environment["GREETING"] == "hello"
    assert "SECRET_ID" not in functions["broken"].environment


def test_routes_lead_to_their_functions(deployment, functions):
    assert set(deployment.routes) == {
        Route("GET /things/{name}", functions["sample"].name),
        Route("ANY /{proxy+}", functions["sample"].name),
        Route("$default", functions["broken"].name),
    }


def test_layers_are_folders_of_the_checkout(deployment):
    assert deployment.layers == [DATA / "layers" / "shared"]


def test_the_table_expires_items_and_has_a_stream(deployment, emulator):
    dynamodb = aws.client("dynamodb", emulator)
    name = deployment.variable("TABLE_NAME")
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at")
    stream = dynamodb.describe_table(TableName=name)["Table"]["StreamSpecification"]
    assert stream == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
