"""What PyRadiomics says while it works: log records and Python warnings, gathered for one VOI."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

_OF_NO_USE = ("GLCM is symmetrical, therefore Sum Average = 2 * Joint Average",)
"""Phrases of log messages that PyRadiomics writes for every VOI and that tell a user nothing."""


@dataclass
class RadiomicsMessages:
    """Distinct messages, in the order in which they came.

    Parameters
    ----------
    texts : list of str
        The messages so far, each on one line.
    """

    texts: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Add a message unless it stands there already or is of no use.

        Parameters
        ----------
        text : str
            The message; line ends become spaces.
        """
        text = " ".join(text.split())
        if text not in self.texts and not any(phrase in text for phrase in _OF_NO_USE):
            self.texts.append(text)


class _Gather(logging.Handler):
    def __init__(self, messages: RadiomicsMessages) -> None:
        super().__init__(level=logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        # Of a traceback, the last line says what happened.
        self._messages.add(f"PyRadiomics: {record.getMessage().strip().splitlines()[-1]}")


@contextlib.contextmanager
def radiomics_messages() -> Iterator[RadiomicsMessages]:
    """Gather PyRadiomics' log records from WARNING on, and warnings of Python about its numbers.

    Inside the block nothing is written to stderr. Warnings that concern its code and not its numbers
    (deprecations) are dropped.
    """
    messages = RadiomicsMessages()
    log = logging.getLogger("radiomics")
    before, propagate, level = log.handlers, log.propagate, log.level
    log.handlers, log.propagate = [_Gather(messages)], False
    # PyRadiomics writes INFO records by the thousand, which nobody reads here.
    log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield messages
        for warning in caught:
            if not issubclass(warning.category, DeprecationWarning | PendingDeprecationWarning | FutureWarning):
                messages.add(f"PyRadiomics: {warning.message}")
    finally:
        log.handlers, log.propagate = before, propagate
        log.setLevel(level)
