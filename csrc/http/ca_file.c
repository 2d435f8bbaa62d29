#include "http/ca_file.h"

#include "base/openssl_check.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST ((off_t)2 * 1024 * 1024) /* nine times the usual bundle */

static bool refuse(const char *path, const char *what, struct bf_error *error) {
    bf_error_set(error, BF_TLS, "ca_file", "ca_file %s: %s", path, what);
    return false;
}

bool bf_ca_file_is_regular(const char *path, struct bf_error *error) {
    struct stat status;
    if (stat(path, &status) != 0)
        return true;
    if (!S_ISREG(status.st_mode))
        return refuse(path, "not a regular file", error);
    return status.st_size <= LARGEST ||
           refuse(path, "larger than 2 MiB", error);
}

/* Opens it twice, since a connection needs a descriptor too. Returns an errno.
 */
static int open_error(const char *path) {
    int first = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int second = first < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int reason = second < 0 ? errno : 0;
    if (first >= 0)
        (void)close(first);
    if (second >= 0)
        (void)close(second);
    return reason;
}

bool bf_ca_file_can_open(const char *path, struct bf_error *error) {
    int reason = open_error(path);
    if (reason == EMFILE || reason == ENFILE)
        bf_error_set(error, BF_NETWORK, "descriptors",
                     "there is no file descriptor left for the certificates");
    else if (reason == ENOMEM)
        bf_error_no_memory(error);
    else if (reason)
        (void)refuse(path, strerror(reason), error);
    return reason == 0;
}

static bool has_certificates(const char *path, struct bf_error *error) {
    X509_STORE *store = X509_STORE_new();
    bool loaded = store && X509_STORE_load_file(store, path);
    X509_STORE_free(store);
    ERR_clear_error();
    if (!loaded && (!store || bf_is_short_of_memory()))
        bf_error_no_memory(error);
    else if (!loaded)
        (void)refuse(path, "no certificate in PEM form can be read from it",
                     error);
    return loaded;
}

bool bf_ca_file_check(const char *path, struct bf_error *error) {
    return bf_ca_file_is_regular(path, error) &&
           bf_ca_file_can_open(path, error) && bf_openssl_check(error) &&
           has_certificates(path, error);
}
