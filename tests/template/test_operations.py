"""What the operator is told and can set: alarms to one topic, a dashboard, concurrency, tags."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from freebusy.domain.errors import ProviderMisconfigured
from freebusy.measures import Measure
from tests.template.deployment import (
    ANSWERING,
    LOGICAL_ID,
    OWN_METRICS,
    REACTING,
    RESOURCES,
    ROOT,
    TEMPLATE,
    holds,
    metrics,
    of_type,
    own,
    watched,
)

ALARMS = of_type("AWS::CloudWatch::Alarm")
GUIDE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
COSTS = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
MOST_METRICS = 10
"""Of one alarm that adds up. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""


TABLE = RESOURCES["Table"]["Properties"]
PROVIDERS = ["Google", "Microsoft", "Cronofy"]


def alarms_on(metric_name: str) -> list[str]:
    return [name for name, alarm in ALARMS.items() if metric_name in {each["MetricName"] for each in metrics(alarm)}]


def parameter(name: str) -> dict:
    return TEMPLATE["Parameters"][name]


@pytest.mark.parametrize("name", ALARMS)
class TestAlarm:
    def test_reaches_the_operator_and_says_where_to_read_on(self, name):
        alarm = ALARMS[name]["Properties"]
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]
        (page,) = re.findall(r"docs/\w+\.md", alarm["AlarmDescription"])
        assert (ROOT / page).is_file()

    def test_is_explained_to_the_operator(self, name):
        assert f"`{name}`" in GUIDE

    def test_stays_quiet_while_nothing_happens(self, name):
        """Metrics of what is not used are missing."""
        assert ALARMS[name]["Properties"]["TreatMissingData"] in {"notBreaching", "ignore"}

    def test_adds_up_no_more_than_cloudwatch_can(self, name):
        queries = ALARMS[name]["Properties"].get("Metrics", [])
        assert len(metrics(ALARMS[name])) <= MOST_METRICS
        assert len([query for query in queries if query.get("ReturnData", True) and "Fn::If" not in query]) <= 1

    def test_is_about_something_that_is_deployed(self, name):
        assert watched(ALARMS[name]) or own(ALARMS[name])
        assert watched(ALARMS[name]) <= set(RESOURCES)

    def test_counts_what_functions_measure_by_its_dimensions(self, name):
        """A metric with other dimensions is another metric, which nobody writes."""
        for metric in own(ALARMS[name]):
            dimensions = [dimension["Name"] for dimension in metric.get("Dimensions", [])]
            assert sorted(dimensions) == sorted(Measure(metric["MetricName"]).dimensions)


@pytest.mark.parametrize("folder", LOGICAL_ID)
@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_is_watched(folder, metric):
    watching = [name for name in alarms_on(metric) if LOGICAL_ID[folder] in watched(ALARMS[name])]
    assert len(watching) == 1


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_a_function_that_is_not_always_deployed_is_watched_only_where_it_is(metric):
    for name in alarms_on(metric):
        for query in ALARMS[name]["Properties"]["Metrics"][1:]:
            (logical_id,) = re.findall(r"\w+Function", json.dumps(query))
            condition = RESOURCES[logical_id].get("Condition")
            assert query.get("Fn::If", [None])[0] == condition


@pytest.mark.parametrize(
    ("metric", "about"),
    [
        ("5xx", {"HttpApi"}),
        ("Latency", {"HttpApi"}),
        ("ReadThrottleEvents", {"Table"}),
        ("WriteThrottleEvents", {"Table"}),
        ("Reputation.BounceRate", {"ConfigurationSet"}),
        ("Reputation.ComplaintRate", {"ConfigurationSet"}),
    ],
)
def test_trouble_of_the_whole_service_raises_an_alarm(metric, about):
    (name,) = alarms_on(metric)
    assert watched(ALARMS[name]) == about


@pytest.mark.parametrize(("metric", "review"), [("Reputation.BounceRate", 0.05), ("Reputation.ComplaintRate", 0.001)])
def test_the_operator_hears_of_bounces_and_complaints_before_ses_reviews_the_account(metric, review):
    (name,) = alarms_on(metric)
    assert ALARMS[name]["Properties"]["Threshold"] < review
    assert RESOURCES["ConfigurationSet"]["Properties"]["ReputationOptions"] == {"ReputationMetricsEnabled": True}


def test_alarms_go_to_a_topic_that_is_there_whether_or_not_somebody_is_mailed():
    assert "Condition" not in RESOURCES["Alarms"]
    assert RESOURCES["AlarmSubscription"]["Condition"] == "HasAlarmEmail"
    assert TEMPLATE["Outputs"]["AlarmTopicArn"]["Value"] == {"Ref": "Alarms"}


@pytest.mark.parametrize("index", [None, *(each["IndexName"] for each in TABLE["GlobalSecondaryIndexes"])])
@pytest.mark.parametrize("metric", ["ReadThrottleEvents", "WriteThrottleEvents"])
def test_the_table_is_watched_with_its_global_indexes(metric, index):
    """None of which are in the measure of the table."""
    dimensions = {"TableName": {"Ref": "Table"}} | ({"GlobalSecondaryIndexName": index} if index else {})
    looked_at = [each for each in metrics(ALARMS["TableThrottled"]) if each["MetricName"] == metric]
    assert dimensions in [{each["Name"]: each["Value"] for each in one["Dimensions"]} for one in looked_at]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_that_fails_raises_an_alarm_where_it_is_offered(provider):
    alarm = ALARMS[f"{provider}Failing"]
    assert alarm["Condition"] == f"Offers{provider}"
    assert {each["Value"] for metric in own(alarm) for each in metric["Dimensions"]} == {provider.lower()}
    assert {query["MetricStat"]["Period"] for query in alarm["Properties"]["Metrics"][1:]} == {3600}


@pytest.mark.parametrize(
    ("calls", "failed", "rings"),
    [
        pytest.param(14, 14, True, id="a hundred people's provider is down"),
        pytest.param(137, 14, True, id="a thousand people's provider has been down for six minutes"),
        pytest.param(137, 13, False, id="or for less"),
        pytest.param(4, 4, False, id="one person's mailbox"),
        pytest.param(50_000, 400, False, id="what fails now and then"),
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_hour_of_a_provider_raises_an_alarm_in_small_deployments_too(provider, calls, failed, rings):
    """A thousand people make 137 calls an hour as docs/cost.md has them."""
    properties = ALARMS[f"{provider}Failing"]["Properties"]
    share = properties["Metrics"][0]["Expression"]
    known = {"IF": lambda test, yes, no: yes if test else no, "calls": calls, "failed": failed}
    assert (eval(share, known) > properties["Threshold"]) == rings  # noqa: S307 - the template's own arithmetic
    assert properties["EvaluationPeriods"] == 1


def test_a_registration_that_is_refused_once_raises_an_alarm():
    """Nobody's patience mends a dead client secret, however few ask."""
    alarm = ALARMS["ProvidersMisconfigured"]
    for provider, query in zip(PROVIDERS, alarm["Properties"]["Metrics"][1:], strict=True):
        condition, measured, _ = query["Fn::If"]
        assert condition == f"Offers{provider}"
        assert measured["MetricStat"]["Metric"]["Dimensions"] == [
            {"Name": "Provider", "Value": provider.lower()},
            {"Name": "Reason", "Value": ProviderMisconfigured.reason},
        ]
    assert (alarm["Properties"]["Threshold"], alarm["Properties"]["EvaluationPeriods"]) == (0, 1)


def test_functions_measure_unless_the_operator_says_otherwise():
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["METRICS_NAMESPACE"] == {"Fn::If": ["MeasuresItself", OWN_METRICS, ""]}
    assert holds("MeasuresItself")


def test_lambda_drops_no_line_of_metrics_and_functions_know_the_level():
    """A line without a level counts as INFO.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    everywhere = TEMPLATE["Globals"]["Function"]
    assert everywhere["LoggingConfig"]["ApplicationLogLevel"] == "DEBUG"
    assert everywhere["LoggingConfig"]["LogFormat"] == "JSON"
    assert everywhere["Environment"]["Variables"]["LOG_LEVEL"] == {"Ref": "LogLevel"}


def test_what_alarms_cost_is_said_as_it_is():
    (metrics_told,) = re.findall(r"\| alarms \| (\d+) metrics × 0\.10 \|", COSTS)
    (told,) = re.findall(r"\| alarms \| \d+ metrics × 0\.10 \| ([\d.]+) \|", COSTS)
    counted = sum(
        len([query for query in _queries(alarm) if "Fn::If" not in query or holds(query["Fn::If"][0])])
        for alarm in ALARMS.values()
        if "Condition" not in alarm or holds(alarm["Condition"])
    )
    assert int(metrics_told) == counted
    assert float(told) == pytest.approx(counted * 0.10)


def test_what_polling_costs_is_said_as_it_is():
    """Long polls of 20 seconds, by five pollers for each queue that a function fetches from."""
    ((standard, fifo, requests, price),) = re.findall(
        r"\| polling \| 5 pollers each for (\d) × `queue` and (\d) × `fifo`, ([\d,]+) requests each \| ([\d.]+) \|",
        COSTS,
    )
    queues = [queue["Properties"] for queue in of_type("AWS::SQS::Queue").values()]
    kinds = [queue.get("FifoQueue", False) for queue in queues if "RedrivePolicy" in queue]
    assert (int(standard), int(fifo)) == (kinds.count(False), kinds.count(True))
    assert int(requests.replace(",", "")) == 730 * 3600 / 20
    millions = 5 * 730 * 3600 / 20 / 1e6
    assert float(price) == pytest.approx(millions * (int(standard) * 0.40 + int(fifo) * 0.50), abs=0.005)


def test_what_costs_without_use_adds_up():
    (table,) = re.findall(r"## Without any use, a month\n\n(.+?)\n\n", COSTS, re.DOTALL)
    *prices, together = [float(price) for price in re.findall(r"\|[ *]+([\d.]+)[ *]+\|$", table, re.MULTILINE)]
    assert together == pytest.approx(sum(prices))


def _queries(alarm):
    """What an alarm is charged for: metrics, and no calculations with them."""
    return [each for each in alarm["Properties"].get("Metrics", [{}]) if "Expression" not in each]


class TestDashboard:
    TEXT, ADDED = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    WIDGETS = json.loads(TEXT.replace("${AndOrganizations}", ""))["widgets"]

    def test_names_only_what_is_always_deployed(self):
        named = {name.partition(".")[0] for name in re.findall(r"\$\{([\w.:]+)\}", self.TEXT)}
        resources = {name for name in named - set(self.ADDED) if not name.startswith("AWS::")}
        assert resources <= set(RESOURCES)
        assert not [name for name in resources if "Condition" in RESOURCES[name]]

    def test_has_a_name_of_its_own_in_every_region(self):
        """Dashboards belong to an account: a second one of the same name would take the place of the first."""
        assert RESOURCES["Dashboard"]["Properties"]["DashboardName"] == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}

    @pytest.mark.parametrize("metric", ["Errors", "Duration", "ConcurrentExecutions", "Throttles"])
    def test_shows_every_function_by_its_own_name(self, metric):
        """A search by the stack's name would find other stacks, and miss names that CloudFormation cut off."""
        (shown,) = [
            widget["properties"]["metrics"]
            for widget in self.WIDGETS
            if widget["properties"].get("metrics", [[]])[0][:2] == ["AWS/Lambda", metric]
        ]
        always = [f"${{{name}}}" for name in LOGICAL_ID.values() if "Condition" not in RESOURCES[name]]
        assert sorted(row[-1] for row in shown) == sorted(always)
        assert "{AWS/Lambda" not in self.TEXT

    def test_shows_the_function_of_organizations_where_they_can_connect(self):
        condition, row, nothing = self.ADDED["AndOrganizations"]["Fn::If"]
        assert condition == RESOURCES["EnterpriseConnectFunction"]["Condition"]
        assert json.loads(f"[[]{row['Fn::Sub']}]")[1] == ["...", "${EnterpriseConnectFunction}"]
        assert nothing == ""

    def test_shows_every_queue(self):
        for queue in of_type("AWS::SQS::Queue"):
            assert f"${{{queue}.QueueName}}" in self.TEXT

    def test_shows_what_functions_measure(self):
        shown = set(re.findall(r'MetricName=\\"(\w+)\\"', self.TEXT)) | {
            metric["MetricName"] for alarm in ALARMS.values() for metric in own(alarm)
        }
        assert set(Measure) <= shown

    def test_searches_by_the_dimensions_that_functions_give(self):
        searched = re.findall(r"FreeBusyConnect/\$\{AWS::StackName\}\\\",([\w,]+)\} MetricName=\\\"(\w+)", self.TEXT)
        measures = {str(measure): measure for measure in Measure}
        assert searched
        for dimensions, measure in searched:
            assert dimensions == ",".join(measures[measure].dimensions)

    def test_has_no_widget_over_another(self):
        places = [
            (widget["x"] + column, widget["y"] + row)
            for widget in self.WIDGETS
            for column in range(widget["width"])
            for row in range(widget["height"])
        ]
        assert len(places) == len(set(places))
        assert max(column for column, _ in places) < 24


class TestConcurrency:
    @pytest.mark.parametrize("folder", REACTING)
    def test_is_reserved_for_workers_where_the_operator_says_so(self, folder):
        properties = RESOURCES[LOGICAL_ID[folder]]["Properties"]
        reserved = ["ReservesConcurrency", {"Ref": "WorkerConcurrency"}, {"Ref": "AWS::NoValue"}]
        assert properties["ReservedConcurrentExecutions"] == {"Fn::If": reserved}

    @pytest.mark.parametrize("folder", ANSWERING)
    def test_is_never_limited_for_requests(self, folder):
        assert "ReservedConcurrentExecutions" not in RESOURCES[LOGICAL_ID[folder]]["Properties"]

    def test_is_shared_unless_the_operator_says_otherwise(self):
        assert parameter("WorkerConcurrency")["Default"] == 0
        assert TEMPLATE["Conditions"]["ReservesConcurrency"] == {
            "Fn::Not": [{"Fn::Equals": [{"Ref": "WorkerConcurrency"}, 0]}]
        }

    def test_that_is_reserved_is_enough_for_what_the_queues_bring_at_once(self):
        """Lambda would fetch messages that it cannot hand over, and they would end among the dead letters."""
        least = min(value for value in parameter("WorkerConcurrency")["AllowedValues"] if value)
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
            assert mapping["Properties"].get("ScalingConfig", {"MaximumConcurrency": 0})["MaximumConcurrency"] <= least


def test_everything_that_a_deployment_makes_is_tagged():
    """CloudFormation hands the tags of a stack on to all its resources that can have some."""
    deploy = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))["default"]["deploy"]["parameters"]
    assert deploy["tags"] == "application=freebusy-connect"


LONGEST_STACK_NAME = 64
MOST_CHARACTERS = {
    ("AccessLogs", "LogGroupName"): 512,
    ("Alarms", "DisplayName"): 100,
    ("ConfigurationSet", "Name"): 64,
    ("CoreLayer", "LayerName"): 140,
    ("CredentialKeyAlias", "AliasName"): 256,
    ("Dashboard", "DashboardName"): 255,
    ("DependenciesLayer", "LayerName"): 140,
    ("FunctionLogs", "LogGroupName"): 512,
    ("HttpApi", "Name"): 128,
    ("InboundRules", "RuleSetName"): 64,
}
"""Of what is named for the stack, by AWS. All else has a name of CloudFormation's, which cuts it to fit."""


def test_whatever_is_named_for_the_stack_fits_its_longest_name():
    """CloudFormation takes 128 characters, so the guide says so."""
    named = {
        (resource, name): value.get("Fn::Sub", "${AWS::StackName}")
        for resource, each in RESOURCES.items()
        for name, value in each.get("Properties", {}).items()
        if name.endswith("Name") and "AWS::StackName" in json.dumps(value)
    }
    assert set(named) == set(MOST_CHARACTERS)
    for key, text in named.items():
        name = text.replace("${AWS::StackName}", "s" * LONGEST_STACK_NAME).replace("${AWS::Region}", "ap-southeast-1")
        assert len(name) <= MOST_CHARACTERS[key]
    assert f"at most {LONGEST_STACK_NAME} characters" in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        name
        for kind in (
            "DynamoDB::Table",
            "KMS::Key",
            "Logs::LogGroup",
            "S3::Bucket",
            "SQS::Queue",
            "SecretsManager::Secret",
        )
        for name in of_type(f"AWS::{kind}")
    ],
)
def test_what_holds_something_says_what_becomes_of_it(name):
    assert {RESOURCES[name].get(policy) for policy in ("DeletionPolicy", "UpdateReplacePolicy")} <= {"Retain", "Delete"}
