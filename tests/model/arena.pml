/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room in the segment (shm/arena.c, seg_alloc): pages are backed before `backed` says so, and
 * `backed` says so before a piece is given out. Processes may be killed between any two steps, and
 * a file system may be full.
 *
 * broken: RAISE_FIRST     `backed` rises before the pages are there
 * broken: RAISE_BATCH     `backed` rises by the batch that was tried, when less was had
 * broken: NO_CHECK        that the file system is full is not looked at
 * broken: PLAIN_BUMP      the piece is claimed without CAS
 */
#define PROCESSES 3
#define PAGES 4 /* a piece is one page here; the file system has ROOM of them */
#define ROOM 2

byte bump, backed, used;
bool page[PAGES];
byte owners[PAGES];

#define MAY_DIE if :: goto end :: skip fi

inline back_one(number)
{
    if
    :: page[number] -> no_room = false
    :: !page[number] && used < ROOM -> page[number] = true; used++; no_room = false
    :: else -> no_room = true
    fi
}

/* Backs all below `limit`: reserve(), then raise_backed(). */
inline back_up_to(limit)
{
    now = backed; /* acquire */
    do
    :: now >= limit || no_room -> break
    :: else ->
#ifdef RAISE_FIRST
        d_step { if :: backed < limit -> backed = limit :: else fi }
        MAY_DIE;
#endif
        d_step { back_one(now) }
        MAY_DIE;
        if
        :: !no_room ->
#ifdef RAISE_BATCH
            d_step { if :: backed < now + 2 -> backed = now + 2 :: else fi }
#else
            d_step { if :: backed < now + 1 -> backed = now + 1 :: else fi } /* CAS, only up */
#endif
        :: else
        fi;
        MAY_DIE;
        now = backed
    od
}

proctype alloc()
{
    byte at, old, now;
    bool no_room = false;

    at = bump;
    do
    ::
        if
        :: at >= PAGES -> goto end
        :: else
        fi;
        back_up_to(at + 1);
#ifndef NO_CHECK
        if
        :: no_room -> goto end /* counted, and nothing given out */
        :: else
        fi;
#endif
#ifdef PLAIN_BUMP
        old = bump;
        if
        :: old == at -> bump = at + 1
        :: else
        fi;
#else
        atomic {
            old = bump;
            if
            :: old == at -> bump = at + 1
            :: else
            fi
        }
#endif
        if
        :: old == at -> break
        :: else -> at = old
        fi
    od;
    skip; /* a d_step is no place to jump to */
    d_step {
        owners[at]++;
        assert(owners[at] == 1); /* no piece is given out twice */
        assert(page[at])         /* a store into it is no SIGBUS */
    }
end:
    skip
}

/* Everything that `backed` covers has pages, at any time. */
proctype watch()
{
    byte i, to;

    d_step {
        to = backed;
        for (i : 0 .. PAGES - 1) {
            if
            :: i < to -> assert(page[i])
            :: else
            fi
        }
    }
}

init {
    byte i;

    atomic {
        for (i : 1 .. PROCESSES) {
            run alloc()
        }
        run watch()
    }
}
