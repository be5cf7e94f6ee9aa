"""The front of the room: every name is there, and none is loaded before it is asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import radiobone.learning as front


def test_every_public_name_is_there():
    for name in front.__all__:
        value = getattr(front, name)
        assert value.__name__ == name
        assert value is getattr(sys.modules[value.__module__], name)
        assert name in dir(front)
    with pytest.raises(AttributeError, match="has no attribute 'Nodes'"):
        front.Nodes  # noqa: B018


def test_types_names_and_modules_agree():
    # What type checkers see (the imports), what is promised (__all__) and what is loaded are one list.
    tree = ast.parse(Path(front.__file__).read_text(encoding="utf-8"))
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: str(part.module) for part in typed.body for alias in part.names}
    assert sorted(seen) == sorted(front.__all__) == sorted(front._MODULES)
    assert {name: f"radiobone.learning.{module}" for name, module in front._MODULES.items()} == seen


@pytest.mark.parametrize(
    "module", ["radiobone.learning", "radiobone.learning.protocol.models", "radiobone.learning.protocol.steps"]
)
def test_steps_of_a_recipe_are_read_without_scikit_learn(module):
    code = f"import sys, {module}; sys.exit(' '.join({{'sklearn', 'scipy', 'pandas'}} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
