"""Python imports this at the start of a sandbox whose import path has it: the clock and the providers of a sample."""

import os

import pytest

from tests.template.sample_deployment import stage

stage(os.environ["SAMPLE"], pytest.MonkeyPatch())
