/* What a reply's body is that is not JSON, for people. */
#ifndef BF_DESCRIBE_H
#define BF_DESCRIBE_H

#include "base/error.h"

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Does a body that the scanner has refused not even begin as an object, an
 * array or a string of JSON does? Then `error` is set to protocol, json, and
 * says what is there instead. */
bool bf_describe_body(const char *text, size_t len, struct bf_error *error);

#pragma GCC visibility pop

#endif
