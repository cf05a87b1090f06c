"""
A text as it reads once its escapes are undone.
"""

import re
from bisect import bisect_right

JSON = r"\\(?:u[0-9A-Fa-f]{4}|[\"\\/bfnrt])"
PERCENT = "%[0-9A-Fa-f]{2}"
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Unescaped:
    """
    A text without certain escapes. It knows where each of its characters was written.
    """

    def __init__(self, written: str, escapes: str) -> None:
        parts, size, end = [], 0, 0
        self._plain, self._written = [0], [0]
        for escape in re.finditer(escapes, written):
            before = written[end : escape.start()]
            parts += [before, plain(escape[0])]
            size += len(before) + 1
            end = escape.end()
            self._plain.append(size)
            self._written.append(end)
        self.text = "".join([*parts, written[end:]])

    def place(self, start: int, end: int) -> tuple[int, int]:
        """
        Return from where to where a part of this text goes in the written one.
        """
        return self._place(start), self._place(end)

    def _place(self, index: int) -> int:
        last = bisect_right(self._plain, index) - 1
        return self._written[last] + index - self._plain[last]


def plain(spelling: str) -> str:
    """
    Return the character that an escape stands for, or the character itself.
    """
    if len(spelling) == 1:
        return spelling
    if spelling[0] == "%" or spelling[1] == "u":
        return chr(int(spelling.lstrip("%\\u"), 16))
    return _CONTROLS.get(spelling[1], spelling[1])
