"""Optional packages leave nothing behind but themselves."""

from __future__ import annotations

import warnings

import pytest

from radiobone.core.errors import MissingExtraError
from radiobone.core.extras import require


def test_filters_of_warnings_are_as_before(tmp_path, monkeypatch):
    (tmp_path / "noisy_extra.py").write_text(
        "import warnings\n\nclass Own(UserWarning): ...\n\nwarnings.filterwarnings('ignore', category=Own)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = list(warnings.filters)
    assert require("noisy_extra", "segment").Own
    assert warnings.filters == before, "workers would load the package for its classes"


def test_a_missing_package_is_told_with_its_extra():
    with pytest.raises(MissingExtraError, match=r"radiobone\[segment\]"):
        require("no_such_package", "segment")
