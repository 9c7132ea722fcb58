"""What the documentation shows works: its Python runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from sklearn import datasets

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")
PAGES = [*READMES, "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SMALL = 200


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced code blocks of a page in one of the languages."""
    pattern = rf"^```(?:{'|'.join(languages)})[^\n]*\n(.*?)^```"
    return re.findall(pattern, text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    """Every command of the shell blocks, as words; prompts, comments and continued lines are understood."""
    for block in blocks(text, "sh", "bash", "shell", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|\|", line.removeprefix("$ ")):
                words = shlex.split(command, comments=True)
                if words:
                    yield words


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def application() -> Any:
    """The `diabolo` command with its subcommands, as click sees it."""
    from diabolo.cli.main import app

    return typer.main.get_command(app)


def options_of(group: Any) -> dict[str, set[str]]:
    """Every option of every subcommand, as the user writes it."""
    context = group.context_class(group, info_name="diabolo")
    found = {}
    for name in group.list_commands(context):
        declared = [parameter for parameter in group.get_command(context, name).params if parameter.opts[0][0] == "-"]
        found[name] = {"--help", *(option for p in declared for option in (*p.opts, *p.secondary_opts))}
    return found


def faults(words: list[str], known: dict[str, set[str]]) -> list[str]:
    """What is wrong with a `diabolo` command: an unknown command, or options it does not have."""
    if len(words) == 1 or words[1].startswith("-"):
        return []
    if words[1] not in known:
        return [f"diabolo has no command {words[1]!r}"]
    given = [word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-zA-Z]", word)]
    return [f"diabolo {words[1]} has no option {option}" for option in given if option not in known[words[1]]]


@pytest.fixture
def small_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-learn's digits, the first few hundred only."""
    whole = datasets.load_digits

    def few(**options: Any) -> Any:
        found = whole(**options)
        if isinstance(found, tuple):
            return tuple(part[:SMALL] for part in found)
        for key in ("data", "target", "images"):
            found[key] = found[key][:SMALL]
        return found

    monkeypatch.setattr(datasets, "load_digits", few)


@pytest.mark.parametrize("name", READMES)
def test_python_of_the_readme_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_digits: None
) -> None:
    found = blocks(page(name), "python", "py")
    assert found, "a README without Python shows nothing"
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {"__name__": "readme"}
    for number, code in enumerate(found, 1):
        exec(compile(code, f"{name}, block {number}", "exec"), scope)


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_a_page_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", page("Makefile"), re.MULTILINE))
    known = options_of(application())
    wrong = []
    for words in commands(page(name)):
        if words[0] == "diabolo":
            wrong += faults(words, known)
        elif words[0] == "make":
            wrong += [f"make has no target {word!r}" for word in words[1:] if "=" not in word and word not in targets]
    assert not wrong, "\n".join(wrong)


def test_options_are_documented() -> None:
    """docs/cli.md names every option there is, and no page names one that is not there."""
    known = options_of(application())
    every = set().union(*known.values())
    named = {name: set(re.findall(r"`(--[a-z][\w-]*)", page(name))) for name in PAGES}
    assert {name: options - every for name, options in named.items() if options - every} == {}
    long = {option for option in every if option.startswith("--")} - {"--help"}
    assert not long - set(re.findall(r"--[a-z][\w-]*", page("docs/cli.md")))


def test_readmes_agree() -> None:
    """Both languages show the same Python and the same commands."""
    english, chinese = (page(name) for name in READMES)

    def code_of(text: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", block) for block in blocks(text, "python", "sh")]

    assert code_of(english) == code_of(chinese)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page(name))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    missing = [link for link in local if not ((ROOT / name).parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_digits: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(path.read_text("utf-8").splitlines()) <= 100
    runpy.run_path(str(path))["main"](epochs=2)
    assert capsys.readouterr().out, "an example shows its result"


def test_commands_are_read() -> None:
    text = "```sh\n$ diabolo fit a.csv \\\n  --out m  # why\nmake demo && make test\n```\n```python\nx\n```\n"
    assert list(commands(text)) == [["diabolo", "fit", "a.csv", "--out", "m"], ["make", "demo"], ["make", "test"]]
    assert blocks(text, "python") == ["x\n"]


def test_wrong_commands_are_found() -> None:
    app = typer.Typer()

    @app.command()
    def fit(data: str, out: str = typer.Option(...), dry_run: bool = False) -> None: ...

    @app.command()
    def parts(json: bool = False) -> None: ...

    known = options_of(typer.main.get_command(app))
    assert known == {
        "fit": {"--help", "--out", "--dry-run", "--no-dry-run"},
        "parts": {"--help", "--json", "--no-json"},
    }
    assert faults(["diabolo", "fti", "a.csv"], known) == ["diabolo has no command 'fti'"]
    assert faults(["diabolo", "fit", "a.csv", "--oout=m"], known) == ["diabolo fit has no option --oout"]
    assert not faults(["diabolo", "fit", "a.csv", "--out", "m", "-1"], known)
    assert not faults(["diabolo", "--help"], known)
