/* A libFuzzer target: what a credential_process is called by, and what it may
 * print. The first byte says which. Built and run by spec/fuzz/run.sh. */

#include "auth/process_output.h"
#include "auth/words.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* A message has nothing of what was printed in it. */
static void read_output(char *text, size_t len) {
    int64_t expires_at = -1;
    struct bf_error error = {.kind = BF_OK};
    struct bf_credentials *credentials =
        bf_process_output_read(text, len, &expires_at, &error);
    if (credentials ? expires_at < 0 : error.kind == BF_OK)
        abort();
    bf_credentials_unref(credentials);
}

/* The words have no more bytes than the command. */
static void split(struct bf_span command) {
    size_t left = command.len;
    char **words;
    if (bf_words_problem(command) || !(words = bf_words_split(command)))
        return;
    if (!words[0])
        abort();
    for (char **word = words; *word; word++) {
        if (strlen(*word) > left)
            abort();
        left -= strlen(*word);
    }
    free(words);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    char *text;
    if (size == 0 || !(text = malloc(size)))
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 2 == 0)
        read_output(text, size - 1);
    else
        split((struct bf_span){text, size - 1});
    free(text);
    return 0;
}
