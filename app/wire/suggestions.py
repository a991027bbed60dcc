"""Close matches: which known name did the caller probably mean?"""

from __future__ import annotations

from collections.abc import Iterable

# Names that are not more similar than this are not suggested.
_THRESHOLD = 0.5


def close_matches(word: str, candidates: Iterable[str]) -> list[str]:
    """The candidates that are similar to `word`, the most similar first, equals in alphabetical order."""
    scored = [(_similarity(word, candidate), candidate) for candidate in set(candidates)]
    likely = [(score, candidate) for score, candidate in scored if score > _THRESHOLD]
    return [candidate for _, candidate in sorted(likely, key=lambda pair: (-pair[0], pair[1]))]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`did you mean [x]?`, `did you mean any of [x, y]?`, or an empty text."""
    found = close_matches(word, candidates)
    if not found:
        return ""
    return f"did you mean {'any of ' if len(found) > 1 else ''}[{', '.join(found)}]?"


def _similarity(left: str, right: str) -> float:
    """1 for equal texts, 0 for texts without anything in common, by edit distance over the longer length."""
    longest = max(len(left), len(right))
    # The distance is at least the difference in length: a very long word needs no table to be ruled out.
    if not longest or abs(len(left) - len(right)) >= longest * _THRESHOLD:
        return float(left == right)
    row = list(range(len(right) + 1))
    for i, char in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (char != other))
    return 1 - row[-1] / longest
