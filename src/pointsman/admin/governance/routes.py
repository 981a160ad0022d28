"""The routes of budgets, customers, tags and access groups."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.governance import access_groups, budgets, customers, group_budgets, model_groups, tags
from pointsman.admin.route import Nothing, Route
from pointsman.core.identity import Scope

__all__ = ["GOVERNANCE_ROUTES"]

_BUDGETS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/budget/new",), Scope.ADMIN, budgets.new_budget,
        summary="Make a budget", tier="litellm",
        query=Nothing, body=budgets.NewBudgetRequest, reply=budgets.BudgetRow,
    ),
    Route(
        "POST", ("/budget/update",), Scope.ADMIN, budgets.update_budget,
        summary="Change a budget", tier="litellm",
        query=Nothing, body=budgets.UpdateBudgetRequest, reply=budgets.BudgetRow,
    ),
    Route(
        "POST", ("/budget/info",), Scope.VIEWER, budgets.show_budgets,
        summary="Show several budgets", tier="litellm",
        query=Nothing, body=budgets.BudgetInfoRequest, reply=list[budgets.BudgetRow],
    ).reading(),
    Route(
        "GET", ("/budget/list",), Scope.VIEWER, budgets.list_budgets,
        summary="List budgets", tier="litellm", query=Nothing, body=Nothing, reply=list[budgets.BudgetRow],
    ),
    Route(
        "GET", ("/budget/settings",), Scope.VIEWER, budgets.budget_settings,
        summary="The fields of a budget, and what they mean", tier="litellm",
        query=budgets.BudgetSettingsQuery, body=Nothing, reply=list[budgets.BudgetSetting],
    ),
    Route(
        "POST", ("/budget/delete",), Scope.ADMIN, budgets.delete_budget,
        summary="Delete a budget", tier="litellm",
        query=Nothing, body=budgets.BudgetDeleteRequest, reply=budgets.BudgetRow,
    ),
)  # fmt: skip

_CUSTOMERS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/customer/new", "/end_user/new"), Scope.ADMIN, customers.new_customer,
        summary="Make a customer", tier="litellm",
        query=Nothing, body=customers.NewCustomerRequest, reply=customers.CustomerRow,
    ),
    Route(
        "POST", ("/customer/update", "/end_user/update"), Scope.ADMIN, customers.update_customer,
        summary="Change a customer", tier="litellm",
        query=Nothing, body=customers.UpdateCustomerRequest, reply=customers.CustomerRow,
    ),
    Route(
        "GET", ("/customer/info", "/end_user/info"), Scope.VIEWER, customers.customer_info,
        summary="Show a customer", tier="litellm",
        query=customers.CustomerInfoQuery, body=Nothing, reply=customers.CustomerRow,
    ),
    Route(
        "GET", ("/customer/list", "/end_user/list"), Scope.VIEWER, customers.list_customers,
        summary="List customers", tier="litellm",
        query=customers.CustomerListQuery, body=Nothing, reply=list[customers.CustomerRow],
    ),
    Route(
        "POST", ("/customer/delete", "/end_user/delete"), Scope.ADMIN, customers.delete_customers,
        summary="Delete customers", tier="litellm",
        query=Nothing, body=customers.CustomerIdsRequest, reply=customers.DeletedCustomersReply,
    ),
    Route(
        "POST", ("/customer/block", "/end_user/block"), Scope.ADMIN, customers.block_customers,
        summary="Block customers", tier="litellm",
        query=Nothing, body=customers.CustomerIdsRequest, reply=customers.BlockedCustomersReply,
    ),
    Route(
        "POST", ("/customer/unblock", "/end_user/unblock"), Scope.ADMIN, customers.unblock_customers,
        summary="Unblock customers", tier="litellm",
        query=Nothing, body=customers.CustomerIdsRequest, reply=customers.BlockedCustomersReply,
    ),
)  # fmt: skip

_TAGS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/tag/new",), Scope.ADMIN, tags.new_tag,
        summary="Make a tag", tier="litellm", query=Nothing, body=tags.NewTagRequest, reply=tags.TagChangedReply,
    ),
    Route(
        "POST", ("/tag/update",), Scope.ADMIN, tags.update_tag,
        summary="Change a tag", tier="litellm", query=Nothing, body=tags.UpdateTagRequest, reply=tags.TagChangedReply,
    ),
    Route(
        "POST", ("/tag/info",), Scope.VIEWER, tags.show_tags,
        summary="Show several tags", tier="litellm",
        query=Nothing, body=tags.TagNamesRequest, reply=dict[str, tags.TagRow],
    ).reading(),
    Route(
        "GET", ("/tag/list",), Scope.MANAGEMENT, tags.list_tags,
        summary="List tags", tier="litellm", query=tags.TagListQuery, body=Nothing, reply=list[tags.TagRow],
    ),
    Route(
        "POST", ("/tag/delete",), Scope.ADMIN, tags.delete_tag,
        summary="Delete a tag", tier="litellm", query=Nothing, body=tags.TagNameRequest, reply=tags.TagSaidReply,
    ),
)  # fmt: skip

_GROUPS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/v1/access_group",), Scope.ADMIN, access_groups.new_access_group,
        summary="Make an access group", tier="litellm",
        query=Nothing, body=access_groups.NewAccessGroupRequest, reply=access_groups.AccessGroupRow,
    ),
    Route(
        "GET", ("/v1/access_group",), Scope.VIEWER, access_groups.list_access_groups,
        summary="List access groups", tier="litellm",
        query=Nothing, body=Nothing, reply=list[access_groups.AccessGroupRow],
    ),
    Route(
        "GET", ("/v1/access_group/{access_group_id}",), Scope.VIEWER, access_groups.show_access_group,
        summary="Show an access group", tier="litellm",
        query=Nothing, body=Nothing, reply=access_groups.AccessGroupRow,
    ),
    Route(
        "PUT", ("/v1/access_group/{access_group_id}",), Scope.ADMIN, access_groups.update_access_group,
        summary="Change an access group", tier="litellm",
        query=Nothing, body=access_groups.UpdateAccessGroupRequest, reply=access_groups.AccessGroupRow,
    ),
    Route(
        "DELETE", ("/v1/access_group/{access_group_id}",), Scope.ADMIN, access_groups.delete_access_group,
        summary="Delete an access group", tier="litellm", query=Nothing, body=Nothing,
    ),
    Route(
        "POST", ("/access_group/new",), Scope.ADMIN, model_groups.new_model_group,
        summary="Put models under the name of an access group", tier="litellm",
        query=Nothing, body=model_groups.NewModelGroupRequest, reply=model_groups.ModelGroupReply,
    ),
    Route(
        "GET", ("/access_group/list",), Scope.VIEWER, model_groups.list_model_groups,
        summary="List the access groups of models", tier="litellm",
        query=Nothing, body=Nothing, reply=model_groups.ModelGroupListReply,
    ),
    Route(
        "GET", ("/access_group/{access_group}/info",), Scope.VIEWER, model_groups.show_model_group,
        summary="Show an access group of models", tier="litellm",
        query=Nothing, body=Nothing, reply=model_groups.ModelGroupInfo,
    ),
    Route(
        "PUT", ("/access_group/{access_group}/update",), Scope.ADMIN, model_groups.update_model_group,
        summary="Change the models of an access group", tier="litellm",
        query=Nothing, body=model_groups.UpdateModelGroupRequest, reply=model_groups.ModelGroupReply,
    ),
    Route(
        "DELETE", ("/access_group/{access_group}/delete",), Scope.ADMIN, model_groups.delete_model_group,
        summary="Take the name of an access group from its models", tier="litellm",
        query=Nothing, body=Nothing, reply=model_groups.DeletedModelGroupReply,
    ),
    Route(
        "GET", ("/access_group/{access_group}/budget",), Scope.VIEWER, group_budgets.show_group_budget,
        summary="Show the budget of an access group of models", tier="litellm",
        query=Nothing, body=Nothing, reply=group_budgets.GroupBudgetReply,
    ),
    Route(
        "PUT", ("/access_group/{access_group}/budget",), Scope.ADMIN, group_budgets.set_group_budget,
        summary="Give an access group of models a budget", tier="litellm",
        query=Nothing, body=group_budgets.GroupBudgetRequest, reply=group_budgets.GroupBudgetReply,
    ),
    Route(
        "DELETE", ("/access_group/{access_group}/budget",), Scope.ADMIN, group_budgets.clear_group_budget,
        summary="Take the budget of an access group of models away", tier="litellm",
        query=Nothing, body=Nothing, reply=group_budgets.ClearedGroupBudgetReply,
    ),
)  # fmt: skip

GOVERNANCE_ROUTES: Final[tuple[Route[Any, Any], ...]] = (*_BUDGETS, *_CUSTOMERS, *_TAGS, *_GROUPS)
