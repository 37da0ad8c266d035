/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window that several threads of one process map at once (shm/window.c, map_one and seg_ptr).
 *
 * broken: PUBLISH_FIRST   the address is known before the mapping is there
 * broken: PLAIN_STORE     the loser's address replaces the winner's, which is taken away
 * broken: LOSER_STAYS     the loser does not unmap what nobody saw: mappings leak
 * broken: LOSER_USES_OWN  the loser goes on with the mapping that it takes away
 */
#define THREADS 3

byte window;              /* the published address, 0: none */
bool mapped[THREADS + 1]; /* the mapping that thread i made is number i */
byte ended;

proctype use(byte me)
{
    byte base, old;

    base = window; /* acquire */
    if
    :: base == 0 ->
#ifdef PUBLISH_FIRST
        atomic { old = window; if :: old == 0 -> window = me :: else fi }
        mapped[me] = true;
#else
        mapped[me] = true; /* mmap, or mremap */
#ifdef PLAIN_STORE
        old = window;
        window = me;
#else
        atomic { old = window; if :: old == 0 -> window = me :: else fi } /* CAS, release */
#endif
#endif
        base = window;
#ifdef LOSER_USES_OWN
        base = me;
#endif
        if
        :: old != 0 ->
#ifdef PLAIN_STORE
            mapped[old] = false
#elif !defined(LOSER_STAYS)
            mapped[me] = false /* munmap */
#else
            skip
#endif
        :: else
        fi
    :: else
    fi;
    assert(mapped[base]); /* first use */
    assert(mapped[base]); /* an address stays good */
    ended++
}

init {
    byte i, n;

    atomic {
        for (i : 1 .. THREADS) {
            run use(i)
        }
    }
    ended == THREADS;
    d_step {
        for (i : 1 .. THREADS) {
            n = n + mapped[i]
        }
        assert(n == 1) /* one mapping is left, the published one */
        assert(mapped[window])
    }
}
