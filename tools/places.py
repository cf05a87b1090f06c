"""
What a command writes into a page of docs/: each part between two comments, which say where it comes from.
"""

import re

_PLACE = re.compile(r"(<!-- ([\w-]+): written by [^\n]* -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


def filled(page: str, parts: dict[str, str]) -> str:
    """
    Return a page with new parts, each in its place. Raises `LookupError` for a part without a place.
    """
    if missing := parts.keys() - {name for _, name, _ in _PLACE.findall(page)}:
        raise LookupError(f"the page has no place for {', '.join(sorted(missing))}: <!-- NAME: written by ... -->")
    return _PLACE.sub(lambda found: found[1] + parts[found[2]] + found[3] if found[2] in parts else found[0], page)
