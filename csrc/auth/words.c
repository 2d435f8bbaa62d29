#include "auth/words.h"

#include <stdlib.h>

/* Where a command is read, and where its words are written, each with a NUL
 * behind it; NULL: nowhere. */
struct splitter {
    struct bf_span rest;
    char *out;
    bool is_open; /* a quote has no end, or nothing follows a backslash */
};

static void put(struct splitter *splitter, char c) {
    if (splitter->out)
        *splitter->out++ = c;
}

/* Takes the next byte; false at the end. */
static bool take(struct splitter *splitter, char *c) {
    if (splitter->rest.len == 0)
        return false;
    *c = *splitter->rest.text++;
    splitter->rest.len--;
    return true;
}

/* Copies the byte behind a backslash. Between double quotes a backslash is one
 * only before a double quote or a backslash. */
static void copy_escaped(struct splitter *splitter, bool is_quoted) {
    char c;
    splitter->is_open = !take(splitter, &c);
    if (splitter->is_open)
        return;
    if (is_quoted && c != '"' && c != '\\')
        put(splitter, '\\');
    put(splitter, c);
}

static void copy_quoted(struct splitter *splitter, char quote) {
    char c;
    while (!splitter->is_open && take(splitter, &c)) {
        if (c == quote)
            return;
        if (c == '\\' && quote == '"')
            copy_escaped(splitter, true);
        else
            put(splitter, c);
    }
    splitter->is_open = true;
}

/* Copies the next word; false: there is none. */
static bool copy_word(struct splitter *splitter) {
    char c = ' ';
    while (c == ' ')
        if (!take(splitter, &c))
            return false;
    do {
        if (c == '\\')
            copy_escaped(splitter, false);
        else if (c == '"' || c == '\'')
            copy_quoted(splitter, c);
        else
            put(splitter, c);
    } while (!splitter->is_open && take(splitter, &c) && c != ' ');
    put(splitter, '\0');
    return true;
}

const char *bf_words_problem(struct bf_span command) {
    struct splitter splitter = {.rest = command};
    size_t words = 0;
    while (!splitter.is_open && copy_word(&splitter))
        words++;
    if (splitter.is_open)
        return "has a quote without an end, or a backslash at its end";
    return words > 0 ? NULL : "must not be empty";
}

/* A word is at least one byte of the command, so no more pointers are needed
 * than it has bytes; with their NULs the words have as many bytes, and one. */
char **bf_words_split(struct bf_span command) {
    const size_t most = command.len + 1;
    char **words = malloc(most * sizeof *words + most);
    struct splitter splitter = {.rest = command};
    size_t count = 0;
    if (!words)
        return NULL;
    splitter.out = (char *)(words + most);
    for (char *word = splitter.out; copy_word(&splitter); word = splitter.out)
        words[count++] = word;
    words[count] = NULL;
    return words;
}
