"""The part of the table of routes that is about signing in."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.route import Nothing, Route
from pointsman.admin.sign_in import handlers, inviting, shapes
from pointsman.core.identity import Scope

__all__ = ["SIGN_IN_ROUTES"]

SIGN_IN_ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "GET", ("/login",), Scope.PUBLIC, handlers.login_page,
        summary="The page for signing in", tier="litellm", query=shapes.SsoStartQuery, body=Nothing,
    ),
    Route(
        "GET", ("/fallback/login",), Scope.PUBLIC, handlers.password_page,
        summary="The same, without going straight to an identity provider", tier="litellm",
        query=shapes.SsoStartQuery, body=Nothing,
    ),
    Route(
        "POST", ("/login",), Scope.PUBLIC, handlers.login_form,
        summary="Sign in with a form", tier="litellm", query=Nothing, body=shapes.LoginRequest,
    ).as_form(),
    Route(
        "POST", ("/v2/login",), Scope.PUBLIC, handlers.login,
        summary="Sign in with a password", tier="litellm",
        query=Nothing, body=shapes.LoginRequest, reply=shapes.LoginReply,
    ),
    Route(
        "GET", ("/sso/key/generate",), Scope.PUBLIC, handlers.sso_start,
        summary="Sign in with an identity provider", tier="litellm", query=shapes.SsoStartQuery, body=Nothing,
    ),
    Route(
        "GET", ("/sso/callback",), Scope.PUBLIC, handlers.sso_callback,
        summary="Where identity providers send people back to", tier="litellm",
        query=shapes.SsoCallbackQuery, body=Nothing,
    ),
    Route(
        "GET", ("/sso/readiness",), Scope.PUBLIC, handlers.sso_readiness,
        summary="Whether people can sign in with an identity provider", tier="litellm",
        query=Nothing, body=Nothing, reply=shapes.ReadinessReply,
    ),
    Route(
        "GET", ("/ui", "/ui/"), Scope.PUBLIC, handlers.home,
        summary="Who is signed in, as a page", tier="pointsman", query=Nothing, body=Nothing,
    ),
    Route(
        "POST", ("/logout",), Scope.PUBLIC, handlers.logout,
        summary="Sign out", tier="pointsman", query=Nothing, body=Nothing, reply=shapes.LogoutReply,
    ),
    Route(
        "GET", ("/session",), Scope.SELF, handlers.show_session,
        summary="Who asks", tier="pointsman", query=Nothing, body=Nothing, reply=shapes.SessionReply,
    ),
    Route(
        "GET", ("/sessions",), Scope.SELF, handlers.list_sessions,
        summary="Your sessions", tier="pointsman", query=Nothing, body=Nothing, reply=shapes.SessionsReply,
    ),
    Route(
        "POST", ("/sessions/end_others",), Scope.SELF, handlers.end_other_sessions,
        summary="Sign out everywhere else", tier="pointsman",
        query=Nothing, body=Nothing, reply=shapes.ChangePasswordReply,
    ),
    Route(
        "POST", ("/user/password/change",), Scope.SELF, handlers.change_password,
        summary="Change your password", tier="litellm",
        query=Nothing, body=shapes.ChangePasswordRequest, reply=shapes.ChangePasswordReply,
    ),
    Route(
        "POST", ("/invitation/new",), Scope.MANAGEMENT, inviting.make_invitation,
        summary="Invite a user to choose a password", tier="litellm",
        query=Nothing, body=shapes.NewInvitationRequest, reply=shapes.InvitationReply,
    ),
    Route(
        "GET", ("/invitation/info",), Scope.MANAGEMENT, inviting.invitation_info,
        summary="Show an invitation", tier="litellm",
        query=shapes.InvitationQuery, body=Nothing, reply=shapes.InvitationReply,
    ),
    Route(
        "POST", ("/invitation/update",), Scope.MANAGEMENT, inviting.update_invitation,
        summary="Take an invitation back", tier="litellm",
        query=Nothing, body=shapes.UpdateInvitationRequest, reply=shapes.InvitationReply,
    ),
    Route(
        "POST", ("/invitation/delete",), Scope.MANAGEMENT, inviting.delete_invitation,
        summary="Delete an invitation", tier="litellm",
        query=Nothing, body=shapes.InvitationIdRequest, reply=shapes.InvitationReply,
    ),
    Route(
        "GET", ("/onboarding/get_token",), Scope.PUBLIC, inviting.show_onboarding,
        summary="Who is invited", tier="litellm",
        query=shapes.OnboardingQuery, body=Nothing, reply=shapes.OnboardingReply,
    ),
    Route(
        "POST", ("/onboarding/claim_token",), Scope.PUBLIC, inviting.claim_invitation,
        summary="Choose a password with an invitation", tier="litellm",
        query=Nothing, body=shapes.ClaimInvitationRequest, reply=shapes.LoginReply,
    ),
)  # fmt: skip
