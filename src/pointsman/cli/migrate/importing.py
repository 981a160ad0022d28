"""Taking over everything that LiteLLM keeps, in an order in which nothing refers to what is not there yet.

It may be done again, and after it broke off: what is here already stays as it is. What was spent is set before the
entry is made that it belongs to, so that no entry is ever here without it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pointsman.cli.migrate import entries
from pointsman.cli.migrate.days import Days
from pointsman.cli.migrate.entries import Made, limits_of
from pointsman.cli.migrate.keys import ADMIN_UI_TEAM, key_of, permissions_of
from pointsman.cli.migrate.report import Report
from pointsman.cli.migrate.rows import Row
from pointsman.cli.migrate.secrets import credential_of, model_of, opened
from pointsman.cli.migrate.source import LiteLLMDatabase
from pointsman.cli.migrate.target import Target
from pointsman.core.errors import GatewayError, Malformed, StorageUnavailable
from pointsman.core.identity import KeyRecord
from pointsman.core.secret import Secret
from pointsman.policies.rotation import KeyRotation, rotation_fields
from pointsman.stores.charges import MODEL_GROUP, PROJECT
from pointsman.stores.directory.kinds import (
    ACCESS_GROUPS,
    BUDGETS,
    CREDENTIALS,
    CUSTOMERS,
    MODEL_GROUP_BUDGETS,
    MODELS,
    ORGANIZATION_MEMBERS,
    ORGANIZATIONS,
    PROJECTS,
    RETIRED_KEYS,
    TAGS,
    TEAM_MEMBERS,
    TEAMS,
    USERS,
    Kind,
)
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import Limits, MemberRole, StoredCredential, StoredModel, Team
from pointsman.stores.ports import Conflict

__all__ = ["Import"]

_TOLD_EVERY: Final = 5_000
_NOTE_CHARACTERS: Final = 300
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_TIMES: Final = frozenset({"created_at", "updated_at"})


class Import:
    """One run. ``salts`` are what LiteLLM may have encrypted with, ``master_tokens`` the hashes of master keys.

    ``told`` is told now and then how far it has come.
    """

    def __init__(
        self,
        source: LiteLLMDatabase,
        target: Target,
        report: Report,
        salts: Sequence[Secret],
        master_tokens: frozenset[str],
        told: Callable[[str], None] = lambda _words: None,
    ) -> None:
        self._told = told
        self._source = source
        self._target = target
        self._report = report
        self._salts = salts
        self._master_tokens = master_tokens
        self._budgets: dict[str, Row] = {}
        self._limits: dict[str, Limits] = {}

    async def run(self) -> None:
        """Take everything over.

        Raises:
            StorageUnavailable: one of the databases does not answer.
        """
        await self._take_budgets()
        await self._take_organizations()
        await self._take_users()
        await self._take_teams()
        await self._take_projects()
        await self._take_customers()
        await self._take_tags()
        await self._take_access_groups()
        await self._take_credentials()
        await self._take_models()
        await self._take_keys()
        await self._take_retired_keys()
        await self._take_windows()
        await Days(self._source, self._target.ledger, self._report, self._master_tokens).run()

    # -- by kind ----------------------------------------------------------------------------------------------

    async def _take_budgets(self) -> None:
        async def take(row: Row) -> None:
            identity = row.named("budget_id")
            self._budgets[identity], self._limits[identity] = row, limits_of(row)[0]
            await self._put(BUDGETS, entries.budget_of(row))

        await self._each("LiteLLM_BudgetTable", "budget", "budget_id", take)

    async def _take_organizations(self) -> None:
        async def take(row: Row) -> None:
            made = entries.organization_of(row)
            await self._put_spender(ORGANIZATIONS, made, "organization", row, row.text("budget_id"))

        async def take_member(row: Row) -> None:
            made = entries.organization_member_of(row)
            await self._put_spender(ORGANIZATION_MEMBERS, made, "organization_member", row, row.text("budget_id"))

        await self._each("LiteLLM_OrganizationTable", "organization", "organization_id", take)
        await self._each("LiteLLM_OrganizationMembership", "organization member", "user_id", take_member)

    async def _take_users(self) -> None:
        async def take(row: Row) -> None:
            await self._put_spender(USERS, entries.user_of(row), "user", row, None)

        await self._each("LiteLLM_UserTable", "user", "user_id", take)

    async def _take_teams(self) -> None:
        aliases: dict[int, Mapping[str, str]] = {}
        async for row in self._source.rows("LiteLLM_ModelTable"):
            named = row.fields("model_aliases") or row.fields("aliases")
            aliases[row.whole("id") or 0] = {name: to for name, to in named.items() if isinstance(to, str)}
        memberships = {}
        async for row in self._source.rows("LiteLLM_TeamMembership"):
            memberships[row.named("team_id"), row.named("user_id")] = row

        async def take(row: Row) -> None:
            made = entries.team_of(row, aliases)
            await self._put_spender(TEAMS, made, "team", row, None)
            for user_id, role in entries.member_roles(row).items():
                membership = memberships.get((row.named("team_id"), user_id))
                if isinstance(made.record, Team):
                    await self._take_member(made.record, user_id, role, membership)

        await self._each("LiteLLM_TeamTable", "team", "team_id", take)

    async def _take_member(self, team: Team, user_id: str, role: MemberRole, membership: Row | None) -> None:
        budget_id = None if membership is None else membership.text("budget_id")
        models = self._budgets[budget_id].texts("allowed_models") if budget_id in self._budgets else ()
        made = entries.team_member_of(team.team_id, user_id, role, membership, models or team.default_member_models)
        await self._put_spender(TEAM_MEMBERS, made, "member", membership, budget_id or team.member_budget_id)

    async def _take_projects(self) -> None:
        async def take(row: Row) -> None:
            await self._put_spender(PROJECTS, entries.project_of(row), PROJECT, row, row.text("budget_id"))

        await self._each("LiteLLM_ProjectTable", "project", "project_id", take)

    async def _take_customers(self) -> None:
        async def take(row: Row) -> None:
            await self._put_spender(CUSTOMERS, entries.customer_of(row), "customer", row, row.text("budget_id"))

        await self._each("LiteLLM_EndUserTable", "customer", "user_id", take)

    async def _take_tags(self) -> None:
        async def take(row: Row) -> None:
            await self._put_spender(TAGS, entries.tag_of(row), "tag", row, row.text("budget_id"))

        await self._each("LiteLLM_TagTable", "tag", "tag_name", take)

    async def _take_access_groups(self) -> None:
        async def take(row: Row) -> None:
            await self._put(ACCESS_GROUPS, entries.access_group_of(row))

        async def take_budget(row: Row) -> None:
            made = entries.model_group_budget_of(row)
            await self._put_spender(MODEL_GROUP_BUDGETS, made, MODEL_GROUP, row, row.text("budget_id"))

        await self._each("LiteLLM_AccessGroupTable", "access group", "access_group_id", take)
        await self._each("LiteLLM_ModelAccessGroupBudgetTable", "model group budget", "access_group_name", take_budget)

    async def _take_credentials(self) -> None:
        async def take(row: Row) -> None:
            told = opened(row.fields("credential_values"), self._salts)
            if told.closed:
                note = f"{', '.join(told.closed)} cannot be decrypted: set LITELLM_SALT_KEY as it was for LiteLLM."
                self._report.add("credential", row.named("credential_name"), "skipped", notes=(note,))
                return
            await self._put(CREDENTIALS, Made(credential_of(row, told, self._target.sealer)))

        await self._each("LiteLLM_CredentialsTable", "credential", "credential_name", take)

    async def _take_models(self) -> None:
        async def take(row: Row) -> None:
            told = opened(row.fields("litellm_params"), self._salts)
            if told.closed:
                note = f"{', '.join(told.closed)} cannot be decrypted: set LITELLM_SALT_KEY as it was for LiteLLM."
                name = row.text("model_name")
                self._report.add("model", row.named("model_id"), "skipped", name=name, notes=(note,))
                return
            if not isinstance(told.fields.get("model"), str):
                note = "litellm_params names no model."
                self._report.add("model", row.named("model_id"), "skipped", name=row.text("model_name"), notes=(note,))
                return
            await self._put(MODELS, Made(model_of(row, told, self._target.sealer)))

        await self._each("LiteLLM_ProxyModelTable", "model", "model_id", take)

    async def _take_keys(self) -> None:
        permissions: dict[str, Mapping[str, object]] = {}
        async for row in self._source.rows("LiteLLM_ObjectPermissionTable"):
            permissions[row.named("object_permission_id")] = permissions_of(row)

        async def take(row: Row) -> None:
            await self._take_key(row, permissions)

        await self._each("LiteLLM_VerificationToken", "key", "token", take)

    async def _take_key(self, row: Row, permissions: Mapping[str, Mapping[str, object]]) -> None:
        record, notes = key_of(row, self._limits, permissions)
        shown, name = record.token, record.key_alias
        if not _HASH.fullmatch(record.token):
            self._report.add("key", shown, "skipped", name=name, notes=("what stands for it is no hash of a key.",))
            return
        if record.token in self._master_tokens:
            self._report.add("key", shown, "skipped", name=name, notes=("it is the master key.",))
            return
        if record.team_id == ADMIN_UI_TEAM:
            self._report.add("key", shown, "skipped", name=name, notes=("a session of LiteLLM's admin pages.",))
            return
        present = await self._target.keys.get(record.token)
        if present is not None:
            same = _same_key(present, record)
            kept = () if same else ("it was changed since, here or there; here it stays as it is.",)
            self._report.add("key", shown, "unchanged" if same else "kept", name=name, notes=kept)
            return
        notes = await self._insert_key(record, notes)
        self._report.add("key", shown, "imported", name=name, notes=notes)

    async def _insert_key(self, record: KeyRecord, notes: tuple[str, ...]) -> tuple[str, ...]:
        try:
            await self._target.keys.insert(record)
        except Conflict:
            # Names are unique here, and LiteLLM's database does not see to it.
            record = msgspec.structs.replace(record, key_alias=None)
            await self._target.keys.insert(record)
            notes = (*notes, "another key has its alias, so it comes over without one.")
        if rotation_fields(record).auto_rotate:
            target = self._target
            await KeyRotation(target.keys, target.directory, target.clock, lambda _token, _record: None).plan(record)
        return notes

    async def _take_retired_keys(self) -> None:
        now = self._target.clock.wall()
        async for row in self._source.rows("LiteLLM_DeprecatedVerificationToken"):
            if (row.moment("revoke_at") or 0.0) > now:
                await self._put(RETIRED_KEYS, entries.retired_of(row))

    async def _take_windows(self) -> None:
        async for row in self._source.rows("LiteLLM_BudgetWindowSpend"):
            scope, spent = row.named("entity_type").lower(), row.money("spend")
            meter = Meter(scope, row.named("entity_id"), window=row.named("window_duration"))
            if scope in {"key", "team"} and spent:
                known = (await self._target.spend.spent((meter,)))[meter]
                if known.total == 0 and known.baseline == 0:
                    await self._target.spend.set_amount(meter, spent)

    async def _each(self, table: str, kind: str, identity: str, take: Callable[[Row], Awaitable[None]]) -> None:
        """Take over every row of a table. One that cannot be does not keep the others from it, and is told of."""
        count = 0
        async for row in self._source.rows(table):
            try:
                await take(row)
            except StorageUnavailable:
                raise
            except GatewayError as refused:
                self._report.add(kind, row.named(identity), "skipped", notes=(refused.told(),))
            except (ValueError, OverflowError, TypeError, msgspec.MsgspecError) as problem:
                note = f"it cannot be taken over ({type(problem).__name__}): {problem}"
                self._report.add(kind, row.named(identity), "skipped", notes=(note[:_NOTE_CHARACTERS],))
            count += 1
            if count % _TOLD_EVERY == 0:
                self._told(f"{kind}: {count:,} rows")

    # -- one entry --------------------------------------------------------------------------------------------

    async def _put(self, kind: Kind[Any], made: Made) -> bool:
        """Add an entry unless it is here; whether it was added."""
        record, notes = made
        place = kind.place(record)
        said = kind.name.replace("_", " ")
        present = await self._target.directory.get(kind, place.identity)
        if present is not None:
            same = _same(present, record)
            kept = () if same else ("it was changed since, here or there; here it stays as it is.",)
            self._report.add(said, place.identity, "unchanged" if same else "kept", name=place.alias, notes=kept)
            return False
        try:
            await self._target.directory.insert(kind, record)
        except Malformed as refused:
            self._report.add(said, place.identity, "skipped", name=place.alias, notes=(refused.told(),))
            return False
        self._report.add(said, place.identity, "imported", name=place.alias, notes=notes)
        return True

    async def _put_spender(
        self, kind: Kind[Any], made: Made, scope: str, row: Row | None, budget_id: str | None
    ) -> None:
        """Add an entry that spends, with what it has spent and when that begins anew."""
        identity = kind.place(made.record).identity
        if await self._target.directory.get(kind, identity) is None:
            await self._set_spending(Meter(scope, identity), row, budget_id)
        await self._put(kind, made)

    async def _set_spending(self, meter: Meter, row: Row | None, budget_id: str | None) -> None:
        spent = None if row is None else row.money("spend")
        if spent:
            await self._target.spend.set_amount(meter, spent)
        for budget in (row, self._budgets.get(budget_id or "")):
            duration = None if budget is None else limits_of(budget)[0].budget_duration
            if budget is not None and duration is not None and budget.moment("budget_reset_at") is not None:
                await self._target.spend.schedule(meter, duration, budget.moment("budget_reset_at"))
                return


def _same(present: msgspec.Struct, wanted: msgspec.Struct) -> bool:
    """Whether an entry here says what it would say; when it was written does not count, nor do secrets."""
    if isinstance(present, StoredModel | StoredCredential):
        return True
    names = [name for name in wanted.__struct_fields__ if name not in _TIMES]
    return msgspec.json.encode([getattr(present, name) for name in names]) == msgspec.json.encode(
        [getattr(wanted, name) for name in names]
    )


def _same_key(present: KeyRecord, wanted: KeyRecord) -> bool:
    moving = {"spend", "last_active", "budget_reset_at", "created_at", "updated_at", "key_alias"}
    names = [name for name in wanted.__struct_fields__ if name not in moving]
    return msgspec.json.encode([getattr(present, name) for name in names]) == msgspec.json.encode(
        [getattr(wanted, name) for name in names]
    )
