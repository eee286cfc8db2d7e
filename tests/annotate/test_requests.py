"""Whatever is sent to whichever address: an answer that the interface's description allows, and never a 500."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from tests.annotate.desk import Desk, desk_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

ENDLESS = "/api/scans/{scan}/events"
ALLOWED = {200, 202, 400, 404, 405, 409, 413, 422}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk_of(tmp_path_factory.mktemp("requests")) as made:
        yield made


def operations(desk: Desk) -> list[Any]:
    schema = schemathesis.openapi.from_dict(desk.client.get("/api/openapi.json").json())
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return [operation for operation in found if operation.path != ENDLESS and not uploads(operation)]


def uploads(operation: Any) -> bool:
    """Those are for :mod:`tests.annotate.test_security`."""
    return "multipart/form-data" in str(operation.definition.raw.get("requestBody"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
def test_no_request_is_a_defect(desk: Desk, mode: GenerationMode) -> None:
    known = desk.scan.rsplit("/", 1)[1]
    asked = 0
    for operation in operations(desk):

        @settings(max_examples=4, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode), own=st.booleans())
        def send(case: Case[Any], own: bool) -> None:
            nonlocal asked
            if own and case.path_parameters:
                case.path_parameters["scan"] = known
            asked += 1
            answer_is_sound(desk, case)

        with suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked
            send()
    assert asked > 40


def answer_is_sound(desk: Desk, case: Case[Any]) -> None:
    parts = case.as_transport_kwargs(base_url=str(desk.client.base_url))
    parts["headers"] = {k: v for k, v in (parts.get("headers") or {}).items() if k.lower() != "host"}
    body = {"content": parts["data"]} if parts.get("data") else {"json": parts["json"]} if "json" in parts else {}
    rest = {key: parts[key] for key in ("method", "url", "headers", "params") if key in parts}
    answer = desk.client.request(**rest, **body)
    assert answer.status_code in ALLOWED, (answer.status_code, answer.text[:300])
    if answer.status_code >= 400 and answer.status_code != 405:
        line = answer.json()["detail"]
        assert isinstance(line, str)
        assert "\n" not in line
