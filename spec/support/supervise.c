/*
 * usage: supervise COMMAND...
 *
 * Runs COMMAND with a TMPDIR of its own, and exits as COMMAND does; 128 and
 * more for a signal. When COMMAND has ended, whatever it has started ends too,
 * also what runs in sessions of its own, and TMPDIR is removed. SIGHUP, SIGINT
 * and SIGTERM end all of it, and so does SIGKILL, be it sent to this program,
 * to its group of processes, to COMMAND or to the process that runs this
 * program.
 *
 * There are two processes. The front is the one that was started; it passes
 * signals on, and the kernel sends it one when its parent ends. The supervisor
 * is COMMAND's parent. It has a session of its own, so what ends the others
 * does not reach it; the kernel sends it a signal when the front ends, and
 * makes it the parent of each process below it that has lost its own.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_PID = 1 << 22,   /* Linux has no higher ones */
    GRACE = 500,         /* pauses between SIGTERM and SIGKILL: 5 s */
    LAST = GRACE + 500,  /* pauses until we give up: another user's process */
    PAUSE_NS = 10000000, /* 10 ms */
    NOT_ENDED = -1       /* in the place of a process's status */
};

static pid_t parent_of[MAX_PID]; /* 0: there is no such process */
static char folder[4096];
static sigset_t signals;

static _Noreturn void die(const char *what) {
    perror(what);
    exit(125);
}

/* A SIGTERM for this process when its parent ends, or has ended already. */
static void end_with_parent(pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        die("prctl");
    if (getppid() != parent)
        (void)raise(SIGTERM); /* blocked: it is taken later */
}

static int exit_code(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- processes below this one ---- */

static pid_t read_parent(const char *pid) {
    char path[64], text[1024];
    const char *after; /* ") S 1": its state and its parent */
    (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        (void)fclose(file);
    text[n] = '\0';
    /* The name before it may have any character. */
    after = strrchr(text, ')');
    return after && strlen(after) > 4 ? (pid_t)strtol(after + 4, NULL, 10) : 0;
}

static void read_parents(void) {
    DIR *processes = opendir("/proc");
    if (!processes)
        die("/proc");
    memset(parent_of, 0, sizeof parent_of);
    for (const struct dirent *e; (e = readdir(processes));) {
        long pid = strtol(e->d_name, NULL, 10);
        if (pid > 0 && pid < MAX_PID)
            parent_of[pid] = read_parent(e->d_name);
    }
    (void)closedir(processes);
}

/* Parents are read one after the other, so a loop in them is possible. */
static bool is_below(pid_t pid, pid_t top) {
    for (int depth = 0; pid > 0 && pid < MAX_PID && depth < 1000; depth++) {
        pid = parent_of[pid];
        if (pid == top)
            return true;
    }
    return false;
}

static void signal_all(int number) {
    const pid_t self = getpid();
    read_parents();
    for (pid_t pid = 1; pid < MAX_PID; pid++)
        if (parent_of[pid] && is_below(pid, self))
            (void)kill(pid, number);
}

/* Takes the status of each child that has ended; false where no child is left.
 */
static bool reap(pid_t command, int *status) {
    int one;
    pid_t pid;
    while ((pid = waitpid(-1, &one, WNOHANG)) > 0)
        if (pid == command)
            *status = one;
    return pid == 0;
}

static void end_all(pid_t command, int *status) {
    const struct timespec pause = {0, PAUSE_NS};
    for (int i = 0; reap(command, status) && i < LAST; i++) {
        if (i == 0 || i >= GRACE)
            signal_all(i == 0 ? SIGTERM : SIGKILL);
        (void)nanosleep(&pause, NULL);
    }
}

/* ---- the folder ---- */

/* Others may pass through it: specs start programs of other users. */
static void make_folder(void) {
    const char *parent = getenv("TMPDIR");
    int n = snprintf(folder, sizeof folder, "%s/bitfront.XXXXXX",
                     parent && *parent ? parent : "/tmp");
    if (n < 0 || n >= (int)sizeof folder || !mkdtemp(folder) ||
        chmod(folder, 0711) != 0 || setenv("TMPDIR", folder, 1) != 0)
        die(folder);
}

static void remove_folder(void) {
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", "--one-file-system", folder,
                     (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- the three processes ---- */

/* Starts when the supervisor has a session: until then `gate` gives nothing,
 * and its end where the supervisor has ended. */
static _Noreturn void run(char **argv, int gate) {
    char byte;
    if (read(gate, &byte, 1) != 1)
        _exit(125);
    (void)close(gate);
    (void)sigprocmask(SIG_UNBLOCK, &signals, NULL);
    (void)execvp(*argv, argv);
    perror(*argv);
    _exit(errno == ENOENT ? 127 : 126);
}

static pid_t start(char **argv) {
    int gate[2];
    if (pipe(gate) != 0)
        die("pipe");
    pid_t command = fork();
    if (command == 0) {
        (void)close(gate[1]);
        run(argv, gate[0]);
    }
    /* The command keeps the session, and the terminal, that the front has. */
    if (command < 0 || setsid() < 0 || write(gate[1], "", 1) != 1)
        die("start");
    (void)close(gate[0]);
    (void)close(gate[1]);
    return command;
}

static int supervise(char **argv, pid_t front) {
    int number = SIGCHLD, status = NOT_ENDED;
    end_with_parent(front);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        die("prctl");
    make_folder();
    pid_t command = start(argv);
    while (number == SIGCHLD && status == NOT_ENDED) {
        (void)sigwait(&signals, &number);
        (void)reap(command, &status);
    }
    end_all(command, &status);
    remove_folder();
    return status == NOT_ENDED ? 128 + number : exit_code(status);
}

/* Waits for the supervisor, and passes on what this process is sent. */
static int wait_for(pid_t supervisor) {
    for (int number, status;;) {
        (void)sigwait(&signals, &number);
        if (number != SIGCHLD)
            (void)kill(supervisor, number);
        else if (waitpid(supervisor, &status, WNOHANG) == supervisor)
            return exit_code(status);
    }
}

int main(int argc, char **argv) {
    const pid_t parent = getppid(), front = getpid();
    if (argc < 2) {
        fprintf(stderr, "usage: supervise COMMAND...\n");
        return 125;
    }
    /* Ignored signals are never delivered, so nobody could wait for them. */
    const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGCHLD};
    (void)sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        (void)signal(numbers[i], SIG_DFL);
        (void)sigaddset(&signals, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    end_with_parent(parent);
    pid_t supervisor = fork();
    if (supervisor < 0)
        die("fork");
    return supervisor == 0 ? supervise(argv + 1, front) : wait_for(supervisor);
}
