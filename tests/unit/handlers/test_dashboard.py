import re
from html.parser import HTMLParser
from pathlib import Path

import azure.functions as func
import pytest

from handlers import dashboard

PAGE = "/api/dashboard"
FOLDER = Path(dashboard.FOLDER)
FILES = sorted(path.name for path in FOLDER.iterdir())


async def get(file: str | None = None, **headers: str) -> func.HttpResponse:
    """
    Ask for a file of the page, or for the page.
    """
    request = func.HttpRequest(
        "GET", PAGE, headers=headers, route_params={"file": file} if file is not None else {}, body=b""
    )
    answer: func.HttpResponse = await dashboard.get_dashboard.build().get_user_function()(request)
    return answer


@pytest.mark.parametrize("file", [*FILES, None])
async def test_every_file_of_the_page_is_served_with_its_type(file: str | None) -> None:
    """
    As it lies in the folder, and under no other rule than the others.
    """
    answer = await get(file)

    assert answer.status_code == 200
    assert (answer.mimetype, answer.charset) == (
        {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}[
            Path(file or "index.html").suffix
        ],
        "utf-8",
    )
    if file not in {None, "index.html"}:
        assert answer.get_body() == (FOLDER / str(file)).read_bytes()


@pytest.mark.parametrize("file", ["main.js", None])
async def test_nothing_from_elsewhere_and_nothing_inline_is_let_in(file: str | None) -> None:
    """
    Whatever a name or a message holds, no browser takes it for a script.
    """
    headers = (await get(file)).headers

    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) <= {"'self'", "'none'", "'script'"}
    # No policy may make markup of a text.
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers


async def test_a_file_that_has_not_changed_is_not_sent_again() -> None:
    """
    A browser asks each time, so that it never runs the page of an older version.
    """
    first = await get("main.js")

    again = await get("main.js", **{"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    changed = await get("main.js", **{"If-None-Match": '"other"'})

    assert (again.status_code, again.get_body()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    assert changed.status_code == 200
    assert first.headers["ETag"] != (await get("store.js")).headers["ETag"]


@pytest.mark.parametrize(
    "file", ["../function_app.py", "..%2fhost.json", "/etc/passwd", "MAIN.JS", "..", ".", "nothing.js", "<b>"]
)
async def test_no_other_file_is_served(file: str) -> None:
    """
    A path is compared with the names of the folder, and never opened.
    """
    answer = await get(file)

    assert answer.status_code == 404
    assert answer.mimetype == "text/plain"
    assert "root:" not in answer.get_body().decode()


async def test_the_page_says_how_people_sign_in() -> None:
    """
    It needs no call to find that out; and where settings are wrong, the API says so to those that it lets in.
    """
    body = (await get()).get_body().decode()

    assert '<meta name="authentication" content="key">' in body
    assert "{authentication}" not in body


def test_the_page_refers_to_files_that_there_are_and_to_nothing_else() -> None:
    """
    A module that is misspelt would be found by a browser alone.
    """
    referred = set()
    for file in FILES:
        text = (FOLDER / file).read_text()
        referred |= set(re.findall(r'from "\./([\w-]+\.js)"', text))
        referred |= set(re.findall(rf'(?:href|src)="{PAGE}/([^"]+)"', text))
    assert referred | {"index.html"} == set(FILES)


def test_the_page_itself_has_no_script_and_no_style_in_it() -> None:
    """
    The policy would forbid both, and only a browser would show it.
    """
    inline: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            names = {name for name, _ in attributes}
            inline.extend(name for name in names if name.startswith("on") or name == "style")
            if tag == "style" or (tag == "script" and "src" not in names):
                inline.append(tag)

    Reader().feed((FOLDER / "index.html").read_text())

    assert not inline
