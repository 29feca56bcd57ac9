"""What a statement has that PostgreSQL 9.4, and so Greenplum 6, does not understand.

Where a real old server is to be had, the tests of Greenplum run on it too; this reads the statements, and so
works everywhere. Made from the release notes of 9.5 to 18 and the word lists of both parsers.
"""

from __future__ import annotations

import re
from typing import Final

#: Words that are keywords of 18 and not of 9.3 (``pg_get_keywords()``); but json is a type since 9.2, and
#: return is a word of plpgsql.
NEWER_WORDS: Final = frozenset(
    """
    absent asensitive atomic attach breadth call columns compression conditional conflict cube depends
    depth detach empty enforced error expression filter finalize format generated grouping groups import
    include indent json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
    json_serialize json_table json_value keep keys locked logged matched merge merge_action method nested
    new nfc nfd nfkc nfkd normalize normalized objects old omit ordinality others overriding parallel
    parameter path period plan policy procedures publication quotes referencing rollup routine
    routines scalar schemas sets skip source sql stored string subscription support system_user
    tablesample target ties transform uescape unconditional views virtual within xmlnamespaces xmltable
    """.split()
)

#: The functions that are called there; each is in 9.3's pg_proc, or part of its grammar.
OLD_FUNCTIONS: Final = frozenset(
    """
    bit clock_timestamp coalesce count greatest left max md5 quote_literal random row substr sum to_char unnest
    """.split()
)

#: New syntax of old words.
NEWER_PHRASES: Final = {
    r"if\s+not\s+exists": r"create\s+((temp\s+)?table|schema)\s+if\s+not\s+exists",
    r"=>": None,
    r"\bset\s*\(": None,
    r"or\s+replace\s+(trigger|procedure|aggregate)": None,
    r"execute\s+function": None,
    r"insert\s+into\s+[\w.]+\s+as\b": None,
    r"\bas\s+identity": None,
    r"as\s+(not\s+)?materialized": None,
    r"partition\s+(of\b|by\s+(range|list|hash))": None,
    r"nulls\s+not\s+distinct": None,
    r"row\s+level\s+security": None,
    r"\bdrop\s+function\s+(if\s+exists\s+)?[\w.]+\s*(;|$|cascade)": None,
    r"copy\s+[\w.]+\s*(\([^)]*\))?\s+from\s+\w+\s.*\bwhere\b": None,
    r"::\s*(jsonb|jsonpath|regnamespace|regrole|regcollation|xid8|pg_lsn|macaddr8)": None,
    r"using\s+brin": None,
    r"\d_\d|\b0[xob][0-9a-f]": None,
    r"\bselect\s+from\b": None,
    r"\bvacuum\s*\([^)]*\b(parallel|skip)|\bmulti\w+range": None,
}

_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')


def newer(statement: str) -> list[str]:
    """What is too new in it. The body of a function is read as well; literals are not."""
    text = _COMMENT.sub(" ", statement.lower())
    text = _QUOTED.sub(" quoted ", _LITERAL.sub(" '' ", text)).replace("$$", " ")
    found = sorted(NEWER_WORDS.intersection(re.findall(r"[a-z_][a-z0-9_]*", text)))
    # a call is written without a space, a list of columns with one
    calls = re.findall(r"([a-z_][a-z0-9_.]*)\(", text)
    found += [f"{name}()" for name in calls if not name.startswith("readiness.") and name not in OLD_FUNCTIONS]
    for phrase, unless in NEWER_PHRASES.items():
        rest = re.sub(unless, " ", text) if unless else text
        found += [match.group() for match in re.finditer(phrase, rest, re.DOTALL)]
    return found + _nameless(text)


def _nameless(text: str) -> list[str]:
    """Queries in FROM without a name, which 16 allows."""
    found = []
    for opening in re.finditer(r"\b(?:from|join)\s*\((?=\s*(?:select|values|with)\b)", text):
        depth, place = 1, opening.end()
        while depth and place < len(text):
            depth += {"(": 1, ")": -1}.get(text[place], 0)
            place += 1
        if not re.match(r"\s*(as\b|(?!where|group|order|union|limit|on\b|join)[a-z_])", text[place:]):
            found.append("a query in FROM without a name")
    return found
