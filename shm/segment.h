/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer's side of a segment: create it, attach to it, and put hits into it.
 *
 * Guarantees
 *   - Every function may run in any number of processes and threads at once, on the same segment.
 *     None takes a lock in the segment, and none waits for another process.
 *   - A process may be killed between any two instructions of them. What it leaves behind is
 *     complete, or cannot be reached; at most the piece that it was building is leaked.
 *   - Nothing here raises a signal when memory runs out: a page is backed before it is written.
 *   - An entry that a function returns is complete (acquire; pairs with the release in table.c).
 *   - After seg_create or seg_attach no descriptor is open, except the one seg_create returns.
 *
 * Functions return 0 or a negative enum seg_status, which seg_strstatus puts into words. The errors
 * of the hit path (room, mapping) are counted in the segment as well, to be reported when the run
 * is over.
 */
#ifndef SEG_SEGMENT_H
#define SEG_SEGMENT_H

#include "layout.h"

enum seg_status {
    SEG_OK = 0,
    SEG_ERR_SYSTEM = -1,  /* a system call failed; errno says why */
    SEG_ERR_ACCESS = -2,  /* not a plain file of this user with mode 0600 and one link */
    SEG_ERR_FOREIGN = -3, /* not a segment: too short, or another magic or byte order */
    SEG_ERR_VERSION = -4, /* a segment of another version of shmcov */
    SEG_ERR_DAMAGED = -5, /* a segment whose fields contradict each other */
    SEG_ERR_SPACE = -6,   /* no room: the segment, the file system or a limit is full */
    SEG_ERR_MAP = -7,     /* a window could not be mapped */
    SEG_ERR_LIMIT = -8,   /* a line, file or context number that a key cannot hold */
    SEG_ERR_NOMEM = -9,
};

/* The status in words, without its subject: "No room is left in the segment". */
const char *seg_strstatus(int status);

/* A mapped segment. One a process is usual; the handle itself may be shared by threads and is
 * inherited by fork. While threads may be inside it is not freed (seg_discard). */
typedef struct seg seg_t;

/* -- folders -- */

/* Segments lie in one of these folders, in files whose names begin with SEG_NAME_PREFIX. */
#define SEG_NAME_PREFIX "run-"

/* Writes the folder of segments number `which` of this effective user into buf. On Linux: 0 is
 * /dev/shm/shmcov-UID (memory), 1 /tmp/shmcov-UID, 2 /var/tmp/shmcov-UID; 3 to 5 are the same with
 * ".open" behind, for segments that admit other users. SEG_ERR_LIMIT: no such number. */
int seg_folder_name(unsigned which, char *buf, size_t size);

/* Makes sure that the folder exists, is not a link, is the effective user's and has that mode. */
#define SEG_FOLDER_PRIVATE 0700
#define SEG_FOLDER_OPEN 0711 /* others pass through, and cannot list it */
int seg_folder_make(const char *path, unsigned mode);

/* -- create and attach -- */

struct seg_plan {
    uint32_t flags;     /* SEG_FLAG_* */
    const void *rules;  /* struct seg_rule sequence */
    size_t rules_len;   /* bytes */
    const char *folder; /* where; NULL: chosen as docs/segment.md says */
    uint64_t size;      /* bytes; 0: chosen from what is free */
};

/* Creates a segment with an unguessable name and mode 0600, or SEG_MODE_SHARED with
 * SEG_FLAG_OTHERS. On success *path (malloc) is its name
 * and *fd a descriptor (close-on-exec) that goes on working whatever happens to the name. */
int seg_create(const struct seg_plan *plan, seg_t **out, char **path, int *fd);

/* Removes the name of a segment, and the folder with it if it was the last one there. */
int seg_remove(const char *path);

/* Other users may read and write a segment of this mode, and of no other. */
#define SEG_MODE_SHARED 0666

/* The name of a segment, as SHMCOV_SEGMENT holds it, is its path. Where other users are admitted,
 * it begins with the user to whom the segment has to belong: "shared-by:UID:/path". */
#define SEG_SHARED_BY "shared-by:"

/* The path in a name. *owner: the user that it names, or SEG_NOT_SHARED. */
#define SEG_NOT_SHARED UINT32_MAX
const char *seg_path_of(const char *name, uint32_t *owner);

/* Maps the segment of that name, after all the checks of docs/segment.md ("Access"). */
int seg_attach(const char *name, seg_t **out);

/* Attaches to a live segment of this user in whose process table an ancestor of this process
 * stands (same pid namespace, same start time). SEG_ERR_FOREIGN: there is none, which is the
 * usual case. *path (malloc) is the name of the segment that was found. */
int seg_adopt(seg_t **out, char **path);

/* Unmaps a segment and frees its handle. Nobody may be using either, in any thread. */
void seg_discard(seg_t *seg);

/* The creator of the segment: in *alive, whether it lives. */
uint32_t seg_supervisor(const seg_t *seg, bool *alive);

uint32_t seg_flags(const seg_t *seg);

/* May other users write into it? By its mode, not by its header, which they may write to. */
bool seg_is_shared(const seg_t *seg);
const char *seg_path(const seg_t *seg);

/* Where the header is mapped. */
const void *seg_address(const seg_t *seg);

/* The rules of the plan in the segment: *len bytes. The pointer stays valid. */
const struct seg_rule *seg_rules(const seg_t *seg, size_t *len);

/* -- processes -- */

/* Takes a new row of the process table for the calling process. */
int seg_process_enter(seg_t *seg, uint32_t interpreter, bool forked, struct seg_process **row);

/* Says in the row that the process ends or execs. Nothing depends on it. */
void seg_process_leave(struct seg_process *row, enum seg_process_state state);

/* Is the process alive that a process row or the header names by (pid, start, ns)? */
enum seg_life {
    SEG_LIFE_ENDED,
    SEG_LIFE_ALIVE,
    SEG_LIFE_UNKNOWN, /* another pid namespace, or a system without /proc: not to be waited for */
};
enum seg_life seg_life(uint32_t pid, uint64_t start, uint64_t ns);

/* Must run in the child of a fork before the child records anything: drops the extent that the
 * parent goes on filling. (A missed call costs nothing but room: records are claimed by CAS.) */
void seg_after_fork(seg_t *seg);

/* -- the intern table -- */

/* Finds or makes the entry of (kind, key). A new entry gets a copy of the value (NULL: zeros).
 * All callers in all processes get the same entry: a new one is pushed only on the chain that was
 * searched, by CAS, and the search goes on where another one came first. */
int seg_intern(seg_t *seg, enum seg_kind kind, const void *key, size_t key_len, const void *value,
               size_t value_len, struct seg_entry **out);

/* Finds the entry of (kind, key), or NULL. */
struct seg_entry *seg_find(seg_t *seg, enum seg_kind kind, const void *key, size_t key_len);

static inline void *seg_entry_value(struct seg_entry *entry)
{
    return entry + 1;
}

static inline const uint8_t *seg_entry_key(const struct seg_entry *entry)
{
    return (const uint8_t *)(entry + 1) + ((entry->value_len + 7u) & ~UINT32_C(7));
}

/* The entry of the file with this canonical path; its value is a struct seg_file. */
int seg_file(seg_t *seg, const char *path, size_t len, struct seg_entry **out);

/* The dense id of a dynamic context. */
int seg_context(seg_t *seg, const char *name, size_t len, uint32_t *id);

/* Says that the file is one of a file tracer plug-in. */
int seg_tracer(seg_t *seg, const struct seg_entry *file, const char *name, size_t len);

/* Finds or makes the record of a code object's arcs. `content` is a struct seg_code_key and all of
 * its arcs; *first becomes the bit of the first one in SEG_ARCS of that file. */
int seg_code(seg_t *seg, struct seg_entry *file, const void *content, size_t len, uint32_t *first);

/* The entry at an offset that came from the segment itself (struct seg_decision.entry). */
struct seg_entry *seg_entry_at(seg_t *seg, uint64_t offset);
uint64_t seg_entry_offset(const seg_t *seg, const struct seg_entry *entry);

/* -- hits -- */

/* The chunk (SEG_CHUNK_BITS bits) number `chunk` of a file in the static context: found or made. */
int seg_chunk(seg_t *seg, struct seg_entry *file, enum seg_space space, uint32_t chunk,
              seg_u8 **bits);

/* A new record (SEG_RECORD_BITS bits) for (context, space, file id, record number). */
int seg_record(seg_t *seg, uint32_t context, enum seg_space space, uint32_t file, uint32_t number,
               seg_u8 **bits);

/* Counts what could not be recorded. */
void seg_lose(seg_t *seg, enum seg_lost what, uint64_t n);

#endif
