"""Recommend to users who were not there in training, place an item that nobody has had, and hold it all against EASE.

    python examples/recommend_for_new_users.py

Generated: 600 users with a taste for two of six genres, among 120 items, popular ones more often.
"""

import numpy as np
from scipy.sparse import csr_matrix

from diabolo import Recommender, Trainer
from diabolo.data import Source
from diabolo.tasks.side_items import features

GENRES = ("crime", "comedy", "war", "love", "space", "music")
EACH = 20


def histories(users: int, seed: int) -> csr_matrix:
    """Each user has some twelve items, most of them of two genres."""
    draw = np.random.default_rng(seed)
    appeal = np.tile(1 / (1 + np.arange(EACH)) ** 0.5, len(GENRES))
    rows = np.zeros((users, len(appeal)), np.float32)
    for row in rows:
        liked = np.isin(np.arange(len(appeal)) // EACH, draw.choice(len(GENRES), 2, replace=False))
        chance = appeal * np.where(liked, 1.0, 0.05)
        row[draw.choice(len(appeal), 12, replace=False, p=chance / chance.sum())] = 1
    return csr_matrix(rows)


def main(epochs: int = 30) -> None:
    """Fit, compare, recommend."""
    names = tuple(f"{genre}-{i}" for genre in GENRES for i in range(EACH))
    learn, held = (Source(histories(n, seed), "interactions", columns=names) for n, seed in ((600, 0), (120, 1)))
    model = Recommender(trainer=Trainer(epochs=epochs), random_state=0).fit(learn)

    found = model.assess(learn, held)
    if found is not None:
        print(found.title)
        for line in found.rows:
            print("  ".join(f"{cell:26}" for cell in line))
        print(found.verdict)

    new = csr_matrix(np.isin(names, ["war-3", "war-7", "space-2"]).astype(np.float32)[None])
    items = model.recommend(new, k=5)[0]
    print("\nsomeone who has war-3, war-7 and space-2 gets", ", ".join(model.items_[items[0]]))
    near, _ = model.similar_items("love-0", k=4)
    print("near to love-0:", ", ".join(model.items_[near]))

    words = features([*(f"a film of {name.partition('-')[0]}" for name in names), "new war film", "new love film"])
    war, love = model.cold_scores(new, words[: len(names)], words[len(names) :])[0]
    print(f"two new films, for the same user: war {war:+.2f}, love {love:+.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
