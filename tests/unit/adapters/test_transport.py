import pytest

from adapters.transport import SharedTransport

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.mark.parametrize("setting", [None, "HTTPS_PROXY"])
async def test_the_environment_is_read_where_it_names_a_proxy(
    monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    """
    Behind a proxy every request goes through it; elsewhere none of them looks for one.
    """
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if setting:
        monkeypatch.setenv(setting, "http://proxy.example:3128")
    transport = SharedTransport()

    await transport.open()
    try:
        assert transport.session.trust_env is (setting is not None)
    finally:
        await transport.shut()
