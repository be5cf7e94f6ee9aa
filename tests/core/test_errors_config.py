import pickle

import pytest

from radiobone.core.config import FileModel, read_yaml, validate
from radiobone.core.errors import ConfigError, ImageError, MissingExtraError, UsageError
from radiobone.core.extras import require
from radiobone.core.resources import find


class Inner(FileModel):
    threshold: float = 0.9


class Outer(FileModel):
    name: str
    inner: Inner = Inner()
    steps: tuple[Inner, ...] = ()


def test_message_says_what_where_got_expected_and_what_to_do():
    error = ImageError("label not present", where="p01", got="1, 2", expected="22", do="check the scheme")
    assert str(error) == "label not present | where: p01 | got: 1, 2 | expected: 22 | do: check the scheme"


def test_errors_survive_a_worker_process():
    error = pickle.loads(pickle.dumps(ImageError("what", where="w", got=1, expected=2, do="d")))
    assert (error.what, error.where, error.got, error.expected, error.do) == ("what", "w", 1, 2, "d")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"nmae": "x"}, "did you mean 'name'"),
        ({"name": "x", "inner": {"treshold": 1}}, "inner.treshold: unknown key (did you mean 'threshold'?)"),
        ({"name": "x", "steps": [{"Threshold": 1}]}, "steps.0.Threshold: unknown key (did you mean 'threshold'?)"),
        ({}, "name: required key is missing"),
        ({"name": "x", "inner": {"threshold": "high"}}, "inner.threshold"),
    ],
)
def test_a_wrong_key_is_named_with_its_path_and_the_nearest_known_key(content, told):
    with pytest.raises(ConfigError) as caught:
        validate(Outer, content, "study.yaml")
    assert told in str(caught.value)
    assert "study.yaml" in str(caught.value)


def test_every_problem_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        validate(Outer, {"inner": {"a": 1, "b": 2}}, "study.yaml")
    assert str(caught.value).count(";") == 2


def test_exponents_that_yaml_reads_as_text_are_numbers():
    assert validate(Inner, {"threshold": "1e-4"}, "x").threshold == 1e-4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2\n", "given twice"),
        ("- a\n", "not a mapping"),
        ("a: [1\n", "not valid YAML"),
        ("", "not a mapping"),
    ],
)
def test_bad_yaml_is_refused(tmp_path, text, told):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_yaml(path)


def test_a_missing_file_is_never_a_silent_default(tmp_path):
    with pytest.raises(ConfigError, match="not found"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="not found"):
        find("params", tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="did you mean 'original'"):
        find("params", "orginal")


def test_deep_presets_are_no_radiomics_presets():
    with pytest.raises(ConfigError) as raised:
        find("params", "orginal")
    assert "resnet" not in str(raised.value)
    with pytest.raises(ConfigError, match=r"no shipped params file.*given with --deep"):
        find("params", "deep_resnet18_random")
    with pytest.raises(ConfigError, match="given with --deep"):
        find("params", "resnet18_random")
    assert find("deep", "resnet18_random") == find("deep", "deep_resnet18_random")


def test_a_missing_extra_is_named_with_its_command():
    with pytest.raises(MissingExtraError, match=r"pip install \"radiobone\[deep\]\""):
        require("no_such_module_of_radiobone", "deep")
    assert issubclass(MissingExtraError, UsageError)
