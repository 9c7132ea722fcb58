"""Words that say how a sentence is built and not what it is about."""

from __future__ import annotations

import re
from functools import cache

FUNCTION_SIGNS = frozenset(
    "的了是在和与及或也都就不而但被把让从到对为以于之其这那哪个我你他她它们吗呢吧啊呀着过将还又很最更才只没有会能可要说"
    "去来上下里么什怎谁给等如若因所并且"
)
"""Chinese signs that are mostly particles, pronouns, auxiliaries and conjunctions when they stand alone."""
PARTICLES = frozenset("的了是在和与及或也都就而但被把让这那哪我你他她它们吗呢吧啊呀着么什怎谁")
"""Those of them that hardly ever are a part of a content word."""
CUT_OFF = frozenset(["ain", "aren", "couldn", "didn", "doesn", "don", "hadn", "hasn", "haven", "isn", "ll", "re", "ve",
                     "shouldn", "wasn", "weren", "won", "wouldn", "does", "did", "just", "like", "im"])  # fmt: skip
"""What cutting at an apostrophe leaves of English words, and a few more that scikit-learn's list lacks."""
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")


@cache
def english() -> frozenset[str]:
    """English function words: scikit-learn's list, and `CUT_OFF`."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) | CUT_OFF


def has_content(word: str) -> bool:
    """Whether a word, a Chinese sign or a pair of signs may say what a text is about; numbers do not.

    >>> [word for word in ("the", "orbit", "1993", "4th", "don", "花呗", "的人", "了") if has_content(word)]
    ['orbit', '花呗']
    """
    if _DIGIT.search(word) or not _LETTER.search(word) or word.lower() in english():
        return False
    return word not in FUNCTION_SIGNS and not (len(word) == 2 and PARTICLES.intersection(word))
