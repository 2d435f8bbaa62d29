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

/* Ends what is running and frees everything. Does nothing in a process that did
 * not make the engine: that would end the parent's TLS connections. Leaves the
 * memory where a name is being looked up: libcurl would wait for the resolver.
 * Accepts NULL. */
void bf_engine_free(struct bf_engine *engine);

/* Was the engine made before a fork? Then it must not be used here. */
bool bf_engine_is_from_parent(const struct bf_engine *engine);

/* Starts an exchange for a request, which it takes over in any case; to be
 * ended with bf_engine_release. NULL with `error` set to memory. */
struct bf_exchange *bf_engine_start(struct bf_engine *engine,
                                    struct bf_request *request,
                                    struct bf_error *error);

/* Drives all exchanges. Waits for up to `seconds` until one of them can go on,
 * is done, or has expired. Returns how many are running. */
size_t bf_engine_step(struct bf_engine *engine, double seconds);

/* From here on only the calling thread uses the engine. It has all signals
 * blocked, so SIGPIPE is not blocked for each call, nor the process checked. */
void bf_engine_set_dedicated_thread(struct bf_engine *engine);

/* For a dedicated thread: waits until bf_engine_step has something to do, or
 * bf_engine_wake was called since the last wait, but a second at the most. */
void bf_engine_wait(struct bf_engine *engine);

/* The one function that another thread may call. False: the wait goes on. */
bool bf_engine_wake(struct bf_engine *engine);

/* Ends the caller's use of an exchange, done or not. Never waits. */
void bf_engine_release(struct bf_engine *engine, struct bf_exchange *exchange);

#pragma GCC visibility pop

#endif
