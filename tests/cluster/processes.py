"""Processes that this one has started, and theirs."""

from collections.abc import Iterable, Iterator

import psutil


def command(process: psutil.Process) -> str:
    """Its command line; empty if it has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def called(word: str, among: Iterable[psutil.Process] | None = None) -> Iterator[psutil.Process]:
    """Those that have a word in their command line: of this process's family, or `among` these."""
    family = psutil.Process().children(recursive=True) if among is None else among
    return (process for process in family if word in command(process))
