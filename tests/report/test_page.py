"""The report is one safe, self-contained, reproducible file, whatever the rows are."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo.core.errors import DataError
from diabolo.core.metrics import Interval
from diabolo.report import build_page, examples, figures, write_report
from diabolo.report.doctor import Finding
from diabolo.tasks.reduce import Comparison

SECTIONS = ["verdict", "examples", "comparison", "errors", "training", "latent", "choices", "shapes"]
EVIL = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Model:
    """What the report asks of an estimator; the reconstruction is the rows, a little off."""

    n_components_ = 3

    def __init__(self, width: int = 3, stages: int = 1, validated: bool = True, offset: float = 0.0) -> None:
        self.width = width
        self.history_ = [
            {
                "stage": epoch * stages // 8,
                "epoch": epoch + 1,
                "train": {"loss": 2 / (epoch + 1) - offset, "reconstruction": 2 / (epoch + 1)},
                "validation": {"loss": 2.5 / (epoch + 1) - offset, "reconstruction": 2.0} if validated else None,
                "lr": 1e-3,
                "seconds": 0.5,
            }
            for epoch in range(8)
        ]

    def transform(self, rows: Any) -> np.ndarray:
        return np.random.default_rng(0).normal(size=(len(rows), self.width)).reshape(len(rows), -1, 1)

    def reconstruct(self, rows: Any) -> Any:
        if isinstance(rows, pd.DataFrame):
            return pd.DataFrame({name: rows[name].sample(frac=1, random_state=0).to_numpy() for name in rows.columns})
        return (rows * 0.9).astype(rows.dtype)

    def score_samples(self, rows: Any) -> np.ndarray:
        return -np.random.default_rng(1).gamma(2, size=len(rows))

    def describe(self) -> dict[str, Any]:
        return {
            "name": "Autoencoder",
            "parameters": {"n_components": 3, "note": EVIL},
            "parameter_count": 1234,
            "rows": 100,
            "choices": [{"name": "network", "value": "dense", "why": EVIL}],
            "layers": [{"name": "code", "layer": "Linear()", "output": [3], "parameters": 12}],
        }


def comparison(**changes: Any) -> Comparison:
    random = np.random.default_rng(2)
    base = Comparison(
        n_components=3,
        pca_components=3,
        features=16,
        rows=80,
        model=Interval(0.7, 0.6, 0.8),
        pca=Interval(1.0, 0.9, 1.1),
        mean=Interval(4.0, 3.8, 4.2),
        ratio=Interval(0.7, 0.65, 0.75),
        train_error=0.6,
        gap=0.17,
        verdict="better than PCA: error 30 % lower [25, 35]",
        advice=[f"Try {EVIL}."],
        errors={"model": random.gamma(2, size=80), "pca": random.gamma(3, size=80)},
    )
    return dataclasses.replace(base, **changes)


def frame(n: int = 40) -> pd.DataFrame:
    random = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            EVIL: random.normal(size=n),
            "whole": pd.array([None, *range(1, n)], dtype="Int64"),
            "kind": pd.Categorical(random.choice(["a", "<b>"], n)),
            "yes": random.random(n) < 0.5,
            "when": pd.date_range("2024-01-01", periods=n, tz="UTC"),
            "text": [None, *["&x"] * (n - 1)],
            "constant": np.ones(n),
        }
    )
    table.loc[3, [EVIL]] = np.nan
    return table


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).random(shape).astype(np.float32)


ROWS = {
    "grey images": noise(40, 8, 8),
    "colour images, channels last": (noise(40, 9, 7, 3) * 255).astype(np.uint8),
    "colour images, channels first": noise(40, 3, 9, 7) * 4 - 2,
    "two bands": noise(40, 9, 7, 2),
    "large images": noise(14, 200, 150),
    "vectors": noise(40, 64),
    "long vectors": noise(40, 1000),
    "narrow array": noise(40, 3),
    "sequences": noise(40, 12, 1),
    "table": frame(),
    "wide table": pd.DataFrame(noise(40, 30), columns=[f"c{i}" for i in range(30)]),
    "many rows": noise(2500, 16),
    "one row": noise(1, 16),
    "two rows": noise(2, 16),
}
each_kind = pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)


class Reader(HTMLParser):
    """Collects ids, addresses and scripts, and checks that tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.pictures_without_words = 0
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.addresses += [v or "" for k, v in attributes if k in ("src", "href", "xlink:href", "srcset", "action")]
        if (tag == "img" and not given.get("alt")) or (tag == "svg" and not given.get("aria-label")):
            self.pictures_without_words += 1
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def addresses(page: str) -> list[str]:
    return Reader(page).addresses + re.findall(r"url\(['\"]?([^'\")]+)", page) + re.findall(r"@import\s+(\S+)", page)


@each_kind
def test_page_is_whole_and_loads_nothing(rows: Any) -> None:
    page = build_page(Model(), rows, comparison=comparison())
    found = Reader(page)
    assert [name for name in found.ids if name in SECTIONS] == SECTIONS
    assert len(found.ids) == len(set(found.ids))
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses(page))
    assert "script" not in found.tags
    assert found.pictures_without_words == 0
    assert 'lang="en"' in page
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("kind", ["colour images, channels last", "vectors", "table", "many rows"])
def test_same_input_same_bytes(kind: str) -> None:
    rows = ROWS[kind]
    assert build_page(Model(), rows, comparison=comparison()) == build_page(Model(), rows, comparison=comparison())


def test_what_users_wrote_is_escaped() -> None:
    labels = [EVIL, "b"] * 20
    page = build_page(Model(), frame(), comparison=comparison(), labels=labels, title=EVIL)
    assert EVIL not in page
    # title twice; column; advice; choice; parameter; legend
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 7
    assert "&lt;b&gt;" in page
    assert "&amp;x" in page


def test_headline_is_the_verdict_and_falls_back_to_the_error() -> None:
    assert "<h1>Better than PCA: error 30 % lower [25, 35]</h1>" in build_page(
        Model(), noise(9, 4), comparison=comparison()
    )
    page = build_page(Model(), noise(9, 4))
    assert "<h1>Mean error of a row:" in page
    assert "without a comparison" in page


def test_comparison_read_back_from_json_has_no_rows_to_draw() -> None:
    bare = Comparison.from_dict(comparison().as_dict())
    page = build_page(Model(), noise(30, 4), comparison=bare)
    assert "Error of the 30 rows of this report." in page
    assert "Squared error of 80 held-out rows." in build_page(Model(), noise(30, 4), comparison=comparison())


@pytest.mark.parametrize(
    "model",
    [Model(1), Model(2), Model(stages=3), Model(validated=False), Model(offset=9.0)],
    ids=["one value", "two values", "stages", "nothing held out", "negative loss"],
)
def test_other_models(model: Model) -> None:
    page = build_page(model, noise(40, 16))
    Reader(page)
    assert ("Dotted lines part the stages" in page) == (model.history_[-1]["stage"] > 0)
    assert ("nothing was held out" in page) == (model.history_[0]["validation"] is None)


def test_model_without_history_and_with_a_collapsed_code() -> None:
    model = Model()
    model.history_ = []
    model.transform = lambda rows: np.ones((len(rows), 3))  # type: ignore[method-assign]
    model.score_samples = lambda rows: -np.ones(len(rows))  # type: ignore[method-assign]
    page = build_page(model, noise(40, 16))
    assert "No epochs were recorded." in page


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (list("ab") * 20, ">b</li>"),
        (list(range(40)), 'class="ramp"'),
        ([f"class {i}" for i in range(40)], "31 others"),
        (np.array([0.5, np.nan] * 20), ">nan</li>"),
    ],
)
def test_labels_colour_the_map(labels: Any, told: str) -> None:
    page = build_page(Model(), noise(40, 16), labels=labels)
    assert "coloured by label" in page
    assert told in page


def test_many_points_are_drawn_as_pixels_and_the_file_stays_small() -> None:
    page = build_page(Model(), noise(12_000, 48, 48), comparison=comparison())
    assert len(page) < 5e6
    assert "5,000 of 12,000" in page
    assert len(re.findall(r"<image ", page)) == 1


def test_marked_cells_are_those_far_off() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    recon = rows + np.array([[0.0, 0.0], [0.0, 5.0], [0.0, 12.0], [1.3, 0.0]])
    shown = examples.show(rows, recon, {"all": np.arange(4)}, np.zeros(4))
    assert shown.kind == "table"
    assert [[cell["bad"] for cell in item["cells"]] for item in shown.groups[0].items] == [
        [False, False],
        [False, False],
        [False, True],  # 12 > std of 0, 10, 20, 30 = 11.2
        [True, False],  # 1.3 > 1.12
    ]


def test_missing_cells_are_never_marked_and_shown_as_missing() -> None:
    table = frame(4)
    shown = examples.show(table, frame(4).iloc[::-1], {"all": np.arange(4)}, np.zeros(4))
    last = shown.groups[0].items[3]["cells"][0]
    assert last["original"] == "—"
    assert not last["bad"]


def test_difference_is_blue_where_too_dark_and_orange_where_too_bright() -> None:
    pixels = examples._signed(np.array([[-1.0, 0.0, 0.5]]))
    assert pixels[0, 0].tolist() == [*examples.BELOW, 255]
    assert pixels[0, 1, 3] == 0
    assert pixels[0, 2].tolist() == [*examples.ABOVE, 128]


def test_figures_follow_the_page_and_leave_matplotlib_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    svg = figures.bars({"this model": Interval(1, 0.9, 1.1), "PCA": Interval(2, 1.9, 2.1)})
    assert dict(matplotlib.rcParams) == before
    assert "var(--model)" in svg
    assert not any(colour in svg for colour in figures.ROLES.values())
    assert "DejaVu" not in svg
    assert "<metadata" not in svg


def test_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_report(Model(), noise(9, 4), path) == path
    first = path.read_text("utf-8")
    assert first == build_page(Model(), noise(9, 4))

    def full(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match="disk full"):
        write_report(Model(), noise(9, 4), path, title="second")
    assert path.read_text("utf-8") == first
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="no rows"):
        build_page(Model(), noise(0, 4))
    with pytest.raises(DataError, match="3 labels for 9 rows"):
        build_page(Model(), noise(9, 4), labels=[1, 2, 3])


def test_what_the_doctor_found_stands_in_the_page_where_it_was_asked() -> None:
    rows = np.zeros((20, 16), "float32")
    finding = Finding("posterior collapse", "serious", f"0 of 3 units {EVIL}", "beta=1")
    page = build_page(Model(), rows, findings=[finding])
    assert 'id="doctor"' in page and "posterior collapse" in page and "Try beta=1." in page and EVIL not in page
    assert "every sign is as it should be" in build_page(Model(), rows, findings=[])
    assert 'id="doctor"' not in build_page(Model(), rows)


def test_the_map_of_very_wide_codes_is_that_of_their_products(monkeypatch: pytest.MonkeyPatch) -> None:
    from diabolo.report import page

    codes = np.random.default_rng(0).normal(size=(20, 40)) * np.geomspace(9, 1, 40)
    points, shares = page._principal_axes(codes)
    monkeypatch.setattr(page, "MAX_SQUARE", 10)
    again, shares_again = page._principal_axes(codes)
    np.testing.assert_allclose(again, points, atol=1e-8)
    np.testing.assert_allclose(shares_again, shares)
