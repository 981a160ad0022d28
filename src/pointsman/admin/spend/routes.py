"""The routes about spending, activity and billing; a part of :mod:`pointsman.admin.table`."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.billing import shapes, statement
from pointsman.admin.keys import replies
from pointsman.admin.route import Nothing, Route
from pointsman.admin.spend import (
    asking,
    calculate,
    daily,
    daily_shapes,
    energy,
    export,
    handlers,
    logs,
    providers,
    reports,
    resetting,
    rows,
    tag_users,
    totals,
    usage,
)
from pointsman.core.identity import Scope

__all__ = ["SPEND_ROUTES"]

_CALLS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "GET", ("/spend/logs",), Scope.MANAGEMENT, handlers.spend_logs,
        summary="The ledger: calls, or their sums by day", tier="litellm",
        query=asking.SpendLogsQuery, body=Nothing, reply=(list[rows.SpendRow], list[handlers.DaySpendRow]),
    ),
    Route(
        "GET", ("/spend/logs/v2", "/spend/logs/ui"), Scope.MANAGEMENT, logs.list_calls,
        summary="The ledger: calls by filters, page by page", tier="litellm",
        query=logs.CallPageQuery, body=Nothing, reply=logs.CallPageReply,
    ),
    Route(
        "GET", ("/spend/logs/ui/{request_id}",), Scope.MANAGEMENT, logs.call_text,
        summary="What was asked and answered in one call", tier="litellm",
        query=Nothing, body=Nothing, reply=logs.CallText,
    ),
    Route(
        "GET", ("/spend/export",), Scope.MANAGEMENT, export.export_calls,
        summary="The ledger as CSV, JSON lines or Parquet", tier="pointsman", query=export.ExportQuery, body=Nothing,
    ),
    Route(
        "GET", ("/spend/energy",), Scope.VIEWER, energy.spend_energy,
        summary="What local hosts drew", tier="pointsman",
        query=energy.EnergyQuery, body=Nothing, reply=list[energy.EnergyRow],
    ),
    Route(
        "POST", ("/spend/calculate",), Scope.MANAGEMENT, calculate.calculate,
        summary="What a call would cost, or has cost", tier="litellm",
        query=Nothing, body=calculate.CalculateRequest, reply=calculate.CalculateReply,
    ),
)  # fmt: skip

_TOTALS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "GET", ("/spend/keys",), Scope.MANAGEMENT, handlers.spend_keys,
        summary="The keys that spent most", tier="litellm",
        query=asking.SpendKeysQuery, body=Nothing, reply=list[replies.StoredKeyRow],
    ),
    Route(
        "GET", ("/spend/users",), Scope.MANAGEMENT, totals.spend_users,
        summary="The users that spent most", tier="litellm",
        query=totals.UserSpendQuery, body=Nothing, reply=list[totals.UserSpendRow],
    ),
    Route(
        "GET", ("/spend/tags",), Scope.MANAGEMENT, totals.spend_tags,
        summary="What each tag cost", tier="litellm",
        query=totals.ReportDaysQuery, body=Nothing, reply=list[totals.TagTotal],
    ),
    Route(
        "GET", ("/global/spend",), Scope.VIEWER, handlers.global_spend,
        summary="The sum of everything", tier="litellm",
        query=Nothing, body=Nothing, reply=handlers.GlobalSpendReply,
    ),
    Route(
        "GET", ("/provider/budgets",), Scope.VIEWER, providers.provider_budgets,
        summary="The budgets of providers, and what is spent of them", tier="litellm",
        query=Nothing, body=Nothing, reply=providers.ProviderBudgetsReply,
    ),
    Route(
        "GET", ("/global/spend/logs",), Scope.MANAGEMENT, totals.global_logs,
        summary="What each of the last 30 days cost", tier="litellm",
        query=totals.GlobalLogsQuery, body=Nothing, reply=list[totals.DayTotal],
    ),
    Route(
        "GET", ("/global/spend/keys",), Scope.MANAGEMENT, handlers.global_spend_keys,
        summary="The keys that spent most, in brief", tier="litellm",
        query=asking.SpendKeysQuery, body=Nothing, reply=list[handlers.KeySpendRow],
    ),
    Route(
        "GET", ("/global/spend/teams",), Scope.VIEWER, totals.global_teams,
        summary="What each team cost by day", tier="litellm",
        query=Nothing, body=Nothing, reply=totals.TeamTotalsReply,
    ),
    Route(
        "GET", ("/global/spend/models",), Scope.MANAGEMENT, totals.global_models,
        summary="The models that cost most", tier="litellm",
        query=totals.TopQuery, body=Nothing, reply=list[totals.ModelTotal],
    ),
    Route(
        "GET", ("/global/spend/provider",), Scope.MANAGEMENT, totals.global_providers,
        summary="What each provider cost", tier="litellm",
        query=totals.ReportDaysQuery, body=Nothing, reply=list[totals.ProviderTotal],
    ),
    Route(
        "GET", ("/global/spend/tags",), Scope.MANAGEMENT, totals.global_tags,
        summary="What each tag cost, or those that are named", tier="litellm",
        query=totals.ReportDaysQuery, body=Nothing, reply=totals.TagTotalsReply,
    ),
    Route(
        "GET", ("/global/spend/all_tag_names",), Scope.MANAGEMENT, totals.all_tag_names,
        summary="Every tag that was used", tier="litellm", query=Nothing, body=Nothing, reply=totals.AllTagNamesReply,
    ),
    Route(
        "GET", ("/global/all_end_users",), Scope.MANAGEMENT, totals.all_end_users,
        summary="Every customer that calls were made for", tier="litellm",
        query=Nothing, body=Nothing, reply=totals.AllEndUsersReply,
    ),
    Route(
        "POST", ("/global/spend/end_users",), Scope.VIEWER, totals.global_end_users,
        summary="The customers that cost most", tier="litellm",
        query=Nothing, body=totals.EndUsersRequest, reply=list[totals.EndUserTotal],
    ),
    Route(
        "POST", ("/global/spend/reset",), Scope.ADMIN, resetting.reset_spend,
        summary="Let every key and team begin at nothing", tier="litellm", query=Nothing, body=Nothing,
    ),
    Route(
        "POST", ("/global/spend/refresh",), Scope.ADMIN, totals.refresh_spend,
        summary="Bring what is spooled to the ledger", tier="litellm", query=Nothing, body=Nothing,
    ),
)  # fmt: skip

_REPORTS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "GET", ("/global/spend/report",), Scope.VIEWER, reports.global_report,
        summary="Spending by day and team or customer, or by key", tier="litellm", query=reports.ReportQuery,
        body=Nothing, reply=(list[reports.TeamsDay], list[reports.CustomersDay], list[reports.KeyReport]),
    ),
    *(
        Route(
            "GET", (f"/{whose}/spend/report",), Scope.MANAGEMENT, handler,
            summary=f"What {what} spent, by key and model", tier="litellm",
            query=reports.OwnReportQuery, body=Nothing, reply=list[reports.KeyReport],
        )
        for whose, what, handler in (
            ("key", "a key", reports.key_report), ("user", "a user", reports.user_report),
            ("team", "a team", reports.team_report),
            ("organization", "an organisation", reports.organization_report),
        )
    ),
    Route(
        "GET", ("/team/spend/by_user",), Scope.MANAGEMENT, tag_users.team_spend_by_user,
        summary="What users spent within teams", tier="litellm",
        query=tag_users.ByUserQuery, body=Nothing, reply=tag_users.TeamUserSpendReply,
    ),
)  # fmt: skip

_ACTIVITY: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "GET", ("/global/activity",), Scope.MANAGEMENT, usage.global_activity,
        summary="Calls and tokens by day", tier="litellm",
        query=totals.ReportDaysQuery, body=Nothing, reply=usage.ActivityReply,
    ),
    Route(
        "GET", ("/global/activity/model",), Scope.MANAGEMENT, usage.global_model_activity,
        summary="Calls and tokens by day and model", tier="litellm",
        query=totals.ReportDaysQuery, body=Nothing, reply=list[usage.ModelActivity],
    ),
    Route(
        "GET", ("/global/activity/exceptions",), Scope.VIEWER, usage.global_exceptions,
        summary="Calls that were refused with 429, by day", tier="litellm",
        query=usage.ExceptionsQuery, body=Nothing, reply=usage.ExceptionsReply,
    ),
    Route(
        "GET", ("/global/activity/exceptions/deployment",), Scope.VIEWER, usage.global_exceptions_by_deployment,
        summary="Calls that were refused with 429, by host", tier="litellm",
        query=usage.ExceptionsQuery, body=Nothing, reply=list[usage.DeploymentExceptions],
    ),
    Route(
        "GET", ("/global/activity/cache_hits",), Scope.MANAGEMENT, usage.cache_hits,
        summary="How many calls a cache answered", tier="litellm",
        query=totals.ReportDaysQuery, body=Nothing, reply=usage.CacheActivityReply,
    ),
    *(
        Route(
            "GET", tuple(f"/{name}/daily/activity{suffix}" for name in names), Scope.MANAGEMENT, handler,
            summary=f"What {what} did by day{', all at once' if suffix else ''}",
            tier="pointsman" if what == "projects" else "litellm",
            query=daily.DailyQuery, body=Nothing, reply=daily_shapes.SpendAnalyticsReply,
        )
        for names, what, suffix, handler in (
            (("user",), "a user", "", daily.user_daily),
            (("user",), "a user", "/aggregated", daily.user_daily_aggregated),
            (("team",), "teams", "", daily.team_daily),
            (("team",), "teams", "/aggregated", daily.team_daily_aggregated),
            (("organization",), "organisations", "", daily.organization_daily),
            (("organization",), "organisations", "/aggregated", daily.organization_daily_aggregated),
            (("project",), "projects", "", daily.project_daily),
            (("project",), "projects", "/aggregated", daily.project_daily_aggregated),
            (("customer", "end_user"), "customers", "", daily.customer_daily),
            (("customer", "end_user"), "customers", "/aggregated", daily.customer_daily_aggregated),
            (("tag",), "tags", "", daily.tag_daily),
            (("tag",), "tags", "/aggregated", daily.tag_daily_aggregated),
        )
    ),
    Route(
        "GET", ("/tag/distinct",), Scope.VIEWER, tag_users.distinct_tags,
        summary="The tags that were used most", tier="litellm",
        query=Nothing, body=Nothing, reply=tag_users.DistinctTagsReply,
    ),
    *(
        Route(
            "GET", (f"/tag/{name}",), Scope.VIEWER, handler, summary=f"Users by tag and {period}", tier="litellm",
            query=tag_users.TagUsersQuery, body=Nothing, reply=tag_users.ActiveUsersReply,
        )
        for name, period, handler in (
            ("dau", "day", tag_users.daily_users), ("wau", "week", tag_users.weekly_users),
            ("mau", "month", tag_users.monthly_users),
        )
    ),
    Route(
        "GET", ("/tag/summary",), Scope.VIEWER, tag_users.tag_summary,
        summary="What each tag came to", tier="litellm",
        query=tag_users.TagSummaryQuery, body=Nothing, reply=tag_users.TagSummaryReply,
    ),
    Route(
        "GET", ("/tag/user-agent/per-user-analytics",), Scope.VIEWER, tag_users.per_user,
        summary="What each user did under the tags", tier="litellm",
        query=tag_users.PerUserQuery, body=Nothing, reply=tag_users.PerUserReply,
    ),
)  # fmt: skip

_BILLING: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "GET", ("/billing/statement",), Scope.MANAGEMENT, statement.make_statement,
        summary="What an account is to pay for a period, as JSON, CSV or a page", tier="pointsman",
        query=statement.StatementQuery, body=Nothing, reply=shapes.Statement,
    ),
)  # fmt: skip

SPEND_ROUTES: Final[tuple[Route[Any, Any], ...]] = (*_CALLS, *_TOTALS, *_REPORTS, *_ACTIVITY, *_BILLING)
