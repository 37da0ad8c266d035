/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target without a fuzzer (FUZZ_STANDALONE): a main() that runs it on the files in its
 * arguments, or for SEG_FUZZ_SECONDS (default 4) on random inputs from a fixed seed: a byte, and
 * up to eleven times FUZZ_STEP bytes.
 */
#ifndef FUZZ_STANDALONE_H
#define FUZZ_STANDALONE_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef FUZZ_STANDALONE

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void run_file(const char *name)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(name, "re");
    size_t n;

    if (file == NULL) {
        perror(name);
        exit(1);
    }
    n = fread(data, 1, sizeof data, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, n);
}

static void run_random(double seconds)
{
    uint64_t state = UINT64_C(88172645463325252);
    time_t end = time(NULL) + (time_t)seconds;
    unsigned long n = 0;

    for (; time(NULL) < end; n++) {
        static uint8_t data[1 + 11 * FUZZ_STEP];
        size_t size = 1 + FUZZ_STEP * (state % 12);
        unsigned zeros = state >> 32 & 3; /* of four bytes */

        for (size_t i = 0; i < size; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            data[i] = (state >> 32 & 3) < zeros ? 0 : (uint8_t)state;
        }
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%lu inputs\n", n);
}

int main(int argc, char **argv)
{
    const char *seconds = getenv("SEG_FUZZ_SECONDS");

    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    if (argc == 1)
        run_random(seconds == NULL ? 4 : atof(seconds));
    return 0;
}

#endif

#endif
