"""The routes of teams; a part of :mod:`pointsman.admin.table`."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.route import Nothing, Route
from pointsman.admin.teams import making, members, permissions, replies, requests, showing
from pointsman.core.identity import Scope

__all__ = ["TEAM_ROUTES"]

_TEAMS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/team/new",), Scope.MANAGEMENT, making.new_team,
        summary="Make a team", tier="litellm",
        query=Nothing, body=requests.NewTeamRequest, reply=replies.TeamRow,
    ),
    Route(
        "POST", ("/team/update",), Scope.MANAGEMENT, making.update_team,
        summary="Change a team", tier="litellm",
        query=Nothing, body=requests.UpdateTeamRequest, reply=replies.UpdatedTeamReply,
    ),
    Route(
        "POST", ("/team/delete",), Scope.MANAGEMENT, making.delete_teams,
        summary="Delete teams with their keys", tier="litellm",
        query=Nothing, body=requests.TeamIdsRequest, reply=replies.DeletedTeamsReply,
    ),
    Route(
        "POST", ("/team/block",), Scope.MANAGEMENT, making.block_team,
        summary="Block a team", tier="litellm",
        query=Nothing, body=requests.TeamRequest, reply=replies.TeamRow,
    ),
    Route(
        "POST", ("/team/unblock",), Scope.MANAGEMENT, making.unblock_team,
        summary="Unblock a team", tier="litellm",
        query=Nothing, body=requests.TeamRequest, reply=replies.TeamRow,
    ),
    Route(
        "POST", ("/team/model/add",), Scope.MANAGEMENT, making.add_team_models,
        summary="Let a team use more models", tier="litellm",
        query=Nothing, body=requests.TeamModelsRequest, reply=replies.TeamRow,
    ),
    Route(
        "POST", ("/team/model/delete",), Scope.MANAGEMENT, making.delete_team_models,
        summary="Let a team use fewer models", tier="litellm",
        query=Nothing, body=requests.TeamModelsRequest, reply=replies.TeamRow,
    ),
    Route(
        "GET", ("/team/info",), Scope.MANAGEMENT, showing.team_info,
        summary="A team with its keys and members", tier="litellm",
        query=requests.TeamInfoQuery, body=Nothing, reply=replies.TeamInfoReply,
    ),
    Route(
        "GET", ("/team/list",), Scope.MANAGEMENT, showing.list_teams,
        summary="List teams with their keys", tier="litellm",
        query=requests.TeamListQuery, body=Nothing, reply=list[replies.ListedTeam],
    ),
    Route(
        "GET", ("/v2/team/list",), Scope.MANAGEMENT, showing.list_teams_v2,
        summary="List teams by pages", tier="litellm",
        query=requests.TeamListV2Query, body=Nothing, reply=replies.TeamListReply,
    ),
    Route(
        "GET", ("/team/filter/ui",), Scope.MANAGEMENT, showing.filter_teams,
        summary="Teams to choose from", tier="litellm",
        query=requests.TeamFilterQuery, body=Nothing, reply=list[replies.TeamChoice],
    ),
    Route(
        "GET", ("/team/available",), Scope.MANAGEMENT, showing.available_teams,
        summary="Teams that everybody may join", tier="litellm",
        query=Nothing, body=Nothing, reply=list[replies.TeamRow],
    ),
)  # fmt: skip

_MEMBERS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/team/member_add",), Scope.MANAGEMENT, members.add_members,
        summary="Add members to a team", tier="litellm",
        query=Nothing, body=requests.MemberAddRequest, reply=replies.MemberAddReply,
    ),
    Route(
        "POST", ("/team/bulk_member_add",), Scope.MANAGEMENT, members.bulk_add_members,
        summary="Add several members to a team", tier="litellm",
        query=Nothing, body=requests.BulkMemberAddRequest, reply=replies.BulkMemberAddReply,
    ),
    Route(
        "POST", ("/team/member_delete",), Scope.MANAGEMENT, members.delete_member,
        summary="Remove a member from a team", tier="litellm",
        query=Nothing, body=requests.MemberDeleteRequest, reply=replies.TeamRow,
    ),
    Route(
        "POST", ("/team/member_update",), Scope.MANAGEMENT, members.update_member,
        summary="Change a member of a team", tier="litellm",
        query=Nothing, body=requests.MemberUpdateRequest, reply=replies.MemberUpdateReply,
    ),
    Route(
        "GET", ("/team/permissions_list",), Scope.MANAGEMENT, permissions.list_permissions,
        summary="What members may do with the team's keys", tier="litellm",
        query=requests.TeamPermissionsQuery, body=Nothing, reply=replies.PermissionsReply,
    ),
    Route(
        "POST", ("/team/permissions_update",), Scope.MANAGEMENT, permissions.update_permissions,
        summary="Say what members may do with the team's keys", tier="litellm",
        query=Nothing, body=requests.PermissionsRequest, reply=replies.TeamRow,
    ),
    Route(
        "POST", ("/team/permissions_bulk_update",), Scope.MANAGEMENT, permissions.bulk_update_permissions,
        summary="Let members of several teams do more", tier="litellm",
        query=Nothing, body=requests.BulkPermissionsRequest, reply=replies.BulkPermissionsReply,
    ),
    Route(
        "POST", ("/team/key/bulk_update",), Scope.MANAGEMENT, permissions.bulk_update_keys,
        summary="Change several keys of a team", tier="litellm",
        query=Nothing, body=requests.TeamKeysRequest, reply=permissions.BulkKeysReply,
    ),
    Route(
        "GET", ("/team/{team_id}/members/me",), Scope.MANAGEMENT, members.own_membership,
        summary="The caller's own membership", tier="litellm",
        query=Nothing, body=Nothing, reply=replies.MemberInfoReply,
    ),
    Route(
        "POST", ("/team/{team_id}/member/{user_id}/reset_spend",), Scope.MANAGEMENT, members.reset_member_spend,
        summary="Set what a member has spent to a lower amount", tier="litellm",
        query=Nothing, body=requests.ResetMemberSpendRequest, reply=replies.ResetMemberSpendReply,
    ),
    Route(
        "POST", ("/team/{team_id}/member/{user_id}/reset_budget",), Scope.MANAGEMENT, members.reset_member_budget,
        summary="Give a member the limits of all members", tier="litellm",
        query=Nothing, body=Nothing, reply=replies.ResetMemberBudgetReply,
    ),
    # Last, since every other word after /team/ could be taken for an id.
    Route(
        "PATCH", ("/team/{team_id}",), Scope.MANAGEMENT, making.patch_team,
        summary="Change a team", tier="litellm",
        query=Nothing, body=requests.PatchTeamRequest, reply=replies.TeamRow,
    ),
)  # fmt: skip

TEAM_ROUTES: Final = (*_TEAMS, *_MEMBERS)
