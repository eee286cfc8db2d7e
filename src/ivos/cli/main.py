"""The `ivos` command and its sub-commands."""

from __future__ import annotations

import logging
import platform
import signal
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from ivos.cli.commands.annotate import annotate
from ivos.cli.commands.compare import compare
from ivos.cli.commands.demo import demo, phantom
from ivos.cli.commands.ensemble import ensemble
from ivos.cli.commands.evaluate import evaluate
from ivos.cli.commands.fit_quality import fit_quality
from ivos.cli.commands.info import info
from ivos.cli.commands.prepare import prepare
from ivos.cli.commands.profile import profile
from ivos.cli.commands.propagate import propagate
from ivos.cli.commands.pseudo_label import pseudo_label
from ivos.cli.commands.segment import segment
from ivos.cli.commands.self_train import self_train
from ivos.cli.commands.suggest import suggest
from ivos.cli.commands.train import train
from ivos.cli.commands.video import video
from ivos.cli.commands.weights import weights
from ivos.cli.output import accept_all_characters, one_line, print_error, print_line
from ivos.cli.renamed import replace_old_names
from ivos.errors import InputError

app = typer.Typer(
    name="ivos",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    """Print what a bug report needs: the versions of ivos, Python, the libraries that run networks, and the system."""
    if wanted:
        libraries = ", ".join(f"{name} {_version(name)}" for name in ("torch", "openvino"))
        system = f"{platform.system()} {platform.machine()}"
        print_line(f"ivos {version('ivos')} (Python {platform.python_version()}, {libraries}, {system})")
        raise typer.Exit


def _version(library: str) -> str:
    """Version of a library, without importing it, which takes seconds."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "missing"


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the versions for a bug report.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Annotate a few slices of a CT or MR scan, get the whole volume."""


app.add_typer(train, name="train")
app.add_typer(weights, name="weights")
for command in (
    annotate,
    propagate,
    suggest,
    segment,
    info,
    evaluate,
    compare,
    ensemble,
    pseudo_label,
    fit_quality,
    self_train,
    video,
    prepare,
    phantom,
    demo,
):
    app.command()(command)
app.command(context_settings={"allow_interspersed_args": False})(profile)


def main() -> None:
    """Run the command line; errors that a user can correct give one line on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        accept_all_characters(stream)
    _silence_libraries()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(replace_old_names(sys.argv[1:]))
    except InputError as error:
        _fail(str(error))
    except UnicodeEncodeError as error:
        if not _is_in_name(error):
            raise
        around = error.object[max(0, error.start - 40) : error.end + 20]
        _fail(f"{around}: the name of a file or folder is not UTF-8; rename it")
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}")


class _OneLine(logging.Formatter):
    """On one line, whatever the names in it contain."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return one_line(super().formatMessage(record))


def _silence_libraries() -> None:
    """Show our own warnings only: libraries warn about every unusual header and setting."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("ivos: %(message)s"))
    logging.getLogger("ivos").addHandler(handler)
    for library in ("pydicom", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=library)


def _is_in_name(error: UnicodeEncodeError) -> bool:
    """Whether it is one of the characters that Python has for bytes of file names that are not UTF-8."""
    return "\udc80" <= error.object[error.start] <= "\udcff"


def _fail(message: str) -> None:
    print_error(f"ivos: {message}")
    sys.exit(2)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
