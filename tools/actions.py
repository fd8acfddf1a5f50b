"""The actions of a verb that has several, such as `ca init` and `ca issue`: their arguments, and what they print."""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping

# (what carries the action out, its help, what adds its arguments)
Action = tuple[Callable[[argparse.Namespace], object], str, Callable[[argparse.ArgumentParser], object]]


def add_arguments(parser: argparse.ArgumentParser, actions: Mapping[str, Action]) -> None:
    """Give a verb's parser a sub-parser for each action, with `--json`; `run` carries out the chosen one."""
    chosen = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (carry_out, text, add) in actions.items():
        sub = chosen.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        add(sub)
        sub.add_argument("--json", action="store_true", help="print what a program may read")
        sub.set_defaults(action_run=carry_out)


def run(args: argparse.Namespace) -> object:
    """Carry out the action that the command line names; what it returns is the verb's exit status."""
    return args.action_run(args)


def whole_number(text: str) -> int:
    """The `type` of an argument that is a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def report(args: argparse.Namespace, plain: object, lines: Iterable[str]) -> None:
    """Print an action's result: `plain` as JSON with `--json`, else `lines`."""
    if args.json:
        print(json.dumps(plain))
        return
    for line in lines:
        print(line)
