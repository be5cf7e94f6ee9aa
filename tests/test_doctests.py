"""Every example in a docstring, on the installed package."""

import doctest
import importlib
import pkgutil

import pytest

import radiobone

MODULES = [module.name for module in pkgutil.walk_packages(radiobone.__path__, "radiobone.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 10
