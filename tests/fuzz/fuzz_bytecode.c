/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed code: whatever the bytes of a code object are, there is a shape, whose units and lines
 * are within that code. An input is cut into the instructions, the line table and the exception
 * table: its first four bytes are flags, the first line, and the lengths of the latter two.
 */
#include <stdlib.h>
#include <string.h>

#include "bytecode.h"
#include "layout.h"

#define FUZZ_STEP 16
#include "standalone.h"

enum { FLAGS, FIRST_LINE, LINES, EXCEPTIONS, HEAD };

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_arcs(const struct rt_shape *shape)
{
    struct seg_arc arc;
    size_t at = 0;

    for (uint32_t i = 0; i < shape->n_arcs; i++) {
        require(shape->arcs_len - at >= sizeof arc);
        memcpy(&arc, shape->arcs + at, sizeof arc);
        at += sizeof arc;
        require(shape->arcs_len - at >= arc.trail * sizeof(int32_t));
        at += arc.trail * sizeof(int32_t);
    }
    require(at == shape->arcs_len);
}

static void check_arc(const struct rt_shape *shape, uint32_t arc)
{
    require(arc == RT_NO_ARC || arc < shape->n_arcs);
}

static void check(const struct rt_shape *shape)
{
    require(shape->first_unit <= shape->n_units);
    for (uint32_t i = 0; i < shape->n_lines; i++)
        require(shape->lines[i] > (i ? shape->lines[i - 1] : 0));
    for (uint32_t i = 0; i < shape->n_runs; i++)
        require(shape->runs[i].unit < shape->n_units &&
                (i == 0 || shape->runs[i].unit > shape->runs[i - 1].unit));
    check_arcs(shape);
    check_arc(shape, shape->entry_arc);
    check_arc(shape, shape->return_arc);
    for (uint32_t i = 0; i < shape->n_branches; i++) {
        const struct rt_branch *branch = &shape->branches[i];

        require(branch->unit < shape->n_units && (i == 0 || branch[0].unit >= branch[-1].unit));
        check_arc(shape, branch->near_arc);
        check_arc(shape, branch->far_arc);
    }
    for (uint32_t i = 0; i < shape->n_implied; i++) {
        const struct rt_implied *implied = &shape->implied[i];

        require(implied->unit < shape->n_units && implied->arc < shape->n_arcs &&
                (i == 0 || implied[0].unit >= implied[-1].unit));
    }
}

/* A copy of its size, so that AddressSanitizer sees a step beyond. */
static struct rt_bytes copy(const uint8_t *data, size_t len)
{
    uint8_t *bytes = malloc(len > 0 ? len : 1);

    if (len > 0)
        memcpy(bytes, data, len);
    return (struct rt_bytes){bytes, len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t nested[] = {2, 3, 3, 9};
    static const int first_lines[8] = {1, 2, 3, 9, 0, -3, INT32_MIN, INT32_MAX};
    struct rt_code_bytes in = {.nested = nested};
    struct rt_shape shape;
    size_t lines, exceptions;

    if (size < HEAD)
        return 0;
    size -= HEAD;
    lines = data[LINES] < size ? data[LINES] : size;
    exceptions = data[EXCEPTIONS] < size - lines ? data[EXCEPTIONS] : size - lines;
    in.first_line = first_lines[data[FIRST_LINE] % 8];
    in.generator = data[FLAGS] & 2;
    in.n_nested = data[FLAGS] >> 2 & 3;
    in.lines = copy(data + HEAD, lines);
    in.exceptions = copy(data + HEAD + lines, exceptions);
    in.code = copy(data + HEAD + lines + exceptions, size - lines - exceptions);
    require(rt_shape_make(&in, data[FLAGS] & 1, &shape) == 0);
    check(&shape);
    rt_shape_free(&shape);
    free((void *)in.lines.data);
    free((void *)in.exceptions.data);
    free((void *)in.code.data);
    return 0;
}
