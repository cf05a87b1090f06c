import json
import logging

import pytest

from localcloud.functions_host.logs import JsonLines
from rotation.vocabulary.log_lines import report_standing


def test_a_line_with_counts_is_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    """
    The counts stay an object, by which a reader of the log can look one up.
    """
    with caplog.at_level(logging.INFO):
        report_standing("https://kv.vault.azure.net", {"Drifted": 1, "Due": 0})

    written = JsonLines().format(caplog.records[0])
    read = json.loads(written)
    assert "\n" not in written
    assert (read["message"], read["step"]) == ("secrets of https://kv.vault.azure.net: 1 Drifted", "counted")
    assert (read["vault"], read["counts"]) == ("https://kv.vault.azure.net", {"Drifted": 1, "Due": 0})
