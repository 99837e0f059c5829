"""``make diagram``: docs/architecture.svg, drawn from template.yaml. A test compares the two.

A row is a function, between what calls it and what it may use: a line of the right half is a part of the deployment,
and a dot on it a permission, filled where it changes something.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from tests.template.deployment import (
    ANSWERING,
    POLLING,
    REACTING,
    RESOURCES,
    ROOT,
    as_list,
    resources_of,
    routes,
    sources,
    statements,
)

FILE = ROOT / "docs" / "architecture.svg"

PARTS = {
    "Table": ("AWS::DynamoDB::Table",),
    "KMS key": ("AWS::KMS::Key",),
    "Secrets": ("AWS::SecretsManager::Secret",),
    "Queues": ("AWS::SQS::Queue",),
    "Mail out (SES)": ("AWS::SES::EmailIdentity", "AWS::SES::ConfigurationSet"),
    "Mail in (S3)": ("AWS::S3::Bucket",),
}
READS = {"GetItem", "BatchGetItem", "Query", "GetSecretValue", "Decrypt", "GetObject"}

ROW, TOP = 34, 96
CALLER, FUNCTION, FIRST_PART, PART = 20, 350, 590, 100
BOX = 26
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2933; }
  .small { font-size: 11px; fill: #52606d; }
  .title { font-weight: 600; }
  .box { fill: #f5f7fa; stroke: #7b8794; }
  .function { fill: #e3f2fd; stroke: #2b6cb0; }
  .line { stroke: #cbd2d9; stroke-width: 2; }
  .arrow { stroke: #7b8794; fill: none; marker-end: url(#head); }
  .reads { fill: #fff; stroke: #2b6cb0; stroke-width: 2; }
  .changes { fill: #2b6cb0; stroke: #2b6cb0; stroke-width: 2; }
"""

LABEL = "Who calls which function, and what each may use"
HEAD = """<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0,0 L8,4 L0,8 z" fill="#7b8794"/></marker></defs>"""


def uses(function: str) -> dict[str, bool]:
    """The parts that a function may use, with whether it may change something there. Polling does not count."""
    found: dict[str, bool] = {}
    for statement in statements(function):
        own = {action.partition(":")[2] for action in as_list(statement["Action"]) if action not in POLLING}
        for name, _ in resources_of(statement["Resource"]):
            for part, kinds in PARTS.items():
                if own and RESOURCES[name]["Type"] in kinds:
                    found[part] = found.get(part, False) or bool(own - READS)
    return found


def caller(function: str) -> str:
    """What brings a reacting function its records."""
    (arn,) = (source["EventSourceArn"]["Fn::GetAtt"] for source in sources(function))
    return "stream of the Table" if arn[1] == "StreamArn" else f"queue {arn[0]}"


def paths(function: str) -> str:
    """Where an answering function's routes begin: the shortest, and how many others there are."""
    beginnings = {"/".join(route.path.split("/")[:3]) for route in routes() if route.function == function}
    first, *others = sorted(beginnings, key=lambda path: (len(path), path))
    return first + (f" and {len(others)} more" if others else "")


def drawn() -> str:
    rows = [*ANSWERING, *REACTING]
    bottom = TOP + len(rows) * ROW
    width = FIRST_PART + len(PARTS) * PART
    size = f"0 0 {width} {bottom + 44}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img" aria-label="{LABEL}">',
        f"<style>{STYLE}</style>",
        HEAD,
        f'<rect width="{width}" height="{bottom + 44}" fill="#fff"/>',
        _text(CALLER, 30, "People, applications, mail", "title"),
        _text(FUNCTION, 30, "Functions", "title"),
        *_parts(bottom),
        *_callers(),
    ]
    for number, function in enumerate(rows):
        lines += _row(function, TOP + number * ROW)
    lines += _legend(bottom + 24)
    return "\n".join([*lines, "</svg>", ""])


def _parts(bottom: int) -> Iterator[str]:
    for number, part in enumerate(PARTS):
        x = FIRST_PART + number * PART + PART // 2
        yield f'<text x="{x}" y="{30 if number % 2 else 56}" text-anchor="middle" class="title">{escape(part)}</text>'
        yield f'<line x1="{x}" y1="{TOP - 30}" x2="{x}" y2="{bottom}" class="line"/>'


def _callers() -> Iterator[str]:
    height = len(ANSWERING) * ROW - (ROW - BOX)
    yield f'<rect x="{CALLER}" y="{TOP}" width="100" height="{height}" rx="4" class="box"/>'
    yield _text(CALLER + 12, TOP + height // 2, "HTTP API")
    for number, function in enumerate(REACTING):
        y = TOP + (len(ANSWERING) + number) * ROW
        yield f'<rect x="{CALLER}" y="{y}" width="160" height="{BOX}" rx="4" class="box"/>'
        yield _text(CALLER + 8, y + 17, caller(function), "small")


def _row(function: str, y: int) -> Iterator[str]:
    middle = y + BOX // 2
    if function in ANSWERING:
        yield _text(CALLER + 106, y + 10, paths(function), "small")
        yield f'<path d="M{CALLER + 100},{middle} H{FUNCTION}" class="arrow"/>'
    else:
        yield f'<path d="M{CALLER + 160},{middle} H{FUNCTION}" class="arrow"/>'
    used = uses(function)
    if used:
        end = FIRST_PART + max(list(PARTS).index(part) for part in used) * PART + PART // 2
        yield f'<line x1="{FUNCTION + 190}" y1="{middle}" x2="{end}" y2="{middle}" class="line"/>'
    yield f'<rect x="{FUNCTION}" y="{y}" width="190" height="{BOX}" rx="4" class="function"/>'
    yield _text(FUNCTION + 10, y + 17, function)
    for part, changes in used.items():
        x = FIRST_PART + list(PARTS).index(part) * PART + PART // 2
        yield f'<circle cx="{x}" cy="{middle}" r="6" class="{"changes" if changes else "reads"}"/>'


def _legend(y: int) -> Iterator[str]:
    yield f'<circle cx="{FUNCTION + 10}" cy="{y - 4}" r="6" class="changes"/>'
    yield _text(FUNCTION + 22, y, "may read and change")
    yield f'<circle cx="{FUNCTION + 190}" cy="{y - 4}" r="6" class="reads"/>'
    yield _text(FUNCTION + 202, y, "may read, or open, only")
    yield _text(CALLER, y, "Drawn from template.yaml", "small")


def _text(x: int, y: int, words: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def main(file: Path = FILE) -> None:
    file.write_text(drawn(), encoding="utf-8")


if __name__ == "__main__":
    main()
