"""Keys, scopes, projects, and who may listen where."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Self

import msgspec
import pytest

from healing_eval.errors import AccessDenied, ConfigError, InvalidInput, NotFound
from healing_eval.pipeline.access import REMEMBER_SECONDS, Access, check_binding, create_key, revoke_key
from healing_eval.ports.catalog import SCOPES, ApiKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Keys:
    """A catalog in a dictionary, which counts the questions."""

    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.asked = 0

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def add_key(self, key: ApiKey) -> None:
        self.keys[key.key_id] = key

    async def find_key(self, key_id: str) -> ApiKey | None:
        self.asked += 1
        return self.keys.get(key_id)

    async def list_keys(self) -> list[ApiKey]:
        self.asked += 1
        return list(self.keys.values())

    async def revoke_key(self, key_id: str, at: datetime) -> None:
        self.keys[key_id] = msgspec.structs.replace(self.keys[key_id], revoked_at=at)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_is_stored_as_a_hash_and_finds_its_project() -> None:
    keys = Keys()

    made = await create_key(keys, project="shop", scopes=["read", "ingest"], created_at=NOW)
    principal = await Access(keys).authenticate(made.text, None)

    assert re.fullmatch(r"he_[0-9a-f]{12}_[\w-]{43}", made.text)
    assert made.text.encode() not in msgspec.msgpack.encode(keys.keys)
    assert (principal.project, principal.scopes) == ("shop", ("ingest", "read"))


@pytest.mark.parametrize(("project", "scopes"), [("p", []), ("p", ["write"]), ("  ", ["read"])])
async def test_a_key_without_known_scopes_or_project_is_not_made(project: str, scopes: list[str]) -> None:
    with pytest.raises(InvalidInput):
        await create_key(Keys(), project=project, scopes=scopes, created_at=NOW)  # type: ignore[arg-type]


async def test_without_any_key_everybody_may_do_everything_in_the_project_they_name() -> None:
    access = Access(Keys())

    assert (await access.authenticate(None, None)).project == "default"
    principal = await access.authenticate(None, "shop")
    assert (principal.project, principal.scopes) == ("shop", SCOPES)


@pytest.mark.parametrize("project", ["", "  ", "x" * 257])
async def test_a_project_that_names_nothing_is_refused(project: str) -> None:
    with pytest.raises(InvalidInput, match="256"):
        await Access(Keys()).authenticate(None, project)


@pytest.mark.parametrize("text", ["", "he", "he__", "he_1_2", "sk_1_2", "he_é_ü", "he_" + "a" * 100_000])
async def test_what_is_no_key_of_ours_is_refused(text: str) -> None:
    with pytest.raises(AccessDenied) as refused:
        await Access(Keys()).authenticate(text, None)

    assert not refused.value.authenticated


async def test_the_right_id_with_a_wrong_secret_is_refused() -> None:
    keys = Keys()
    made = await create_key(keys, project="p", scopes=["read"], created_at=NOW)

    with pytest.raises(AccessDenied):
        await Access(keys).authenticate(made.text[:-1] + ("A" if made.text[-1] != "A" else "B"), None)


async def test_a_key_is_looked_up_once_in_a_while_and_a_revoked_one_refused_after_that() -> None:
    keys, clock = Keys(), Clock()
    made = await create_key(keys, project="p", scopes=["read"], created_at=NOW)
    access = Access(keys, clock=clock)
    for _ in range(5):
        await access.authenticate(made.text, None)
    assert keys.asked == 1

    await revoke_key(keys, made.record.key_id, at=NOW)
    clock.now = REMEMBER_SECONDS

    with pytest.raises(AccessDenied, match="revoked"):
        await access.authenticate(made.text, None)


async def test_a_new_first_key_locks_a_running_server() -> None:
    keys, clock = Keys(), Clock()
    access = Access(keys, clock=clock)
    await access.authenticate(None, None)

    await create_key(keys, project="p", scopes=["read"], created_at=NOW)
    clock.now = REMEMBER_SECONDS

    with pytest.raises(AccessDenied, match="needed"):
        await access.authenticate(None, None)


async def test_a_key_cannot_choose_another_project() -> None:
    keys = Keys()
    made = await create_key(keys, project="mine", scopes=["read"], created_at=NOW)

    with pytest.raises(AccessDenied) as refused:
        await Access(keys).authenticate(made.text, "theirs")

    assert refused.value.authenticated


async def test_scopes_allow_what_they_say_and_admin_everything() -> None:
    keys = Keys()
    reader = await create_key(keys, project="p", scopes=["read"], created_at=NOW)
    admin = await create_key(keys, project="p", scopes=["admin"], created_at=NOW)
    access = Access(keys)

    (await access.authenticate(reader.text, None)).require("ingest", "read")
    (await access.authenticate(admin.text, None)).require("review")
    with pytest.raises(AccessDenied, match="ingest"):
        (await access.authenticate(reader.text, None)).require("ingest")


async def test_revoking_what_does_not_exist_says_so() -> None:
    with pytest.raises(NotFound):
        await revoke_key(Keys(), "nope", at=NOW)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    check_binding(host, keys_exist=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", ""])
def test_any_other_address_needs_one(host: str) -> None:
    check_binding(host, keys_exist=True)

    with pytest.raises(ConfigError, match="healing-eval keys create"):
        check_binding(host, keys_exist=False)
