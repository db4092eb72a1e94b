"""Options from a TOML file: the same as on a command line, which wins; argparse is the judge."""

import argparse
from pathlib import Path

import pytest

from mask_detector.commands.argument_types import fraction, number_pair
from mask_detector.config_file import with_config
from mask_detector.errors import MaskDetectorError


def parser():
    """Every kind of option that a verb here may have."""
    made = argparse.ArgumentParser("verb")
    made.add_argument("--config", type=Path)
    made.add_argument("-s", "--source", action="append")
    made.add_argument("--width", type=int, default=0)
    made.add_argument("--timeout", type=float, default=10.0)
    made.add_argument("-c", "--confidence", type=fraction)
    made.add_argument("--input-range", type=number_pair, default="-1,1")
    made.add_argument("--engine", choices=("auto", "litert", "keras"), default="auto")
    made.add_argument("--size", type=int, choices=(1, 2), default=1)
    made.add_argument("--classes")
    made.add_argument("--no-display", action="store_true")
    made.add_argument("--blur", dest="is_blurred", action="store_true")
    made.add_argument("--no-blur", dest="is_blurred", action="store_false")
    calmness = made.add_mutually_exclusive_group()
    calmness.add_argument("--every-frame", action="store_true")
    calmness.add_argument("--no-tracks", action="store_true")
    return made


@pytest.fixture
def options(tmp_path, monkeypatch):
    """What the parser makes of a file and a command line, apart from the file's name."""
    monkeypatch.chdir(tmp_path)

    def read(text, *arguments):
        Path("c.toml").write_text(text, encoding="utf-8")
        words = with_config(parser(), ["--config", "c.toml", *arguments])
        made = vars(parser().parse_args(words))
        assert made.pop("config") == Path("c.toml")
        return made

    return read


def from_command_line(*arguments):
    made = vars(parser().parse_args(arguments))
    del made["config"]
    return made


EVERYTHING = """\
source = ["0", "rtsp://host/ü?a=b", "-weird"]
width = 640
timeout = 2.5
confidence = 0.25
input-range = "-1,1"
engine = "keras"
size = 2
classes = "with mask,no \\"mask\\""
no-display = true
no-blur = true
every-frame = true
no-tracks = false
"""
SAME = (
    "--source=0", "--source=rtsp://host/ü?a=b", "--source=-weird", "--width", "640",
    "--timeout", "2.5", "--confidence", ".25", "--input-range=-1,1", "--engine", "keras",
    "--size", "2", "--classes", 'with mask,no "mask"', "--no-display", "--no-blur", "--every-frame",
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        EVERYTHING,
        "[video]\n" + EVERYTHING,
        EVERYTHING.replace("input-range", "input_range").replace("no-display", '"no_display"'),
        "source = ['0', 'rtsp://host/ü?a=b', '-weird']\n[video]\n"
        + "".join(EVERYTHING.splitlines(keepends=True)[1:]),
        "\ufeff" + EVERYTHING.replace("\n", "\r\n"),
    ],
    ids=["at the top", "in the table", "underscores", "both", "as Windows writes it"],
)
def test_a_file_says_what_a_command_line_says(options, text):
    made = options(text)
    assert made == from_command_line(*SAME)
    assert made["source"][2] == "-weird" and made["input_range"] == (-1.0, 1.0)


def test_one_value_does_for_a_repeatable_option_and_numbers_may_be_text(options):
    made = options('source = 0\nwidth = "640"\ntimeout = 3\n')
    assert made == from_command_line("--source", "0", "--width", "640", "--timeout", "3")


@pytest.mark.parametrize(
    "said",
    [
        ["--source", "1", "--source", "2"],
        ["-s1"],
        ["--sou", "1"],
        ["--width=320"],
        ["-c", "0.5"],
        ["-c.5", "--input-range=0,1"],
        ["--engine", "auto", "--timeout", "10.0"],
        ["--no-tracks"],
        ["--blur"],
    ],
    ids=" ".join,
)
def test_the_command_line_wins_however_it_spells_an_option(options, said):
    made, alone, file = options(EVERYTHING, *said), from_command_line(*said), options(EVERYTHING)
    named = {
        action.dest
        for action in parser()._actions
        for name in action.option_strings
        if any(
            word.split("=")[0] == name or name == {"--sou": "--source"}.get(word)
            or (len(name) == 2 and word.startswith(name))
            for word in said
        )
    }  # fmt: skip
    if "no_tracks" in named:
        named.add("every_frame")  # they exclude each other
    assert named and made == {key: (alone if key in named else file)[key] for key in made}


def test_without_a_file_the_arguments_stay_as_they_are():
    arguments = ["--source", "0", "--no-such", "--", "--config", "x"]
    assert with_config(parser(), arguments) is arguments


@pytest.mark.parametrize("said", [["--width"], ["--engine", "x", "--s"], ["-h"]], ids=" ".join)
def test_what_argparse_refuses_or_answers_itself_is_left_to_it(said, tmp_path, capsys):
    (tmp_path / "c.toml").write_text("width = 1")
    words = with_config(parser(), ["--config", str(tmp_path / "c.toml"), *said])
    with pytest.raises(SystemExit):
        parser().parse_args(words)
    printed = capsys.readouterr()
    assert ("usage" in printed.out) == (said == ["-h"])


@pytest.mark.parametrize(
    "text, words",
    [
        ("\n# a\nwdith = 3\n", ["line 3", "wdith is no option", "did you mean width?"]),
        ("nodisplay = true", ["line 1: nodisplay", "did you mean no-display?"]),
        ("xyzzy = 1", ["line 1: xyzzy", "known: source, width"]),
        ("config = 'other.toml'", ["line 1: config can't stand in"]),
        ("help = true", ["line 1: help is no option"]),
        ("s = '0'", ["line 1: s is no option"]),
        ("\n[train]\nepochs = 3", ["line 2: train is an unknown table", "[video]"]),
        ("[[video]]\nwidth = 3", ["line 1: video is a list", "[video]"]),
        ("video = 3", ["line 1: video is a number"]),
        ("width = 1.5", ["line 1: width is '1.5'; expected a whole number"]),
        ("width = true", ["line 1: width is or holds true or false; expected text or a number"]),
        ("width = [1]", ["line 1: width is or holds a list"]),
        ("timeout = 'long'", ["line 1: timeout is 'long'; expected a number"]),
        ("confidence = 1.5", ["line 1: confidence is wrong: '1.5'", "from 0 to 1"]),
        ("engine = 'tpu'", ["line 1: engine is 'tpu'; expected one of auto, litert, keras"]),
        ("size = 3", ["line 1: size is '3'; expected one of 1, 2"]),
        ("no-display = 'yes'", ["line 1: no-display is text; expected true or false"]),
        ("no-display = 1", ["line 1: no-display is a number; expected true or false"]),
        ("source = [['0']]", ["line 1: source is or holds a list", "or a list of them"]),
        ("source = {a = 1}", ["line 1: source is or holds a table"]),
        ("classes = 2026-11-21", ["line 1: classes is or holds a date or time"]),
        ("[video]\nno-tracks = true\nevery_frame = true",
         ["no-tracks is not allowed together with every-frame"]),
        ("no_blur = true\nblur = true", ["line 2: blur is given twice, or along with its opp"]),
        ("width = 1\n[video]\nwidth = 2", ["width is given twice"]),
        ('"a\\nb" = 1', [": 'a\\nb' is no option"]),
        ("width = " + "[" * 9999, ["c.toml is not valid TOML"]),
        ("width = \n", ["c.toml is not valid TOML", "line 1"]),
        ("width = 1\nwidth = 2\n", ["c.toml is not valid TOML", "line 2"]),
    ],
)  # fmt: skip
def test_a_wrong_file_is_one_line_with_the_place(options, text, words):
    with pytest.raises(MaskDetectorError) as caught:
        options(text)
    message = str(caught.value)
    assert message.startswith("--config c.toml") and "\n" not in message
    for word in words:
        assert word in message


def test_who_asks_for_help_gets_it_whatever_the_file_says(tmp_path):
    arguments = ["--config", str(tmp_path / "none.toml"), "--help"]
    assert with_config(parser(), arguments) == arguments


def test_no_message_repeats_an_address_with_its_password(options):
    for text in ("source = [true, 'rtsp://me:secret@host']", "sources = 'rtsp://me:secret@host'"):
        with pytest.raises(MaskDetectorError) as caught:
            options(text)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "content, words",
    [(None, ["No such file"]), (b"", ["directory"]), (b"\xff\xfe=", ["not valid TOML", "utf-8"])],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, words):
    path = tmp_path / "c.toml"
    if content:
        path.write_bytes(content)
    elif content == b"":
        path.mkdir()
    with pytest.raises(MaskDetectorError) as caught:
        with_config(parser(), ["--config", str(path)])
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)
