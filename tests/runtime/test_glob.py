# SPDX-License-Identifier: Apache-2.0
"""File patterns: the automaton of glob.c against coverage.py's regexes.

Nothing here says what a pattern means. Patterns come from a list with an edge in each, and from
seeded chance; both sides are asked, and each disagreement is a failure.
"""

from __future__ import annotations

import ctypes
import random
import re

import coverage.files
import pytest
from coverage.exceptions import ConfigError
from coverage.files import GlobMatcher
from select_library import BadRules, Selection
from shmcov import _merge

# Python's `re` warns of classes such as [[a] and [a&&b]; they mean what they always meant.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

# Up to 7.10 a newline in a pattern sends coverage.py into an endless loop.
NEWLINES = coverage.files.G2RX_TOKENS[-1][0].pattern == r"[\s\S]"

PATTERNS = [
    *["*", "**", "***", "", "?", "*?", "/", "//", "/*", "/**", "*/", "**/", "*/*", "**/*"],
    *["*/**", "**/**", "**/**/a", "a/**", "a/**/b", "a/**/**/b", "a**", "**a", "a**/b", "a/**b"],
    *["a/*/b", "a/*b", "a*/b", "*a*/b", "*/a*", "*.py", "?.py", "a.py", "/a/b.py", "a/b.py"],
    *["*/a/*", "**/a/**", "*/a/b/*", "./a", "../a", "a/../b", "a\\b", "a\\*", "*\\a\\*", "\\a"],
    *["[a]", "[ab].py", "[a-c]x", "[^a]", "[!a]", "[^a-c]/x", "[]", "[^]", "[]]", "[", "]", "a["],
    *["a]"],
    *["[a", "[]a]", "[]x[a]", "[^]x[a]", "[[]", "[a-]", "[-a]", "[--/]", "[c-a]", "[+--]"],
    *["[a--b]"],
    *["[a-b-c]", "[a/b]", "[/]x", "[.]", "[*]", "[?]", "[a][b]", "[a]**/x", "[a/]**/x", "[a*]/b"],
    *["x[*]*", "[**]", "[a**]", "[é-ü]x", "é", "é*", "?é", "日本/*.py", "*/日?/*", "[日-本]"],
    *["\U0001f40d?"],
    *["a b", "a+b", "a.b", "(a)", "a|b", "{a,b}", "$a", "^a", "a$", "#a", "~/a", "a,b", "@", "'"],
    *['"'],
    *["-", "_", "a-b_c", "--", "[&&]", "[a||b]", "[~~]", "%s", "a/./b", "a//b", "*//b", "**//b"],
    *["/a/*/", "/a/**/", "*/*/*/*", "**/a/**/b/**/c", "*a*a*a*a*b", "?" * 20, "*/" * 8, "a" * 300],
    *["*" + "a*" * 40 + "b", "/home/[a-z]*/src/*.py", "*/site-packages/*", "*/test_?[0-9].py"],
]
if NEWLINES:
    PATTERNS += ["\n", "a\nb", "a/*\n", "*/\n", "[a\nb]", "?\n", "/**\n", "**/\na", "/*\n\n"]

PIECES = [
    *["a", "b", "ab", "x", "é", "日", "0", "9", ".", ".py", "_", "-", " ", "+", "$", "^", "(", "|"],
    *["/", "/", "/", "\\", "*", "*", "**", "***", "?", "**/", "/**", "*/", "/*", "/**/"],
    *["[a]", "[ab]", "[^a]", "[a-c]", "[!a]", "[é-日]", "[", "]", "[/]", "[0-9]", "[*]", "[]"],
    *["[^]"],
]
LETTERS = [
    *[
        "a",
        "b",
        "ab",
        "x",
        "é",
        "日",
        "0",
        "/",
        "/",
        "\\",
        ".",
        ".py",
        "",
        "-",
        "[",
        "]",
        "*",
        "\n",
    ],
]


def random_pattern(rng: random.Random) -> str:
    return "".join(rng.choices(PIECES, k=rng.randint(1, 7)))


def paths_for(rng: random.Random, pattern: str) -> list[str]:
    """Paths of which many match: the pattern with its wildcards filled in, and what is near."""

    def fill(match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith("["):
            return rng.choice([*token[1:-1], *LETTERS])
        if token == "?":
            return rng.choice(LETTERS)
        return "".join(rng.choices(LETTERS, k=rng.randint(0, 4)))

    paths = []
    for _ in range(8):
        path = re.sub(r"\*+/?|\?|\[[^\]]*\]", fill, pattern)
        prefix = rng.choice(["", "", "/", "a/", "/a/b/", "\\", "x", "a\nb/"])
        suffix = rng.choice(["", "", "", "/", "/a.py", "\n", "x"])
        paths.append(prefix + path + suffix)
    path = paths[0]
    cut = rng.randrange(len(path) + 1)
    return [*paths, path[:cut], path[cut:], path[:cut] + rng.choice(LETTERS) + path[cut + 1 :]]


def glob_matcher(pattern: str) -> GlobMatcher | None:
    """coverage.py's matcher; None: an error, or a class that swallows what follows it."""
    if any(body in ("", "^") for body in re.findall(r"\[(.*?)\]", pattern.replace("\\", "/"))):
        return None
    try:
        return GlobMatcher([pattern], "test")
    except (ConfigError, re.error):
        return None


def compare_globs(library: ctypes.CDLL, rng: random.Random, pattern: str) -> tuple[int, int]:
    """How many paths matched, and how many did not."""
    matcher = glob_matcher(pattern)
    try:
        selection = Selection(library, [(_merge.RULE_INCLUDE, pattern)])
    except BadRules:
        assert matcher is None, f"only the C code refuses {pattern!r}"
        return 0, 0
    with selection:
        assert matcher is not None, f"only coverage.py refuses {pattern!r}"
        count = [0, 0]
        for path in paths_for(rng, pattern):
            expected = matcher.match(path)
            assert selection.match(path, None) == expected, (pattern, path, expected)
            count[not expected] += 1
    return count[0], count[1]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern(library: ctypes.CDLL, pattern: str) -> None:
    rng = random.Random(pattern)
    for _ in range(6):
        compare_globs(library, rng, pattern)


@pytest.mark.parametrize("seed", range(4))
def test_random_patterns(library: ctypes.CDLL, seed: int) -> None:
    rng = random.Random(seed)
    counts = [compare_globs(library, rng, random_pattern(rng)) for _ in range(1000)]
    # The paths are worth something only if both answers are common.
    assert sum(yes for yes, _ in counts) > 400
    assert sum(no for _, no in counts) > 2000


def test_patterns_unite(library: ctypes.CDLL) -> None:
    """One matching pattern is enough, as in coverage.py's one joined regex."""
    rng = random.Random(0)
    for _ in range(300):
        patterns = [p for p in (random_pattern(rng) for _ in range(5)) if glob_matcher(p)]
        if not patterns:
            continue
        matcher = GlobMatcher(patterns, "test")
        with Selection(
            library, [(_merge.RULE_INCLUDE, pattern) for pattern in patterns]
        ) as selection:
            for path in paths_for(rng, rng.choice(patterns)):
                assert selection.match(path, None) == matcher.match(path), (patterns, path)


def test_no_pattern_is_slow(library: ctypes.CDLL) -> None:
    pattern = "*/" + "*a" * 30 + "*b"
    with Selection(library, [(_merge.RULE_OMIT, pattern)]) as selection:
        assert selection.match("/" + "a" * 4000, None)
