/* The limiter, as lua/bitfront/limiter.lua, the stores in lua/bitfront/limiter/
 * and csrc/policy/window.c have it: callers of one API key take slots from a
 * store, send, and release the slots; an exchange counts what arrives. Spin tries
 * every order of the events. Shown are
 *
 *   safety    no window of the exchange holds more calls than its limit, though
 *             callers are killed or paused at any step and started again, requests
 *             and replies are late or lost, the store loses its state or its clock
 *             is set back;
 *   liveness  with -DPROMPT, a caller that waits gets a slot or is refused before its
 *             deadline, whatever happens to the others.
 *
 * What is taken for one step and is two: a caller looks at its lease and writes its
 * request. One that is paused between them for longer than the grace may send late.
 * Callers of one process also wait in a queue, which is not modelled: it only lets
 * them ask the store less often (spec/24_limiter_spec.lua).
 *
 * One key is modelled. Keys have no state in common; what a key may do to another
 * is that the store loses all (Redis, in which one hash has all keys), and that it
 * takes memory: a full dict refuses what is new and keeps what it has.
 *
 * -DSTORE=0  memory of one process; its callers are killed one by one
 * -DSTORE=1  a lua_shared_dict: read, change and write under a lock; with -DCOARSE
 *            as one step, for larger instances
 * -DSTORE=2  Redis: an atomic script, a state that is lost, a clock that is set back
 * -DPROMPT   callers sleep for as long as the store says; time does not pass while
 *            the first one has something to do
 *
 * These have to be found. Limits of the promise, which the README tells of:
 * -DRESTART  a process or an nginx is started again and knows of no call before
 * -DEVICTED  somebody else has the dict evict the state
 * -DFORWARD  Redis' clock is set forward
 * and mistakes: -DMISTAKE=1 to 5, -DFULL=MINUTE, -DSET_BACK_TO=1,
 * -DBREAK_BY_AGE. */

#ifndef STORE
#define STORE 0
#endif
#ifndef MISTAKE
#define MISTAKE 0 /* 1: a slot is free once its call is sent; 2: a call counts from
                   * its reply on only; 3: a lost state is taken for an empty one;
                   * 4: who has no turn before the deadline sleeps; 5: nobody breaks
                   * a lock, and all wait for it */
#endif
#ifndef CALLERS
#define CALLERS 3
#endif
#ifndef CALLS
#define CALLS 4 /* of all callers together */
#endif

/* Lengths of time, in ticks. */
#define SECOND 2 /* the short window */
#define MINUTE 5 /* the long one */
#define TIMEOUT 2 /* from the beginning of a call to its deadline */
#define GRACE 1 /* the longest time from sending to arrival */
#define LEASE (TIMEOUT + GRACE)
#ifndef FULL
#define FULL (MINUTE + LEASE) /* after a loss */
#endif
#define STEP 3 /* by which a clock is set */
#ifndef PER_SECOND
#define PER_SECOND 1
#define PER_MINUTE 2
#endif
#define TIME byte
#include "exchange.pml"

/* No clock is kept: a variable of time says how many ticks are left, and an array
 * how many calls have 0, 1, 2 ... ticks left. So situations that differ in the
 * names of calls alone are one state. */
#define AGES 11 /* 2 * MINUTE + 1 */

typedef Counts { byte at[AGES] }

typedef Window {
  Counts leases; /* calls in flight, by the rest of their leases */
  Counts ended; /* calls that have ended, by how long they count */
  byte blocked
};
Window store;

byte left = CALLS;
byte deadline[CALLERS];
byte lease[CALLERS]; /* of the caller's slot; 0: the store knows it as ended */
bit waits[CALLERS];

byte request[CALLERS]; /* on its way for so long at the most; 0: it is not */
bit is_answered[CALLERS];
Counts orphans; /* requests of callers that were killed */

#ifdef PROMPT
byte sleeps[CALLERS]; /* until the next try */
#define HAS_SLEPT (sleeps[me] == 0)
#define REFUSE is_refused = 1
#else
#define HAS_SLEPT true
#define REFUSE skip
#endif

/* ---- arithmetic ---- */

inline sum(counts, first, result) {
  result = 0;
  for (i : first .. AGES - 1) { result = result + counts.at[i] };
  i = 0
}

inline shift(counts) { /* what has 1 tick left has 0 then, and is forgotten */
  for (i : 1 .. AGES - 1) { counts.at[i - 1] = counts.at[i] };
  counts.at[AGES - 1] = 0; counts.at[0] = 0; i = 0
}

#define COUNT_DOWN(time) if :: time != 0 -> time-- :: else fi

inline tick(window) {
  i = window.leases.at[1];
  j = i;
  shift(window.ended);
  window.ended.at[MINUTE] = window.ended.at[MINUTE] + j;
  shift(window.leases);
  COUNT_DOWN(window.blocked);
  j = 0
}

inline take(window) {
  lease[me] = (MISTAKE == 2 -> 0 : deadline[me] + GRACE);
  window.leases.at[lease[me]] = window.leases.at[lease[me]] + 1;
  window.leases.at[0] = 0
}

/* Ticks until there may be room, of which there is none now. */
inline wait_for(window, in_window, length, limit, result) {
  if
  :: in_flight >= limit -> result = length
  :: else ->
     result = 0;
     for (i : MINUTE - length + 1 .. AGES - 1) {
       if
       :: in_flight + in_window >= limit ->
          in_window = in_window - window.ended.at[i]; result = i - (MINUTE - length)
       :: else
       fi
     };
     i = 0
  fi
}

inline acquire(window) {
  sum(window.leases, 1, in_flight);
  sum(window.ended, 1, in_minute);
  sum(window.ended, MINUTE - SECOND + 1, in_second);
  granted = in_flight + in_second < PER_SECOND &&
    in_flight + in_minute < PER_MINUTE && window.blocked == 0;
  if
  :: granted -> take(window)
  :: else ->
#ifdef PROMPT
     wait_for(window, in_second, SECOND, PER_SECOND, sleeps[me]);
     wait_for(window, in_minute, MINUTE, PER_MINUTE, j);
     sleeps[me] = (sleeps[me] > j -> sleeps[me] : j);
     sleeps[me] = (sleeps[me] > window.blocked -> sleeps[me] : window.blocked);
     assert(sleeps[me] > 0);
     j = 0;
     is_refused = (MISTAKE != 4 && sleeps[me] >= deadline[me]);
     sleeps[me] = (is_refused -> 0 : sleeps[me])
#else
     skip
#endif
  fi;
  in_flight = 0; in_second = 0; in_minute = 0
}

inline release(window) {
  if
  :: lease[me] != 0 && window.leases.at[lease[me]] != 0 ->
     window.leases.at[lease[me]] = window.leases.at[lease[me]] - 1
  :: else
  fi;
  if
  :: is_sent -> window.ended.at[MINUTE + grace] = window.ended.at[MINUTE + grace] + 1
  :: else
  fi
}

/* ---- the stores ---- */

#if STORE == 1

/* Each step is one operation of the dict; between two of them a worker may be
 * paused for any time, or killed. */
#ifndef COARSE
Window own[CALLERS]; /* what a worker has read */
#endif
byte holder = 0; /* of the lock; 0: nobody */
#ifdef BREAK_BY_AGE
byte lock_age = 0;
#endif
bit is_killed[CALLERS + 1];

inline copy(from, to) {
  for (i : 0 .. AGES - 1) {
    to.leases.at[i] = from.leases.at[i]; to.ended.at[i] = from.ended.at[i]
  };
  i = 0
}

inline clear(window) {
  for (i : 0 .. AGES - 1) { window.leases.at[i] = 0; window.ended.at[i] = 0 };
  i = 0
}

#if MISTAKE == 5
#define MAY_BREAK false
#define MAY_FAIL false
#elif defined(BREAK_BY_AGE)
#define MAY_BREAK (lock_age > 0)
#else
#define MAY_BREAK is_killed[holder]
#endif
#ifndef MAY_FAIL
#define MAY_FAIL !(MAY_BREAK)
#endif

#ifdef BREAK_BY_AGE
#define LOCK holder = me + 1; lock_age = 0; is_locked = 1
#else
#define LOCK holder = me + 1; is_locked = 1
#endif

#define IF_LOCKED(step) d_step { if :: is_locked -> step :: else fi }

/* With -DCOARSE a worker that has taken the lock reads, changes and writes in the same
 * step, or is killed before it writes. That hides nothing: while it has the lock
 * nobody else writes, time passes for its copy as for the store, and one that is
 * slow to decide or to write cannot be told from one that takes the lock later or
 * is slow to unlock. */
#ifdef COARSE
#define LOCK_STEP(change) d_step { holder == 0 -> LOCK; change(store) }; break \
  :: d_step { holder == 0 -> holder = me + 1; is_killed[me + 1] = 1 }; goto gone
#define READ_AND(change) skip
#define FORGET skip
#else
#define FORGET clear(own[me])
#define LOCK_STEP(change) d_step { holder == 0 -> LOCK }; break
#define READ_AND(change) IF_LOCKED(copy(store, own[me])); IF_LOCKED(change(own[me]))
#endif

#define LOCK_AND(change) \
  do \
  :: LOCK_STEP(change) \
  :: d_step { holder != 0 && MAY_BREAK -> is_killed[holder] = 0; holder = 0 } \
  :: d_step { holder != 0 && MAY_FAIL -> REFUSE }; break /* the store fails */ \
  od; \
  skip; \
  READ_AND(change)

/* A worker may be killed before it writes and before it unlocks. */
inline write_and_unlock() {
#ifndef COARSE
  if
  :: is_locked -> is_killed[me + 1] = 1; goto gone
  :: d_step { is_locked && holder == me + 1 }; d_step { copy(own[me], store) }
  :: d_step { !is_locked || holder != me + 1 -> granted = 0; REFUSE }
  fi;
#endif
  if
  :: is_locked && holder == me + 1 -> is_killed[me + 1] = 1; goto gone
  :: d_step {
       if
       :: is_locked && holder == me + 1 -> holder = 0
       :: else
       fi;
       is_locked = 0; FORGET
     }
  fi
}

#define ACQUIRE LOCK_AND(acquire); write_and_unlock()
#define RELEASE LOCK_AND(release); write_and_unlock()

#else

#define ACQUIRE d_step { acquire(store) }
#define RELEASE d_step { release(store) }

#endif

/* ---- what happens to the stores ---- */

inline lose(blocked_for) {
  for (i : 0 .. AGES - 1) { store.leases.at[i] = 0; store.ended.at[i] = 0 };
  for (i : 0 .. CALLERS - 1) { lease[i] = 0 };
  i = 0;
  store.blocked = blocked_for
}

#if defined(RESTART) || defined(EVICTED)

#ifdef RESTART
#define MAY_LOSE (deadline[0] == 0 && deadline[1] == 0 && deadline[CALLERS - 1] == 0)
#else
#define MAY_LOSE true
#endif

active proctype Loss() {
  byte i;
end:
  d_step { MAY_LOSE -> lose(0) }
}

#endif

#if STORE == 2

#ifndef SET_BACK_TO
#define SET_BACK_TO LEASE
#endif

/* What has more than `most` ticks left, STEP later, has `then`. */
inline set_back(counts, most, then) {
  for (i : 1 .. AGES - 1) {
    j = AGES - i;
    if
    :: j + STEP <= most -> counts.at[j + STEP] = counts.at[j]; counts.at[j] = 0
    :: j + STEP > most && j != then ->
       counts.at[then] = counts.at[then] + counts.at[j]; counts.at[j] = 0
    :: else
    fi
  };
  i = 0; j = 0
}

inline set_clock_back() {
  set_back(store.leases, LEASE, SET_BACK_TO);
  set_back(store.ended, 2 * MINUTE, 2 * MINUTE);
  for (i : 0 .. CALLERS - 1) {
    if
    :: lease[i] != 0 -> lease[i] = (lease[i] + STEP <= LEASE -> lease[i] + STEP : SET_BACK_TO)
    :: else
    fi
  };
  i = 0;
  if
  :: store.blocked != 0 -> store.blocked = (store.blocked + STEP < FULL -> store.blocked + STEP : FULL)
  :: else
  fi
}

inline set_clock_forward() {
  for (k : 1 .. STEP) {
    tick(store);
    for (i : 0 .. CALLERS - 1) { COUNT_DOWN(lease[i]) };
    i = 0
  };
  k = 0
}

/* The server is restarted or evicts the state, once; somebody sets its clock. A
 * clock that is set back behind the beginning of what is known is a loss, too. */
active proctype Server() {
  byte i, j;
  bit has_lost, is_set;
#ifdef FORWARD
  byte k;
#endif
end:
  do
  :: d_step { !has_lost -> has_lost = 1; lose((MISTAKE == 3 -> 0 : FULL)) }
#ifdef FORWARD
  :: d_step { !is_set -> is_set = 1; set_clock_forward() }
#else
  :: d_step { !is_set -> is_set = 1; set_clock_back() }
#endif
  od
}

#endif

/* ---- the exchange and the network ---- */

active proctype Network() {
  byte i;
end:
  do
  :: d_step { orphans.at[1] > 0 -> orphans.at[1]--; arrive() }
  :: d_step { orphans.at[2] > 0 -> orphans.at[2]--; arrive() }
  :: d_step { orphans.at[1] > 0 -> orphans.at[1]-- } /* lost */
  :: d_step { orphans.at[2] > 0 -> orphans.at[2]-- }
  :: d_step { request[0] > 0 -> request[0] = 0; is_answered[0] = 1; arrive() }
  :: d_step { request[0] > 0 -> request[0] = 0 }
  :: d_step { request[1] > 0 -> request[1] = 0; is_answered[1] = 1; arrive() }
  :: d_step { request[1] > 0 -> request[1] = 0 }
#if CALLERS > 2
  :: d_step { request[2] > 0 -> request[2] = 0; is_answered[2] = 1; arrive() }
  :: d_step { request[2] > 0 -> request[2] = 0 }
#endif
  od
}

#ifdef PROMPT
#define TIME_MAY_PASS (ALL_MAY_BE_LATER && (!waits[0] || sleeps[0] > 0))
#else
#define TIME_MAY_PASS ALL_MAY_BE_LATER
#endif
#if CALLERS > 2
#define ALL_MAY_BE_LATER (orphans.at[1] == 0 && request[0] != 1 && request[1] != 1 && request[2] != 1)
#else
#define ALL_MAY_BE_LATER (orphans.at[1] == 0 && request[0] != 1 && request[1] != 1)
#endif

active proctype Clock() {
  byte i, j;
end:
  do
  :: d_step {
       TIME_MAY_PASS ->
       shift(orphans);
       pass(1);
       tick(store);
#if STORE == 1 && !defined(COARSE)
       tick(own[0]);
       tick(own[1]);
#if CALLERS > 2
       tick(own[2]);
#endif
#ifdef BREAK_BY_AGE
       lock_age = (holder == 0 -> 0 : 1);
#endif
#endif
       for (i : 0 .. CALLERS - 1) {
         COUNT_DOWN(deadline[i]);
         COUNT_DOWN(lease[i]);
#ifdef PROMPT
         COUNT_DOWN(sleeps[i]);
#endif
         COUNT_DOWN(request[i])
       };
#ifdef PROMPT
       assert(!waits[0] || deadline[0] > 0);
#endif
       i = 0
     }
  od
}

/* ---- the callers ---- */

proctype Caller(byte me) {
  byte grace, i, in_flight, in_second, in_minute;
  bit granted, is_sent;
#ifdef PROMPT
  byte j;
  bit is_refused;
#endif
#if STORE == 1
  bit is_locked;
#endif
end:
  do
  :: d_step {
       left > 0 && CALLS - left >= me -> /* callers are alike: one order will do */
       left--; deadline[me] = TIMEOUT; waits[me] = 1
     };
     do
     :: deadline[me] > 0 && HAS_SLEPT ->
        ACQUIRE;
        if
        :: granted -> break
#ifdef PROMPT
        :: is_refused && !granted -> break
#endif
        :: else
        fi
     :: deadline[me] == 0 -> break
     od;
     waits[me] = 0;
     if
     :: !granted -> goto next
     :: d_step { granted && deadline[me] > 0 -> is_sent = 1; request[me] = GRACE + 1 };
#if MISTAKE == 1
        RELEASE; goto killed;
#endif
        if
        :: d_step { is_answered[me] }
        :: d_step { deadline[me] == 0 -> grace = GRACE }
        :: goto killed
        fi
     :: granted /* the connection breaks before anything is sent */
     :: granted -> goto killed
     fi;
     RELEASE;
killed:
     skip;
next:
     skip;
     d_step {
       orphans.at[request[me]] = orphans.at[request[me]] + 1; orphans.at[0] = 0;
       request[me] = 0; is_answered[me] = 0; deadline[me] = 0; lease[me] = 0;
#ifdef PROMPT
       sleeps[me] = 0; is_refused = 0;
#endif
       grace = 0; granted = 0; is_sent = 0
     }
  od;
#if STORE == 1
gone: skip;
  d_step { waits[me] = 0; FORGET; is_locked = 0 };
  goto next; /* another worker takes its place */
#endif
}

init {
  byte k;
  atomic {
    for (k : 0 .. CALLERS - 1) { run Caller(k) };
    k = 0
  }
}

ltl answered { [] (waits[0] -> <> !waits[0]) }
