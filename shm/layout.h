/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every byte of a segment.
 *
 * This is the only file that knows where something lies in a segment. It holds types and
 * constants, no code. docs/segment.md says the same in words.
 *
 *   offset
 *   0        +------------------------------+
 *            | struct seg_header (4096)     |  identity, counters, list heads
 *   4096     +------------------------------+
 *            | buckets: u64[SEG_BUCKETS]    |  heads of the chains of the one intern table
 *   266240   +------------------------------+
 *            | arena                        |  bump-allocated, 64-byte aligned pieces:
 *            |   the plan (rules)           |    written once by the creator, before publication
 *            |   entries (files, contexts,  |    pushed on a bucket's chain, never removed
 *            |     code objects, decisions, |
 *            |     packages, tracers)       |
 *            |   chunks, chunk directories  |    hits of the static context
 *            |   extents of hit records     |    hits of dynamic contexts
 *            |   process rows               |    pushed on one list, never removed
 *            +------------------------------+  header.bump
 *            | holes                        |  the file is sparse
 *            +------------------------------+  header.size
 *
 * An offset is a byte count from the start of the file; 0 means "none". There are no pointers.
 * A piece never crosses the border of a window (SEG_WINDOW_*), so it lies in one mapping.
 * All integers have the byte order of the machine that wrote the segment; bitmaps are bytes:
 * bit n % 8 of byte n / 8 stands for number n, which is coverage.py's "numbits".
 */
#ifndef SEG_LAYOUT_H
#define SEG_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "atomic.h"

/* Identity. A reader compares all four before it looks at anything else.
 *
 * SEG_VERSION says what the bytes mean. It goes up with every change that a reader of the old
 * number would misread; there is no promise between numbers, because a segment lives as long as
 * one run. SEG_FINGERPRINT catches a forgotten bump: it is made of the sizes below. */
#define SEG_MAGIC UINT64_C(0x00766f636d687331) /* "1shmcov\0" on a little-endian machine */
#define SEG_VERSION UINT32_C(4)
#define SEG_ENDIAN UINT32_C(0x01020304)

/* Windows of the mapping: the first is SEG_WINDOW bytes, each next one doubles the mapped size. */
#define SEG_WINDOW_SHIFT 24
#define SEG_WINDOW (UINT64_C(1) << SEG_WINDOW_SHIFT)
#define SEG_WINDOWS 20
#define SEG_SIZE_MAX (SEG_WINDOW << (SEG_WINDOWS - 1)) /* 8 TiB */

#define SEG_ALIGN 64
#define SEG_BUCKETS 32768u /* power of two */

/* Losses (seg_header.lost), each counted in the unit that its comment names. */
enum seg_lost {
    SEG_LOST_SPACE,  /* pieces that found no room: chunks, records, entries */
    SEG_LOST_MAP,    /* windows that could not be mapped (RLIMIT_AS, out of memory) */
    SEG_LOST_LIMIT,  /* lines, files or contexts beyond what a key can name */
    SEG_LOST_TRACER, /* code objects that a tracer could not arm or analyse */
    SEG_LOST_ATTACH, /* processes whose tracer could not start after the header was mapped */
    SEG_LOST_PLUGIN, /* processes that could not load the file tracers */
    SEG_LOST_USER,   /* processes of another user that may not open the segment */
    SEG_LOST_KINDS
};

/* seg_header.flags, set by the creator and never changed. */
#define SEG_FLAG_BRANCH UINT32_C(1)        /* arcs are recorded too */
#define SEG_FLAG_TEST_FUNCTION UINT32_C(2) /* dynamic_context = test_function */
#define SEG_FLAG_CONTEXTS UINT32_C(8)      /* something will switch contexts */
#define SEG_FLAG_NO_ADOPT UINT32_C(4)      /* children without SHMCOV_SEGMENT do not join */
#define SEG_FLAG_OWNED UINT32_C(16)        /* the creator is measured itself, and writes the data */
#define SEG_FLAG_QUALNAME UINT32_C(64)     /* test functions without self are named too */
#define SEG_FLAG_KEPT UINT32_C(128)        /* a keeper delivers, whatever the creator becomes */
#define SEG_FLAG_OTHERS UINT32_C(256)      /* other users that know its name take part */
#define SEG_FLAG_COMMAND UINT32_C(512)     /* its maker started no Python: its children take part */
#define SEG_FLAG_HOLD UINT32_C(32)         /* gateways of execnet attach paused */

struct seg_header {
    /* -- identity: offsets of these never change, whatever the version -- */
    uint64_t magic;
    uint32_t version;
    uint32_t endian;
    uint64_t fingerprint;
    uint64_t size; /* of the file, bytes; set once */
    /* -- written by the creator before the segment has a name -- */
    uint32_t flags;
    uint32_t uid;
    uint64_t plan;           /* offset of the plan, a sequence of struct seg_rule */
    uint64_t plan_len;       /* bytes */
    uint64_t created;        /* seconds since the epoch */
    uint32_t supervisor_pid; /* with the two below: the creator, as in struct seg_process */
    uint32_t reserved0;
    uint64_t supervisor_start;
    uint64_t supervisor_ns;
    uint8_t reserved1[40];
    /* -- words that many processes write; a cache line each -- */
    seg_u64 bump; /* first byte not yet given out */
    uint8_t pad0[56];
    seg_u64 backed; /* bytes below are backed by pages: a store cannot fault */
    uint8_t pad1[56];
    seg_u64 processes; /* newest struct seg_process */
    seg_u64 extents;   /* newest struct seg_extent */
    uint8_t pad2[48];
    seg_u32 next_id[8]; /* last dense id given out, by enum seg_kind */
    uint8_t pad3[32];
    seg_u64 lost[8]; /* by enum seg_lost */
    /* -- written by whoever delivers, under an flock of the file: shm/delivery.h -- */
    seg_u64 delivered;    /* hits in the data file, plus one; 0: it was never delivered */
    seg_u64 delivered_to; /* the data file after that: seg_delivery_target */
    uint8_t reserved2[4096 - 464];
};
_Static_assert(sizeof(struct seg_header) == 4096, "the header is one page");
_Static_assert(offsetof(struct seg_header, size) == 24, "identity stays where it is");
_Static_assert(offsetof(struct seg_header, bump) == 128, "shared words begin on a cache line");
_Static_assert(offsetof(struct seg_header, processes) == 256, "a cache line each");
_Static_assert(offsetof(struct seg_header, next_id) == 320, "a cache line each");
_Static_assert(offsetof(struct seg_header, lost) == 384, "a cache line each");
_Static_assert(offsetof(struct seg_header, delivered) == 448, "a cache line each");
_Static_assert(SEG_LOST_KINDS <= 8, "room for the counters");

#define SEG_BUCKETS_OFF ((uint64_t)sizeof(struct seg_header))
#define SEG_ARENA_OFF (SEG_BUCKETS_OFF + (uint64_t)SEG_BUCKETS * 8)
_Static_assert(SEG_ARENA_OFF == 266240, "the diagram above");
_Static_assert(SEG_ARENA_OFF % SEG_ALIGN == 0, "the arena is aligned");

/* -- the plan: what to measure, written by the supervisor, applied by runtime -- */

enum seg_rule_kind {
    SEG_RULE_SOURCE_DIR = 1,   /* absolute canonical folder or file: measure what is below */
    SEG_RULE_SOURCE_PKG,       /* module name: measure it and what is below its dots */
    SEG_RULE_INCLUDE,          /* glob */
    SEG_RULE_OMIT,             /* glob */
    SEG_RULE_STDLIB_DIR,       /* absolute canonical folder of the standard library */
    SEG_RULE_THIRD_DIR,        /* absolute canonical folder of third-party packages */
    SEG_RULE_THIRD_SOURCE,     /* a source folder that lies in third-party code: measured even so */
    SEG_RULE_NEVER_DIR,        /* coverage.py's own folder, ours: never measured */
    SEG_RULE_COVER_PYLIB,      /* no text: measure the standard library too */
    SEG_RULE_CONTEXT,          /* the static context */
    SEG_RULE_SOURCE_PKG_THIRD, /* module name: measured even where it lies in third-party folders */
    SEG_RULE_VENV_THIRD,   /* no text: sys.path entries in virtual environments are third-party */
    SEG_RULE_FILE_TRACERS, /* what processes load coverage.py's file tracer plug-ins from: JSON */
    SEG_RULE_OWNER,        /* what the run measures and where its data goes, as a digest */
    /* For people who find a segment; nobody writes to what they name: */
    SEG_RULE_COMMAND,   /* the command line of the run */
    SEG_RULE_FOLDER,    /* where it was started */
    SEG_RULE_DATA_FILE, /* where its data was to go */
    SEG_RULE_KINDS
};

struct seg_rule {
    uint32_t kind;
    uint32_t len; /* bytes of text; the next rule begins at the next multiple of 8 */
    /* uint8_t text[len], no terminating zero */
};
_Static_assert(sizeof(struct seg_rule) == 8, "rules stay 8-byte aligned");

/* -- the intern table: one chain a bucket, entries are immutable but for struct seg_file -- */

enum seg_kind {
    SEG_KIND_FILE = 1,     /* key: canonical path */
    SEG_KIND_CONTEXT = 2,  /* key: name of a dynamic context, UTF-8, without the static part */
    SEG_KIND_CODE = 3,     /* key: struct seg_code_key and the arcs behind it */
    SEG_KIND_DECISION = 4, /* key: co_filename \0 __file__ \0 __name__; value: seg_decision */
    SEG_KIND_PACKAGE = 5,  /* key: module name \0 folder or file of a matched source package */
    SEG_KIND_TRACER = 6,   /* key: struct seg_tracer_key and the name of a file tracer plug-in */
    SEG_KIND_NAME = 7,     /* key: what a person calls a process, UTF-8 */
    SEG_KINDS
};
_Static_assert(SEG_KINDS <= 8, "room for next_id");

struct seg_entry {
    uint64_t next; /* older entry of the same bucket */
    uint64_t hash; /* of kind and key */
    uint32_t kind;
    uint32_t id; /* dense within its kind, from 1; a lost race leaves a gap */
    uint32_t key_len;
    uint32_t value_len;
    /* value (value_len, padded to 8), then key (key_len) */
};
_Static_assert(sizeof(struct seg_entry) == 32, "value follows, 8-byte aligned");

/* -- hits of the static context: chunks of 512 bits, one cache line -- */

#define SEG_CHUNK_SHIFT 9
#define SEG_CHUNK_BITS (1u << SEG_CHUNK_SHIFT)
#define SEG_CHUNK_BYTES (SEG_CHUNK_BITS / 8)
_Static_assert(SEG_CHUNK_BYTES == SEG_ALIGN, "a chunk is a cache line");

/* A growing array of chunk offsets. Slot i < 8 is inline; level k of `more` is a directory of
 * 8 << k slots for slots 8 << k up to (16 << k) - 1. Each word goes once from 0 to an offset. */
#define SEG_DIR_INLINE 8u
#define SEG_DIR_LEVELS 16u
#define SEG_DIR_SLOTS (SEG_DIR_INLINE << SEG_DIR_LEVELS)

struct seg_dir {
    seg_u64 slot[SEG_DIR_INLINE];
    seg_u64 more[SEG_DIR_LEVELS];
};
_Static_assert(sizeof(struct seg_dir) == 192, "three cache lines");

/* What a bit stands for. */
enum seg_space {
    SEG_LINES = 0, /* bit n: line n ran */
    SEG_ARCS = 1,  /* bit n: arc n of the file was taken; SEG_KIND_CODE says which arc it is */
    SEG_SPACES
};

/* Value of SEG_KIND_FILE. */
struct seg_file {
    struct seg_dir hits[SEG_SPACES];
    seg_u32 next_arc; /* arc bits given out so far */
    seg_u32 lossy;    /* not 0: something of this file could not be recorded */
};
_Static_assert(sizeof(struct seg_file) == 392, "two directories and two words");

/* Key of SEG_KIND_CODE: the arcs of one code object, or one arc that was only seen at run time.
 * Equal content has one entry, so all processes share its bits. */
struct seg_code_key {
    uint32_t file; /* id */
    uint32_t n;    /* arcs */
    /* n times: struct seg_arc and its trail */
};

/* Value of SEG_KIND_CODE. */
struct seg_code {
    uint32_t first; /* bit of the first arc in SEG_ARCS of the file; the others follow */
    uint32_t reserved;
};

enum seg_arc_kind {
    SEG_ARC_TRAIL = 0, /* goes to the first line of the trail that is another logical line */
    SEG_ARC_EXACT = 1, /* goes to trail[0] */
    SEG_ARC_LINES = 2, /* goes to trail[0]; its bit is never set: taken if both lines ran */
};

/* One arc. Its trail is the physical lines from its destination to the next branch, return or
 * raise; -l, always the last, is the exit of the code object whose first line is l. */
struct seg_arc {
    int32_t from;   /* physical line; -l: the entry of the code object whose first line is l */
    uint16_t kind;  /* enum seg_arc_kind */
    uint16_t trail; /* numbers that follow, int32_t each */
};
_Static_assert(sizeof(struct seg_arc) == 8, "trails stay 4-byte aligned");

/* Key of SEG_KIND_TRACER: the file belongs to the file tracer plug-in whose name follows.
 * Of several entries of one file the one with the lowest id counts. */
struct seg_tracer_key {
    uint32_t file; /* id */
    /* uint8_t name[], UTF-8, no terminating zero, at most SEG_TRACER_NAME_MAX */
};
#define SEG_TRACER_NAME_MAX 1024u

/* The SEG_KIND_DECISION entry with this key, which no file has: code of a __main__ has begun. */
#define SEG_MAIN_BEGAN "\0\0__main__"

/* SEG_KIND_DECISION entries that begin with this key and its zero, which no file has: the UTF-8
 * text that follows is for whoever reads what the run says at its end. */
#define SEG_NOTE "\0\0note"

/* Value of SEG_KIND_DECISION. */
struct seg_decision {
    uint32_t file; /* id of the file entry; 0: not measured */
    uint32_t reserved;
    uint64_t entry; /* offset of the file entry; 0: not measured */
};

/* -- hits of dynamic contexts: records in append-only extents -- */

#define SEG_RECORD_SHIFT 7
#define SEG_RECORD_BITS (1u << SEG_RECORD_SHIFT)
#define SEG_RECORD_BYTES (SEG_RECORD_BITS / 8)

/* A key of 64 bits: context 22, space 1, file 20, record number within the file 21. Never 0,
 * because the ids begin at 1. Several records may have the same key; readers unite them. */
#define SEG_KEY_CHUNK_BITS 21
#define SEG_KEY_FILE_BITS 20
#define SEG_KEY_SPACE_BITS 1
#define SEG_KEY_CONTEXT_BITS 22
#define SEG_KEY_FILE_SHIFT SEG_KEY_CHUNK_BITS
#define SEG_KEY_SPACE_SHIFT (SEG_KEY_FILE_SHIFT + SEG_KEY_FILE_BITS)
#define SEG_KEY_CONTEXT_SHIFT (SEG_KEY_SPACE_SHIFT + SEG_KEY_SPACE_BITS)
_Static_assert(SEG_KEY_CHUNK_BITS + SEG_KEY_FILE_BITS + SEG_KEY_SPACE_BITS + SEG_KEY_CONTEXT_BITS ==
                   64,
               "a key is a word");

struct seg_record {
    seg_u64 key; /* 0: free */
    seg_u8 bits[SEG_RECORD_BYTES];
};
_Static_assert(sizeof(struct seg_record) == 24, "key and 128 bits");

#define SEG_EXTENT_MIN 256u
#define SEG_EXTENT_MAX 16384u

struct seg_extent {
    uint64_t next; /* older extent */
    uint32_t n;    /* records that fit */
    uint32_t reserved;
    /* struct seg_record[n] */
};
_Static_assert(sizeof(struct seg_extent) == 16, "records follow, 8-byte aligned");
_Static_assert(sizeof(struct seg_extent) + 10 * sizeof(struct seg_record) == SEG_EXTENT_MIN,
               "the smallest extent holds ten records");

/* -- processes -- */

/* seg_process.now: the context that the process was switched to last, 0 for none, and since when:
 * for a phase of a test, when the test began. The time is CLOCK_MONOTONIC, which all processes of a
 * machine share and nobody sets: 32 bits of seconds and 10 bits that count 2^20 ns (0 to 953). One
 * word, so a reader sees both or neither. */
#define SEG_NOW_NS_SHIFT 20
#define SEG_NOW_NS_BITS 10
#define SEG_NOW_TIME_BITS 42
#define SEG_NOW_TIME ((UINT64_C(1) << SEG_NOW_TIME_BITS) - 1)
_Static_assert(SEG_NOW_TIME_BITS + SEG_KEY_CONTEXT_BITS == 64, "context and time are a word");

enum seg_process_state {
    SEG_PROCESS_ATTACHED = 1, /* is measured, or was killed */
    SEG_PROCESS_DONE = 2,     /* its interpreter ended, or it called os._exit() */
    SEG_PROCESS_LEFT = 4,     /* not measured now, or in another run; its children do not join */
};

struct seg_process {
    uint64_t next;  /* older row */
    uint64_t start; /* start time, clock ticks since boot (field 22 of /proc/PID/stat) */
    uint64_t ns;    /* inode of the pid namespace; 0 unknown */
    uint32_t pid;   /* as the process itself sees it */
    uint32_t parent;
    uint32_t interpreter; /* PY_VERSION_HEX of the interpreter that attached */
    seg_u32 state;        /* enum seg_process_state */
    uint32_t forked;      /* 1: a fork of an attached process, 0: attached while starting */
    seg_u32 name;         /* id of the SEG_KIND_NAME entry; 0: none */
    seg_u64 now;          /* SEG_NOW_*; only this process writes it */
    seg_u32 tests;        /* contexts begun here; the phases of one test count once */
    uint32_t reserved;
};
_Static_assert(sizeof(struct seg_process) == 64, "a cache line, which nobody else writes");

#define SEG_FINGERPRINT                                                                       \
    ((uint64_t)sizeof(struct seg_header) ^ (uint64_t)sizeof(struct seg_file) << 12 ^          \
     (uint64_t)sizeof(struct seg_record) << 24 ^ (uint64_t)sizeof(struct seg_process) << 32 ^ \
     (uint64_t)SEG_CHUNK_SHIFT << 40 ^ (uint64_t)SEG_RECORD_SHIFT << 44 ^                     \
     (uint64_t)SEG_BUCKETS << 48)

#endif
