# SPDX-License-Identifier: Apache-2.0
"""What to measure: coverage.py's configuration as rules for the segment.

coverage.py itself decides what its settings mean: build() makes its `InOrOut`, as `Coverage.start`
does, and reads the answer from it, without starting to measure. The measured processes apply the
rules in C (runtime/ext/select.c). At the end never_ran() and last_warnings() do what coverage.py
does after a run, with what all processes together have seen. docs/selection.md describes it.

Only this file knows the internals of coverage.py that selection needs. They are the same from 7.10
to 7.17; the error for a missing one names it.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import sysconfig
import traceback
import types
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import coverage
import coverage.context
import coverage.core
import coverage.inorout
import coverage.patch
from coverage.exceptions import ConfigError, CoverageException
from coverage.files import canonical_filename, find_python_files, globs_to_regex, prep_patterns
from coverage.misc import isolate_module

from shmcov import _merge, digest, file_tracers, schemes
from shmcov.messages import Warnings

os = isolate_module(os)


class Plan:
    """What the supervisor writes into a new segment, and the warnings for the user."""

    def __init__(self) -> None:
        self.flags = 0
        self.rules: list[tuple[int, str]] = []
        self.warnings: Warnings = []


def build(
    cov: coverage.Coverage,
    *,
    branch: bool,
    context: str | None,
    program: Sequence[str] = (),
    as_module: bool = False,
) -> Plan:
    """The plan for a run under the configuration of `cov`, which is not started and must not be.

    `program` is what is to run, without the interpreter: a script or module and its arguments;
    `as_module`: it is a module (-m). They determine where the program's imports are searched.
    `cov` keeps what never_ran() and last_warnings() need. Pass `plan.warnings` to messages.warn().

    Raises coverage.py's ConfigError for settings that coverage.py would refuse.
    """
    with sys_path_of(program, as_module):
        cov._init()
        plugins = file_tracers.rule_of(cov)
    plan = Plan()
    config = cov.config
    if branch:
        plan.flags |= _merge.FLAG_BRANCH
    if config.dynamic_context == "test_function":
        plan.flags |= _merge.FLAG_TEST_FUNCTION
        if "co_qualname" in _inside(coverage.context, "qualname_from_frame").__code__.co_names:
            plan.flags |= _merge.FLAG_QUALNAME
    elif config.dynamic_context not in (None, "", "none"):
        raise ConfigError(f"Don't understand dynamic_context setting: {config.dynamic_context!r}")
    _check_values(config)
    _check_patterns(prep_patterns(config.run_include))
    _check_patterns(prep_patterns(config.run_omit))

    inorout, unknown = _inorout(cov, plan.warnings, program, as_module)
    cov._inorout = inorout
    plan.rules = list(_rules(inorout, unknown))
    plan.rules.append((_merge.RULE_OWNER, digest.of(config)))
    if config.cover_pylib:
        plan.rules.append((_merge.RULE_COVER_PYLIB, ""))
    if context:
        plan.rules.append((_merge.RULE_CONTEXT, context))
    if plugins is not None:
        plan.rules.append((_merge.RULE_FILE_TRACERS, plugins))
    _warn_about_plugins(cov, plan.warnings)
    inorout.warn_conflicting_settings()
    return plan


def identity(command: str, data_file: str) -> list[tuple[int, str]]:
    """Rules that describe the run to people who find its segment."""
    return [
        (_merge.RULE_COMMAND, command),
        (_merge.RULE_FOLDER, os.getcwd()),
        (_merge.RULE_DATA_FILE, data_file),
    ]


def never_ran(
    cov: coverage.Coverage, measured: Collection[str], packages: Collection[tuple[str, str]]
) -> list[str]:
    """The files that could have run and did not, for reports to show at 0 %: canonical paths.

    `cov` went through build(). `measured` are the canonical paths that ran. `packages` are the
    segment's pairs (source package, its folder or file), published by whichever process imported
    it. The caller maps names (relative_files), here as for the files that ran.
    """
    inorout = _built(cov)
    found: dict[str, None] = {}
    for root in _roots(inorout, packages):
        for path in find_python_files(root, inorout.include_namespace_packages):
            found[canonical_filename(path)] = None
    omit = inorout.omit_match
    seen = set(measured)
    return [path for path in found if path not in seen and not (omit and omit.match(path))]


def imported(measured: Collection[str], packages: Collection[tuple[str, str]]) -> set[str | None]:
    """The names of source packages that were imported. The arguments are never_ran()'s."""
    # A script is matched by the name that its file would have as a module.
    return {name for name, _ in packages} | {_module_name(path) for path in measured}


def _module_name(path: str) -> str | None:
    name = os.path.basename(path)
    suffixes = [s for s in importlib.machinery.all_suffixes() if name.endswith(s)]
    return name.removesuffix(max(suffixes, key=len)) if suffixes else None


def files_of_plugins(
    cov: coverage.Coverage, packages: Collection[tuple[str, str]], warnings: Warnings
) -> dict[str, str]:
    """Files that file tracer plug-ins could measure, run or not: path to the plug-in's name.

    The arguments are never_ran()'s. A plug-in that fails is reported in `warnings`.
    """
    inorout = _built(cov)
    omit = inorout.omit_match
    found: dict[str, str] = {}
    for root in _roots(inorout, packages):
        for plugin in cov._plugins.file_tracers:
            name = plugin._coverage_plugin_name
            try:
                paths = [canonical_filename(path) for path in plugin.find_executable_files(root)]
            except Exception:
                trace = traceback.format_exc()
                text = f"Plug-in {name!r} couldn't find its files below {root!r}:\n{trace}"
                warnings.append((text, "plugin-files"))
                continue
            for path in paths:
                if not (omit and omit.match(path)):
                    found.setdefault(path, name)
    return found


def _roots(inorout: Any, packages: Collection[tuple[str, str]]) -> list[str]:
    """The places of files that could have run."""
    roots: list[str] = []
    for package in inorout.source_pkgs:
        places = sorted({place for name, place in packages if name == package})
        # As in coverage.py, a package without an __init__ is not searched.
        roots += [place for place in places if _has_init(place)]
    return roots + list(inorout.source_dirs)


def last_warnings(
    cov: coverage.Coverage,
    measured: Collection[str],
    packages: Collection[tuple[str, str]],
    *,
    appended: bool = False,
) -> Warnings:
    """What coverage.py warns of after a run. The arguments are never_ran()'s.

    `appended`: the result has data of earlier runs, so it is not empty if this run has none.
    """
    warnings: Warnings = []
    names = imported(measured, packages)
    for package in _built(cov).source_pkgs:
        if package in names:
            continue
        origin, _ = locate(package)
        if origin is not None and _is_binary(origin):
            warnings.append((f"Module {package} has no Python source.", "module-not-python"))
        else:
            warnings.append((f"Module {package} was never imported.", "module-not-imported"))
    if not measured and not appended:
        warnings.append(("No data was collected.", "no-data-collected"))
    return warnings


# -- the internals of coverage.py --


def _inside(owner: object, name: str) -> Any:
    """An internal attribute of coverage.py."""
    try:
        return getattr(owner, name)
    except AttributeError:
        owner_name = getattr(owner, "__name__", type(owner).__name__)
        raise CoverageException(
            f"shmcov cannot read which files coverage.py {coverage.__version__} measures: "
            f"{owner_name} has no {name!r}. Install a version of coverage.py that shmcov knows "
            "(7.10.3 to 7.17), or a newer shmcov."
        ) from None


def _inorout(
    cov: coverage.Coverage, warnings: Warnings, program: Sequence[str], as_module: bool
) -> tuple[Any, list[str]]:
    """coverage.py's own object that decides, and the source packages that it did not find."""
    module = coverage.inorout
    unknown: list[str] = []

    def file_and_path_for_module(modulename: str) -> tuple[str | None, list[str]]:
        filename, path = locate(modulename)
        if filename is None and not path:
            unknown.append(modulename)
        return filename, path

    def warn(text: str, slug: str | None = None, once: bool = False) -> None:
        warnings.append((text, slug))

    # coverage.py's own function imports the parents of a dotted name: the user's code would run in
    # the supervisor.
    original = _inside(module, "file_and_path_for_module")
    module.file_and_path_for_module = file_and_path_for_module
    try:
        with sys_path_of(program, as_module), schemes.looked_up_once():
            inorout: Any = _inside(module, "InOrOut")(
                config=cov.config,
                warn=warn,
                debug=cov._debug if cov._debug.should("trace") else None,
                include_namespace_packages=cov.config.include_namespace_packages,
            )
    finally:
        module.file_and_path_for_module = original
    inorout.plugins = cov._plugins
    return inorout, unknown


def _rules(inorout: Any, unknown: Iterable[str]) -> Iterator[tuple[int, str]]:
    for kind, name in (
        (_merge.RULE_SOURCE_DIR, "source_match"),
        (_merge.RULE_STDLIB_DIR, "pylib_match"),
        (_merge.RULE_THIRD_DIR, "third_match"),
        (_merge.RULE_THIRD_SOURCE, "source_in_third_match"),
    ):
        matcher = _inside(inorout, name)
        if matcher is not None:
            for path in sorted(set(_inside(matcher, "paths"))):
                yield kind, path
    for path in sorted(set(_inside(inorout, "cover_paths"))):
        yield _merge.RULE_NEVER_DIR, canonical_filename(path)
    yield _merge.RULE_NEVER_DIR, canonical_filename(str(Path(__file__).parent))
    # They run before `coverage run` would begin to measure.
    for name in ("sitecustomize", "usercustomize"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            yield _merge.RULE_NEVER_DIR, canonical_filename(file)
    for name in _inside(inorout, "source_pkgs"):
        yield _merge.RULE_SOURCE_PKG, name
    for name in dict.fromkeys(unknown):
        # Only the program itself can find it; wherever that is, it is the source.
        yield _merge.RULE_SOURCE_PKG_THIRD, name
    for kind, name in ((_merge.RULE_INCLUDE, "include"), (_merge.RULE_OMIT, "omit")):
        for pattern in _inside(inorout, name):
            yield kind, pattern
    # Since 7.11 coverage.py looks at a process's sys.path again whenever that changes.
    if hasattr(coverage.inorout, "_analyze_directory"):
        yield _merge.RULE_VENV_THIRD, ""


def _built(cov: coverage.Coverage) -> Any:
    if cov._inorout is None:
        raise CoverageException("The Coverage object did not go through plan.build()")
    return cov._inorout


def _warn_about_plugins(cov: coverage.Coverage, warnings: Warnings) -> None:
    plugins = cov._plugins.context_switchers
    if plugins:
        names = ", ".join(plugin._coverage_plugin_name for plugin in plugins)
        text = f"Plugin contexts ({names}) aren't supported with shmcov"
        warnings.append((text, "context-plugins"))


def _check_values(config: Any) -> None:
    """Refuses what coverage.py does when it starts to measure, which is not done here. Its own code
    says which values there are."""
    known = _inside(coverage.patch, "apply_patches").__code__.co_consts
    for name in sorted(set(config.patch)):
        if name not in known:
            raise ConfigError(f"Unknown patch {name!r}")
    known = _inside(coverage.core, "Core").__init__.__code__.co_consts
    if config.core and not config.timid and config.core not in known:
        raise ConfigError(f"Unknown core value: {config.core!r}")


def _check_patterns(patterns: Iterable[str]) -> None:
    """Refuses the patterns that coverage.py refuses, and those that only crash it."""
    for pattern in patterns:
        try:
            globs_to_regex([pattern])
        except re.error as error:
            raise ConfigError(f"File pattern {pattern!r} can't be used: {error}") from error
        # The class would go on into what coverage.py appends to the pattern.
        for body in re.findall(r"\[(.*?)\]", pattern):
            if body in ("", "^"):
                raise ConfigError(f"File pattern can't include '[{body}]': {pattern!r}")


# -- where modules are --


@contextlib.contextmanager
def sys_path_of(program: Sequence[str], as_module: bool) -> Iterator[None]:
    """sys.path as the program will have it, with its folder in place of ours."""
    # What sysconfig imports lazily must not come from the program's folder.
    sysconfig.get_config_vars()
    saved = list(sys.path)
    if program and not sys.flags.safe_path:
        arg0 = program[0]
        # A folder or zip file is on sys.path itself.
        whole = Path(arg0).is_dir() or arg0.endswith((".zip", ".pyz", ".egg", ".whl"))
        if as_module:
            folder = os.getcwd()
        elif whole:
            folder = os.path.abspath(arg0)
        else:
            folder = os.path.dirname(os.path.realpath(arg0))
        sys.path[:1] = [folder]
    try:
        yield
    finally:
        sys.path[:] = saved


def locate(name: str) -> tuple[str | None, list[str]]:
    """Where a module's file is, and where its submodules are. Runs no code of its parents."""
    parents: list[str] = []
    try:
        parts = name.split(".")
        for i in range(1, len(parts)):
            parent = ".".join(parts[:i])
            if parent in sys.modules:
                continue
            spec = importlib.util.find_spec(parent)
            if spec is None or spec.submodule_search_locations is None:
                return None, []
            # The search for a child needs no more than an empty module in its place.
            module = types.ModuleType(parent)
            module.__path__ = list(spec.submodule_search_locations)
            sys.modules[parent] = module
            parents.append(parent)
        spec = importlib.util.find_spec(name)
        if spec is None:
            return None, []
        return spec.origin, list(spec.submodule_search_locations or ())
    except Exception:  # as coverage.py: a finder may raise anything
        return None, []
    finally:
        for parent in parents:
            del sys.modules[parent]


def _has_init(place: str) -> bool:
    return any(
        os.path.exists(os.path.join(place, f"__init__{suffix}")) for suffix in (".py", ".pyc")
    )


def _is_binary(origin: str) -> bool:
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    return origin == "built-in" or origin.endswith(suffixes)
