"""The routes of organisations; a part of :mod:`pointsman.admin.table`."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.organizations import handlers, members, replies, requests
from pointsman.admin.route import Nothing, Route
from pointsman.admin.users.replies import OrganizationMembership
from pointsman.core.identity import Scope

__all__ = ["ORGANIZATION_ROUTES"]

ORGANIZATION_ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/organization/new",), Scope.MANAGEMENT, handlers.new_organization,
        summary="Make an organisation", tier="litellm",
        query=Nothing, body=requests.NewOrganizationRequest, reply=replies.OrganizationRow,
    ),
    Route(
        "PATCH", ("/organization/update",), Scope.MANAGEMENT, handlers.update_organization,
        summary="Change an organisation", tier="litellm",
        query=Nothing, body=requests.UpdateOrganizationRequest, reply=replies.OrganizationWithMembers,
    ),
    Route(
        "PATCH", ("/v2/organization/{organization_id}",), Scope.MANAGEMENT, handlers.patch_organization,
        summary="Change an organisation", tier="litellm",
        query=Nothing, body=requests.OrganizationPatchRequest, reply=replies.OrganizationWithMembers,
    ),
    Route(
        "DELETE", ("/organization/delete",), Scope.MANAGEMENT, handlers.delete_organizations,
        summary="Delete organisations", tier="litellm",
        query=Nothing, body=requests.OrganizationIdsRequest, reply=list[replies.OrganizationWithMembers],
    ),
    Route(
        "GET", ("/organization/list",), Scope.MANAGEMENT, handlers.list_organizations,
        summary="List organisations", tier="litellm",
        query=requests.OrganizationListQuery, body=Nothing, reply=list[replies.OrganizationWithMembers],
    ),
    Route(
        "GET", ("/organization/info",), Scope.MANAGEMENT, handlers.organization_info,
        summary="An organisation with its members and teams", tier="litellm",
        query=requests.OrganizationQuery, body=Nothing, reply=replies.OrganizationWithMembers,
    ),
    Route(
        "POST", ("/organization/info",), Scope.MANAGEMENT, handlers.organizations_info,
        summary="Several organisations", tier="litellm",
        query=Nothing, body=requests.OrganizationsRequest, reply=list[replies.OrganizationRow],
    ).reading(),
    Route(
        "POST", ("/organization/member_add",), Scope.MANAGEMENT, members.add_members,
        summary="Add members to an organisation", tier="litellm",
        query=Nothing, body=requests.OrganizationMemberAddRequest, reply=replies.OrganizationMembersReply,
    ),
    Route(
        "PATCH", ("/organization/member_update",), Scope.MANAGEMENT, members.update_member,
        summary="Change a member of an organisation", tier="litellm",
        query=Nothing, body=requests.OrganizationMemberUpdateRequest, reply=OrganizationMembership,
    ),
    Route(
        "DELETE", ("/organization/member_delete",), Scope.MANAGEMENT, members.delete_member,
        summary="Remove a member from an organisation", tier="litellm",
        query=Nothing, body=requests.OrganizationMemberDeleteRequest, reply=OrganizationMembership,
    ),
)  # fmt: skip
