"""Errors that say what happened, where, what was got and expected, and what to do."""

from __future__ import annotations


class RadioboneError(Exception):
    """Base of every error that radiobone raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, as one sentence without a full stop.
    where : str, optional
        The case, VOI, file or key in which it is wrong.
    got, expected : str, optional
        What was found, and what would have been right.
    do : str, optional
        What the user can do about it.

    Examples
    --------
    >>> print(RadioboneError("label not present", where="p01, mask.nii.gz", got="1, 2", expected="22 (L3)"))
    label not present | where: p01, mask.nii.gz | got: 1, 2 | expected: 22 (L3)
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        got: object = None,
        expected: object = None,
        do: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.got = got
        self.expected = expected
        self.do = do

    def __str__(self) -> str:
        parts = [self.what]
        for name in ("where", "got", "expected", "do"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name}: {value}")
        return " | ".join(parts)


class UsageError(RadioboneError):
    """The call itself cannot be carried out (exit code 2)."""


class ConfigError(UsageError):
    """A parameter file, scheme or recipe is not valid."""


class TableError(UsageError):
    """A cohort or feature table is not valid."""


class ModelError(UsageError):
    """A saved model does not fit, or must not be loaded."""


class MissingExtraError(UsageError):
    """An optional package is needed and not installed."""


class CaseError(RadioboneError):
    """One case, or one VOI of it, cannot be processed; the batch goes on."""


class ImageError(CaseError):
    """An image or mask file cannot be used."""


class GeometryError(CaseError):
    """Image and mask do not lie on the same grid."""


class VoiError(CaseError):
    """A VOI cannot be made from the mask."""


class EngineError(CaseError):
    """Features of a VOI cannot be computed."""


class CalibrationError(CaseError):
    """HU of a scan cannot be turned into densities."""


class RadioboneWarning(UserWarning):
    """Something that a user should look at, though the run goes on."""


def one_line(error: BaseException) -> str:
    """Return an error's message on one line.

    Parameters
    ----------
    error : BaseException
        Any error.
    """
    return " ".join(str(error).split())
