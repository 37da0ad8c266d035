/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two trees that grow at their right end: pages are filled from left to right, level by level, and
 * get their numbers in the order in which they are full, so the file is written from its beginning
 * to its end.
 *
 * A page of a tree, but for the root, must not be empty: a page that is full gives its last cell
 * away, upwards, when a further one comes, so whatever follows it has at least that one.
 */
#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define WAITING 64 /* pages that are written together */
#define VARINT_BYTES 9
#define NUMBER_BYTES 8
#define CELL_MORE 128                     /* than a page, which a cell never is as long as */
#define PENDING_BYTE UINT32_C(0x40000000) /* SQLite's locks: nothing may be on this page */

/* Of the file's header. */
#define AT_PAGE_SIZE 16
#define AT_RESERVED 20
#define AT_PAGES 28

enum { TABLE_LEAF = 13, TABLE_INNER = 5, INDEX_LEAF = 10, INDEX_INNER = 2 };

static void put16(uint8_t *to, uint32_t n)
{
    to[0] = (uint8_t)(n >> 8);
    to[1] = (uint8_t)n;
}

static void put32(uint8_t *to, uint32_t n)
{
    put16(to, n >> 16);
    put16(to + 2, n);
}

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static size_t put_varint(uint8_t *to, uint64_t n)
{
    uint8_t digits[VARINT_BYTES + 1];
    size_t len = 0;

    if (n < 128) {
        *to = (uint8_t)n;
        return 1;
    }
    if (n >> 56) {
        to[8] = (uint8_t)n;
        n >>= 8;
        for (int i = 7; i >= 0; i--, n >>= 7)
            to[i] = (uint8_t)(n | 128);
        return VARINT_BYTES;
    }
    for (; n; n >>= 7)
        digits[len++] = (uint8_t)(n & 127);
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(digits[len - 1 - i] | (i + 1 < len ? 128 : 0));
    return len;
}

/* The type of a number, and its length. */
static uint8_t number_type(int64_t n, unsigned *len)
{
    static const uint8_t lens[] = {1, 2, 3, 4, 6, 8};
    uint8_t type = 0;

    if (n == 0 || n == 1) {
        *len = 0;
        return (uint8_t)(8 + n);
    }
    while (type < 5 &&
           (n < -(INT64_C(1) << (8 * lens[type] - 1)) || n >= INT64_C(1) << (8 * lens[type] - 1)))
        type++;
    *len = lens[type];
    return (uint8_t)(type + 1);
}

/* -- pages -- */

static int write_all(struct merge_pages *pages, const uint8_t *bytes, size_t len, off_t at)
{
    while (len) {
        ssize_t n = pwrite(pages->place->fd, bytes, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return merge_place_fail(pages->place, pages->error, "its rows cannot be written",
                                    n ? errno : ENOSPC);
        bytes += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

static off_t offset_of(const struct merge_pages *pages, uint32_t page)
{
    return (off_t)(page - 1) * pages->size;
}

static int flush(struct merge_pages *pages)
{
    int status = write_all(pages, pages->waiting, (size_t)pages->waiting_n * pages->size,
                           offset_of(pages, pages->first));

    pages->waiting_n = 0;
    return status;
}

/* The first page from this one on that may have content. */
static uint32_t allowed(const struct merge_pages *pages, uint32_t page)
{
    return page == PENDING_BYTE / pages->size + 1 ? page + 1 : page;
}

static int put_page(struct merge_pages *pages, const uint8_t *page, uint32_t *number)
{
    int status = 0;

    *number = allowed(pages, pages->next);
    if (*number == UINT32_MAX)
        return merge_place_fail(pages->place, pages->error, "its rows cannot be written", EFBIG);
    if (pages->waiting_n == WAITING || *number != pages->first + pages->waiting_n)
        status = flush(pages);
    if (pages->waiting_n == 0)
        pages->first = *number;
    memcpy(pages->waiting + (size_t)pages->waiting_n++ * pages->size, page, pages->size);
    pages->next = *number + 1;
    return status;
}

/* -- trees -- */

static unsigned head_of(unsigned level)
{
    return level ? 12 : 8;
}

/* The page of a level with what is before its cells. */
static const uint8_t *with_head(const struct merge_pages *pages, const struct merge_tree *tree,
                                unsigned level, uint32_t right)
{
    struct merge_level *at = (struct merge_level *)&tree->levels[level];
    unsigned head = head_of(level), end = head + 2 * at->cells;

    at->page[0] =
        tree->index ? (level ? INDEX_INNER : INDEX_LEAF) : (level ? TABLE_INNER : TABLE_LEAF);
    put16(at->page + 1, 0);
    put16(at->page + 3, at->cells);
    put16(at->page + 5, at->start);
    at->page[7] = 0;
    if (level)
        put32(at->page + 8, right);
    memset(at->page + end, 0, at->start - end);
    at->cells = 0;
    at->start = pages->usable;
    return at->page;
}

static int begin_level(struct merge_pages *pages, struct merge_tree *tree)
{
    struct merge_level *level;

    if (tree->levels_n == MERGE_LEVELS)
        return merge_place_fail(pages->place, pages->error, "its rows cannot be written", EFBIG);
    level = &tree->levels[tree->levels_n];
    level->page = calloc(1, pages->size);
    if (!level->page)
        return merge_no_memory(pages->error);
    level->start = pages->usable;
    tree->levels_n++;
    return 0;
}

static int add_cell(struct merge_pages *pages, struct merge_tree *tree, unsigned level,
                    const uint8_t *cell, unsigned len);

/* Writes a page that is full, and tells the level above. */
static int end_page(struct merge_pages *pages, struct merge_tree *tree, unsigned level)
{
    struct merge_level *at = &tree->levels[level];
    uint8_t *up = malloc(pages->size + 4);
    unsigned len = 4;
    uint32_t right = 0, number;
    int status;

    if (!up)
        return merge_no_memory(pages->error);
    if (level == 0 && !tree->index) {
        len += (unsigned)put_varint(up + len, (uint64_t)tree->rowid);
    } else {
        unsigned child = level ? 4 : 0; /* its last cell goes up, but for the page it points to */

        memcpy(up + 4, at->page + at->start + child, at->last - child);
        len += at->last - child;
        right = get32(at->page + at->start);
        at->start += at->last;
        at->cells--;
    }
    status = put_page(pages, with_head(pages, tree, level, right), &number);
    put32(up, number);
    if (!status && level + 1 == tree->levels_n)
        status = begin_level(pages, tree);
    if (!status)
        status = add_cell(pages, tree, level + 1, up, len);
    free(up);
    return status;
}

static int add_cell(struct merge_pages *pages, struct merge_tree *tree, unsigned level,
                    const uint8_t *cell, unsigned len)
{
    struct merge_level *at = &tree->levels[level];

    if (head_of(level) + 2 * (at->cells + 1) + len > at->start) {
        int status = end_page(pages, tree, level);

        if (status)
            return status;
    }
    at->start -= len;
    at->last = len;
    memcpy(at->page + at->start, cell, len);
    put16(at->page + head_of(level) + 2 * at->cells, at->start);
    at->cells++;
    return 0;
}

static int end_tree(struct merge_pages *pages, struct merge_tree *tree)
{
    uint32_t right = 0;
    int status = 0;

    for (unsigned level = 0; !status && level + 1 < tree->levels_n; level++)
        status = put_page(pages, with_head(pages, tree, level, right), &right);
    if (status)
        return status;
    return write_all(pages, with_head(pages, tree, tree->levels_n - 1, right), pages->size,
                     offset_of(pages, tree->root));
}

/* -- rows -- */

int merge_pages_begin(struct merge_pages *pages, const struct merge_place *place, uint32_t table,
                      uint32_t index, unsigned columns, struct merge_error *error)
{
    uint8_t head[100];
    struct stat st;
    int status;

    *pages = (struct merge_pages){.place = place,
                                  .error = error,
                                  .columns = columns,
                                  .table = {.root = table},
                                  .index = {.root = index, .index = true}};
    if (fstat(place->fd, &st) || pread(place->fd, head, sizeof head, 0) != sizeof head)
        return merge_place_fail(place, error, "its rows cannot be written", errno);
    pages->size = (uint32_t)head[AT_PAGE_SIZE] << 8 | head[AT_PAGE_SIZE + 1];
    if (pages->size == 1)
        pages->size = UINT32_C(1) << 16;
    if (pages->size < 512 || head[AT_RESERVED] > 64 || st.st_size % pages->size ||
        st.st_size / pages->size != get32(head + AT_PAGES))
        return merge_place_fail(place, error, "SQLite has made another file than was expected",
                                EINVAL);
    pages->usable = pages->size - head[AT_RESERVED];
    pages->next = (uint32_t)(st.st_size / pages->size) + 1;
    pages->waiting = malloc((size_t)WAITING * pages->size);
    pages->cell = malloc(pages->size + CELL_MORE);
    if (!pages->waiting || !pages->cell)
        return merge_no_memory(error);
    status = begin_level(pages, &pages->table);
    return status ? status : begin_level(pages, &pages->index);
}

/* What does not fit into a page goes to a chain of pages. */
static int put_overflow(struct merge_pages *pages, const uint8_t *bytes, size_t len)
{
    size_t room = pages->usable - 4;
    uint8_t *page = calloc(1, pages->size);
    int status = 0;

    if (!page)
        return merge_no_memory(pages->error);
    while (!status && len) {
        size_t n = len < room ? len : room;
        uint32_t number;

        uint32_t here = allowed(pages, pages->next);

        put32(page, len > room ? allowed(pages, here + 1) : 0);
        memcpy(page + 4, bytes, n);
        memset(page + 4 + n, 0, room - n);
        status = put_page(pages, page, &number);
        bytes += n;
        len -= n;
    }
    free(page);
    return status;
}

/* How much of a payload a leaf of a table holds itself. */
static size_t local_part(const struct merge_pages *pages, size_t payload)
{
    size_t most = pages->usable - 35, least = (pages->usable - 12) * 32 / 255 - 23;
    size_t part = least + (payload - least) % (pages->usable - 4);

    if (payload <= most)
        return payload;
    return part <= most ? part : least;
}

static int add_row(struct merge_pages *pages, const uint8_t *types, const uint8_t *body,
                   size_t body_len, const void *bits, size_t len)
{
    uint8_t head[1 + MERGE_COLUMNS + VARINT_BYTES], *cell = pages->cell;
    size_t head_len = 1 + pages->columns, payload, here, at;
    int status = 0;

    memcpy(head + 1, types, pages->columns);
    if (bits)
        head_len += put_varint(head + head_len, 12 + 2 * (uint64_t)len);
    head[0] = (uint8_t)head_len;
    payload = head_len + body_len + len;
    here = local_part(pages, payload) - head_len - body_len; /* of the blob */
    at = put_varint(cell, payload);
    at += put_varint(cell + at, (uint64_t)pages->table.rowid + 1);
    memcpy(cell + at, head, head_len);
    at += head_len;
    memcpy(cell + at, body, body_len);
    at += body_len;
    if (bits && here)
        memcpy(cell + at, bits, here);
    at += here;
    if (bits && here < len) {
        put32(cell + at, allowed(pages, pages->next));
        at += 4;
        status = put_overflow(pages, (const uint8_t *)bits + here, len - here);
    }
    if (!status)
        status = add_cell(pages, &pages->table, 0, cell, (unsigned)at);
    pages->table.rowid++; /* end_page() has needed the one before */
    return status;
}

static int add_entry(struct merge_pages *pages, const uint8_t *types, const uint8_t *body,
                     size_t body_len)
{
    uint8_t cell[VARINT_BYTES + MERGE_COLUMNS + 2 + (MERGE_COLUMNS + 1) * NUMBER_BYTES];
    unsigned len, columns = pages->columns, at = 0;
    uint8_t type = number_type(pages->table.rowid, &len);

    cell[at++] = (uint8_t)(columns + 2 + body_len + len);
    cell[at++] = (uint8_t)(columns + 2);
    memcpy(cell + at, types, columns);
    at += columns;
    cell[at++] = type;
    memcpy(cell + at, body, body_len);
    at += (unsigned)body_len;
    for (unsigned i = len; i-- > 0;)
        cell[at++] = (uint8_t)((uint64_t)pages->table.rowid >> (8 * i));
    return add_cell(pages, &pages->index, 0, cell, at);
}

/* Does the row come after the last one? */
static bool rises(struct merge_pages *pages, const int64_t *numbers)
{
    for (unsigned i = 0; i < pages->columns; i++) {
        if (numbers[i] != pages->last[i])
            return numbers[i] > pages->last[i];
    }
    return pages->table.rowid == 0;
}

int merge_pages_add(struct merge_pages *pages, const int64_t *numbers, const void *bits, size_t len)
{
    uint8_t types[MERGE_COLUMNS], body[MERGE_COLUMNS * NUMBER_BYTES];
    size_t body_len = 0;
    int status;

    if (pages->table.rowid && !rises(pages, numbers))
        return merge_fail(pages->error, MERGE_ERR_DATA,
                          "Couldn't write data file '%s': the rows of the old data are there twice,"
                          " or out of order",
                          pages->place->real);
    for (unsigned i = 0; i < pages->columns; i++) {
        unsigned n;

        pages->last[i] = numbers[i];
        types[i] = number_type(numbers[i], &n);
        while (n-- > 0)
            body[body_len++] = (uint8_t)((uint64_t)numbers[i] >> (8 * n));
    }
    status = add_row(pages, types, body, body_len, bits, len);
    return status ? status : add_entry(pages, types, body, body_len);
}

int merge_pages_finish(struct merge_pages *pages)
{
    uint8_t count[4];
    int status = 0;

    if (pages->table.rowid == 0)
        return 0; /* both roots are empty pages already */
    if ((status = end_tree(pages, &pages->table)) || (status = end_tree(pages, &pages->index)) ||
        (status = flush(pages)))
        return status;
    put32(count, pages->next - 1);
    return write_all(pages, count, sizeof count, AT_PAGES);
}

void merge_pages_free(struct merge_pages *pages)
{
    for (unsigned i = 0; i < MERGE_LEVELS; i++) {
        free(pages->table.levels[i].page);
        free(pages->index.levels[i].page);
    }
    free(pages->waiting);
    free(pages->cell);
    *pages = (struct merge_pages){0};
}
