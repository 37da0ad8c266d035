# SPDX-License-Identifier: Apache-2.0
#
# Each target does everything that it needs on a fresh Debian, system packages included. What it
# does stands elsewhere: CMake builds, pytest and ctest test, .ci/ has the matrix.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?= -n 2 --dist loadgroup -m "not real"
PACKAGES = gcc cmake ninja-build make pkg-config python3-dev python3-venv liburcu-dev \
	libsqlite3-dev libcriterion-dev valgrind strace
LINT_PACKAGES = clang clang-format clang-tidy
MODEL_PACKAGES = spin gcc
C_FILES = $(shell find shm merge runtime bench tests -name '*.[ch]')
# Of the tests what CMake compiles: not what a test compiles itself, or a sanitizer's build.
TIDY_FILES = $(wildcard shm/*.c merge/*.c runtime/ext/*.c bench/*.c tests/*/test_*.c tests/fuzz/*.c tests/torture/*.c)

# Only asks for root when something is missing.
define apt_install
	@missing=$$(dpkg-query -W -f '$${Status} $${Package}\n' $(1) 2>&1 | grep -v '^install ok installed' || true); \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
		export DEBIAN_FRONTEND=noninteractive; \
		$$sudo apt-get update -q && $$sudo apt-get install -q -y $(1); \
	fi
endef

.PHONY: demo wheels wheel-fallback macos test test-c test-python test-real test-matrix model fuzz-long bench bench-quick docs docs-links docs-test lint lint-python lint-c format clean packages lint-packages model-packages

demo: $(VENV)/installed
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" tests/demo/run.sh

# What is published: a wheel for each Python and C library that this machine can build for, each
# tried where nothing could be compiled. docs/packaging.md says more.
wheels: packages
	.ci/wheels

# All C compiled for macOS, which nobody has run it on.
macos: packages
	.ci/macos

test: test-c test-python

test-c: packages
	cmake --preset dev $(CMAKE_ARGS)
	cmake --build --preset dev
	ctest --preset dev --parallel 2

test-python: $(VENV)/installed
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python -m pytest $(PYTEST_ARGS)

# Published projects' own suites against coverage.py; asks the package index for them once.
test-real:
	$(MAKE) test-python PYTEST_ARGS="-m real"

# The tests under every version of Python that this machine has or can get: see .ci/interpreters.
test-matrix: packages
	.ci/run matrix

# Each protocol of the segment in all interleavings, and each way to break it.
model: model-packages
	tests/model/run

# An hour a target; .ci/run has half a minute.
fuzz-long: packages lint-packages
	tests/fuzz/run --keep

# bench writes results/ and RESULTS.md, in hours; bench-quick shows a part of it in ten minutes.
bench bench-quick: $(VENV)/installed
	$(VENV)/bin/python -m pip install -q '.[bench,peers]'
	cmake --preset release
	cmake --build --preset release
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python bench/run.py $(if $(filter bench-quick,$@),--quick)

# The site, in build/docs/html; warnings are errors. Links that lead out of it: docs-links.
docs: $(VENV)/docs
	$(VENV)/bin/sphinx-build -q -W --keep-going -j auto -d build/docs/doctrees docs build/docs/html
	$(VENV)/bin/sphinx-build -q -W --keep-going -d build/docs/doctrees -b linkcheck \
		-D linkcheck_ignore='https?://.*' docs build/docs/links

docs-links: $(VENV)/docs
	$(VENV)/bin/sphinx-build -q -W --keep-going -d build/docs/doctrees -b linkcheck docs build/docs/links

# All that README and the site tell to type, with the tools that they are about; asks the package
# index for those.
docs-test: $(VENV)/installed
	tests/docs/run_all $(VENV)/bin/python

# What pip takes where no compiled wheel fits: the Python package alone.
wheel-fallback: $(VENV)/bin/python
	$(VENV)/bin/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist \
		-C wheel.cmake=false -C wheel.py-api=py3 -C wheel.platlib=false .

lint: lint-python lint-c

lint-python: $(VENV)/lint
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/zizmor --quiet --offline .github
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

lint-c: packages lint-packages
	clang-format --dry-run -Werror $(C_FILES)
	cmake --preset dev $(CMAKE_ARGS)
	echo $(TIDY_FILES) | xargs -P $$(nproc) -n 8 clang-tidy --quiet -p build/dev --extra-arg=-Wno-unknown-warning-option

format: $(VENV)/lint lint-packages
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	clang-format -i $(C_FILES)
	clang-format -i $(C_FILES) # a comment that it broke settles the second time

clean:
	rm -rf build dist $(VENV)

packages:
	$(call apt_install,$(PACKAGES))

lint-packages:
	$(call apt_install,$(LINT_PACKAGES))

model-packages:
	$(call apt_install,$(MODEL_PACKAGES))

$(VENV)/bin/python: | packages
	$(PYTHON) -m venv $(VENV)

# Installed as a user would, so that what is tested is the wheel; again whenever a source changed.
$(VENV)/installed: pyproject.toml CMakeLists.txt docs/shmcov.1 $(shell find cmake shm merge runtime -type f -not -name '*.pyc') | packages $(VENV)/bin/python
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check '.[test,bench]'
	touch $@

$(VENV)/docs: pyproject.toml | $(VENV)/bin/python $(VENV)/installed
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check '.[docs]'
	touch $@

$(VENV)/lint: pyproject.toml | $(VENV)/bin/python $(VENV)/installed
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check '.[test,lint]'
	touch $@
