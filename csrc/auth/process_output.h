/* What a credential_process prints: an object of JSON in the form of the AWS
 * tools. */
#ifndef BF_PROCESS_OUTPUT_H
#define BF_PROCESS_OUTPUT_H

#include "auth/credentials.h"

#pragma GCC visibility push(hidden)

/* Reads {"Version": 1, "AccessKeyId": "K", "SecretAccessKey": "S",
 * "Expiration": "2026-01-31T09:30:00Z"}, the last of which may be left out:
 * `expires_at` is in Unix ms, or 0. NULL with `error` set, whose text has
 * nothing of the text in it. */
struct bf_credentials *bf_process_output_read(char *text, size_t len,
                                              int64_t *expires_at,
                                              struct bf_error *error);

#pragma GCC visibility pop

#endif
