/* Has gcov write the counts of a process that ends by _exit, as a forked child
 * does: gcov itself writes them where a process ends by exit.
 *
 * Compiled twice. Preloaded, it is the _exit of each process. With COUNTED it
 * is linked into each library that counts, and gives it gcov's function to
 * call. */
#include <dlfcn.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_LIBRARIES = 8 };
typedef void write_counts(void);

#ifdef COUNTED
void __gcov_dump(void);

__attribute__((constructor)) static void register_counts(void) {
    void (*add)(write_counts *) = NULL;
    *(void **)&add = dlsym(RTLD_DEFAULT, "bitfront_add_counts");
    if (add)
        add(__gcov_dump);
}
#else
static write_counts *libraries[MOST_LIBRARIES];
static size_t count;

void bitfront_add_counts(write_counts *write);
void bitfront_add_counts(write_counts *write) {
    if (count < MOST_LIBRARIES)
        libraries[count++] = write;
}

void _exit(int status) {
    while (count > 0)
        libraries[--count]();
    syscall(SYS_exit_group, status);
    for (;;)
        ;
}
#endif
