from __future__ import annotations

import pytest

from pointsman.admin.table import ROUTES
from pointsman.core.identity import Scope
from pointsman.policies.route_groups import KEY_TYPES, ROUTE_GROUPS, RoutePermit


@pytest.mark.parametrize(
    ("allowed", "paths", "may"),
    [
        (["/v1/models"], ("/v1/models", "/models"), True),
        (["/v1/models"], ("/v1/models/{model_id:path}",), False),
        (["/v1/models/{model}"], ("/v1/models/{model_id:path}",), True),
        (["/v1/*"], ("/models", "/v1/models"), True),
        (["/v1/*"], ("/key/info",), False),
        (["/v1"], ("/v1/models",), False),
        (["*"], ("/key/info",), True),
        (["info_routes"], ("/key/info",), True),
        (["info_routes"], ("/key/generate",), False),
        (["management_routes"], ("/key/{key:path}/regenerate",), True),
        (["management_routes"], ("/v1/chat/completions",), False),
        (["mapped_pass_through_routes"], ("/anthropic/{path}",), True),
        (["no_such_group"], ("/no_such_group",), False),
        ([], ("/v1/models",), False),
    ],
)
def test_a_route_is_found_by_any_of_its_paths(allowed: list[str], paths: tuple[str, ...], may: bool) -> None:
    permit = RoutePermit(allowed)
    assert permit.permits("it", paths) == may
    assert permit.permits("it", ()) == may  # what was found out once is known by the route's name


def test_groups_for_models_and_information_change_nothing() -> None:
    for group in ("llm_api_routes", "info_routes", "openai_routes"):
        permit = RoutePermit([group])
        for route in ROUTES:
            changes = route.method != "GET" and route.paths != ("/v2/key/info",)
            if route.scope in {Scope.ADMIN, Scope.VIEWER} and changes:
                assert not permit.permits(f"{route.method} {route.paths[0]}", route.paths), (group, route.paths)


def test_every_type_of_key_names_groups_that_there_are() -> None:
    assert all(group in ROUTE_GROUPS for groups in KEY_TYPES.values() for group in groups)
