"""``GET /v1/events``: its query."""

BOOLEANS = (
    "include_managed",
    "only_managed",
    "include_deleted",
    "include_moved",
    "include_geo",
    "localized_times",
    "google_event_ids",
)
