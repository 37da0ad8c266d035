/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of dynamic contexts (shm/hits.c, seg_record, claim and new_extent): two threads, and the
 * child of a fork that went unnoticed and so has their cursor, fill extents of two records. Whoever
 * may be killed between any two steps.
 *
 * broken: USE_FIRST       a record is used before its extent is on the list
 * broken: PLAIN_KEY       a record is claimed without CAS
 * broken: PLAIN_LIST      the list's head is stored and not exchanged
 * broken: STALE_NEXT      `next` is not set again when another extent came first
 */
#define WRITERS 3
#define EXTENTS 7 /* and 0, which is none */
#define RECORDS 2

byte list;               /* head of all extents */
byte next[EXTENTS];
byte owner[EXTENTS * RECORDS];
byte cursor[2];          /* extent that is filled: of the threads' process, of the child */
byte bump = 1;
byte ended;
byte used[WRITERS];      /* record + 1 whose bits the writer has set */

#define MAY_DIE if :: goto end :: skip fi

inline new_extent()
{
    d_step { made = bump; bump++; assert(bump <= EXTENTS) }
#ifdef USE_FIRST
    atomic { if :: cursor[who] == now -> cursor[who] = made :: else fi }
    MAY_DIE;
#endif
    seen = list;
    next[made] = seen;
    do
    ::
        MAY_DIE;
#ifdef PLAIN_LIST
        old = list;
        if
        :: old == seen -> list = made
        :: else
        fi;
#else
        atomic { old = list; if :: old == seen -> list = made :: else fi }
#endif
        if
        :: old == seen -> break
        :: else ->
            seen = old;
#ifndef STALE_NEXT
            next[made] = seen
#endif
        fi
    od;
    MAY_DIE;
#ifndef USE_FIRST
    atomic { if :: cursor[who] == now -> cursor[who] = made :: else fi }
#endif
}

proctype writer(byte me; byte who)
{
    byte now, i, made, seen, old;

    do
    ::
        now = cursor[who]; /* acquire */
        i = 0;
        do
        :: now == 0 || i == RECORDS -> break
        :: else ->
#ifdef PLAIN_KEY
            old = owner[now * RECORDS + i];
            if
            :: old == 0 -> owner[now * RECORDS + i] = me + 1
            :: else
            fi;
#else
            atomic {
                old = owner[now * RECORDS + i];
                if
                :: old == 0 -> owner[now * RECORDS + i] = me + 1
                :: else
                fi
            }
#endif
            if
            :: old == 0 ->
                MAY_DIE;
                used[me] = now * RECORDS + i + 1; /* a bit is set */
                goto end
            :: else -> i++
            fi
        od;
        new_extent()
    od;
end:
    ended++
}

/* Each bit is in a record of its own, and a reader finds it. */
init {
    byte me, at, steps;

    atomic {
        run writer(0, 0);
        run writer(1, 0);
        run writer(2, 1)
    }
    ended == WRITERS;
    for (me : 0 .. WRITERS - 1) {
        if
        :: used[me] != 0 ->
            assert(owner[used[me] - 1] == me + 1);
            at = list;
            steps = 0;
            do
            :: at == 0 || at == (used[me] - 1) / RECORDS -> break
            :: else -> at = next[at]; steps++; assert(steps < EXTENTS)
            od;
            assert(at != 0)
        :: else
        fi
    }
}
