"""Options of a verb from a TOML file; what stands on the command line wins.

    arguments = with_config(parser, ["--config", "door.toml", "--width", "640"])
    options = parser.parse_args(arguments)

A key is an option's long name, `alarm-after` or `alarm_after`, at the top of the file or below
`[video]`. true turns a flag on, a list gives an option several times. The file becomes arguments,
so that defaults, types and choices stay in one place, the parser's.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mask_detector.errors import MaskDetectorError, OptionError
from mask_detector.home_paths import expanded

TABLE = "video"  # what its options may stand below; `check` reads the same file
_CONFIG, _HELP = "config", "help"
_KINDS = {bool: "true or false", str: "text", int: "a number", float: "a number", list: "a list"}


def with_config(parser: argparse.ArgumentParser, arguments: list[str]) -> list[str]:
    """Put the options of the file that `--config` names before the arguments.

    Args:
        parser: the verb's own, with an option `--config`.
        arguments: those of the verb, without its name.

    Returns:
        The arguments for the parser. An option of the file is left out where the command line
        names it, one that shares its destination, or one that excludes it. Without `--config`
        the arguments as they are.

    Raises:
        MaskDetectorError: a file that can't be read, an unknown option, or a wrong value.
    """
    named = _named(parser, arguments)
    if _CONFIG not in named or _HELP in named:
        return arguments
    file = _ConfigFile(expanded(named[_CONFIG]))
    given = _options_of(file, parser)
    excluded = set(named)
    for group in parser._mutually_exclusive_groups:
        members = [action for action in group._group_actions if given.get(action.dest)]
        if len(members) > 1:
            first, second = (_key_of(action) for action in members[:2])
            raise file.complaint(second, f"is not allowed together with {first}")
        if any(action.dest in named for action in group._group_actions):
            excluded.update(action.dest for action in group._group_actions)
    kept = (words for dest, words in given.items() if dest not in excluded)
    return [*(word for words in kept for word in words), *arguments]


class _ConfigFile:
    """The file's text and values; it knows in which line a key stands."""

    def __init__(self, path: Path) -> None:
        import tomllib  # here, since all verbs pass by and few have a file

        self._path = path
        try:
            self._text = path.read_text(encoding="utf-8-sig")  # Windows' editors put a mark first
            self._values = tomllib.loads(self._text)
        except OSError as error:
            raise MaskDetectorError(f"--config {path} can't be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # bad UTF-8 is a ValueError, too
            raise OptionError(f"--config {path} is not valid TOML: {error}") from error

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Keys and values, of the top first and then of the table."""
        table = self._values.pop(TABLE, {})
        if not isinstance(table, dict):
            raise self.complaint(TABLE, f"is {_kind(table)}; expected a table, [{TABLE}]")
        yield from self._values.items()
        yield from table.items()

    def complaint(self, key: str, words: str) -> OptionError:
        """An error that names file, line and key; never a value, which may be a password."""
        name = re.escape(key)
        found = re.search(rf"(?m)^[ \t]*\[*[ \t]*[\"']?{name}[\"']?[ \t]*[].=]", self._text)
        line = f", line {self._text.count(chr(10), 0, found.start()) + 1}" if found else ""
        shown = key if key.isprintable() else ascii(key)
        return OptionError(f"--config {self._path}{line}: {shown} {words}")


class _Note(argparse.Action):
    """Notes that an option was named, and with what."""

    def __call__(
        self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, values)


class _NotingParser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise ValueError(message)


def _named(parser: argparse.ArgumentParser, arguments: list[str]) -> dict[str, Any]:
    """The destinations that a command line names, however it spells them, and what it says.

    Empty where argparse can't make sense of it: the real parser says so, and better.
    """
    noting = _NotingParser(add_help=False, argument_default=argparse.SUPPRESS)
    for action in parser._actions:
        if action.option_strings:
            names, nargs = action.option_strings, action.nargs
            noting.add_argument(*names, dest=action.dest, nargs=nargs, action=_Note)
    try:
        return vars(noting.parse_known_args(arguments)[0])
    except ValueError:
        return {}


def _options_of(file: _ConfigFile, parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """For each destination that the file names the words of a command line that say the same."""
    known = {
        name.removeprefix("--"): action
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and action.dest not in (_CONFIG, _HELP)
    }
    given: dict[str, list[str]] = {}
    for key, value in file.entries():
        name = key.replace("_", "-")
        if name not in known:
            raise file.complaint(key, _unknown(name, value, list(known)))
        action = known[name]
        if action.dest in given:
            raise file.complaint(key, "is given twice, or along with its opposite")
        try:
            words = _words(action, f"--{name}", value)
        except ValueError as error:
            raise file.complaint(key, str(error)) from error
        given[action.dest] = words
    return given


def _unknown(name: str, value: Any, known: list[str]) -> str:
    if name == _CONFIG:
        return "can't stand in a configuration file"
    if isinstance(value, dict):
        return f"is an unknown table; expected [{TABLE}], or none"
    import difflib

    near = difflib.get_close_matches(name, known, 1)
    return "is no option; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


def _words(action: argparse.Action, option: str, value: Any) -> list[str]:
    """What a command line would say for an option of the file.

    Raises:
        ValueError: a value that the option does not take; the message goes on after its name.
    """
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise ValueError(f"is {_kind(value)}; expected true or false")
        return [option] if value else []
    is_repeatable = isinstance(action, argparse._AppendAction)
    values = value if is_repeatable and isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, (str, int, float)):
            expected = "text or a number" + (", or a list of them" if is_repeatable else "")
            raise ValueError(f"is or holds {_kind(one)}; expected {expected}")
        _check(action, str(one))
    return [f"{option}={one}" for one in values]  # in one word: it may begin with a minus


def _check(action: argparse.Action, text: str) -> None:
    """What argparse will do, but with an error that can name the file."""
    try:
        value = action.type(text) if action.type else text
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"is wrong: {error}") from error
    except (TypeError, ValueError) as error:
        expected = {int: "a whole number", float: "a number"}.get(action.type, "another value")
        raise ValueError(f"is {text!r}; expected {expected}") from error
    if action.choices is not None and value not in action.choices:
        raise ValueError(f"is {text!r}; expected one of {', '.join(map(str, action.choices))}")


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    return _KINDS.get(type(value), "a date or time")


def _key_of(action: argparse.Action) -> str:
    return action.option_strings[-1].removeprefix("--")
