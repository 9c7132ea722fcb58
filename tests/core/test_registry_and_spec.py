"""Parts by name: parsing, hints for misspelt names, what a constructor is given."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.core import Schedule, Spec, lookup, make, names, register
from diabolo.core.errors import DiaboloError, MissingExtra, UsageError, out_of_range, require, unknown
from diabolo.core.schedules import Constant, Linear
from diabolo.losses.huber import Huber

literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)
part_names = st.from_regex(r"[a-z][a-z0-9-]{0,11}", fullmatch=True)
keys = st.from_regex(r"[a-z][a-z_]{0,7}_", fullmatch=True)  # the last underscore keeps Python's keywords away


@settings(deadline=None)  # a busy machine is not a fault
@given(part_names, st.dictionaries(keys, literals, max_size=3))
def test_a_spec_survives_text_and_json(name: str, params: dict) -> None:
    spec = Spec(name, **params)
    assert Spec.parse(str(spec)) == spec
    assert Spec.of(json.loads(json.dumps(spec.as_dict()))) == spec


def test_a_spec_reads_with_spaces_and_without_parameters() -> None:
    assert Spec.parse(" huber ") == Spec.parse("huber()") == Spec("huber")
    assert Spec.parse("huber( delta = 0.5 )") == Spec("huber", delta=0.5)


@pytest.mark.parametrize("text", ["huber(0.5)", "huber(delta=", "huber(delta=open('x'))", "huber(**{})", "a(x=1)(y=2)"])
def test_what_is_not_a_name_with_literals_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        Spec.parse(text)


def test_own_parameters_win_over_defaults() -> None:
    assert Spec("huber", delta=1.0).with_defaults(delta=2.0, low=0.0) == Spec("huber", delta=1.0, low=0.0)


def test_equal_specs_have_equal_hashes() -> None:
    assert len({Spec("a", x=1, y=2), Spec("a", y=2, x=1)}) == 1


def test_an_unknown_name_brings_a_suggestion_and_the_list() -> None:
    with pytest.raises(UsageError, match=r"loss 'bernouli' is unknown; did you mean 'bernoulli'\? Known: .*squared"):
        lookup("loss", "bernouli")


def test_an_unknown_axis_is_named() -> None:
    with pytest.raises(UsageError, match=r"axis 'los' is unknown; did you mean 'loss'\?"):
        names("los")


def test_an_unknown_parameter_brings_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"loss 'huber' has no parameter 'delt'; did you mean 'delta'\?"):
        make("loss", "huber(delt=1.0)")


def test_a_part_receives_of_the_context_only_what_it_names() -> None:
    assert make("loss", "huber", shape=(3,), features=7).delta == 1.0
    assert make("prior", "normal", shape=(3,), features=7).loc.shape == (7,)
    assert make("loss", "gaussian(scale='entry')", shape=(3,)).raw_scale.shape == (3,)


def test_a_given_parameter_wins_over_the_context() -> None:
    assert make("prior", "normal(features=2)", features=7).loc.shape == (2,)


def test_name_spec_mapping_and_instance_build_the_same() -> None:
    instance = Huber(0.5)
    assert make("loss", instance) is instance
    for what in ("huber(delta=0.5)", Spec("huber", delta=0.5), {"name": "huber", "params": {"delta": 0.5}}):
        built = make("loss", what)
        assert isinstance(built, Huber) and built.delta == 0.5


def test_names_are_sorted_and_each_is_found() -> None:
    assert names("loss") == sorted(names("loss"))
    assert all(lookup("loss", name).part_name == name for name in names("loss"))


def test_a_taken_name_is_refused_and_the_first_part_stays() -> None:
    with pytest.raises(UsageError, match="already registered"):

        @register("schedule", "constant")
        class Other(Schedule):
            def __call__(self, step: int, total: int) -> float:
                return 0.0

    assert lookup("schedule", "constant") is Constant


def test_registering_a_class_again_is_harmless() -> None:
    assert register("schedule", "linear")(Linear) is Linear


def test_errors_are_values_a_user_can_act_on() -> None:
    error = out_of_range("epochs", "an int of at least 1", 0)
    assert isinstance(error, DiaboloError) and isinstance(error, ValueError) and error.exit_code == 2
    assert str(unknown("loss", "zzz", ["a", "b"])) == "loss 'zzz' is unknown. Known: a, b."


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(MissingExtra, match=r"Reading tables needs the package 'no_such_package'.*diabolo\[table\]"):
        require("no_such_package.sub", "table", "Reading tables")
    assert require("json", "table", "Reading tables") is json
