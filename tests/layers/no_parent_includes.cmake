# SPDX-License-Identifier: Apache-2.0
#
# Fails if a C file under one of the given folders includes a header by a path: layers are kept
# apart by include paths, and "../merge/merge.h" or an absolute path would walk around them.
#
#   cmake -P no_parent_includes.cmake FOLDER...

math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE 3 ${last})
  file(GLOB_RECURSE files ${CMAKE_ARGV${i}}/*.c ${CMAKE_ARGV${i}}/*.h)
  foreach(file IN LISTS files)
    file(STRINGS ${file} found REGEX "^[ \t]*#[ \t]*include[ \t]*[\"<](\\.\\./|\\./|/)")
    if(found)
      message(FATAL_ERROR "${file}: an include must not leave its layer: ${found}")
    endif()
  endforeach()
endforeach()
