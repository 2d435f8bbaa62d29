/* How the exchange counts the calls of one key. What callers send in limiter.pml
 * and what a soak's log says (trace.sh) is counted by this same text.
 *
 * Whoever includes it defines TIME, a type; SECOND and MINUTE, the lengths of the
 * windows; PER_SECOND <= PER_MINUTE, their limits; and a variable i. */

/* For how long each of the last calls counts from now on, the oldest first. 0: it
 * does not, or there was none. */
TIME counted[PER_MINUTE];

inline pass(time) {
  for (i : 0 .. PER_MINUTE - 1) {
    counted[i] = (counted[i] > time -> counted[i] - time : 0)
  };
  i = 0
}

/* No window that ends with this call may hold more than its limit. */
inline arrive() {
  assert(counted[0] == 0 && counted[PER_MINUTE - PER_SECOND] <= MINUTE - SECOND);
  for (i : 1 .. PER_MINUTE - 1) { counted[i - 1] = counted[i] };
  counted[PER_MINUTE - 1] = MINUTE; i = 0
}
