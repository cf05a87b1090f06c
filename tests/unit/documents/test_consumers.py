import re
from pathlib import Path

import pytest

from providers import KINDS
from rotation.policy import tags
from tests.e2e.markdown_page import blocks, read
from tests.unit.infra.bicep_block import compiled

PAGE = read("docs/consumers.md")
BLOCKS = blocks(PAGE)
#: Without these a secret is not managed.
WRITTEN = {tags.TARGET, tags.KEY, tags.VALIDITY}


def the_block(language: str) -> str:
    """
    Return the only block in a language.
    """
    (block,) = [block for block in BLOCKS if block.language == language]
    return block.text


def test_the_bicep_makes_a_managed_secret_once_and_never_again(tmp_path: Path) -> None:
    """
    The compiler takes it without a warning, with the decorator on the secret and nowhere else.
    """
    resources = compiled(the_block("bicep"), tmp_path)

    (secret,) = [one for one in resources if one["type"] == "Microsoft.KeyVault/vaults/secrets"]
    assert [one["type"] for one in resources if "onlyIfNotExists" in one.get("@options", {})] == [secret["type"]]
    assert [one["type"] for one in resources if not one.get("existing")] == [secret["type"]]
    assert set(secret["tags"]) == WRITTEN
    assert "exp" in secret["properties"]["attributes"]


def test_the_terraform_ignores_all_that_a_rotation_changes() -> None:
    """
    A new version has another value, other tags and another expiry.
    """
    text = the_block("hcl")
    (ignored,) = re.findall(r"ignore_changes = \[(.*)\]", text)
    (tagged,) = re.findall(r"tags = \{\n(.*?)\n  \}", text, re.DOTALL)

    assert set(ignored.split(", ")) == {"value", "tags", "expiration_date"}
    assert set(re.findall(r"^ +(\w+) +=", tagged, re.MULTILINE)) == WRITTEN


def test_every_kind_of_target_is_in_the_table() -> None:
    """
    In the order in which the app knows them, and no other.
    """
    table = re.findall(r"^\| `(Microsoft\.[\w./]+)` \|", PAGE, re.MULTILINE)

    assert sorted(table) == sorted(kind.provider for kind in KINDS)


def test_every_block_is_tried_or_says_that_it_is_not() -> None:
    """
    Python runs in tests/e2e/test_consumers.py; what is not tried is a command of Azure, or Terraform.
    """
    commands = [block for block in BLOCKS if not block.language]

    assert {block.language for block in BLOCKS} == {"python", "bicep", "hcl", ""}
    assert [block.name for block in commands if not block.needs_azure] == []
    assert "this block was parsed, and not applied" in PAGE.partition("```hcl")[0]


@pytest.mark.parametrize("page", ["README.md", "docs/http-api.md", "docs/events.md", "docs/getting-started.md"])
def test_the_page_is_found_from_where_somebody_looks(page: str) -> None:
    """
    From the list of documents, and from where secrets and events are described.
    """
    assert "consumers.md" in read(page)
