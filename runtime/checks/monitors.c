/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles where CPython's headers have the structures that monitors.c and sites.c write to. How
 * lines are kept is found out at run time.
 */
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>

#include <internal/pycore_instruments.h>
#include <opcode.h>

#define IS(expression, type) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(expression), type), #expression)

static _PyCoMonitoringData *data;
static PyCodeObject *code;

IS(code->_co_monitoring, _PyCoMonitoringData *);
IS(data->active_monitors.tools[0], uint8_t);
IS(data->tools, uint8_t *);
IS(data->line_tools, uint8_t *);
IS(data->per_instruction_opcodes, uint8_t *);
IS(data->per_instruction_tools, uint8_t *);
_Static_assert(sizeof data->lines == sizeof(void *), "lines");
_Static_assert(sizeof(_Py_CODEUNIT) == 2, "code unit");
_Static_assert(sizeof *code->co_code_adaptive == 1, "co_code_adaptive");
_Static_assert(sizeof code->_co_instrumentation_version <= sizeof(uint64_t), "version");

int main(void)
{
    return INSTRUMENTED_LINE + INSTRUMENTED_INSTRUCTION + MIN_INSTRUMENTED_OPCODE +
           BINARY_OP_INPLACE_ADD_UNICODE + PY_MONITORING_EVENT_LINE;
}
