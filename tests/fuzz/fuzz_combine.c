/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged data files as inputs of combine. An input is a list of changes to a good data file; the
 * first byte chooses between lines and branches, and how little memory there is. Nothing may crash,
 * and what is written must be a sound database.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/datafile.h"
#include "combine.h"
#include "require.h"

struct change {
    uint8_t width; /* bytes: 1 << width % 4 */
    uint8_t place[3];
    uint8_t value[8];
};

#define CHANGE sizeof(struct change)
#include "changes.h"
#define FUZZ_STEP CHANGE
#include "standalone.h"

#define MOST (UINT32_C(256) << 10)

static uint8_t *good[2];
static size_t good_len[2];
static char folder[64], target[96], input[96], whole[2][96];

static void clean_up(void)
{
    unlink(target);
    unlink(input);
    unlink(whole[0]);
    unlink(whole[1]);
    rmdir(folder);
}

static void make(int branch)
{
    static const char sql[] =
        "pragma page_size = 1024;" DATAFILE_SCHEMA
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 40)"
        " insert into file select i, '/src/' || i || '.py' from n;"
        "insert into context select id, 'test ' || id from file where id < 7;"
        "insert into tracer values (3, 'a.plugin'), (4, 'a.plugin');";
    static const char lines[] = "insert into meta values ('has_arcs', '0');"
                                "insert into line_bits select f.id, c.id, randomblob(f.id * c.id % "
                                "30) from context c, file f;"
                                "insert into line_bits values (50, 1, zeroblob(3000))";
    static const char arcs[] =
        "insert into meta values ('has_arcs', '1');"
        "insert into arc select f.id, c.id, c.id * f.id, -f.id from context c, file f;"
        "insert into arc select f.id, c.id, f.id, f.id + 300 from context c, file f";
    const char *why;
    FILE *file;

    snprintf(whole[branch], sizeof whole[branch], "%s/good%d", folder, branch);
    why = datafile_run(whole[branch], sql);
    require(why == NULL, why);
    why = datafile_run(whole[branch], branch ? arcs : lines);
    require(why == NULL, why);
    good[branch] = malloc(MOST);
    file = fopen(whole[branch], "re");
    require(good[branch] && file, "no copy of the data file");
    good_len[branch] = fread(good[branch], 1, MOST, file);
    require(good_len[branch] > 0 && good_len[branch] < MOST, "no copy of the data file");
    fclose(file);
}

static void set_up(void)
{
    require(datafile_folder(folder, sizeof folder), "no folder");
    snprintf(target, sizeof target, "%s/.coverage", folder);
    snprintf(input, sizeof input, "%s/input", folder);
    make(0);
    make(1);
    atexit(clean_up);
}

static void write_input(const uint8_t *data, size_t size)
{
    static uint8_t bytes[MOST];
    int branch = data[0] & 1;
    size_t len = good_len[branch];
    FILE *file = fopen(input, "we");

    memcpy(bytes, good[branch], len);
    for (size_t at = 1; size - at >= CHANGE; at += CHANGE) {
        struct change change;
        size_t width, place;

        memcpy(&change, data + at, CHANGE);
        width = (size_t)1 << change.width % 4;
        place = (change.place[0] | (size_t)change.place[1] << 8 | (size_t)change.place[2] << 16) %
                (len - width);
        memcpy(bytes + place, change.value, width);
    }
    require(file && fwrite(bytes, 1, len, file) == len, "no input");
    fclose(file);
}

/* False: it is refused. */
static bool add(struct merge_combine *c, const char *path)
{
    struct merge_error error;
    const char **names;
    int status = merge_combine_open(c, path, &error);

    if (status)
        return false;
    names = malloc((merge_combine_files(c) + 1) * sizeof *names);
    require(names != NULL, "no memory");
    for (size_t i = 0; i < merge_combine_files(c); i++)
        names[i] = merge_combine_file(c, i);
    status = merge_combine_add(c, names, &error);
    free(names);
    return status == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct merge_combine_options options = {.target = target, .version = "7.0", .readers = 2};
    struct merge_combine_counts counts;
    struct merge_combine *c;
    struct merge_error error;
    bool written;

    if (!ready)
        set_up();
    ready = true;
    if (size == 0)
        return 0;
    options.memory = data[0] & 2 ? 2000 : UINT32_C(1) << 20;
    write_input(data, size);
    require(merge_combine_begin(&options, &c, &error) == 0, error.text);
    written = add(c, input) && add(c, whole[data[0] & 1]) &&
              merge_combine_finish(c, NULL, NULL, &counts, &error) == 0;
    merge_combine_free(c); /* which has the file locked */
    if (written)
        require(datafile_sound(target), "what was written is no sound database");
    return 0;
}
