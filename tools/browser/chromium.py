"""
The browser that tests look at the page with: Chromium from npm, driven by Playwright.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ctypes.util import find_library
from pathlib import Path

from playwright.async_api import Browser, async_playwright

MODULES = Path(__file__).parent / "node_modules"
_UNPACKED = MODULES / ".unpacked"
_EXECUTABLE = _UNPACKED / "chromium"

# It comes with one family of fonts, so that pictures look the same on every machine.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


def is_installed() -> bool:
    """
    Whether `tools/setup.sh browser` has found one for this machine.
    """
    return _EXECUTABLE.exists()


def is_required() -> bool:
    """
    Whether the tests have to run: in CI a missing browser is a failure.
    """
    return os.environ.get("BROWSER") == "required"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """
    Run the browser until the context is left.
    """
    fonts = _UNPACKED / "fonts.conf"
    fonts.write_text(_FONTS.format(fonts=_UNPACKED / "fonts", cache=_UNPACKED / "fonts-cache"))
    async with async_playwright() as playwright:
        # Without a sandbox, as in most containers: it opens no page but ours.
        browser = await playwright.chromium.launch(
            executable_path=_EXECUTABLE,
            args=["--headless=shell", "--no-sandbox", "--font-render-hinting=none"],
            env={**os.environ, **_libraries(), "FONTCONFIG_FILE": str(fonts)},
        )
        yield browser
        await browser.close()


def _libraries() -> dict[str, str]:
    """
    Return where the system libraries are that came with the browser, where this machine does not have them.
    """
    return {} if find_library("nss3") else {"LD_LIBRARY_PATH": str(_UNPACKED / "al2023" / "lib")}
