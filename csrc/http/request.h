/* The request of a transfer: its URL, its headers, and the signature. Knows no
 * Lua. */
#ifndef BF_REQUEST_H
#define BF_REQUEST_H

#include "http/exchange.h"

#pragma GCC visibility push(hidden)

/* Fills in the header list, and what is to be signed, which is a part of the
 * URL that the transfer is aimed at. The signature comes later. */
void bf_request_make(struct bf_transfer *transfer,
                     const struct bf_request *request);

/* Takes the time and signs. To be called at the moment of sending: a slow
 * lookup or handshake before it must not age the timestamp. libcurl reads the
 * header list after that, so its lines are written in place. False ends the
 * transfer, its error set. */
bool bf_request_stamp(struct bf_transfer *transfer);

/* Wipes the signature. */
void bf_request_wipe(struct bf_transfer *transfer);

#pragma GCC visibility pop

#endif
