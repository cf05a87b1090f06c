import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import providers
from providers import KINDS
from providers.ids import parse_target
from providers.kind import Kind, Name
from rotation.policy.values import exchanged
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import Target

FOLDER = Path(providers.__file__).parent
#: What a value of each kind looks like around its credential, the first as the kind's client gives it.
VALUES = {
    "Microsoft.Batch/batchAccounts": ["{}", '{{"key": "{}"}}'],
    "Microsoft.CognitiveServices/accounts": ["{}", "api-key: {}\n"],
    "Microsoft.Storage/storageAccounts": [
        "{}",
        "DefaultEndpointsProtocol=https;AccountName=mystorage;AccountKey={};EndpointSuffix=core.windows.net",
        "AccountKey={}",
        "accountkey = {} ;BLOBENDPOINT=https://a.example/b;accountname=MYSTORAGE;",
    ],
    "Microsoft.Web/sites/workflows": [
        "https://a.example/api/orders?sp=1&sig={}",
        "https://a.example/api/orders?sig={}&sp=1",
        "https://b.example/triggers/other/invoke?api-version=2&sp=1&sig={}",
    ],
}
#: Two credentials that have the form of every kind's.
ONE, TWO = "0" * 32, "1" * 32
CREDENTIALS = {
    "Microsoft.Batch/batchAccounts": (f"{ONE}{ONE}{'a' * 22}==", f"{TWO}{TWO}{'b' * 22}=="),
    "Microsoft.Storage/storageAccounts": (f"{ONE}{ONE}{'a' * 22}==", f"{TWO}{TWO}{'b' * 22}=="),
}
NAMES = {"subscription": "11111111-1111-4111-8111-111111111111", "resource_group": "rg-prod"}


def example(kind: Kind, **names: str) -> Target:
    """
    Return one of a kind: the one of the API's examples.
    """
    return kind.target(NAMES | dict(kind.example) | names)


def folder(kind: Kind) -> Path:
    """
    Return the folder of a kind.
    """
    return FOLDER / kind.package.rpartition(".")[2]


def test_every_folder_is_a_kind_of_the_table() -> None:
    """
    A kind that is not in the table would never be found.
    """
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}

    assert {kind.package for kind in KINDS} == {f"providers.{name}" for name in folders}
    assert len({kind.provider for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
class TestEachKind:
    """
    What every kind of the table promises.
    """

    @pytest.mark.parametrize(
        "spelled",
        [
            "{id}",
            "  {id}\r\n",
            "{id}/",
            '"{id}",',
            "https://portal.azure.com/#@contoso.com/resource{id}",
            "https://management.azure.com{id}?api-version=2024-01-01",
        ],
    )
    @pytest.mark.parametrize("case", [str, str.upper, str.lower])
    def test_its_id_is_read_in_every_spelling(self, kind: Kind, spelled: str, case: Any) -> None:
        """
        As people copy it, in any case, and by this kind alone.
        """
        target = example(kind)

        found = parse_target(KINDS, spelled.format(id=case(target.shown_by)))

        assert (found.provider, found.identity, found.address) == (kind.provider, target.identity, target.address)
        assert [one.provider for one in KINDS if one.read(target.shown_by)] == [kind.provider]

    def test_what_it_writes_it_reads(self, kind: Kind) -> None:
        """
        A row of the ledger names a target by its id alone.
        """
        target = example(kind)

        assert parse_target(KINDS, target.shown_by) == target

    @pytest.mark.parametrize(
        "change",
        [
            lambda arm_id: f"{arm_id}/more",
            lambda arm_id: arm_id.rpartition("/")[0],
            lambda arm_id: arm_id.replace("/providers/", "/providers/Contoso."),
            lambda arm_id: arm_id.replace("Microsoft.", "MicrosoftX"),
            lambda arm_id: arm_id.replace("Microsoft.", "M\u0130crosoft."),
            lambda arm_id: re.sub(r"/[^/]+$", "/..", arm_id),
            lambda arm_id: re.sub(r"/[^/]+$", "/", arm_id),
            lambda arm_id: re.sub(r"/([^/]+)$", r"/\1%2f..", arm_id),
            lambda arm_id: re.sub(r"/([^/]+)$", r"/\1#x", arm_id),
            lambda arm_id: arm_id.replace("/", "\u2215"),
            lambda arm_id: arm_id.replace("/rg-prod/", "/rg-prod./"),
            lambda arm_id: arm_id.replace(NAMES["subscription"], "not-a-guid"),
        ],
    )
    def test_a_look_alike_is_refused(self, kind: Kind, change: Any) -> None:
        """
        The error says what an id looks like.
        """
        changed = change(example(kind).arm_id)

        with pytest.raises(Misconfigured, match=re.escape(kind.shape)):
            parse_target(KINDS, changed)

    def test_what_stands_in_brackets_does_not_change_the_target(self, kind: Kind) -> None:
        """
        One claim, and one scope, for whatever of it shows the keys.
        """
        target = example(kind)
        plain = kind.target({name: value for name, value in target.names.items() if f"{{{name}}}" in target_form(kind)})

        assert plain.identity == target.identity
        assert plain.arm_id == plain.shown_by == target.arm_id

    def test_its_fingerprint_is_of_the_credential_alone(self, kind: Kind) -> None:
        """
        Whatever surrounds it in a value; it tells two credentials apart, and shows neither.
        """
        target = example(kind)
        one, two = CREDENTIALS.get(kind.provider, (ONE, TWO))
        given = VALUES[kind.provider][0]
        found = {
            credential: {
                candidate.fingerprint
                for form in VALUES[kind.provider]
                for candidate in target.candidates(KeyMaterial(form.format(credential)))
            }
            for credential in (one, two)
        }

        assert found == {each: {target.fingerprint(KeyMaterial(given.format(each)))} for each in (one, two)}
        assert found[one] != found[two]
        assert all(re.fullmatch("[0-9a-f]{64}", fingerprint) for fingerprint in set.union(*found.values()))

    def test_a_new_credential_takes_the_place_of_the_one_before(self, kind: Kind) -> None:
        """
        The value is then one in which the new one stands.
        """
        target, (given, *_) = example(kind), VALUES[kind.provider]
        one, two = CREDENTIALS.get(kind.provider, (ONE, TWO))
        before, fresh = (KeyMaterial(given.format(each)) for each in (one, two))

        for form in VALUES[kind.provider]:
            value = KeyMaterial(form.format(one))
            changed = exchanged(target, value, target.fingerprint(before), fresh)
            assert changed.reveal() == form.format(two)
            assert exchanged(target, changed, target.fingerprint(fresh), before) == value

    def test_its_client_is_made_when_it_is_needed(self, kind: Kind) -> None:
        """
        The folder itself imports no SDK, and knows no other kind.
        """
        own = (folder(kind) / "__init__.py").read_text()
        others = [other.package for other in KINDS if other is not kind]

        assert not re.search(r"^(from|import) azure\b", own, re.MULTILINE)
        assert not [other for other in others for file in folder(kind).glob("*.py") if other in file.read_text()]
        client = importlib.import_module(kind.client).Client
        assert callable(client.read_keys)
        assert callable(client.regenerate)

    def test_nobody_else_knows_it_by_name(self, kind: Kind) -> None:
        """
        Who asks where it is opens one folder. The command line, which knows no folder of the app, has a list of rights.
        """
        folders = [FOLDER.parent / name for name in ("rotation", "adapters", "wiring", "handlers", "operator_cli")]
        doctor = FOLDER.parent / "operator_cli" / "rotator" / "doctor"
        # tests/unit/operator_cli/test_rights.py holds the list to the folders; the storage is the app's own.
        but = {doctor / "needs.py", doctor / "storage.py"}
        modules = [module for folder in folders for module in folder.rglob("*.py") if module not in but]

        assert len(modules) > 50
        assert [
            module for module in modules if {kind.provider.lower(), kind.package} & words(module.read_text().lower())
        ] == []

    def test_its_actions_are_its_own_and_have_reasons(self, kind: Kind) -> None:
        """
        The role of the app is made of them.
        """
        actions: Mapping[str, str] = json.loads((folder(kind) / "role.json").read_text())

        namespace = kind.provider.partition("/")[0]
        assert actions
        assert all(action.startswith(f"{namespace}/") and reason for action, reason in actions.items())


def words(text: str) -> set[str]:
    """
    Return the names in a text, as far as letters, dots and slashes go.
    """
    return set(re.findall(r"[\w./]+", text))


def target_form(kind: Kind) -> str:
    """
    Return the form of the ids of a kind's targets, with the names that every id has.
    """
    return "{subscription}{resource_group}" + re.sub(r"\[[^]]*\]", "", kind.form)


@pytest.mark.parametrize(("name", "is_allowed"), [("a.b", True), ("a.", False), (".", False), ("..", False)])
def test_no_name_ends_with_a_full_stop(name: str, is_allowed: bool) -> None:
    """
    Also of a kind whose names may hold one: a path would collapse, and a full stop at the end is a sentence's.
    """
    assert Name("[^/]+", others="-.").allows(name) is is_allowed
