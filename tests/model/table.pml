/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Insertion into a chain of the intern table (shm/table.c, seg_intern and make), by processes that
 * may be killed between any two steps.
 *
 * A step is one access to shared memory. A store that nothing orders may be seen later than a CAS
 * that follows it: `fill` lands before the CAS because that is a release; the variant RELAXED takes
 * that away.
 *
 * broken: PUBLISH_FIRST   the entry is filled after it became the head
 * broken: RELAXED         the CAS is no release
 * broken: PUSH_BLINDLY    where another entry came first, the search does not go on
 * broken: PLAIN_HEAD      the head is stored and not exchanged
 * broken: PLAIN_BUMP      a piece is taken without CAS
 * broken: NEXT_LATE       `next` is set after the entry became the head
 */
#define PROCESSES 3
#define KEYS 2
#define NONE 0
#define PIECES 4 /* and 0, which is none */

byte head;           /* of the one bucket */
byte bump = 1;       /* the piece that is free */
byte next[PIECES];
byte key[PIECES];    /* what the entry says, 0: not filled, or not seen to be */
byte owners[PIECES]; /* how many were given the piece */
byte found[PROCESSES];
bool dead[PROCESSES];
byte ended;

/* Walks from `from` to `to`; `hit` is the entry with the key, or NONE. */
inline walk(from, to, wanted)
{
    at = from;
    hit = NONE;
    do
    :: at == to || hit != NONE -> break
    :: else ->
        assert(key[at] != 0); /* whoever is reached is complete */
        if
        :: key[at] == wanted -> hit = at
        :: else -> at = next[at]
        fi
    od
}

/* Dies here, or does not. */
#define MAY_DIE if :: dead[me] = true; goto end :: skip fi

proctype intern(byte me; byte wanted)
{
    byte seen, searched = NONE, mine = NONE, at, hit, old;

    seen = head; /* acquire */
    do
    ::
#ifdef PUSH_BLINDLY
        if
        :: mine == NONE -> atomic { walk(seen, searched, wanted) }
        :: else -> hit = NONE
        fi;
#else
        atomic { walk(seen, searched, wanted) } /* what is below `seen` does not change */
#endif
        if
        :: hit != NONE -> found[me] = hit; goto end
        :: else
        fi;
        searched = seen;
        if
        :: mine == NONE ->
#ifdef PLAIN_BUMP
            mine = bump;
            bump = mine + 1;
#else
            d_step { mine = bump; bump++ } /* a CAS that is tried again */
#endif
            d_step { owners[mine]++; assert(owners[mine] == 1) }
            MAY_DIE;
#if !defined(PUBLISH_FIRST) && !defined(RELAXED)
            key[mine] = wanted;
#endif
            MAY_DIE
        :: else
        fi;
#ifndef NEXT_LATE
        next[mine] = seen;
#endif
        MAY_DIE;
#ifdef PLAIN_HEAD
        old = head;
        if
        :: old == seen -> head = mine
        :: else
        fi;
#else
        atomic {
            old = head;
            if
            :: old == seen -> head = mine
            :: else
            fi
        }
#endif
        MAY_DIE;
#ifdef RELAXED
        key[mine] = wanted; /* the same store, seen late */
#endif
#ifdef NEXT_LATE
        next[mine] = seen;
#endif
#ifdef PUBLISH_FIRST
        key[mine] = wanted;
#endif
        if
        :: old == seen -> found[me] = mine; break
        :: else -> seen = old
        fi
    od;
end:
    ended++
}

/* A reader, at any time: the chain ends, is complete, and has each key once. */
proctype reader()
{
    byte at, steps = 0, seen[KEYS + 1];

    at = head;
    do
    :: at == NONE -> break
    :: else ->
        d_step {
            assert(steps < PIECES);
            steps++;
            assert(key[at] != 0);
            seen[key[at]]++;
            assert(seen[key[at]] == 1)
        }
        at = next[at]
    od
}

/* At the end, what was given out is in the chain for whoever comes later. */
init {
    byte at, me;

    atomic {
        run intern(0, 1);
        run intern(1, 1);
        run intern(2, 2);
        run reader()
    }
    ended == PROCESSES;
    for (me : 0 .. PROCESSES - 1) {
        if
        :: found[me] != NONE ->
            at = head;
            do
            :: at == found[me] || at == NONE -> break
            :: else -> at = next[at]
            od;
            assert(at == found[me])
        :: else -> assert(dead[me])
        fi
    }
}
