# SPDX-License-Identifier: Apache-2.0
"""An index of a text: strings, dicts, sets, sorting with keys, formatting."""

import clock

SYLLABLES = ["ka", "lo", "mi", "ten", "ru", "sa", "vor", "el", "tin", "qua", "bre", "os"]


def text(sentences: int) -> str:
    state = 12345
    lines = []
    for _ in range(sentences):
        words = []
        for _ in range(9):
            state = (state * 1103515245 + 12345) % 2**31
            first, second = state // 7 % 12, state // 977 % 12
            word = SYLLABLES[first] + SYLLABLES[second]
            words.append(word.capitalize() if state % 5 == 0 else word)
        lines.append(" ".join(words) + ("," if state % 3 else "."))
    return "\n".join(lines)


def tokens(source: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(source.splitlines()):
        for raw in line.split():
            word = raw.strip(".,;").lower()
            if not word:
                continue
            found.append((number, word))
    return found


def stem(word: str) -> str:
    for ending in ("tin", "os", "el"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)]
    return word


def index(source: str) -> dict[str, dict[str, set[int]]]:
    entries: dict[str, dict[str, set[int]]] = {}
    for number, word in tokens(source):
        root = stem(word)
        entry = entries.setdefault(root, {})
        if word in entry:
            entry[word].add(number)
        else:
            entry[word] = {number}
    return entries


def report(entries: dict[str, dict[str, set[int]]]) -> str:
    out = []
    for root, forms in sorted(entries.items(), key=lambda item: (-len(item[1]), item[0])):
        places = sorted({place for lines in forms.values() for place in lines})
        shown = ", ".join(str(place) for place in places[:5])
        more = f" (+{len(places) - 5})" if len(places) > 5 else ""
        out.append(f"{root:<12}{'/'.join(sorted(forms))}: {shown}{more}")
    return "\n".join(out)


def checksum(result: str) -> int:
    value = 0
    for character in result:
        value = (value * 31 + ord(character)) & 0xFFFFFFFF
    return value


def unit() -> int:
    return checksum(report(index(text(60))))


if __name__ == "__main__":
    clock.run(unit)
