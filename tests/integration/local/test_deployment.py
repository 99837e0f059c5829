"""What the laptop makes of a SAM template: resources in the emulator, functions and routes read back from it."""

import asyncio
from pathlib import Path

import pytest

from local import emulator as aws
from local.deployment import STACK, DeploymentFailed, deploy
from local.event_sources import EventSource
from local.gateway import Route

DATA = Path(__file__).parents[2] / "data" / "laptop"

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def deployment(emulator):
    template = asyncio.run(aws.transform(DATA / "template.yaml"))
    return deploy(template, emulator, DATA, {"Greeting": "good day", "Unheard": "of"})


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
    assert environment["GREETING"] == "good day"
    assert "SECRET_ID" not in functions["broken"].environment


def test_routes_lead_to_their_functions(deployment, functions):
    assert set(deployment.routes) == {
        Route("GET /things/{name}", functions["sample"].name),
        Route("ANY /{proxy+}", functions["sample"].name),
        Route("$default", functions["broken"].name),
        Route("GET /opinions/{name}", functions["frank"].name),
    }


def test_a_function_that_a_condition_rules_out_is_not_there(functions):
    assert "frank" in functions
    assert "secretive" not in functions


def test_layers_are_folders_of_the_checkout(deployment):
    assert deployment.layers == [DATA / "layers" / "shared"]


def test_the_table_expires_items_and_has_a_stream(deployment, emulator):
    dynamodb = aws.client("dynamodb", emulator)
    name = deployment.variable("TABLE_NAME")
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at")
    stream = dynamodb.describe_table(TableName=name)["Table"]["StreamSpecification"]
    assert stream == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_event_sources_are_what_the_template_says_of_them(deployment, functions, emulator):
    stream, due = deployment.sources
    dead_letters = f"arn:aws:sqs:us-east-1:000000000000:{queue_called('DeadLetters', emulator)}"
    assert ":dynamodb:" in stream.arn
    assert stream == EventSource(
        arn=stream.arn,
        function=functions["reactor"].name,
        batch_size=20,
        filters=({"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "THING#"}]}}}},),
        reports_failures=True,
        bisects=True,
        from_the_start=True,
        retries=3,
        on_failure=dead_letters,
    )
    assert due == EventSource(
        arn=due.arn, function=functions["reactor"].name, batch_size=5, reports_failures=True, concurrency=2
    )
    assert deployment.queue_of("reactor") == due.arn
    assert deployment.queue_of("sample") is None


@pytest.mark.usefixtures("deployment")
def test_the_emulator_leaves_event_sources_alone(emulator):
    mappings = aws.client("lambda", emulator).list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == 3
    sqs = aws.client("sqs", emulator)
    url = sqs.get_queue_url(QueueName=queue_called("Due", emulator))["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="untouched", MessageGroupId="1", MessageDeduplicationId="1")
    (message,) = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=2, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def queue_called(logical, emulator):
    resources = aws.client("cloudformation", emulator).describe_stack_resources(StackName=STACK)["StackResources"]
    (queue,) = (each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == logical)
    return queue.rpartition("/")[2]


def test_what_ses_is_told_has_stand_ins_in_the_emulator(deployment, emulator):
    cloudformation = aws.client("cloudformation", emulator)
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    types = {each["LogicalResourceId"]: each["ResourceType"] for each in resources}
    stand_ins = {types[logical] for logical in ("Identity", "InboundRule", "InboundRules")}
    assert stand_ins == {"AWS::CloudFormation::WaitConditionHandle"}
    assert deployment.variable("RULES")
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    assert [output["OutputKey"] for output in stack["Outputs"]] == ["Table"]


@pytest.mark.usefixtures("deployment")
def test_a_stack_that_cannot_be_made_says_why(emulator):
    with pytest.raises(DeploymentFailed, match="already exists"):
        deploy({"Resources": {}}, emulator, DATA)
