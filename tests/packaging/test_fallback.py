# SPDX-License-Identifier: Apache-2.0
"""The wheel with nothing compiled in it: the same data as with the other one, from coverage.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import distribution, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import sys_tags
from project_support import REFERENCE_CORE, Project
from shmcov import versions

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fallback")]

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
PACKAGES = "coverage pytest pytest-cov pytest-xdist execnet pluggy iniconfig packaging pygments"
TOLD = "shmcov doesn't measure: nothing compiled is installed"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    isolation = ["--no-build-isolation"] if find_spec("scikit_build_core") else []
    settings = [part for text in SETTINGS for part in ("-C", text)]
    command = [*PIP, "wheel", "-q", "--no-deps", *isolation, *settings, "-w", out, ROOT]
    subprocess.run(command, check=True)
    (made,) = out.glob("*.whl")
    return made


SETTINGS = ("wheel.cmake=false", "wheel.py-api=py3", "wheel.platlib=false")
"""As the Makefile has them."""


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with that wheel, and with what this one has of other packages."""
    return environment(tmp_path_factory.mktemp("venv"), wheel)


@pytest.fixture(scope="session")
def oldest(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the oldest coverage.py."""
    venv = python.parents[1]
    copy = shutil.copytree(venv, tmp_path_factory.mktemp("oldest") / "venv", symlinks=True)
    made = copy / python.relative_to(venv)
    version = ".".join(map(str, versions.OLDEST))
    install = ["install", "-q", "--no-deps", "--force-reinstall", f"coverage=={version}"]
    done = subprocess.run([*PIP, "--python", made, *install], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"coverage.py {version} cannot be had: {done.stderr}")
    (site,) = made.parents[1].glob("lib/python*/site-packages")
    (site / "a1_coverage.pth").unlink(missing_ok=True)  # of the newer one
    if REFERENCE_CORE["COVERAGE_CORE"] == "ctrace" and not [*site.glob("coverage/tracer.*.so")]:
        pytest.skip(f"coverage.py {version} has no C tracer for this Python")
    return made


def environment(venv: Path, wheel: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    for name in PACKAGES.split():
        for file in distribution(name).files or []:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), site / file)
    for path in site.glob("*cov*.pth"):  # of an editable install, or what we wrote
        assert path.name == "a1_coverage.pth"
    install = ["install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run([*PIP, "--python", venv, *install], check=True)
    # Nothing that the tests start does it.
    subprocess.run([sys.executable, "-m", "compileall", "-q", site], check=True)
    return venv / "bin" / "python"


class Fallen(Project):
    """A project in that environment, which can go back to this one."""

    def __init__(self, folder: Path, python: Path) -> None:
        super().__init__(folder)
        self.python_fallen = str(python)
        self.executable = self.python_fallen

    def here(self, run: Callable[[], subprocess.CompletedProcess[str]]) -> dict[str, Any]:
        """What the compiled one measures."""
        self.executable = sys.executable
        done = run()
        assert (done.returncode, done.stderr) == (0, "")
        found = self.report()
        self.executable = self.python_fallen
        return found


@pytest.fixture
def fallen(tmp_path: Path, python: Path) -> Iterator[Fallen]:
    made = Fallen(tmp_path, python)
    made.write(".coveragerc", "[run]\nplugins = shmcov\n")
    made.write("lib.py", LIB)
    yield made
    made.end()


LIB = """
    def work(who):
        if who == "main":
            return 1
        elif who == "fork":
            return 2
        elif who == "spawn":
            return 3
        elif who == "forkserver":
            return 4
        elif who == "pool":
            return 5
        elif who == "child":
            return 6
        elif who == "_exit":
            return 7
        elif who == "exec":
            return 8
        elif who == "sys.exit":
            return 9
        return 10
"""

MAIN = """
    import multiprocessing
    import os
    import subprocess
    import sys

    import lib

    def forked(who):
        lib.work(who)
        here = 1
        if who == "_exit":
            os._exit(0)
        if who == "exec":
            os.execv(sys.executable, [sys.executable, "child.py", "here"])
        sys.exit(0)

    if __name__ == "__main__":
        lib.work("main")
        for method in ("fork", "spawn", "forkserver"):
            context = multiprocessing.get_context(method)
            process = context.Process(target=lib.work, args=(method,))
            process.start()
            process.join()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(lib.work, ["pool", "pool"])
            pool.close()
            pool.join()
        os.mkdir("folder")
        subprocess.run([sys.executable, "../child.py", "child"], cwd="folder", check=True)
        for who in ("_exit", "exec", "sys.exit"):
            pid = os.fork()
            if not pid:
                forked(who)
            os.waitpid(pid, 0)
        os.rmdir("folder")
"""

CHILD = """
    import sys
    import lib
    if sys.argv[1] == "child":
        lib.work("child")
    else:
        here = 1
"""


def test_the_wheel(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as file:
        names = [name for name in file.namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == {"shmcov"}
    assert all(name.endswith((".py", ".pyi", "/py.typed")) for name in names)


RUNS = {
    "coverage": ["run", "--source=.", "main.py"],
    "shmcov": [
        *("run", "--branch", "--source=.", "--omit=./child.py,main.py", "--data-file=other/data"),
        *("--context=all", "main.py"),
    ],
}


@pytest.mark.parametrize("tool", RUNS)
def test_all_processes(fallen: Fallen, tool: str) -> None:
    """Nothing in the configuration says that there are any. `shmcov`: branches, relative names, and
    the data file elsewhere."""
    found, here = in_all_processes(fallen, tool)
    assert found == here


def in_all_processes(fallen: Fallen, tool: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is measured there, and here."""
    if tool == "shmcov":
        fallen.write(".coveragerc", "[run]\nplugins = shmcov\nrelative_files = True\n")
    fallen.write("main.py", MAIN)
    fallen.write("child.py", CHILD)

    def run() -> subprocess.CompletedProcess[str]:
        done = fallen.python("-m", tool, *RUNS[tool], env=REFERENCE_CORE)
        if tool == "shmcov":
            assert [path.name for path in fallen.folder.glob("other/*")] == ["data"]
            shutil.move(fallen.folder / "other" / "data", fallen.folder / ".coverage")
        assert fallen.data_files() == [".coverage"]
        return done

    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert TOLD in done.stderr
    found = fallen.report()
    assert found["lib.py"]["missing_lines"] == [20]
    return found, fallen.here(run)


def test_all_processes_with_the_oldest_coverage(fallen: Fallen, oldest: Path) -> None:
    """Options of the command line reach interpreters that are started."""
    fallen.python_fallen = fallen.executable = str(oldest)
    reports = in_all_processes(fallen, "coverage")
    found, here = ({name: file["executed_lines"] for name, file in one.items()} for one in reports)
    assert found == here


def test_the_oldest_coverage_is_what_pip_asks_for() -> None:
    (wanted,) = (one for one in requires("shmcov") or () if one.startswith("coverage"))
    assert wanted == f"coverage>={'.'.join(map(str, versions.OLDEST))}"


def test_it_is_said_once(fallen: Fallen) -> None:
    fallen.write("main.py", "import subprocess, sys\nsubprocess.run([sys.executable, 'lib.py'])\n")
    run = ("-m", "coverage", "run", "main.py")
    assert fallen.python(*run).stderr.startswith(f"CoverageWarning: {TOLD}")
    done = fallen.python("-W", "error", *run)
    assert (done.returncode, done.stderr.count(TOLD)) == (0, 1)
    assert fallen.lines("lib.py") == [1]
    fallen.write(".coveragerc", "[run]\nplugins = shmcov\ndisable_warnings = own-core\n")
    assert fallen.python(*run).stderr == ""
    assert fallen.lines("lib.py") == [1]


def test_parallel_and_append_are_the_users(fallen: Fallen) -> None:
    main = "import subprocess, sys\nsubprocess.run([sys.executable, 'lib.py'])\n"
    fallen.write("main.py", main)
    fallen.write("second.py", main)
    for options in (["--source=."], ["--append", "--source=."]):
        program = "second.py" if "--append" in options else "main.py"
        assert fallen.coverage("run", *options, program).returncode == 0
        assert fallen.data_files() == [".coverage"]
    assert ran(fallen) == {"lib.py", "main.py", "second.py"}
    (fallen.folder / ".coverage").rename(fallen.folder / ".coverage.kept")
    assert fallen.coverage("run", "--source=.", "main.py").returncode == 0
    assert fallen.data_files() == [".coverage", ".coverage.kept"]
    for name in fallen.data_files():
        (fallen.folder / name).unlink()
    assert fallen.coverage("run", "--source=.", "--parallel-mode", "main.py").returncode == 0
    assert len(fallen.data_files()) == 2
    assert fallen.coverage("combine").returncode == 0
    assert ran(fallen) == {"lib.py", "main.py"}


def ran(project: Project) -> set[str]:
    return {name for name, file in project.report().items() if file["executed_lines"]}


def test_a_program_that_measures_itself(fallen: Fallen) -> None:
    fallen.write(
        "main.py",
        """
        import subprocess, sys
        import coverage
        def run(who):
            subprocess.run([sys.executable, "-c", f"import lib; lib.work({who!r})"], check=True)
        cov = coverage.Coverage(source=["."])
        cov.start()
        run("main")
        cov.stop()
        run("fork")
        cov.save()
        print(cov.analysis2("lib.py")[3])
        cov.start()
        run("spawn")
        cov.stop()
        cov.save()
        """,
    )
    done = fallen.python("main.py")
    assert done.returncode == 0, done.stderr
    assert fallen.data_files() == [".coverage"]
    assert set(fallen.lines("lib.py")) & {3, 5, 7} == {3, 7}
    missing = json.loads(done.stdout)
    assert 5 in missing
    assert 3 not in missing


def test_a_child_that_outlives_the_save(fallen: Fallen) -> None:
    """multiprocessing waits for it when coverage.py has saved already."""
    fallen.write(
        "main.py",
        """
        import multiprocessing, time
        import lib
        def late():
            time.sleep(0.5)
            lib.work("fork")
        if __name__ == "__main__":
            multiprocessing.get_context("fork").Process(target=late).start()
            here = 1
        """,
    )
    assert fallen.coverage("run", "--source=.", "main.py").returncode == 0
    assert fallen.data_files() == [".coverage"]
    assert fallen.missing("main.py") == []
    assert 5 in fallen.lines("lib.py")


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGTERM)", "again()"])
def test_an_owner_that_ends_early(fallen: Fallen, end: str) -> None:
    fallen.write(
        "main.py",
        f"""
        import os, signal, subprocess, sys
        def again():
            os.execv(sys.executable, [sys.executable, "last.py"])
        subprocess.run([sys.executable, "lib.py"])
        {end}
        """,
    )
    fallen.write("last.py", "x = 1\n")
    fallen.write(".coveragerc", "[run]\nplugins = shmcov\nsigterm = True\n")
    assert fallen.coverage("run", "--source=.", "main.py").returncode == {
        "os._exit(3)": 3,
        "again()": 0,
    }.get(end, -15)
    fallen.coverage("combine", "--append")  # before coverage.py 7.13.1 what is unfinished stays
    assert fallen.data_files() == [".coverage"]
    assert fallen.lines("lib.py") == [1]
    assert fallen.missing("main.py") == [] if end == "again()" else [3]
    assert (fallen.lines("last.py") == [1]) is (end == "again()")


def test_strict(fallen: Fallen) -> None:
    fallen.write(".coveragerc", "[run]\nplugins = shmcov\n[shmcov]\nstrict = true\n")
    fallen.write("main.py", "print('ran')\n")
    for tool in ("coverage", "shmcov"):
        done = fallen.python("-m", tool, "run", "main.py")
        assert (done.returncode, done.stdout.splitlines()[0]) == (1, "ran")
        assert "(strict is set)" in done.stdout + done.stderr
        assert fallen.lines("main.py") == [1]
    assert fallen.coverage("report").returncode == 0


TESTS = """
    import multiprocessing, os, subprocess, sys
    import pytest
    import lib

    @pytest.mark.parametrize("who", ["main", "sys.exit"])
    def test_here(who):
        lib.work(who)

    @pytest.mark.parametrize("who", ["fork", "pool"])
    def test_fork(who):
        process = multiprocessing.get_context("fork").Process(target=lib.work, args=(who,))
        process.start()
        process.join()

    def test_child():
        command = "import lib; lib.work('child')"
        subprocess.run([sys.executable, "-c", command], check=True)
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_pytest_cov(fallen: Fallen, workers: str) -> None:
    fallen.write("test_it.py", TESTS)

    def run() -> subprocess.CompletedProcess[str]:
        return fallen.python(
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::Warning"),
            *("-W", "ignore:This process:DeprecationWarning"),
            *("--cov=.", "--cov-report=", "--shmcov-context=test", "-n", workers),
            env=REFERENCE_CORE,
        )

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    found = fallen.report()
    assert fallen.data_files() == [".coverage"]
    assert {3, 5, 11, 13, 19} <= {*found["lib.py"]["executed_lines"]}
    assert contexts(found) == contexts(fallen.here(run))


def contexts(report: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {line: sorted(of) for line, of in file["contexts"].items()}
        for name, file in report.items()
    }


def test_switch_context(fallen: Fallen) -> None:
    fallen.write(
        "main.py",
        "import shmcov\nassert shmcov.switch_context('a')\nimport lib\nshmcov.switch_context('')\n",
    )
    done = fallen.python("-m", "coverage", "run", "--context=all", "main.py")  # any core
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert fallen.report()["lib.py"]["contexts"] == {"1": ["all|a"]}
    assert fallen.python("-c", "import shmcov; assert not shmcov.switch_context('a')").stderr == ""


def test_commands(fallen: Fallen) -> None:
    fallen.write("main.py", "x = 1\n")
    assert fallen.shmcov("run", "--shm-size=3M", "main.py").returncode == 0
    for command in (
        "report",
        "html -q",
        "xml -q",
        "json -q",
        "lcov -q",
        "debug sys",
        "help run",
        "erase",
    ):
        done = fallen.shmcov(*command.split())
        assert (done.returncode, done.stderr) == (0, ""), command
    doctor = fallen.shmcov("doctor")
    assert doctor.returncode == 1
    assert "PROBLEM: of shmcov cannot be loaded" in doctor.stdout
    for command in ("bench x.py", "exec true", "status", "salvage", "help exec"):
        done = fallen.shmcov(*command.split())
        assert done.returncode == 1
        assert "nothing compiled is installed" in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
    done = fallen.shmcov("run", "--shm-wait=never", "main.py")
    assert done.returncode == 1
    assert "--shm-wait takes a number of seconds" in done.stderr


NOT_ON_WINDOWS = """
    import os, signal, sys
    for name in ("fcntl", "grp", "pwd", "readline", "resource", "termios", "_shmcov"):
        sys.modules[name] = None
    sys.modules["shmcov._merge"] = None
    for name in ("fork", "forkpty", "register_at_fork"):
        delattr(os, name)
    for name in ("SIGKILL", "SIGUSR1", "SIGHUP", "SIGPIPE", "pthread_sigmask"):
        delattr(signal, name)
"""

SPAWNS = """
    import multiprocessing, subprocess, sys
    import lib
    if __name__ == "__main__":
        lib.work("main")
        process = multiprocessing.get_context("spawn").Process(target=lib.work, args=("spawn",))
        process.start()
        process.join()
        subprocess.run([sys.executable, "child.py", "child"], check=True)
"""


@pytest.mark.parametrize(
    "command",
    [
        "coverage run --source=. main.py",
        "shmcov run --source=. main.py",
        "pytest -q -p no:cacheprovider --cov=. --cov-report= -n 2 test_it.py",
    ],
)
def test_what_windows_lacks_is_not_imported(fallen: Fallen, command: str) -> None:
    """In no process: they only spawn."""
    fallen.write("windows/sitecustomize.py", NOT_ON_WINDOWS)
    fallen.write("main.py", SPAWNS)
    fallen.write("child.py", CHILD)
    fallen.write(
        "test_it.py", "import runpy\ndef test(): runpy.run_path('main.py', {}, '__main__')"
    )
    done = fallen.python("-m", *command.split(), env={"PYTHONPATH": str(fallen.folder / "windows")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert TOLD in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert fallen.data_files() == [".coverage"]
    assert {3, 7, 13} <= {*fallen.lines("lib.py")}


def test_commands_without_what_windows_lacks(fallen: Fallen) -> None:
    fallen.write("windows/sitecustomize.py", NOT_ON_WINDOWS)
    for command, status in ("--help", 0), ("doctor", 1), ("completion bash", 0), ("status", 1):
        done = fallen.shmcov(*command.split(), env={"PYTHONPATH": str(fallen.folder / "windows")})
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr


def test_nothing_of_posix_is_needed(fallen: Fallen) -> None:
    """On what says that it is Windows."""
    done = fallen.python(
        "-c",
        "import os, signal, sys, tempfile, coverage.cmdline\n"
        "sys.modules.update(dict.fromkeys(['fcntl', 'grp', 'pwd', 'resource', 'termios']))\n"
        "del os.register_at_fork, os.fork, os.execv, signal.pthread_sigmask, signal.SIGUSR1\n"
        "sys.platform = 'win32'\n"
        "from shmcov.cli import main\n"
        "sys.exit(main(['run', 'lib.py']))\n",
    )
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert fallen.lines("lib.py") == [1]


# -- which wheel pip takes --


def chosen(wheels: Path, *options: str) -> str:
    options = (*options, f"--target={wheels}/target") if options else ()
    command = ["install", "-q", "--dry-run", "--ignore-installed", "--report=-", "--no-deps"]
    done = subprocess.run(
        [*PIP, *command, "--no-index", f"--find-links={wheels}", *options, "shmcov"],
        check=True,
        capture_output=True,
        text=True,
    )
    (found,) = json.loads(done.stdout)["install"]
    return Path(found["download_info"]["url"]).stem.partition("-")[2].partition("-")[2]


def test_which_wheel_pip_takes(wheel: Path, tmp_path: Path) -> None:
    """Their tags decide it, whatever is in them."""
    start = wheel.name.removesuffix("py3-none-any.whl")
    ours = f"{next(sys_tags())}"
    linux = "manylinux_2_28_x86_64"
    for tags in ("py3-none-any", ours, f"cp314-cp314-{linux}", f"cp314-cp314t-{linux}"):
        shutil.copy(wheel, tmp_path / f"{start}{tags}.whl")
    # On 3.14 another one fits as well.
    assert chosen(tmp_path) in (ours, f"cp314-cp314-{linux}", f"cp314-cp314t-{linux}")
    other = ("--only-binary=:all:", "--python-version")
    on = ("--platform", linux)
    assert chosen(tmp_path, *other, "3.14", *on, "--abi=cp314") == f"cp314-cp314-{linux}"
    assert chosen(tmp_path, *other, "3.14", *on, "--abi=cp314t") == f"cp314-cp314t-{linux}"
    for options in (
        ("3.16", *on),
        ("3.14", "--platform", "win_amd64"),
        ("3.11", *on, "--implementation", "pp"),
    ):
        assert chosen(tmp_path, *other, *options) == "py3-none-any"
