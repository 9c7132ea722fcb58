"""Topics of newsgroups, and of Chinese headlines: coherence (NPMI) and diversity beside latent Dirichlet allocation.

    python -m runs.topics --data DIR --seeds 3 --keep topics.json

20 Newsgroups, the training part by date: 11,314 posts, bodies only (what stands before the first blank line is left
out). The same bag for all: the 2,000 commonest words, no function words, no numbers, none in more than half of the
posts. 50 topics, the first 10 words of each; NPMI of all pairs by the posts they stand in together, on the training
posts; diversity is the share of different words. `--keep` names a file in which finished parts are kept, for a run that
is begun again.

    ours    TopicModel (ProdLDA) as it is; its defaults were chosen on seed 7, by coherence on these posts
    rivals  LatentDirichletAllocation of scikit-learn as it is (10 passes), and with 30 passes; NMF of tf-idf

Bar: NPMI >= LDA + .03, diversity >= .7. THUCNews titles (dev.txt and test.txt): 20 topics over pairs of neighbouring
signs, printed to be read; NMI of the likeliest topic with the ten classes beside it.

Reference: Srivastava & Sutton (2017), "Autoencoding variational inference for topic models"; Lau, Newman & Baldwin
(2014), "Machine reading tea leaves".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, parser, row
from scipy.sparse import csr_matrix
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.metrics import normalized_mutual_info_score

from diabolo import TopicModel
from diabolo.data import BagOfWords, Source
from diabolo.data import open as open_source
from diabolo.data.record import objects
from diabolo.tasks.coherence import diversity, npmi
from diabolo.tasks.judge_topics import lda, nmf

from .record import record, spread

TOPICS, TOP, BAR, DIVERSE, CHINESE = 50, 10, 0.03, 0.7, 20
BAG = "bag-of-words(vocabulary=2000, unit='words', max_share=0.5, stop_words='drop')"


def main() -> None:
    """Print a row for each method, and record ours."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--keep", type=Path, help="file of finished parts")
    args = options.parse_args()
    kept = json.loads(args.keep.read_text()) if args.keep and args.keep.exists() else {}

    def once(name: str, run: Callable[[], Any]) -> Any:
        if name not in kept:
            began = time.perf_counter()
            kept[name] = run()
            print(f"{name}: {kept[name][:2]}, {time.perf_counter() - began:.0f} s", flush=True)
            if args.keep:
                args.keep.write_text(json.dumps(kept, ensure_ascii=False))
        return kept[name]

    newsgroups(args, once)
    headlines(args, once)


def newsgroups(args: Any, once: Callable[..., Any]) -> None:
    """All methods on the posts."""
    posts = bodies(Path(args.data) / "newsgroups20" / "20news-bydate.tar.xz", args.rows)
    bag = BagOfWords(2000, unit="words", max_share=0.5, stop_words="drop").fit(posts)
    counts = bag.encode(posts)["x"].csr(len(bag.words))  # type: ignore[attr-defined]
    print(f"{counts.shape[0]:,} posts, {counts.shape[1]:,} words, {int(counts.sum()):,} of them counted", flush=True)

    def ours(seed: int) -> list[Any]:
        model = TopicModel(TOPICS, random_state=seed).fit(Source(posts, "text", processor=BAG))
        return judged(model.topic_word_, counts, bag.words)

    def rival(seed: int) -> list[Any]:
        return judged(lda(counts, TOPICS, seed), counts, bag.words)

    seeds = range(args.seed, args.seed + args.seeds)
    found = {
        "TopicModel": [once(f"ours, seed {seed}", lambda seed=seed: ours(seed)) for seed in seeds],
        "LDA": [once(f"LDA, seed {seed}", lambda seed=seed: rival(seed)) for seed in seeds],
        "LDA, 30 passes": [once("LDA, 30 passes", lambda: judged(longer(counts), counts, bag.words))],
        "NMF of tf-idf": [once("NMF", lambda: judged(nmf(counts, TOPICS, 0), counts, bag.words))],
    }  # fmt: skip
    coherent = {name: [values[0] for values in parts] for name, parts in found.items()}
    diverse = {name: [values[1] for values in parts] for name, parts in found.items()}
    lowest = float(np.mean(coherent["LDA"]))
    head(f"20 Newsgroups, {TOPICS} topics of {TOP} words; rival: LDA of scikit-learn")
    for name, values in coherent.items():
        bar = f"ours >= {lowest + BAR:.4f}" if name == "TopicModel" else ""
        row(f"NPMI, {name} ({spread(values)})", float(np.mean(values)), lowest, bar)
    for name, values in diverse.items():
        row(f"diversity, {name} ({spread(values)})", float(np.mean(values)), float(np.mean(diverse["LDA"])),
            f"ours >= {DIVERSE}" if name == "TopicModel" else "")  # fmt: skip
    print("\n" + "\n".join(" ".join(words) for words in found["TopicModel"][0][2]))
    if args.rows is None:
        what = "20 Newsgroups, 50 topics: NPMI of ten words on the training texts"
        diversities = [float(np.mean(diverse[name])) for name in ("LDA", "TopicModel")]
        record("topic-model", what, coherent["TopicModel"],
               published=".25 (paper .24), other bag and corpus of counts",
               rival=f"LDA {lowest:.3f}; diversity {diversities[0]:.2f}, ours {diversities[1]:.2f}",
               command=f"python -m runs.topics --data DIR --seeds {args.seeds}")  # fmt: skip


def longer(counts: csr_matrix) -> np.ndarray:
    """LDA with three times the passes."""
    made: np.ndarray = LatentDirichletAllocation(TOPICS, max_iter=30, random_state=0).fit(counts).components_
    return made


def headlines(args: Any, once: Callable[..., Any]) -> None:
    """The topics of Chinese headlines, to be read."""
    folder = Path(args.data) / "thucnews_titles"
    parts = [open_source(folder / f"{part}.txt", target="last") for part in ("dev", "test")]
    texts, classes = (
        np.concatenate([getattr(part, name) for part in parts])[: args.rows] for name in ("rows", "target")
    )

    def run() -> list[Any]:
        model = TopicModel(CHINESE, random_state=args.seed).fit(texts)
        counts, main = model.counts(texts), model.topics_of(texts).argmax(1)
        return [*judged(model.topic_word_, counts, model.vocabulary_), normalized_mutual_info_score(classes, main)]

    coherence, diverse, words, agreement = once("headlines", run)
    head(f"THUCNews titles, {len(texts):,}, {CHINESE} topics over pairs of signs")
    row("NPMI", coherence)
    row("diversity", diverse)
    row("NMI of the likeliest topic with the ten classes", agreement)
    print("\n" + "\n".join(" ".join(topic) for topic in words))


def judged(weights: np.ndarray, counts: csr_matrix, vocabulary: list[str]) -> list[Any]:
    """Mean NPMI, diversity and the words."""
    order = np.argsort(-weights, 1, kind="stable")[:, :TOP].tolist()
    words = [[vocabulary[place] for place in topic] for topic in order]
    return [float(npmi(order, counts).mean()), diversity(order), words]


def bodies(path: Path, rows: int | None) -> np.ndarray:
    """The training posts without their headers, which hold names and addresses."""
    source = open_source(path, include="*-train/*", target="none")
    return objects(post.partition("\n\n")[2] for post in source.rows)[:rows]


if __name__ == "__main__":
    main()
