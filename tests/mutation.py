"""Mutation testing of everything that a verdict is worked out by.

``make mutation`` changes one thing at a time in copies of the package, with
cosmic-ray's operators, and runs the unit tests that must notice: the module's
own test file first, then those of its folder.  The report, with each mutant
that survived, is ``reports/mutation.md``.  For a few modules only:

    tools/in-venv python -m tests.mutation verdicts sla/judging

A survivor is explained when ``tests/survivors.toml`` names its line, what
the line became, and why no test can notice.

The exit status is 1 when fewer than 95 % were killed or a survivor is not
explained, and 2 when the tests fail without any mutation.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import itertools
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cosmic_ray import ast
from cosmic_ray import mutating
from cosmic_ray import plugins

CHECKOUT = Path(__file__).parents[1]
REPORT = CHECKOUT / "reports" / "mutation.md"
EXPLAINED = Path(__file__).with_name("survivors.toml")
FOLDERS = (
    "rally_magnum_scale/in_bay/stats",
    "rally_magnum_scale/measurement",
    "rally_magnum_scale/task/sla",
)
LEAST_KILLED = 0.95
# A mutant that loops for ever is killed by the time, that of the processor
# if it uses one: the slowest selection of tests takes ten seconds.
CPU_TIMEOUT_S = 60
TIMEOUT_S = 600
# One that makes a list without an end is killed by what it takes.
MEMORY_BYTES = 4 << 30
# Types are full of `|`; of each other operator one or two changes say as
# much as all; `is` in place of `==` says nothing of numbers.
EXCLUDED = re.compile(
    r"core/(ReplaceBinaryOperator_(?!Add_Sub|Sub_Add|Mul_Div|Div_Mul"
    r"|FloorDiv_Mul|Mod_Mul|Pow_Mul)"
    r"|ReplaceComparisonOperator_(?!Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt"
    r"|Gt_GtE|GtE_Gt|Lt_Gt|LtE_GtE|Gt_Lt|GtE_LtE|Is_IsNot|IsNot_Is"
    r"|In_NotIn|NotIn_In)"
    r"|ReplaceUnaryOperator_(?!Delete_Not|USub_UAdd))"
)
# The tests of the folder, by the folder's name.
TESTS = {
    "stats": ("tests/unit/in_bay/stats", "tests/unit/oracle"),
    "measurement": ("tests/unit/measurement", "tests/unit/oracle"),
    "sla": tuple(
        f"tests/unit/task/test_{name}.py"
        for name in (
            *("criterion_plugins", "fails_closed", "feasibility"),
            *("histories", "no_regression"),
        )
    ),
}
# What comes first for a module whose tests are not named after it.
FIRST_TESTS = {
    "criteria": "tests/unit/measurement/test_verdicts.py",
    "subjects": "tests/unit/measurement/test_verdicts.py",
    "trials": "tests/unit/in_bay/stats/test_rate_search.py",
    "judging": "tests/unit/task/test_fails_closed.py",
}
# The same examples for every mutant; what is imported already can't be
# rewritten, and need not be.
PYTEST_OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


class Mutation(NamedTuple):
    """A change to make: one operator at one place.

    :param module: path of the file from the checkout
    :param operator: cosmic-ray's name for it
    :param occurrence: which of the places in the file, from 0
    """

    module: str
    operator: str
    occurrence: int


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change that was made, and what became of it.

    :param module: path of the file from the checkout
    :param line: number of the line, from 1
    :param before: the line without its indentation
    :param after: what it became
    :param killed: whether a test failed or the time was up
    """

    module: str
    line: int
    before: str
    after: str
    killed: bool


def modules(wanted: list[str]) -> list[Path]:
    """List the files to mutate, from the checkout.

    :raises SystemExit: when a name fits no file
    """
    files = {
        path.stem if "sla" not in path.parts else f"sla/{path.stem}": path
        for folder in FOLDERS
        for path in sorted(Path(folder).glob("*.py"))
        if path.name != "__init__.py"
    }
    unknown = sorted(set(wanted) - set(files))
    if unknown:
        sys.exit(f"no module {unknown}; there are {', '.join(files)}")
    return [path for name, path in files.items() if name in (wanted or files)]


def mutations(module: Path) -> Iterator[Mutation]:
    """List what can be changed in a file."""
    nodes = list(ast.ast_nodes(ast.get_ast(module.read_text())))
    for name in plugins.operator_names():
        operator = plugins.get_operator(name)
        # Those with arguments stand for what a project adds itself.
        if EXCLUDED.match(name) or operator.arguments():
            continue
        places = (operator().mutation_positions(node) for node in nodes)
        for occurrence, _ in enumerate(itertools.chain(*places)):
            yield Mutation(str(module), name, occurrence)


def copy_checkout(folder: Path) -> None:
    """Copy what git knows of, changes included, into a folder."""
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if Path(name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, folder / name)


def run_unmutated(copy: Path, tests: list[str]) -> list[str]:
    """Run the tests in a copy, which leaves their compiled code there.

    :return: names of the modules that the tests import and that are not ours
    :raises SystemExit: when a test fails
    """
    program = (
        "import sys, pytest\n"
        "status = pytest.main(['-q', *sys.argv[1:]])\n"
        "open('modules', 'w').write('\\n'.join(sys.modules))\n"
        "sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *tests], cwd=copy, check=False
    )
    if ran.returncode:
        print("The tests fail without any mutation.")  # noqa: T201
        sys.exit(2)
    names = (copy / "modules").read_text().splitlines()
    return [name for name in names if not _is_ours(name)]


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in {"rally_magnum_scale", "tests"}


def enter_copy(prepared: Path, names: list[str]) -> None:
    """Turn this process into one that mutates a copy of its own.

    :param prepared: a copy whose tests ran
    :param names: modules that the tests import, to be imported only once
    """
    copy = prepared.with_name(str(os.getpid()))
    shutil.copytree(prepared, copy)
    os.chdir(copy)
    sys.path[0] = str(copy)
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if _is_ours(name)]:
        del sys.modules[name]
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def make(mutation: Mutation) -> Mutant | None:
    """Make a change, run the tests, and take it back.

    :return: None where the operator can't make what it promised
    """
    path = Path(mutation.module)
    operator = plugins.get_operator(mutation.operator)()
    try:
        with mutating.use_mutation(
            path, operator, mutation.occurrence
        ) as codes:
            before, after = (code.splitlines() for code in codes)
            killed = _tests_notice(path)
    except AttributeError:
        # cosmic-ray knows no exceptions with a dot, as in `zlib.error`.
        return None
    changed = [
        (number, *lines)
        for number, lines in enumerate(
            itertools.zip_longest(before, after, fillvalue=""), 1
        )
        if lines[0] != lines[1]
    ]
    number, old, new = changed[0] if changed else (0, "", "")
    return Mutant(str(path), number, old.strip(), new.strip(), killed)


def _tests_notice(module: Path) -> bool:
    """Run the tests of a module in a child of this process."""
    folder = module.parent.name
    tests = "tests/unit/task" if folder == "sla" else TESTS[folder][0]
    first = FIRST_TESTS.get(module.stem, f"{tests}/test_{module.stem}.py")
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    status = 1
    try:
        signal.setitimer(signal.ITIMER_PROF, CPU_TIMEOUT_S)
        signal.alarm(TIMEOUT_S)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        status = pytest.main([*PYTEST_OPTIONS, first]) or pytest.main(
            [*PYTEST_OPTIONS, *TESTS[folder]]
        )
    finally:
        os._exit(status)


def report(mutants: list[Mutant]) -> tuple[str, bool]:
    """Write the table and the survivors that nothing explains.

    :return: Markdown, and whether it is good enough
    """
    explained = {
        (entry["module"], entry["before"], entry["after"])
        for entry in tomllib.loads(EXPLAINED.read_text())["survivor"]
    }
    survivors = [mutant for mutant in mutants if not mutant.killed]
    unexplained = [
        mutant
        for mutant in survivors
        if (mutant.module, mutant.before, mutant.after) not in explained
    ]
    lines = ["| module | mutants | killed | |", "|---|---:|---:|---:|"]
    ordered = sorted(mutants, key=lambda mutant: mutant.module)
    for module, each in itertools.groupby(ordered, lambda each: each.module):
        lines.append(_row(module, list(each)))
    lines += [_row("all", mutants), ""]
    lines.append(
        f"{len(survivors)} survived, {len(unexplained)} of them unexplained."
    )
    lines += [_change(mutant) for mutant in unexplained]
    killed = len(mutants) - len(survivors)
    good = killed >= LEAST_KILLED * len(mutants) > 0 and not unexplained
    return "\n".join(lines) + "\n", good


def _change(mutant: Mutant) -> str:
    return (
        f"\n{mutant.module}:{mutant.line}\n\n"
        f"    - {mutant.before}\n    + {mutant.after}"
    )


def _row(name: str, mutants: list[Mutant]) -> str:
    killed = sum(mutant.killed for mutant in mutants)
    share = f"{killed / len(mutants):.1%}" if mutants else ""
    return f"| {name} | {len(mutants)} | {killed} | {share} |"


def main() -> int:
    """Mutate, test and report."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "module", nargs="*", help="for example verdicts or sla/judging"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    os.chdir(CHECKOUT)
    chosen = modules(options.module)
    wanted = [mutation for path in chosen for mutation in mutations(path)]
    tests = [
        test
        for folder, tests in TESTS.items()
        if any(path.parent.name == folder for path in chosen)
        for test in tests
    ]
    mutants = []
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        prepared = Path(folder) / "prepared"
        copy_checkout(prepared)
        names = run_unmutated(prepared, tests)
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(
            options.processes, enter_copy, (prepared, names)
        ) as pool:
            one_of_each = {path.parent: path for path in chosen}.values()
            if any(pool.map(_tests_notice, one_of_each, chunksize=1)):
                print("Tests fail here without a mutation.")  # noqa: T201
                return 2
            for done, mutant in enumerate(
                pool.imap_unordered(make, wanted), 1
            ):
                if mutant is not None:
                    mutants.append(mutant)
                    if not mutant.killed:
                        print(_change(mutant), flush=True)  # noqa: T201
                if done % 50 == 0:
                    print(f"{done} of {len(wanted)}", flush=True)  # noqa: T201
    text, good = report(mutants)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text)
    print(text)  # noqa: T201
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
