"""What are these texts about? A topic model finds the three themes that the texts were made of."""

from __future__ import annotations

import sys

import numpy as np

from diabolo import TopicFinder, TopicModel, Trainer

THEMES = {
    "space": "orbit moon rocket shuttle launch satellite planet astronaut",
    "kitchen": "oven butter flour recipe sugar bake dough pan",
    "sport": "goal team league match coach player score season",
}


def made(count: int = 600, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of 25 words, most of one theme, with some function words, and their true shares of the themes."""
    random = np.random.default_rng(seed)
    words = [theme.split() for theme in THEMES.values()]
    shares = random.dirichlet([0.1] * len(words), count)
    texts = []
    for row in shares:
        themes = random.choice(len(words), 25, p=row)
        texts.append(" and the ".join(words[theme][random.integers(8)] for theme in themes))
    return texts, shares


def main(epochs: int = 40) -> None:
    texts, _ = made()
    found = TopicFinder(TopicModel(3), top=6, trainer=Trainer(epochs=epochs, lr=0.01), random_state=0).fit(texts)
    for number, words in enumerate(found.topic_words_):
        print(f"topic {number}, NPMI {found.coherence_[number]:+.2f}: {', '.join(words)}")
    print(f"diversity {found.diversity_:.2f}")

    new, truth = made(200, seed=1)
    names = [max(THEMES, key=lambda name: len(set(THEMES[name].split()) & set(words))) for words in found.topic_words_]
    said = np.array(names)[found.predict(new)]
    print(f"theme of new texts named rightly: {(said == np.array(list(THEMES))[truth.argmax(1)]).mean():.0%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
