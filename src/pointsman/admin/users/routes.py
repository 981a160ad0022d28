"""The routes of users; a part of :mod:`pointsman.admin.table`."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.route import Nothing, Route
from pointsman.admin.users import changing, making, replies, requests, showing
from pointsman.core.identity import Scope

__all__ = ["USER_ROUTES"]

USER_ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/user/new",), Scope.MANAGEMENT, making.new_user,
        summary="Make a user, and a key for them", tier="litellm",
        query=Nothing, body=requests.NewUserRequest, reply=replies.NewUserReply,
    ),
    Route(
        "POST", ("/user/update",), Scope.MANAGEMENT, changing.update_user,
        summary="Change a user", tier="litellm",
        query=Nothing, body=requests.UpdateUserRequest, reply=replies.UpdatedUserReply,
    ),
    Route(
        "POST", ("/user/bulk_update",), Scope.MANAGEMENT, changing.bulk_update_users,
        summary="Change several users", tier="litellm",
        query=Nothing, body=requests.BulkUpdateUsersRequest, reply=replies.BulkUpdateUsersReply,
    ),
    Route(
        "POST", ("/user/delete",), Scope.MANAGEMENT, changing.delete_users,
        summary="Delete users with their keys", tier="litellm",
        query=Nothing, body=requests.DeleteUsersRequest, reply=int,
    ),
    Route(
        "GET", ("/user/info",), Scope.MANAGEMENT, showing.user_info,
        summary="A user with their keys and teams", tier="litellm",
        query=requests.UserQuery, body=Nothing, reply=replies.UserInfoReply,
    ),
    Route(
        "GET", ("/v2/user/info",), Scope.MANAGEMENT, showing.user_info_v2,
        summary="A user", tier="litellm",
        query=requests.UserQuery, body=Nothing, reply=replies.UserInfoV2Reply,
    ),
    Route(
        "GET", ("/user/list",), Scope.MANAGEMENT, showing.list_users,
        summary="List users", tier="litellm",
        query=requests.UserListQuery, body=Nothing, reply=replies.UserListReply,
    ),
    Route(
        "GET", ("/user/filter/ui",), Scope.MANAGEMENT, showing.filter_users,
        summary="Users to choose from", tier="litellm",
        query=requests.UserFilterQuery, body=Nothing, reply=list[replies.UserChoice],
    ),
    Route(
        "GET", ("/user/available_roles",), Scope.MANAGEMENT, showing.available_roles,
        summary="The roles that a user can have", tier="litellm",
        query=Nothing, body=Nothing, reply=dict[str, replies.RoleFact],
    ),
)  # fmt: skip
