"""
Questions to a place that no contract asks: how it answers, where the app or the local cloud takes that for granted.
"""

import base64
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient

from adapters.data_plane import Reply
from adapters.error_bodies import code_in
from providers.questions import SharedKeyQuestion
from rotation.vocabulary.limits import PROOF_WINDOW
from rotation.vocabulary.material import KeyMaterial
from tests.live.description import Description, description
from tests.live.http import ARM, EVENT_GRID, KEY_VAULT, Answer, ask, send
from tests.live.other_end import RealVault

BATCH_VERSION = "2025-06-01"
STORAGE_VERSION = "2026-09-01"
VAULT_VERSION = "7.4"
LISTED_WITHIN = 300  # seconds, which a listing is trusted for
Seen = Callable[[str], None]


@pytest.fixture
def place() -> Description:
    """
    Return the place.
    """
    return description()


@pytest.fixture
def vault(place: Description) -> RealVault:
    """
    Return its vault.
    """
    return RealVault(place)


@pytest.fixture
def name() -> str:
    """
    Return the name of a secret that was never used.
    """
    return f"probe-{uuid.uuid4().hex}"


def arm(place: Description, method: str, path: str, body: object = None, version: str = BATCH_VERSION) -> Answer:
    """
    Ask Azure Resource Manager.
    """
    endpoint = place.settings.get("ROTATION_ARM_ENDPOINT", "https://management.azure.com").rstrip("/")
    return ask(method, f"{endpoint}{path}?api-version={version}" if version else f"{endpoint}{path}", ARM, body)


def keys(place: Description) -> dict[str, str]:
    """
    Return both keys of the Batch account.
    """
    found = arm(place, "POST", f"{place.batch}/listKeys", {}).body
    return {"Primary": found["primary"], "Secondary": found["secondary"]}


def secret(place: Description, method: str, path: str, body: object = None) -> Answer:
    """
    Ask the vault.
    """
    mark = "&" if "?" in path else "?"
    return ask(method, f"{place.vault}/secrets{path}{mark}api-version={VAULT_VERSION}", KEY_VAULT, body)


@pytest.mark.assumption(1)
def test_a_clear_no_has_changed_nothing(place: Description, seen: Seen) -> None:
    """
    A regeneration that is refused, in the resource manager's shape, leaves both keys.
    """
    before = keys(place)

    answer = arm(place, "POST", f"{place.batch}/regenerateKeys", {"keyName": "Tertiary"})

    seen(f"{answer.status} {answer.code}")
    assert 400 <= answer.status < 500
    assert answer.code
    assert (keys(place) == before) is True


@pytest.mark.assumption(11)
def test_what_is_gone_is_missed_by_its_provider_or_by_the_resource_manager(place: Description, seen: Seen) -> None:
    """
    An account and a group that are not there: 404, with a code for each.
    """
    gone = place.batch[:-1] + ("y" if place.batch.endswith("x") else "x")
    group = place.batch.partition("/providers/")[0]

    of_account = arm(place, "POST", f"{gone}/listKeys", {})
    of_group = arm(place, "POST", f"{gone.replace(group, f'{group}x')}/listKeys", {})

    seen(f"account: {of_account.status} {of_account.code}, group: {of_group.status} {of_group.code}")
    assert (of_account.status, of_group.status) == (404, 404)
    assert of_account.code in {"ResourceNotFound", "AccountNotFound"}
    assert of_group.code in {"ResourceGroupNotFound", "AccountNotFound", "ResourceNotFound"}


@pytest.mark.assumption(12)
def test_without_a_token_the_resource_manager_challenges(place: Description, seen: Seen) -> None:
    """
    401, with a challenge and a code of its own.
    """
    endpoint = place.settings.get("ROTATION_ARM_ENDPOINT", "https://management.azure.com").rstrip("/")
    answer = ask("POST", f"{endpoint}{place.batch}/listKeys?api-version={BATCH_VERSION}", None, {})

    seen(f"{answer.status} {answer.code}")
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.code


@pytest.mark.assumption(14, 22, 23)
def test_regenerating_is_over_with_its_answer(place: Description, seen: Seen) -> None:
    """
    200 with both keys as they are from then on; nothing to poll for.
    """
    before = keys(place)

    answer = arm(place, "POST", f"{place.batch}/regenerateKeys", {"keyName": "Secondary"})

    seen(f"{answer.status}, {sorted(answer.body)}")
    assert answer.status == 200
    assert not {"location", "azure-asyncoperation"} & set(answer.headers)
    assert answer.body["primary"] == before["Primary"]
    assert answer.body["secondary"] != before["Secondary"]
    assert keys(place)["Secondary"] == answer.body["secondary"]


@pytest.mark.assumption(15)
def test_an_api_version_that_is_missing_or_unknown_is_refused(place: Description, seen: Seen) -> None:
    """
    With the codes that tell it from a target that is gone.
    """
    missing = arm(place, "GET", place.batch, version="")
    unknown = arm(place, "GET", place.batch, version="2001-01-01")

    seen(f"{missing.status} {missing.code}, {unknown.status} {unknown.code}")
    assert (missing.status, missing.code) == (400, "MissingApiVersionParameter")
    assert unknown.status == 400
    assert unknown.code in {"NoRegisteredProviderFound", "InvalidResourceType"}


@pytest.mark.assumption(16)
def test_an_id_may_be_written_in_any_case(place: Description) -> None:
    """
    It names the same account.
    """
    written = place.batch.replace("/resourceGroups/", "/RESOURCEGROUPS/")
    group, _, name = written.rpartition("/")

    answer = arm(place, "GET", f"{group}/{name.upper()}")

    assert answer.status == 200
    assert answer.body["name"].lower() == name.lower()


@pytest.mark.assumption(19)
def test_the_resource_manager_says_what_is_left(place: Description, seen: Seen) -> None:
    """
    Of reads on a read, of writes on a POST.
    """
    read = arm(place, "GET", place.batch)
    written = arm(place, "POST", f"{place.batch}/listKeys", {})

    left = sorted(name for name in {*read.headers, *written.headers} if name.startswith("x-ms-ratelimit-remaining"))
    seen(", ".join(left))
    assert any("reads" in name for name in read.headers)
    assert any("writes" in name or "resource-requests" in name for name in written.headers)


@pytest.mark.assumption(24, 27)
def test_a_new_key_opens_the_account_at_once_and_the_old_one_no_more(place: Description, seen: Seen) -> None:
    """
    With the official client, from the moment of the answer.
    """
    endpoint = arm(place, "GET", place.batch).body["properties"]["accountEndpoint"]
    before = keys(place)["Primary"]
    after = arm(place, "POST", f"{place.batch}/regenerateKeys", {"keyName": "Primary"}).body["primary"]
    since = time.monotonic()

    opened = uses(place, endpoint, after)

    seen(f"the new key: {opened or 'accepted'} within {time.monotonic() - since:.1f} s")
    refused = uses(place, endpoint, before)
    seen(f"the old key: {refused}")
    assert not opened
    assert refused == "403 AuthenticationFailed"


def uses(place: Description, endpoint: str, key: str) -> str:
    """
    List the pools with a key; return how that was refused.
    """
    address = endpoint if endpoint.startswith("https://") else f"https://{endpoint}"
    client = BatchClient(address, AzureNamedKeyCredential(place.batch.rpartition("/")[2], key))
    try:
        list(client.list_pools(ocp_date=datetime.now(UTC)))
    except HttpResponseError as error:
        return f"{error.status_code} {error.error.code if error.error else error.reason}"
    return ""


@pytest.mark.assumption(112, 115)
def test_a_new_key_opens_the_blobs_at_once_and_the_old_one_no_more(place: Description, seen: Seen) -> None:
    """
    With the official client, from the moment of the answer.
    """
    account = arm(place, "GET", place.storage, version=STORAGE_VERSION).body
    listed = arm(place, "POST", f"{place.storage}/listKeys", {}, version=STORAGE_VERSION)
    before = keys_by_name(listed)
    answer = arm(place, "POST", f"{place.storage}/regenerateKey", {"keyName": "key1"}, version=STORAGE_VERSION)
    since, after = time.monotonic(), keys_by_name(answer)

    opened = lists_containers(account, after["key1"])

    seen(f"the new key: {opened or 'accepted'} within {time.monotonic() - since:.1f} s")
    refused = lists_containers(account, before["key1"])
    seen(f"the old key: {refused}")
    assert set(before) == set(after) == {"key1", "key2"}
    assert (before["key2"] == after["key2"]) is True
    assert not opened
    assert refused == "403 AuthenticationFailed"


def keys_by_name(answer: Answer) -> dict[str, str]:
    """
    Return the keys of a Storage account, by the names of the resource provider.
    """
    return {key["keyName"]: key["value"] for key in answer.body["keys"]}


def lists_containers(account: Any, key: str) -> str:
    """
    List the containers of a Storage account with a key; return how that was refused.
    """
    credential = {"account_name": account["name"], "account_key": key}
    endpoint = account["properties"]["primaryEndpoints"]["blob"]
    with BlobServiceClient(endpoint, credential=credential, retry_total=0) as client:
        try:
            list(client.list_containers())
        except HttpResponseError as error:
            code = getattr(error, "error_code", None)
            return f"{error.status_code} {getattr(code, 'value', code) or error.reason}"
    return ""


@pytest.mark.assumption(122, 124)
@pytest.mark.parametrize("kind", ["batch", "storage"])
def test_a_key_that_is_none_is_refused_in_words_of_its_own(place: Description, seen: Seen, kind: str) -> None:
    """
    As the app asks and signs, at the address that the resource manager names.
    """
    question, live = question_to(place, kind)

    accepted = answer_to(question, live)
    refused = answer_to(question, base64.b64encode(bytes(64)).decode())

    seen(f"a live key: {accepted}, one that is none: {refused}")
    assert accepted.status == 200
    assert question.is_refusal(refused) is True


@pytest.mark.assumption(123)
@pytest.mark.parametrize("kind", ["batch", "storage"])
def test_a_new_key_that_was_accepted_stays_so(place: Description, seen: Seen, kind: str) -> None:
    """
    However long it took until then, twenty questions later nothing refuses it.
    """
    question, _ = question_to(place, kind)
    if kind == "batch":
        new = arm(place, "POST", f"{place.batch}/regenerateKeys", {"keyName": "Secondary"}).body["secondary"]
    else:
        path = f"{place.storage}/regenerateKey"
        new = keys_by_name(arm(place, "POST", path, {"keyName": "key2"}, version=STORAGE_VERSION))["key2"]
    since = time.monotonic()

    while (first := answer_to(question, new)).status != 200 and time.monotonic() - since < PROOF_WINDOW.total_seconds():
        time.sleep(1)
    seen(f"the new key: {first} after {time.monotonic() - since:.1f} s")
    then = {answer_to(question, new).status for _ in range(20)}

    assert first.status == 200
    assert then == {200}


def question_to(place: Description, kind: str) -> tuple[SharedKeyQuestion, str]:
    """
    Return what the app asks an account, and a key of it that is alive.
    """
    if kind == "batch":
        account = arm(place, "GET", place.batch).body
        endpoint = account["properties"]["accountEndpoint"]
        assert "://" not in endpoint
        url = f"https://{endpoint}/pools?api-version=2024-07-01.20.0&maxresults=1"
        return SharedKeyQuestion(url, account["name"], "ocp-date"), keys(place)["Primary"]
    account = arm(place, "GET", place.storage, version=STORAGE_VERSION).body
    endpoint = account["properties"]["primaryEndpoints"]["blob"]
    assert endpoint.endswith("/")
    listed = keys_by_name(arm(place, "POST", f"{place.storage}/listKeys", {}, version=STORAGE_VERSION))
    containers = f"{endpoint}?comp=list&maxresults=1"
    return SharedKeyQuestion(containers, account["name"], "x-ms-date", {"x-ms-version": "2021-12-02"}), listed["key1"]


def answer_to(question: SharedKeyQuestion, key: str) -> Reply:
    """
    Ask it once with a key.
    """
    headers = question.signed(KeyMaterial(key), datetime.now(UTC))
    answer = send("GET", question.url, headers)
    return Reply(answer.status, answer.headers.get("x-ms-error-code") or code_in(answer.text))


@pytest.mark.assumption(38)
def test_a_vault_says_whose_token_it_wants(place: Description, seen: Seen) -> None:
    """
    One line, with an audience that has no slash at its end.
    """
    answer = ask("GET", f"{place.vault}/secrets/any?api-version={VAULT_VERSION}", None)

    challenge = answer.headers["www-authenticate"]
    seen(f"{answer.status} {challenge.split('authorization=')[0]}authorization=..., {challenge.rpartition(', ')[2]}")
    assert answer.status == 401
    assert challenge.startswith("Bearer authorization=")
    assert 'resource="https://vault.azure.net"' in challenge


@pytest.mark.assumption(41)
def test_a_version_that_has_expired_can_be_read(vault: RealVault, name: str) -> None:
    """
    And one that is not valid yet.
    """
    past, future = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    vault.client.set_secret(name, "expired", expires_on=past)
    vault.client.set_secret(f"{name}-2", "not yet", not_before=future)

    assert vault.client.get_secret(name).value == "expired"
    assert vault.client.get_secret(f"{name}-2").value == "not yet"


@pytest.mark.assumption(44, 45)
def test_a_list_has_pages_of_25_with_the_tags_of_the_current_version(
    place: Description, vault: RealVault, name: str, seen: Seen
) -> None:
    """
    Read at once after the last was set.
    """
    vault.client.set_secret(f"{name}-0", "old", tags={"Number": "old"})
    for number in range(30):
        vault.client.set_secret(f"{name}-{number}", "value", tags={"Number": str(number)})

    wanted = {f"{name}-{number}": {"Number": str(number)} for number in range(30)}
    since = time.monotonic()

    while True:
        pages = listed(place)
        found = {item["id"].rpartition("/")[2]: item.get("tags") for page in pages for item in page}
        own = {each: tags for each, tags in found.items() if each.startswith(name)}
        if own == wanted or time.monotonic() - since > LISTED_WITHIN:
            break
        time.sleep(1)

    seen(f"pages of {[len(page) for page in pages]}, complete after {time.monotonic() - since:.1f} s")
    assert max(map(len, pages)) <= 25
    assert list(found) == sorted(found)
    assert own == wanted


def listed(place: Description) -> list[list[dict[str, Any]]]:
    """
    Return the pages of the list of secrets.
    """
    pages, link = [], f"{place.vault}/secrets?maxresults=25&api-version={VAULT_VERSION}"
    while link:
        answer = ask("GET", link, KEY_VAULT).body
        pages.append(answer["value"])
        link = answer["nextLink"]
    return pages


@pytest.mark.assumption(48)
def test_what_is_set_twice_is_two_versions(place: Description, name: str) -> None:
    """
    The second is the current one at once.
    """
    first, second = (secret(place, "PUT", f"/{name}", {"value": "same"}) for _ in range(2))

    assert (first.status, second.status) == (200, 200)
    assert first.body["id"] != second.body["id"]
    assert secret(place, "GET", f"/{name}").body["id"] == second.body["id"]
    assert len(secret(place, "GET", f"/{name}/versions").body["value"]) == 2


@pytest.mark.assumption(50)
def test_what_an_update_does_not_name_stays(vault: RealVault, name: str) -> None:
    """
    Tags, type and expiry of a version that is disabled.
    """
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    made = vault.client.set_secret(name, "value", tags={"a": "b"}, content_type="text/plain", expires_on=expires)

    vault.client.update_secret_properties(name, made.properties.version, enabled=False)

    (found,) = vault.client.list_properties_of_secret_versions(name)
    assert (found.enabled, found.tags) == (False, {"a": "b"})
    assert (found.content_type, found.expires_on) == ("text/plain", expires)


@pytest.mark.assumption(51)
def test_a_secret_has_room_for_15_tags_and_25000_bytes(place: Description, name: str, seen: Seen) -> None:
    """
    No less; and more is refused, not cut off.
    """
    tags = {f"t{number}": "v" * 256 for number in range(15)}
    whole = secret(place, "PUT", f"/{name}", {"value": "v" * 25_000, "tags": tags})
    more_tags = secret(place, "PUT", f"/{name}", {"value": "v", "tags": tags | {"t15": ""}})
    longer_tag = secret(place, "PUT", f"/{name}", {"value": "v", "tags": {"t": "v" * 257}})
    longer = secret(place, "PUT", f"/{name}", {"value": "v" * 25_601})

    seen(f"16 tags {more_tags.status}, 257 characters {longer_tag.status}, 25,601 bytes {longer.status}")
    assert whole.status == 200
    assert (more_tags.status, longer_tag.status, longer.status) == (400, 400, 400)


@pytest.mark.assumption(62, 63)
@pytest.mark.parametrize(
    ("source", "left_out", "status"),
    [("/subscriptions/x/rg-%C3%A9", None, 200), ("/subscriptions/x", "id", 400), ("/subscriptions/x", "source", 400)],
)
def test_a_topic_takes_what_conforms(
    place: Description, seen: Seen, source: str, left_out: str | None, status: int
) -> None:
    """
    A percent-encoded source; and nothing without what CloudEvents ask for.
    """
    event = {"id": str(uuid.uuid4()), "source": source, "type": "Probe", "specversion": "1.0", "data": {}}
    sent = {name: value for name, value in event.items() if name != left_out}

    answer = ask(
        "POST",
        f"{place.settings['ROTATION_TOPIC_ENDPOINT']}?api-version=2018-01-01",
        EVENT_GRID,
        [sent],
        content_type="application/cloudevents-batch+json",
    )

    seen(f"{'whole' if left_out is None else f'without {left_out}'}: {answer.status}")
    assert answer.status == status


def callback(place: Description, workflow: str, key: str) -> dict[str, str]:
    """
    Return a workflow's callback URL and its signature.
    """
    body = answered(place, workflow, key).body
    return {"value": body["value"], "sig": body["queries"]["sig"]}


def answered(place: Description, workflow: str, key: str) -> Answer:
    """
    Ask for a workflow's callback URL.
    """
    site, _, rest = workflow.partition("/workflows/")
    name, _, trigger = rest.partition("/triggers/")
    path = f"{site}/hostruntime/runtime/webhooks/workflow/api/management/workflows/{name}/triggers/{trigger}"
    return arm(place, "POST", f"{path}/listCallbackUrl", {"keyType": key}, "2025-05-01")


def regenerate(place: Description, workflow: str, key: str) -> Answer:
    """
    Regenerate a key of a workflow.
    """
    site, _, rest = workflow.partition("/workflows/")
    name = rest.partition("/triggers/")[0]
    path = f"{site}/hostruntime/runtime/webhooks/workflow/api/management/workflows/{name}/regenerateAccessKey"
    return arm(place, "POST", path, {"keyType": key}, "2025-05-01")


@pytest.fixture
def workflows(place: Description) -> list[str]:
    """
    Return both workflows; skip where there are none.
    """
    if not place.workflows:
        pytest.skip("no Logic App was asked for")
    return place.workflows


@pytest.mark.assumption(28, 29, 31)
def test_a_workflows_keys_are_its_own(place: Description, workflows: list[str], seen: Seen) -> None:
    """
    Regenerating one changes what that key signs for this workflow; the other key and the other workflow stay.
    """
    one, other = workflows
    before = {(each, key): callback(place, each, key)["sig"] for each in workflows for key in ("Primary", "Secondary")}

    answer = regenerate(place, one, "Secondary")

    seen(f"{answer.status} {answer.text[:20] or 'empty'}")
    after = {(each, key): callback(place, each, key)["sig"] for each in workflows for key in ("Primary", "Secondary")}
    changed = {each for each in before if before[each] != after[each]}
    assert (answer.status, answer.text) == (200, "")
    assert before[one, "Primary"] != before[one, "Secondary"]
    assert changed == {(one, "Secondary")}
    assert (other, "Secondary") not in changed


@pytest.mark.assumption(33)
def test_a_callback_url_comes_with_its_parts(place: Description, workflows: list[str], seen: Seen) -> None:
    """
    Whole, and in parts that make the same.
    """
    parts = answered(place, workflows[0], "Primary").body

    seen(f"{sorted(parts)}, queries {sorted(parts['queries'])}")
    assert {"value", "method", "basePath", "queries"} <= set(parts)
    assert {"api-version", "sp", "sv", "sig"} <= set(parts["queries"])
    assert parts["value"].startswith(parts["basePath"].partition("/api/")[0])


@pytest.mark.assumption(35)
def test_a_workflow_says_which_of_its_triggers_is_a_request(
    place: Description, workflows: list[str], seen: Seen
) -> None:
    """
    In its definition, as the resource provider gives it.
    """
    workflow, _, trigger = workflows[0].partition("/triggers/")
    answer = arm(place, "GET", workflow, version="2025-05-01")

    files = answer.body["properties"]["files"]
    seen(f"{answer.status}, files {sorted(files)}")
    assert files["workflow.json"]["definition"]["triggers"][trigger]["type"] == "Request"


@pytest.mark.assumption(30, 32, 37)
def test_a_callback_url_lives_as_long_as_its_key(place: Description, workflows: list[str], seen: Seen) -> None:
    """
    The same at every read; accepted until the key is regenerated, and refused from then on.
    """
    old, again = (callback(place, workflows[0], "Primary")["value"] for _ in range(2))
    accepted = ask("POST", old, None, {})
    regenerate(place, workflows[0], "Primary")
    new = callback(place, workflows[0], "Primary")["value"]

    refused, renewed = ask("POST", old, None, {}), ask("POST", new, None, {})

    seen(f"live {accepted.status}, dead {refused.status}, new {renewed.status}")
    assert old == again != new
    assert (accepted.status, refused.status, renewed.status) in {(202, 401, 202), (200, 401, 200)}
