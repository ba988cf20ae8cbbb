"""Checks of every answer in addition to those of schemathesis."""

import re

import schemathesis


@schemathesis.check
def said_in_the_description(ctx, response, case):
    """Every status is listed for its route, or among those that any request may be refused with."""
    described = case.operation.definition.raw["responses"]
    anywhere = case.operation.schema.raw_schema["components"]["responses"]["Refused"]["description"]
    listed = {code for code in described if code.isdigit()} | set(re.findall(r"\b[45]\d\d\b", anywhere))
    if response.request.method == "OPTIONS":
        listed = {"204"}
    assert str(response.status_code) in listed, f"{response.status_code} is nowhere in the description"
