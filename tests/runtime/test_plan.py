# SPDX-License-Identifier: Apache-2.0
"""The supervisor's side of selection: the plan, the files that never ran, the last warnings.

What coverage.py itself finds in this process is what is expected, wherever it can be asked.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import coverage.inorout
import pytest
from coverage.exceptions import ConfigError, CoverageException
from shmcov import _merge, messages, plan

FILES = {
    "app/__init__.py": "raise RuntimeError('the supervisor must not run the program')",
    "app/a.py": "",
    "app/b.pyw": "",
    "app/skip~.py": "",
    "app/sub/__init__.py": "",
    "app/sub/c.py": "",
    "app/noinit/d.py": "",
    "app/noinit/deep/__init__.py": "",
    "app/noinit/deep/e.py": "",
    "ns/f.py": "",
    "ns/inner/g.py": "",
    "single.py": "",
    "scripts/run.py": "",
    "scripts/beside/__init__.py": "",
    "scripts/beside/h.py": "",
    ".coveragerc": "",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path.resolve() / "project"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "bin"), str(root), *sys.path])
    importlib.invalidate_caches()
    yield root


def make(**options: Any) -> tuple[coverage.Coverage, plan.Plan]:
    build = {name: options.pop(name) for name in ("program", "as_module") if name in options}
    settings = options.pop("settings", {})
    cov = coverage.Coverage(data_file=None, config_file=False, **options)
    for name, value in settings.items():
        cov.set_option(name, value)
    return cov, plan.build(cov, branch=False, context=None, **build)


def texts(made: plan.Plan, kind: int) -> list[str]:
    return [text for number, text in made.rules if number == kind]


# -- the plan --


def test_flags_and_context() -> None:
    cov = coverage.Coverage(data_file=None, config_file=False)
    assert plan.build(cov, branch=False, context=None).flags == 0
    cov = coverage.Coverage(data_file=None, config_file=False)
    cov.set_option("run:dynamic_context", "test_function")
    made = plan.build(cov, branch=True, context="é")
    # The third came with coverage.py 7.16.
    assert made.flags & ~_merge.FLAG_QUALNAME == _merge.FLAG_BRANCH | _merge.FLAG_TEST_FUNCTION
    assert texts(made, _merge.RULE_CONTEXT) == ["é"]
    assert all(type(kind) is int for kind, _ in made.rules)


def test_nothing_is_imported_and_nothing_changes(project: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    original = coverage.inorout.file_and_path_for_module
    _, made = make(
        settings={"run:source_pkgs": ["app.sub.c", "app", "beside"]}, program=["scripts/run.py"]
    )
    assert not {"app", "app.sub", "beside"} & (set(sys.modules) - modules)
    assert sys.path == path
    assert coverage.inorout.file_and_path_for_module is original
    assert texts(made, _merge.RULE_SOURCE_PKG_THIRD) == []


def test_packages_beside_the_script(project: Path) -> None:
    settings = {"run:source_pkgs": ["beside", "nope"]}
    for program, as_module, unknown in (
        (["scripts/run.py"], False, ["nope"]),
        (["scripts"], False, ["nope"]),
        (["scripts.run"], True, ["beside", "nope"]),
        ([], False, ["beside", "nope"]),
    ):
        _, made = make(settings=settings, program=program, as_module=as_module)
        assert texts(made, _merge.RULE_SOURCE_PKG_THIRD) == unknown, program
        assert texts(made, _merge.RULE_SOURCE_PKG) == ["beside", "nope"]


def test_the_script_may_be_a_link(project: Path) -> None:
    (project / "link.py").symlink_to("scripts/run.py")
    _, made = make(settings={"run:source_pkgs": ["beside"]}, program=["link.py"])
    assert texts(made, _merge.RULE_SOURCE_PKG_THIRD) == []


def test_source_names_that_are_no_folders_are_packages(project: Path) -> None:
    _, made = make(source=["app", "single", "ns"])
    assert texts(made, _merge.RULE_SOURCE_DIR) == [str(project / "app"), str(project / "ns")]
    assert texts(made, _merge.RULE_SOURCE_PKG) == ["single"]


def test_include_is_ignored_with_source() -> None:
    _, made = make(source=["app"], include=["x"])
    assert made.warnings == [
        ("--include is ignored because --source is set", "include-ignored"),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"omit": ["***"]},
        {"include": ["a**"]},
        {"include": ["**/**"]},
        {"omit": ["["]},
        {"omit": ["[]"]},
        {"omit": ["[^]x[a]"]},
        {"omit": ["[z-a]"]},
        {"settings": {"run:dynamic_context": "no"}},
        {"settings": {"run:source_dirs": ["single.py"]}},
    ],
)
def test_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        make(**options)


def test_insides_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(coverage.inorout, "file_and_path_for_module")
    with pytest.raises(CoverageException, match="has no 'file_and_path_for_module'"):
        make()


PLUGIN = """
import coverage
class Plugin(coverage.CoveragePlugin):
    def find_executable_files(self, folder):
        if folder.endswith("fails"):
            raise ValueError("on purpose")
        return [folder + "/a.page", folder + "/left_out.page"]
def coverage_init(reg, options):
    reg.{kind}(Plugin())
"""


@pytest.fixture
def plugin(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(project)
    yield project / "a_plugin.py"
    sys.modules.pop("a_plugin", None)


def test_context_plugins_are_told(plugin: Path) -> None:
    plugin.write_text(PLUGIN.replace("{kind}", "add_dynamic_context"))
    _, made = make(settings={"run:plugins": ["a_plugin"]})
    assert [text for text, _ in made.warnings] == [
        "Plugin contexts (a_plugin.Plugin) aren't supported with shmcov",
    ]
    assert _merge.RULE_FILE_TRACERS not in [kind for kind, _ in made.rules]


def test_file_tracers_are_a_rule(plugin: Path) -> None:
    """From which another process has the same configuration."""
    plugin.write_text(PLUGIN.replace("{kind}", "add_file_tracer"))
    settings = {"run:plugins": ["a_plugin"], "a_plugin:option": "value"}
    _, made = make(settings=settings, source=["app"], omit=["x/*"])
    assert made.warnings == []
    (text,) = [text for kind, text in made.rules if kind == _merge.RULE_FILE_TRACERS]
    facts = json.loads(text)
    assert all(Path(entry).is_absolute() for entry in facts["path"])
    assert str(plugin.parent) in facts["path"]
    other = coverage.Coverage(config_file=":data:" + facts["config"])
    assert other.config.get_plugin_options("a_plugin") == {"option": "value"}
    assert other.config.run_omit == ["x/*"]


def test_files_of_plugins(plugin: Path) -> None:
    plugin.write_text(PLUGIN.replace("{kind}", "add_file_tracer"))
    for name in ("pages", "fails"):
        (plugin.parent / name).mkdir()
    source = [str(plugin.parent / name) for name in ("pages", "fails")]
    cov, _ = make(settings={"run:plugins": ["a_plugin"]}, source=source, omit=["*/left_out.page"])
    warnings: messages.Warnings = []
    found = plan.files_of_plugins(cov, [], warnings)
    assert found == {str(plugin.parent / "pages/a.page"): "a_plugin.Plugin"}
    ((text, _),) = warnings
    assert text.startswith("Plug-in 'a_plugin.Plugin' couldn't find its files below")
    assert "ValueError: on purpose" in text


def test_tell_honours_disable_warnings(recwarn: pytest.WarningsRecorder) -> None:
    cov, made = make(
        source=["app"], include=["x"], settings={"run:disable_warnings": ["include-ignored"]}
    )
    messages.warn(cov, [*made.warnings, ("Loud.", "no-data-collected"), ("Bare", None)])
    found = [str(warning.message) for warning in recwarn]
    assert len(found) == 2
    assert found[0].startswith("Loud. (no-data-collected)")
    assert found[1] == "Bare"


# -- where modules are --


@pytest.mark.parametrize(
    "name",
    [
        *["single", "ns", "ns.f", "ns.inner", "ns.inner.g", "nope", "nope.x", "single.x", "json"],
        *["json.decoder", "xml.dom.minidom", "os.path.x", "sys", "zipped", "zipped.mod", "pytest"],
        *["_pytest.config", "", ".", "a..b", "concurrent.futures", "encodings.utf_8", "math"],
    ],
)
def test_locate(name: str, tmp_path: Path) -> None:
    """As importlib finds it, which imports the parents."""
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "")
        archive.writestr("zipped/mod.py", "")
    sys.path.append(str(tmp_path / "lib.zip"))
    expected = coverage.inorout.file_and_path_for_module(name)
    for module in ("ns", "ns.inner", "zipped"):
        sys.modules.pop(module, None)
    assert plan.locate(name) == expected


def test_locate_does_not_run_the_parent(project: Path) -> None:
    assert plan.locate("app.sub.c") == (str(project / "app/sub/c.py"), [])
    assert plan.locate("app.noinit") == (None, [str(project / "app/noinit")])
    assert plan.locate("app.noinit.deep") == (
        str(project / "app/noinit/deep/__init__.py"),
        [str(project / "app/noinit/deep")],
    )


# -- after the run --


def imported(monkeypatch: pytest.MonkeyPatch, project: Path, name: str) -> tuple[str, str]:
    """Pretends that this process imported the package; what a measured one would publish."""
    path = project / name.replace(".", "/")
    module = types.ModuleType(name)
    if (path / "__init__.py").exists():
        module.__file__ = str(path / "__init__.py")
    elif path.is_dir():
        module.__path__ = [str(path)]
    else:
        path = path.with_suffix(".py")
        module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, name, module)
    return name, str(path)


@pytest.mark.parametrize("namespaces", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"source": ["app"]},
        {"source": ["."]},
        {"source": ["."], "omit": ["*/sub/*", "single.py"]},
        {"settings": {"run:source_pkgs": ["app"]}},
        {"settings": {"run:source_pkgs": ["app.sub", "single", "ns"]}},
        {"settings": {"run:source_pkgs": ["ns.inner", "ns.f", "nope"]}, "omit": ["app/*"]},
        {"include": ["app/*"]},
        {},
    ],
)
def test_never_ran(
    project: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], namespaces: bool
) -> None:
    options = dict(options)
    options["settings"] = {
        **options.get("settings", {}),
        "report:include_namespace_packages": namespaces,
    }
    cov, _ = make(**options)
    inorout: Any = cov._inorout
    packages = [
        imported(monkeypatch, project, name) for name in ("app", "app.sub", "ns", "ns.f", "single")
    ]
    expected = {path for path, _ in inorout.find_possibly_unexecuted_files()}
    found = plan.never_ran(cov, [], packages)
    assert len(found) == len(set(found))
    assert set(found) == expected
    if expected:
        one = sorted(expected)[0]
        assert set(plan.never_ran(cov, [one, "/elsewhere.py"], packages)) == expected - {one}


def test_never_ran_without_a_child_that_imported(project: Path) -> None:
    cov, _ = make(settings={"run:source_pkgs": ["app"]})
    assert plan.never_ran(cov, [], []) == []
    assert plan.never_ran(cov, [], [("other", str(project / "app"))]) == []


def test_never_ran_needs_build() -> None:
    cov = coverage.Coverage(data_file=None, config_file=False)
    with pytest.raises(CoverageException):
        plan.never_ran(cov, [], [])


def test_last_warnings(project: Path) -> None:
    """The texts that coverage.py has for packages that it did not meet."""
    cov, _ = make(settings={"run:source_pkgs": ["nope", "sys", "app", "single"]})
    inorout: Any = cov._inorout
    expected: messages.Warnings = []
    inorout.warn = lambda text, slug: expected.append((text, slug))
    inorout.source_pkgs_unmatched = ["nope", "sys"]
    inorout.warn_unimported_source()
    measured, packages = [str(project / "single.py")], [("app", str(project / "app"))]
    assert plan.last_warnings(cov, measured, packages) == expected
    nothing = ("No data was collected.", "no-data-collected")
    assert plan.last_warnings(cov, [], packages)[-1] == nothing
    assert nothing not in plan.last_warnings(cov, [], packages, appended=True)


def test_an_extension_module_has_no_source() -> None:
    name = next(
        name
        for name in ("_bisect", "_json", "_heapq", "math", "_struct", "sys")
        if (spec := importlib.util.find_spec(name)) and plan._is_binary(spec.origin or "")
    )
    cov, _ = make(settings={"run:source_pkgs": [name]})
    assert plan.last_warnings(cov, ["x"], []) == [
        (f"Module {name} has no Python source.", "module-not-python"),
    ]
