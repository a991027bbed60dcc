"""`filter_path`: expected values are responses of Elasticsearch 9.4.3 to `GET /<index>/_doc/1?filter_path=…`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.wire.filter_path import FilterPath

SOURCE: dict[str, Any] = {
    "a": {"b": {"c": 1, "d": 2}, "b2": 3},
    "l": [{"x": 1, "y": {"z": 2}}, {"x": 3}, 4, [5, {"x": 6}]],
    "e": {},
    "el": [],
    "f": 1.0,
    "n": None,
    "t": True,
    "x": 7,
    "lo": [{"y": 1}, {"x": {"q": [{"r": 1}, {"s": 2}]}}],
    "lol": [[{"x": 1}], [], [2]],
}
DOCUMENT = {"_index": "i", "found": True, "_source": SOURCE}
GONE = "gone"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ("_source.a.b.c", {"_source": {"a": {"b": {"c": 1}}}}),
        ("_source.a.*", {"_source": {"a": {"b": {"c": 1, "d": 2}, "b2": 3}}}),
        ("_source.*.b", {"_source": {"a": {"b": {"c": 1, "d": 2}}}}),
        (
            "_source.**.x",
            {
                "_source": {
                    "l": [{"x": 1}, {"x": 3}, [{"x": 6}]],
                    "lo": [{"x": {"q": [{"r": 1}, {"s": 2}]}}],
                    "lol": [[{"x": 1}]],
                }
            },
        ),
        (
            "**.x",
            {
                "_source": {
                    "l": [{"x": 1}, {"x": 3}, [{"x": 6}]],
                    "x": 7,
                    "lo": [{"x": {"q": [{"r": 1}, {"s": 2}]}}],
                    "lol": [[{"x": 1}]],
                }
            },
        ),
        ("**.b.**", {"_source": {"a": {"b": {"c": 1, "d": 2}}}}),
        ("_source.**.**.x", {}),
        ("_source.l.x", {"_source": {"l": [{"x": 1}, {"x": 3}, [{"x": 6}]]}}),
        ("_source.l.*", {"_source": {"l": [{"x": 1, "y": {"z": 2}}, {"x": 3}, [{"x": 6}]]}}),
        ("_source.l.**.x", {}),
        ("_source.lol.x", {"_source": {"lol": [[{"x": 1}]]}}),
        ("_source.lo.**.r", {"_source": {"lo": [{"x": {"q": [{"r": 1}]}}]}}),
        ("_source.lo.x.q.r", {"_source": {"lo": [{"x": {"q": [{"r": 1}]}}]}}),
        ("_source.e", {"_source": {"e": {}}}),
        ("_source.el", {"_source": {"el": []}}),
        ("_source.e.x", {}),
        ("_source.n", {"_source": {"n": None}}),
        ("_source.a.b.c.d", {}),
        ("_source.*2", {}),
        ("_source.**c", {}),
        ("_source.a.b*", {"_source": {"a": {"b": {"c": 1, "d": 2}, "b2": 3}}}),
        ("_sou*.f", {"_source": {"f": 1.0}}),
        ("***.f", {"_source": {"f": 1.0}}),
        ("_source..a", {}),
        ("_source.", {}),
        ("._source", {}),
        ("_source.t.", {}),
        (",_source.t,", {"_source": {"t": True}}),
        (" _source.t , _source.x", {"_source": {"t": True, "x": 7}}),
        ("nope", {}),
        ("_ID", {}),
        ("-*", {}),
        ("-_*", {"found": True}),
        ("-_source", {"_index": "i", "found": True}),
        ("-_source.**", {"_index": "i", "found": True}),
        ("_source.t,-_source.t", {}),
        ("_source.a,-_source.a.b.c", {"_source": {"a": {"b": {"d": 2}, "b2": 3}}}),
        ("_source.a.b.c,-**.c", {}),
        ("-_source.a.b,_source.a.b.c", {}),
        ("**.b,-**.d", {"_source": {"a": {"b": {"c": 1}}}}),
        ("_source.a,_source.a.b.c", {"_source": {"a": {"b": {"c": 1, "d": 2}, "b2": 3}}}),
        ("_source.l.x,_source.l.y.z", {"_source": {"l": [{"x": 1, "y": {"z": 2}}, {"x": 3}, [{"x": 6}]]}}),
    ],
)
def test_included_paths_are_kept(paths: str, expected: dict[str, Any]) -> None:
    assert FilterPath.parse(paths).apply(DOCUMENT) == expected


@pytest.mark.parametrize(
    ("paths", "changed"),
    [
        ("-_source.a", {"a": GONE}),
        ("-**.x", {"l": [{"y": {"z": 2}}, 4, [5]], "x": GONE, "lo": [{"y": 1}], "lol": [[], [2]]}),
        ("-_source.l.x", {"l": [{"y": {"z": 2}}, 4, [5]]}),
        ("-_source.l.*", {"l": [4, [5]]}),
        ("-_source.a.b.c,-_source.a.b.d", {"a": {"b2": 3}}),
        ("-_source.*.*", {"a": GONE, "l": [4, [5]], "lo": GONE, "lol": [[], [2]]}),
        ("-**.c,-**.d,-**.b2", {"a": GONE}),
        ("-_source.lo.x.q.r", {"lo": [{"y": 1}, {"x": {"q": [{"s": 2}]}}]}),
        ("-_source.lol.x", {"lol": [[], [2]]}),
        ("-_source.lo.x.q", {"lo": [{"y": 1}]}),
        ("-_source.e,-_source.el", {"e": GONE, "el": GONE}),
        ("-_source.e.x", {}),
        ("-**.b.c", {"a": {"b": {"d": 2}, "b2": 3}}),
        ("-_source.a.**", {"a": GONE}),
        ("-_source.a.**.c", {"a": {"b": {"d": 2}, "b2": 3}}),
        ("--_source", {}),
        ("-", {}),
    ],
)
def test_excluded_paths_are_removed(paths: str, changed: dict[str, Any]) -> None:
    """Objects that become empty are removed; objects that were empty before stay."""
    left: Any = FilterPath.parse(paths).apply(DOCUMENT)
    source = left["_source"]
    assert {key: source.get(key, GONE) for key in SOURCE if source.get(key, GONE) != SOURCE[key]} == changed
    assert list(left) == list(DOCUMENT)


def test_backslash_escapes_a_dot_in_a_key() -> None:
    document = {"a.b": {"c": 1}, "a": {"b": {"c": 2}}, "x*": 1, "-": 5}
    assert FilterPath.parse("a\\.b.c").apply(document) == {"a.b": {"c": 1}}
    assert FilterPath.parse("a.b").apply(document) == {"a": {"b": {"c": 2}}}
    assert FilterPath.parse("x\\*").apply(document) == {}
    assert FilterPath.parse("x*").apply(document) == {"x*": 1}


def test_wildcard_matching_is_not_exponential() -> None:
    started = time.process_time()
    FilterPath.parse("*a" * 2000 + "*b").apply({"a" * 20_000: 1})
    deep: Any = 1
    for _ in range(40):
        deep = {"a": deep}
    FilterPath.parse(".".join(["**"] * 30 + ["b"])).apply(deep)
    assert time.process_time() - started < 10  # generous: a backtracking matcher would take hours


@pytest.mark.parametrize("path", ["**.a{}", "-**.a{}", "**.*a{}*", "-**.x.*.a{}", "**.*.**.*{}"])
@pytest.mark.parametrize("suffix", ["", "-{}"], ids=["the same keys", "other keys"])
def test_many_paths_cost_little_more_than_one(path: str, suffix: str) -> None:
    """A list of jobs, with as many paths as fit into a request line."""
    jobs = [
        {
            f"{key}{suffix.format(job)}": {"x": {f"m{suffix.format(job)}": [{"y": 1}]}}
            for key in "bcdefghijklmnopqrst"
        }
        for job in range(400)
    ]

    def spent(number: int) -> float:
        paths = FilterPath.parse(",".join(path.format(each) for each in range(number)))
        started = time.process_time()
        paths.apply({"results": jobs})
        return time.process_time() - started

    assert spent(500) < 50 * spent(1)


def test_parts_of_a_pattern_do_not_overlap() -> None:
    assert FilterPath.parse("ab*ba").apply({"aba": 1, "abba": 2}) == {"abba": 2}
    assert FilterPath.parse("*ab*ab*").apply({"abab": 1, "ab": 2, "xabxabx": 3}) == {"abab": 1, "xabxabx": 3}


def test_deepest_documents_can_be_filtered() -> None:
    """Elasticsearch accepts 1000 levels."""
    deep: Any = {"x": 1}
    for _ in range(505):
        deep = {"a": [deep]}
    assert FilterPath.parse("**.x").apply(deep) == deep
    assert FilterPath.parse("-**.x").apply({"b": 1, **deep}) == {"b": 1}
