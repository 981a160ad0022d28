"""The users behind sign-ins: found by what they type, or by what their identity provider says of them.

A user is tied to a provider's account once and for all (``sso_user_id``). By e-mail address somebody is only found the
first time, and only where the provider has verified the address: else whoever may choose theirs at some provider could
become anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final, TypeVar

import msgspec

from pointsman.admin.change import Change
from pointsman.admin.people.entry_changes import change_of
from pointsman.admin.sign_in.settings import GroupRule, SignInParty, SignInSettings
from pointsman.core.clock import Clock
from pointsman.core.errors import Forbidden
from pointsman.policies.bearers.claims import claim_text, claim_texts, is_left_out
from pointsman.providers.identity import Proven
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS, Kind
from pointsman.stores.directory.ports import DirectoryQuery, DirectoryStore, EntryExists
from pointsman.stores.directory.records import Role, Team, TeamMember, User, member_id

__all__ = ["Accounts"]

T = TypeVar("T", bound=msgspec.Struct)

_MADE_BY: Final = "sign-in"
_change: Final = partial(change_of, by=_MADE_BY)
_RANK: Final = (Role.ADMIN, Role.VIEWER, Role.ORGANIZATION_ADMIN, Role.USER, Role.USER_VIEWER)
"""The strongest first."""


class _Person(msgspec.Struct, frozen=True):
    """What a provider says: ``subject`` is its own name for somebody.

    Their address is ``verified`` enough to find a user by, or ``plausible`` enough to be kept, and to be let in for its
    domain.
    """

    subject: str
    user_id: str
    email: str | None
    verified: bool
    plausible: bool
    alias: str | None
    role: Role | None
    groups: tuple[str, ...]


class Accounts:
    """Finds users in the directory, and adds those who come from a provider for the first time."""

    def __init__(self, directory: DirectoryStore, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def named(self, name: str) -> User | None:
        """The user with this id or, unless several have it, this e-mail address."""
        user = await self._directory.get(USERS, name)
        if user is not None:
            return user
        for spelling in dict.fromkeys((name, name.lower())):
            found = await self._directory.find(USERS, DirectoryQuery(alias=spelling, size=2))
            if found.total == 1:
                return found.records[0]
        return None

    async def user(self, user_id: str) -> User | None:
        """The user with this id."""
        return await self._directory.get(USERS, user_id)

    async def set_password(self, user_id: str, digest: str) -> None:
        """Keep the digest of a password.

        Raises:
            NotFound: no such user.
        """
        now = self._clock.wall()
        await self._directory.update(
            USERS, user_id, lambda user: msgspec.structs.replace(user, password=digest, updated_at=now)
        )

    async def arrived(
        self, proven: Proven, party: SignInParty, settings: SignInSettings, changes: list[Change]
    ) -> User:
        """The user whom a provider vouches for, with the role and the teams that their groups give them.

        What had to be changed for that is added to ``changes``.

        Raises:
            Forbidden: they may not sign in.
        """
        person = _person(proven.claims, party)
        _demand_domain(person, settings.email_domains)
        if settings.groups and is_left_out(proven.claims, party.party.fields.groups):
            raise Forbidden(
                "The identity provider leaves out the groups of this user, because there are too many.",
                hint="The operator may have it tell only those groups that are assigned to this application.",
                code="groups_left_out",
                kind="auth_error",
            )
        user = await self._tied(person, proven.party, settings, changes)
        if user is None:
            user = await self._new(person, proven.party, settings)
            changes.append(_change("created", None, user))
        if user.blocked:
            raise Forbidden(
                "This user is blocked.", hint="Ask an administrator.", code="user_blocked", kind="auth_error"
            )
        before = user
        user = await self._with_address(await self._with_role(user, _role(person, user, settings)), person)
        if user is not before:
            changes.append(_change("updated", before, user))
        await self._follow_groups(user, person.groups, settings.groups, changes)
        return user

    async def _tied(self, person: _Person, party: str, settings: SignInSettings, changes: list[Change]) -> User | None:
        """Who was here before from this provider, or is known by an address that it has verified."""
        names = [_tie(party, person.subject)]
        if len(settings.parties) == 1 and not person.subject.startswith(_tie(party, "")):
            # As LiteLLM keeps it, which has one provider. Nobody's own name may be what somebody else is tied by.
            names.append(person.subject)
        for name in names:
            found = await self._directory.find(USERS, DirectoryQuery(owner=name, size=2))
            if found.total == 1:
                return found.records[0]
        if person.email is None or not person.verified:
            return None
        user = await self.named(person.email)
        if user is None or user.sso_user_id is not None:
            return None
        now, tie = self._clock.wall(), _tie(party, person.subject)
        tied = await self._directory.update(
            USERS, user.user_id, lambda kept: msgspec.structs.replace(kept, sso_user_id=tie, updated_at=now)
        )
        changes.append(_change("updated", user, tied))
        return tied

    async def _new(self, person: _Person, party: str, settings: SignInSettings) -> User:
        if not settings.creates_users:
            raise Forbidden(
                "This user is not known here.", hint="Ask an administrator to add you.", code="user_not_found",
                kind="auth_error",
            )  # fmt: skip
        now = self._clock.wall()
        tie = _tie(party, person.subject)
        email = await self._own_address(person)
        for user_id in (person.user_id, tie):
            user = User(
                user_id=user_id,
                alias=person.alias,
                email=email,
                role=settings.default_role,
                sso_user_id=tie,
                created_at=now,
                updated_at=now,
                created_by=_MADE_BY,
            )
            try:
                await self._directory.insert(USERS, user)
            except EntryExists:
                continue
            return user
        raise Forbidden("A user with this name is here already.", hint="Ask an administrator.", kind="auth_error")

    async def _own_address(self, person: _Person) -> str | None:
        """The address that may be kept of somebody: by it they are found, also by who adds them to a team."""
        if person.email is None or not person.plausible:
            return None
        # Two users with one address could neither of them be found by it.
        taken = (await self._directory.find(USERS, DirectoryQuery(alias=person.email, size=1))).total > 0
        return None if taken else person.email

    async def _with_address(self, user: User, person: _Person) -> User:
        """The user with the address that was not verified before, or somebody else's."""
        email = await self._own_address(person) if user.email is None else None
        if email is None:
            return user
        now = self._clock.wall()
        return await self._directory.update(
            USERS,
            user.user_id,
            lambda kept: msgspec.structs.replace(kept, email=email, updated_at=now, updated_by=_MADE_BY),
        )

    async def _with_role(self, user: User, role: Role) -> User:
        if role is user.role:
            return user
        now = self._clock.wall()
        return await self._directory.update(
            USERS,
            user.user_id,
            lambda kept: msgspec.structs.replace(kept, role=role, updated_at=now, updated_by=_MADE_BY),
        )

    async def _follow_groups(
        self, user: User, groups: tuple[str, ...], rules: tuple[GroupRule, ...], changes: list[Change]
    ) -> None:
        """Have the user be in the teams of their groups; from teams that no rule names nobody is removed."""
        ruled = {team for rule in rules for team in rule.teams}
        if not ruled:
            return
        wanted = {team for rule in rules if rule.group in groups for team in rule.teams}
        there = {
            team: member
            for team in sorted(ruled)
            if (member := await self._directory.get(TEAM_MEMBERS, member_id(team, user.user_id))) is not None
        }
        gone = [member for team, member in there.items() if team not in wanted]
        if gone:
            await self._directory.delete(TEAM_MEMBERS, [member_id(one.team_id, one.user_id) for one in gone])
            changes += [_change("updated", one, None) for one in gone]
        now = self._clock.wall()
        for name in sorted(wanted - there.keys()):
            if await self._directory.get(TEAMS, name) is None:
                team = Team(team_id=name, alias=name, created_at=now, updated_at=now, created_by=_MADE_BY)
                if await self._add(TEAMS, team):
                    changes.append(_change("created", None, team))
            member = TeamMember(
                team_id=name, user_id=user.user_id, created_at=now, updated_at=now, created_by=_MADE_BY
            )  # fmt: skip
            if await self._add(TEAM_MEMBERS, member):
                changes.append(_change("updated", None, member))

    async def _add(self, kind: Kind[T], record: T) -> bool:
        try:
            await self._directory.insert(kind, record)
        except EntryExists:
            return False
        return True


def _person(claims: Mapping[str, msgspec.Raw], party: SignInParty) -> _Person:
    fields = party.party.fields
    subject = claim_text(claims, "sub") or claim_text(claims, fields.user_id)
    if subject is None:
        raise Forbidden("The identity provider names nobody.", hint="Check its claims.", code="sign_in_failed")
    email = claim_text(claims, fields.email)
    said = bytes(claims.get("email_verified", b"null")).strip().strip(b'"')
    full = " ".join(filter(None, (claim_text(claims, fields.first_name), claim_text(claims, fields.last_name))))
    roles = [role for text in claim_texts(claims, fields.role) if (role := _named_role(text)) is not None]
    return _Person(
        subject=subject,
        user_id=claim_text(claims, fields.user_id) or subject,
        email=None if email is None else email.lower(),
        verified=said == b"true" or (party.trusts_email is True and said != b"false"),
        plausible=said == b"true" or (party.trusts_email is not False and said != b"false"),
        alias=claim_text(claims, fields.display_name) or full or None,
        role=min(roles, key=_RANK.index, default=None),
        groups=claim_texts(claims, fields.groups),
    )


def _named_role(text: str) -> Role | None:
    return next((role for role in _RANK if role.value == text), None)


def _role(person: _Person, user: User, settings: SignInSettings) -> Role:
    """What somebody is from now on: by name, by group, by claim; or what they are already."""
    if settings.admin_id is not None and settings.admin_id in {user.user_id, person.subject}:
        return Role.ADMIN
    given = [rule.role for rule in settings.groups if rule.role is not None and rule.group in person.groups]
    if person.role is not None:
        given.append(person.role)
    if given:
        return min(given, key=_RANK.index)
    # Whom a group made an administrator is none any more without it.
    by_group = any(rule.role is user.role for rule in settings.groups)
    return settings.default_role if by_group and user.sso_user_id is not None else user.role


def _demand_domain(person: _Person, domains: tuple[str, ...]) -> None:
    if not domains:
        return
    _, sign, domain = (person.email or "").rpartition("@")
    if not sign or not person.plausible or domain not in {one.lower().removeprefix("@") for one in domains}:
        raise Forbidden(
            "E-mail addresses of this domain, or unverified ones, may not sign in here.",
            hint="Ask the operator, who sets ALLOWED_EMAIL_DOMAINS.",
            code="email_domain_not_allowed",
            kind="auth_error",
        )


def _tie(party: str, subject: str) -> str:
    return f"{party}:{subject}"
