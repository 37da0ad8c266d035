# SPDX-License-Identifier: Apache-2.0
#
# What has to be on this machine before anything can be built, checked before project() looks for a
# compiler: all that is missing is named at once, with the packages that bring it, by the first
# error that pip shows.

set(missing)

# need(have what debian fedora alpine): one more line of the message unless `have` is true.
function(need have what debian fedora alpine)
  if(NOT have)
    string(APPEND missing "\n  ${what}\n      Debian: ${debian}   Fedora: ${fedora}   Alpine: ${alpine}")
    set(missing "${missing}" PARENT_SCOPE)
  endif()
endfunction()

# CC may carry arguments.
set(compiler ${CMAKE_C_COMPILER})
if(NOT compiler)
  separate_arguments(compiler UNIX_COMMAND "$ENV{CC}")
endif()
if(compiler)
  list(GET compiler 0 compiler)
else()
  set(compiler cc gcc clang)
endif()
find_program(SHMCOV_COMPILER NAMES ${compiler})
mark_as_advanced(SHMCOV_COMPILER)
need("${SHMCOV_COMPILER}" "a C compiler" gcc gcc "gcc musl-dev")

set(free_threaded FALSE)
if(SHMCOV_RUNTIME)
  set(python ${Python_EXECUTABLE})
  if(NOT python)
    find_program(SHMCOV_PYTHON NAMES python3 python)
    mark_as_advanced(SHMCOV_PYTHON)
    set(python ${SHMCOV_PYTHON})
  endif()
  set(about)
  if(python)
    execute_process(
      COMMAND
        ${python} -c
        "import sysconfig as s, sys; print('%d.%d' % sys.version_info[:2], s.get_path('include'), int(bool(s.get_config_var('Py_GIL_DISABLED'))), sep=';')"
      OUTPUT_VARIABLE about
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  set(version 3)
  set(headers NOTFOUND)
  if(about)
    list(GET about 0 version)
    list(GET about 1 headers)
    list(GET about 2 free_threaded)
  endif()
  if(Python_INCLUDE_DIR) # of another machine than the interpreter's
    set(headers ${Python_INCLUDE_DIR})
  endif()
  if(NOT EXISTS "${headers}/Python.h")
    set(headers NOTFOUND)
  endif()
  need("${headers}" "the headers of Python ${version} (Python.h)" python3-dev python3-devel python3-dev)
endif()

if(SHMCOV_SQLITE STREQUAL "system" OR free_threaded)
  if(PKG_CONFIG_EXECUTABLE) # as CMake's own module looks for it
    set(SHMCOV_PKG_CONFIG ${PKG_CONFIG_EXECUTABLE})
  elseif(DEFINED ENV{PKG_CONFIG})
    set(SHMCOV_PKG_CONFIG $ENV{PKG_CONFIG})
  else()
    find_program(SHMCOV_PKG_CONFIG NAMES pkg-config pkgconf)
    mark_as_advanced(SHMCOV_PKG_CONFIG)
  endif()
  need("${SHMCOV_PKG_CONFIG}" "pkg-config" pkg-config pkgconf-pkg-config pkgconf)
endif()

# have_library(result module...): whether pkg-config knows them. Without it nobody can say, and it
# is named itself, along with what it would have been asked for.
function(have_library result)
  set(status 1)
  if(SHMCOV_PKG_CONFIG)
    execute_process(COMMAND ${SHMCOV_PKG_CONFIG} --exists ${ARGN} RESULT_VARIABLE status ERROR_QUIET)
  endif()
  if(status EQUAL 0)
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

if(SHMCOV_SQLITE STREQUAL "system")
  have_library(have_sqlite sqlite3)
  need(${have_sqlite} "SQLite with its headers" libsqlite3-dev sqlite-devel sqlite-dev)
elseif(NOT EXISTS "${SHMCOV_SQLITE}/sqlite3.c")
  message(FATAL_ERROR "SHMCOV_SQLITE is '${SHMCOV_SQLITE}', which has no sqlite3.c: give the folder "
                      "of SQLite's amalgamation (.ci/sqlite makes it), or 'system'")
endif()
if(free_threaded)
  have_library(have_urcu liburcu-bp liburcu-cds)
  need(${have_urcu} "liburcu, for a free-threaded Python" liburcu-dev userspace-rcu-devel userspace-rcu-dev)
endif()

if(missing)
  message(FATAL_ERROR "shmcov is compiled here, and this is missing:${missing}\n"
                      "Install it and try again.")
endif()
