/* Drives transfers: one multi handle for a process and Lua state, its kept
 * connections shared by all clients. Knows no Lua, and hands transfers over
 * whole, so that it can run on a thread of its own. */
#ifndef BF_ENGINE_H
#define BF_ENGINE_H

#include "http/exchange.h"

#pragma GCC visibility push(hidden)

struct bf_engine;

/* NULL with `error` set: memory, config, network/descriptors. */
struct bf_engine *bf_engine_new(struct bf_error *error);

/* Ends what is running and frees everything. In a process other than the one
 * that made the engine nothing is touched: closing would end the parent's TLS
 * connections. Nor where a name is still being looked up: libcurl would wait
 * for the resolver. In both cases the memory is left to the process's end.
 * Accepts NULL. */
void bf_engine_free(struct bf_engine *engine);

/* Was the engine made before a fork, and not in this process? Then it is of no
 * use here. */
bool bf_engine_is_from_parent(const struct bf_engine *engine);

/* A transfer that is running, or done already with its error set; NULL with
 * `error` set to memory or config. It is given back with bf_engine_drop. */
struct bf_transfer *bf_engine_start(struct bf_engine *engine,
                                    struct bf_client *client,
                                    const struct bf_request *request,
                                    struct bf_error *error);

/* Moves all transfers along. Waits for up to `seconds` until one of them can
 * go on; returns sooner when one is done or its deadline has come. Returns how
 * many are running. */
size_t bf_engine_step(struct bf_engine *engine, double seconds);

/* From here on the engine is the calling thread's alone, which has all signals
 * blocked, and which no fork takes along: what is needed against both is left
 * out. */
void bf_engine_set_dedicated_thread(struct bf_engine *engine);

/* Waits until bf_engine_step has something to do, or bf_engine_wake was called
 * since the last wait, but a second at the most; for a thread that has nothing
 * but this engine. */
void bf_engine_wait(struct bf_engine *engine);

/* The one thing that another thread may do to an engine. False: it failed, and
 * the wait goes on. */
bool bf_engine_wake(struct bf_engine *engine);

/* The caller is through with the transfer, finished or not. Never waits. */
void bf_engine_drop(struct bf_engine *engine, struct bf_transfer *transfer);

/* Keeps this library, and libcurl with it, in the process when the Lua state
 * that loaded it closes: threads may still be running in it. */
void bf_stay_loaded(void);

#pragma GCC visibility pop

#endif
