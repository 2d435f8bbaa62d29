/* Drives exchanges over connections: one engine for a process and Lua state,
 * whose kept connections all clients share. It can run on a thread of its own.
 */
#ifndef BF_ENGINE_H
#define BF_ENGINE_H

#include "http/exchange.h"

#pragma GCC visibility push(hidden)

struct bf_engine;

/* NULL with `error` set: memory, config, network/descriptors. */
struct bf_engine *bf_engine_new(struct bf_error *error);

/* Ends what is running and frees everything, but not in a process other than
 * the one that made the engine: that would end the parent's TLS connections.
 * Nor where a name is still being looked up: libcurl would wait for the
 * resolver. In both cases the memory is left to the process's end. Accepts
 * NULL. */
void bf_engine_free(struct bf_engine *engine);

/* Was the engine made before a fork, and not in this process? Then it is of no
 * use here. */
bool bf_engine_is_from_parent(const struct bf_engine *engine);

/* Starts an exchange for a request, which it takes over in any case. It may be
 * done already, with the error in its result. NULL with `error` set to memory.
 * It is given back with bf_engine_release. */
struct bf_exchange *bf_engine_start(struct bf_engine *engine,
                                    struct bf_request *request,
                                    struct bf_error *error);

/* Moves all exchanges along. Waits for up to `seconds` until one of them can go
 * on; returns sooner when one is done or its deadline has come. Returns how
 * many are running. */
size_t bf_engine_step(struct bf_engine *engine, double seconds);

/* From here on only the calling thread uses the engine. It has all signals
 * blocked, and no fork takes it along: what is needed against both is left out.
 */
void bf_engine_set_dedicated_thread(struct bf_engine *engine);

/* Waits until bf_engine_step has something to do, or bf_engine_wake was called
 * since the last wait, but a second at the most; for a thread that has nothing
 * but this engine. */
void bf_engine_wait(struct bf_engine *engine);

/* The one thing that another thread may do to an engine. False: it failed, and
 * the wait goes on. */
bool bf_engine_wake(struct bf_engine *engine);

/* The caller does not need the exchange any more, finished or not. Never waits.
 */
void bf_engine_release(struct bf_engine *engine, struct bf_exchange *exchange);

#pragma GCC visibility pop

#endif
