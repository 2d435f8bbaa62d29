/* Compiled first, and nothing but this: where a library's headers are missing,
 * the compiler's only message is what to install. */
#if defined __has_include
#if !__has_include(<curl/curl.h>)
#error "libcurl's headers are missing: apt install libcurl4-openssl-dev, \
apk add curl-dev, dnf install libcurl-devel, or brew install curl"
#endif
#if !__has_include(<openssl/evp.h>)
#error "OpenSSL's headers are missing: apt install libssl-dev, \
apk add openssl-dev, dnf install openssl-devel, or brew install openssl@3"
#else
#include <openssl/opensslv.h>
#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "OpenSSL 3.0 or later is needed"
#endif
#endif
#endif

/* ISO C requires something in each file. */
typedef int bf_needs;
