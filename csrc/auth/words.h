/* A command as one text, split into its words at blanks as a shell does that,
 * with quotes and backslashes, and without anything else that a shell does. */
#ifndef BF_WORDS_H
#define BF_WORDS_H

#include "base/span.h"

#pragma GCC visibility push(hidden)

/* What is wrong with a command, in words that follow its name, or NULL. */
const char *bf_words_problem(struct bf_span command);

/* The words of a command without a problem, and a NULL behind them: one block,
 * to be freed. NULL: no memory. */
char **bf_words_split(struct bf_span command);

#pragma GCC visibility pop

#endif
