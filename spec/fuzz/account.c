/* What the fuzz targets share: the account whose credentials no text may show.
 */

#include "auth/credentials.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer's type */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const struct bf_credential_names names = {"api_key", "api_secret"};
    struct bf_error error = {.kind = BF_OK};
    (void)argc, (void)argv;
    if (!bf_credentials_new(bf_span_of("the-fuzzed-key"),
                            bf_span_of("/the-%fuzzed\\secret/"), &names,
                            &error))
        abort();
    return 0;
}
