"""The OpenAPI document of the whole API (https://spec.openapis.org/oas/v3.1.1), which ``/openapi.json`` serves.

It is written here and nowhere else. Tests compare its paths with the routes of template.yaml, and every exchange that
tests have with the service with what it says.
"""
