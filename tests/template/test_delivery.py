"""Nothing is lost between a 202 and what it promises: queues, dead letters and the alarms that watch them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freebusy.adapters.dynamodb.channels import CHANNEL_PREFIX
from freebusy.adapters.dynamodb.events import EVENT_PREFIX
from freebusy.adapters.queue import LONGEST_PAUSE
from freebusy.measures import Measure
from local.event_sources import matches
from tests.template.deployment import (
    REACTING,
    RESOURCES,
    TEMPLATE,
    as_list,
    metrics,
    of_type,
    own,
    resources_of,
    sources,
    statements,
    watched,
)

QUEUES = of_type("AWS::SQS::Queue")
ALARMS = of_type("AWS::CloudWatch::Alarm")
FORTNIGHT = 14 * 86_400
"""As long as SQS keeps a message at most."""


def dead_letters_of(queue: str) -> str | None:
    target = QUEUES[queue]["Properties"].get("RedrivePolicy", {}).get("deadLetterTargetArn", {})
    return target.get("Fn::GetAtt", [None])[0]


READ = [queue for queue in QUEUES if dead_letters_of(queue)]
"""Queues that a function reads."""

DEAD_LETTERS = [queue for queue in QUEUES if queue not in READ]

LET_WAIT = [
    queue
    for function in REACTING
    for statement in statements(function)
    if "sqs:ChangeMessageVisibility" in as_list(statement["Action"])
    for queue, _ in resources_of(statement["Resource"])
]
"""Queues whose functions say themselves how long what fails has to wait."""


def alarm_on(queue: str) -> dict[str, Any]:
    (alarm,) = [alarm for alarm in ALARMS.values() if watched(alarm) == {queue}]
    return alarm


@pytest.mark.parametrize("queue", READ)
def test_a_message_is_hidden_long_enough_for_its_function_to_fail_several_times(queue):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    timeout = TEMPLATE["Globals"]["Function"]["Timeout"]
    assert QUEUES[queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout
    assert QUEUES[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"] >= 5


@pytest.mark.parametrize("queue", READ)
def test_dead_letters_are_in_order_where_the_queue_is(queue):
    dead = QUEUES[dead_letters_of(queue)]["Properties"]
    assert dead.get("FifoQueue") == QUEUES[queue]["Properties"].get("FifoQueue")


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_keep_what_they_hold_encrypted_and_as_long_as_they_can(queue):
    properties = QUEUES[queue]["Properties"]
    assert properties["SqsManagedSseEnabled"] is True
    assert properties["MessageRetentionPeriod"] == FORTNIGHT


@pytest.mark.parametrize("queue", DEAD_LETTERS)
def test_the_first_dead_letter_raises_an_alarm(queue):
    alarm = alarm_on(queue)["Properties"]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


@pytest.mark.parametrize("queue", READ)
def test_what_is_late_raises_an_alarm_before_it_is_given_up(queue):
    """By SQS's own measure, which knows what nobody fetches."""
    alarm = alarm_on(queue)
    assert "ApproximateAgeOfOldestMessage" in {metric["MetricName"] for metric in metrics(alarm)}
    assert alarm["Properties"]["Threshold"] < 86_400


@pytest.mark.parametrize("queue", LET_WAIT)
def test_what_fails_for_long_raises_the_same_alarm(queue):
    """By what the function measures, since SQS leaves out what was received three times."""
    alarm = alarm_on(queue)
    (waits,) = own(alarm)
    (aged,) = [metric for metric in metrics(alarm) if metric is not waits]
    assert waits["MetricName"] == Measure.WAIT
    assert waits["Dimensions"] == aged["Dimensions"]
    assert alarm["Properties"]["Metrics"][0]["Expression"] == "MAX(METRICS())"


@pytest.mark.parametrize("queue", LET_WAIT)
def test_an_alarm_about_what_fails_outlasts_the_time_between_two_tries(queue):
    """Else it would come and go with each of them."""
    properties = alarm_on(queue)["Properties"]
    (period,) = {query["MetricStat"]["Period"] for query in properties["Metrics"][1:]}
    assert period >= LONGEST_PAUSE
    assert (properties["DatapointsToAlarm"], properties["EvaluationPeriods"]) == (1, 2)


@pytest.mark.parametrize("queue", sorted({*READ} - {*LET_WAIT}))
def test_where_nothing_is_let_wait_what_fails_is_dead_before_it_is_late(queue):
    properties = QUEUES[queue]["Properties"]
    tries = properties["RedrivePolicy"]["maxReceiveCount"] * properties["VisibilityTimeout"]
    assert tries < alarm_on(queue)["Properties"]["Threshold"]


def test_a_stream_that_is_late_raises_an_alarm():
    (alarm,) = [
        alarm["Properties"] for alarm in ALARMS.values() if alarm["Properties"].get("MetricName") == "IteratorAge"
    ]
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "OnEventChangedFunction"}}]
    assert alarm["Threshold"] < TestTheStream.MAPPING["MaximumRecordAgeInSeconds"] * 1000


@pytest.mark.parametrize("function", REACTING)
def test_one_record_that_fails_does_not_fail_its_batch(function):
    for source in sources(function):
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


class TestTheStream:
    (MAPPING,) = sources("on_event_changed")

    def wants(self, event_name: str, sk: str, before: Any = None, **image: dict[str, str]) -> bool:
        filters = [
            each["Fn::If"][1] if "Fn::If" in each else each for each in self.MAPPING["FilterCriteria"]["Filters"]
        ]
        images = {"NewImage": image, "OldImage": before or {}}
        record = {"eventName": event_name, "dynamodb": {"Keys": {"sk": {"S": sk}}, **images}}
        return any(matches(json.loads(each["Pattern"]), record) for each in filters)

    @pytest.mark.parametrize("prefix", [EVENT_PREFIX, CHANNEL_PREFIX])
    def test_brings_events_and_channels_that_were_written(self, prefix):
        assert self.wants("INSERT", f"{prefix}hash")
        assert self.wants("MODIFY", f"{prefix}hash")
        assert not self.wants("REMOVE", f"{prefix}hash")

    def test_brings_accounts_that_have_channels(self):
        assert self.wants("MODIFY", "ACCOUNT", channels={"N": "2"})
        assert not self.wants("MODIFY", "ACCOUNT", channels={"N": "0"})
        assert self.wants("MODIFY", "ACCOUNT", before={"channels": {"N": "1"}}, channels={"N": "0"})
        assert not self.wants("MODIFY", "ACCOUNT")

    def test_brings_nothing_else(self):
        for sk in ("SENT#uid#recipient", "ORGANIZER", "TOKEN", "IDENTITY"):
            assert not self.wants("MODIFY", sk, channels={"N": "2"})

    def test_brings_events_only_where_they_are_delivered(self):
        first, *_ = self.MAPPING["FilterCriteria"]["Filters"]
        assert first["Fn::If"][0] == "DeliversEvents"

    def test_waits_out_trouble_until_its_records_are_about_to_leave(self):
        """DynamoDB keeps them for 24 hours; Lambda's own limit of tries comes later than that."""
        assert self.MAPPING["MaximumRetryAttempts"] == 10_000
        assert self.MAPPING["MaximumRecordAgeInSeconds"] < 86_400
        assert self.MAPPING["BisectBatchOnFunctionError"] is True

    def test_leaves_word_of_what_it_gave_up(self):
        destination = self.MAPPING["DestinationConfig"]["OnFailure"]["Destination"]
        assert destination == {"Fn::GetAtt": ["EventChangeDeadLetters", "Arn"]}
        assert "FifoQueue" not in QUEUES["EventChangeDeadLetters"]["Properties"]  # Lambda sends to standard queues.

    def test_is_read_from_its_start(self):
        assert self.MAPPING["StartingPosition"] == "TRIM_HORIZON"


class TestMail:
    def test_is_sent_from_the_domain_and_reported_on(self):
        variables = RESOURCES["OnInvitationDueFunction"]["Properties"]["Environment"]["Variables"]
        assert variables["MAIL_DOMAIN"] == {"Ref": "MailDomain"}
        assert variables["CONFIGURATION_SET"] == {"Ref": "ConfigurationSet"}

    def test_is_sent_from_the_address_that_applications_read(self):
        variables = RESOURCES["EventsFunction"]["Properties"]["Environment"]["Variables"]
        assert variables["MAIL_DOMAIN"] == {"Ref": "MailDomain"}

    def test_that_bounces_or_is_complained_about_is_reported_to_where_answers_come_in(self):
        (destination,) = of_type("AWS::SES::ConfigurationSetEventDestination").values()
        settings = destination["Properties"]["EventDestination"]
        assert set(settings["MatchingEventTypes"]) == {"bounce", "complaint", "reject"}
        assert settings["SnsDestination"] == {"TopicARN": {"Ref": "MailNotifications"}}

    def test_is_signed(self):
        identity = RESOURCES["MailIdentity"]["Properties"]
        assert identity["EmailIdentity"] == {"Ref": "MailDomain"}
        assert identity["DkimAttributes"] == {"SigningEnabled": True}

    def test_is_never_looked_into(self):
        """Tracking would rewrite the message, and count who opens it."""
        assert "TrackingOptions" not in RESOURCES["ConfigurationSet"]["Properties"]
