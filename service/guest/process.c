/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A process is known by a number, and numbers come again. What does not come again
 * is an open folder /proc/PID: procfs keeps in it the process itself and not its
 * number, so that looking up anything below it fails from the moment at which the
 * process was reaped, whoever has the number by then. The same holds for
 * /proc/PID/task/TID, which moreover exists only for threads of that process. So
 * everything here is read relative to the one descriptor, and a thread is this
 * process's if its folder opens there.
 *
 * The pidfd is beside it because it can be waited for. That both mean one process is
 * certain: while something can be read below the folder, the process has its number,
 * and nobody else did since the folder was opened.
 *
 * Where there is no pidfd (Linux before 5.3, some sandboxes, valgrind), stat tells
 * whether the process runs, and its start time that it is the same.
 *
 * A VMM in a container has a PID namespace of its own, and its monitor names threads
 * as they are called there: 7 is then the thread whose NSpid ends in 7, and not our
 * thread 7. All threads of a process are in one PID namespace (CLONE_NEWPID excludes
 * CLONE_THREAD), so that the last number of NSpid is what gettid(2) told the VMM. */

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "lib/beneath.h"
#include "lib/sysfs.h"
#include "lib/text.h"

/* Larger than any stat or status, whose lists of CPUs grow with the machine. */
#define PROC_TEXT_MAX 32768u

/* How many threads an error names. */
#define SEEN_MAX 8u

/* Linux 6.5; older headers lack it. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static int read_stat(int dir_fd, ProcStat *ret) {
        char text[4096];
        ssize_t n;

        n = sysfs_read(dir_fd, "stat", text, sizeof text);
        if (n < 0)
                return (int) n;
        return proc_stat_parse(text, ret);
}

static int read_status(int dir_fd, const char *path, ProcStatus *ret) {
        char text[PROC_TEXT_MAX];
        ssize_t n;

        n = sysfs_read(dir_fd, path, text, sizeof text);
        if (n < 0)
                return (int) n;
        return proc_status_parse(text, ret);
}

/* What procfs says of who is not there any more. */
static bool is_gone(int r) {
        return r == -ENOENT || r == -ESRCH;
}

static int open_error(pid_t pid, int r, Error *error) {
        if (is_gone(r))
                return error_set(error, ERROR_NOT_RUNNING, "There is no process %d.", (int) pid);
        return error_set(error, ERROR_BACKEND_FAILED, "Process %d cannot be looked at: %s.", (int) pid, strerror(-r));
}

Process *process_free(Process *process) {
        if (process) {
                closep(&process->pidfd);
                closep(&process->fd);
                free(process);
        }

        return NULL;
}

int process_open(pid_t pid, Process **ret, Error *error) {
        _cleanup_(process_freep) Process *process = NULL;
        char path[sizeof "/proc/2147483647"];
        ProcStatus status;
        ProcStat stat;
        int r;

        if (pid <= 0)
                return error_set(error, ERROR_INVALID_ARGS, "%d is no id of a process.", (int) pid);

        process = malloc(sizeof *process);
        if (!process)
                return error_set(error, ERROR_NO_MEMORY, "No memory for process %d.", (int) pid);
        *process = (Process) { .pid = pid, .fd = -1, .pidfd = -1 };

        (void) snprintf(path, sizeof path, "/proc/%d", (int) pid);
        process->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process->fd < 0)
                return open_error(pid, -errno, error);

        r = read_status(process->fd, "status", &status);
        if (r < 0)
                return open_error(pid, r, error);
        /* Threads have a folder in /proc too, though it is not listed. */
        if (status.tgid != pid)
                return error_set(error, ERROR_INVALID_ARGS, "%d is a thread of process %d, and no process.",
                                 (int) pid, (int) status.tgid);
        process->namespace_depth = status.namespace_depth;

        /* EPERM is what some sandboxes answer to calls that they do not know. */
        process->pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        if (process->pidfd < 0 && errno != ENOSYS && errno != EPERM)
                return open_error(pid, -errno, error);

        r = read_stat(process->fd, &stat);
        if (r < 0)
                return open_error(pid, r, error);
        process->start_ticks = stat.start_ticks;
        if (!process_is_alive(process))
                return error_set(error, ERROR_NOT_RUNNING, "Process %d has ended.", (int) pid);

        *ret = TAKE_PTR(process);
        return 0;
}

/* "Uid:" with the real, the effective, the saved and the file system's. The name in the
 * first line is escaped, so no such line can be made up. */
int process_owner(const Process *process, uid_t *ret_uid) {
        char text[PROC_TEXT_MAX];
        unsigned effective;
        const char *line;
        ssize_t n;

        n = sysfs_read(process->fd, "status", text, sizeof text);
        if (n < 0)
                return (int) n;
        line = strstr(text, "\nUid:");
        if (!line || sscanf(line, "\nUid: %*u %u", &effective) != 1)
                return -EINVAL;
        *ret_uid = effective;
        return 0;
}

bool process_is_alive(const Process *process) {
        ProcStat stat;
        int r;

        if (process->pidfd >= 0) {
                struct pollfd poll_fd = { .fd = process->pidfd, .events = POLLIN };

                r = poll(&poll_fd, 1, 0);
                if (r >= 0)
                        return r == 0;
        }

        /* That we could not look is no proof of death. */
        r = read_stat(process->fd, &stat);
        if (r < 0)
                return !is_gone(r);
        if (stat.start_ticks != process->start_ticks || stat.state == 'X' || stat.state == 'x')
                return false;
        /* The first thread may have ended before the others. */
        return stat.state != 'Z' || stat.n_threads > 1;
}

static int peer_error(pid_t pid, Error *error) {
        return error_set(error, ERROR_NOT_RUNNING, "Process %d, which made the socket, has ended.", (int) pid);
}

/* The kernel keeps the peer's number, and since Linux 6.5 the peer itself, of which it makes a
 * pidfd. If that one still runs after the folder was opened, the folder is its. Where there is
 * none, only its user can tell it from a stranger who got the number. */
int process_open_peer(int socket_fd, Process **ret, Error *error) {
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_close_ int pidfd = -1;
        struct ucred peer;
        socklen_t length = sizeof peer;
        uid_t owner;
        int r;

        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
                return error_set(error, ERROR_BACKEND_FAILED, "It cannot be asked who made the socket: %s.", strerror(errno));
        r = process_open(peer.pid, &process, error);
        if (r < 0)
                return r;
        length = sizeof pidfd;
        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) < 0) {
                pidfd = -1;
                if (errno == ESRCH)
                        return peer_error(peer.pid, error);
        }
        if (pidfd >= 0 && poll(&(struct pollfd) { .fd = pidfd, .events = POLLIN }, 1, 0) != 0)
                return peer_error(peer.pid, error);

        if (process_owner(process, &owner) < 0)
                return peer_error(peer.pid, error);
        /* Root may have become somebody else since, and may be anybody. */
        if (peer.uid != 0 && owner != peer.uid)
                return error_set(error, ERROR_BACKEND_FAILED, "Process %d is one of user %u, and the socket was made by user %u.",
                                 (int) peer.pid, owner, peer.uid);

        *ret = TAKE_PTR(process);
        return 0;
}

static int thread_error(const Process *process, pid_t tid, int r, Error *error) {
        if (!process_is_alive(process))
                return error_set(error, ERROR_NOT_RUNNING, "Process %d has ended.", (int) process->pid);
        if (is_gone(r))
                return error_set(error, ERROR_NOT_RUNNING, "Process %d has no thread %d, or no more.",
                                 (int) process->pid, (int) tid);
        return error_set(error, ERROR_BACKEND_FAILED, "Thread %d of process %d cannot be looked at: %s.",
                         (int) tid, (int) process->pid, strerror(-r));
}

pid_t process_find_owner(pid_t tid) {
        char path[sizeof "2147483647/status"];
        _cleanup_close_ int fd = -1;
        ProcStatus status;

        (void) snprintf(path, sizeof path, "%d/status", (int) tid);
        fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || read_status(fd, path, &status) < 0)
                return 0;

        return status.tgid;
}

/* The folder of a thread, without a word about why not. */
static int open_thread(const Process *process, pid_t tid) {
        char path[sizeof "task/2147483647"];

        if (tid <= 0)
                return -ENOENT;
        (void) snprintf(path, sizeof path, "task/%d", (int) tid);
        return open_beneath(process->fd, path, O_RDONLY | O_DIRECTORY);
}

int process_open_thread(const Process *process, pid_t tid, Error *error) {
        pid_t owner;
        int fd;

        fd = open_thread(process, tid);
        if (fd >= 0)
                return fd;

        owner = is_gone(fd) && tid > 0 ? process_find_owner(tid) : 0;
        if (owner > 0 && owner != process->pid && process_is_alive(process))
                return error_set(error, ERROR_BACKEND_FAILED, "Thread %d is not one of process %d, but of process %d.",
                                 (int) tid, (int) process->pid, (int) owner);
        return thread_error(process, tid, fd, error);
}

static int compare_ids(const void *a, const void *b) {
        const pid_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* The ids of all threads, in order. */
static int read_ids(const Process *process, pid_t **ret, size_t *ret_n, Error *error) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_free_ pid_t *ids = NULL;
        size_t n = 0, n_allocated = 0;
        int fd;

        fd = open_beneath(process->fd, "task", O_RDONLY | O_DIRECTORY);
        if (fd < 0)
                return thread_error(process, process->pid, fd, error);
        dir = fdopendir(fd);
        if (!dir) {
                (void) close(fd);
                return error_set(error, ERROR_NO_MEMORY, "No memory for the threads of process %d.", (int) process->pid);
        }

        for (;;) {
                struct dirent *entry;
                const char *p;
                uint64_t id;

                errno = 0;
                entry = readdir(dir);
                if (!entry) {
                        if (errno != 0)
                                return thread_error(process, process->pid, -errno, error);
                        break;
                }
                p = entry->d_name;
                if (text_take_number(&p, INT_MAX, &id) < 0 || *p)
                        continue;

                if (n >= PROCESS_THREADS_MAX)
                        return error_set(error, ERROR_RESOURCE_EXHAUSTED, "Process %d has more than %u threads.",
                                         (int) process->pid, PROCESS_THREADS_MAX);
                if (n >= n_allocated) {
                        pid_t *more;

                        n_allocated = n_allocated > 0 ? 2 * n_allocated : 64;
                        more = reallocarray(ids, n_allocated, sizeof *ids);
                        if (!more)
                                return error_set(error, ERROR_NO_MEMORY, "No memory for the threads of process %d.",
                                                 (int) process->pid);
                        ids = more;
                }
                ids[n++] = (pid_t) id;
        }

        /* An empty folder is that of a process that ended while it was read. */
        if (n == 0)
                return thread_error(process, process->pid, -ESRCH, error);
        qsort(ids, n, sizeof *ids, compare_ids);

        *ret = TAKE_PTR(ids);
        *ret_n = n;
        return 0;
}

/* What a thread is called in the process's own namespace. */
static int read_inner_id(const Process *process, pid_t tid, pid_t *ret) {
        _cleanup_close_ int fd = -1;
        ProcStatus status;
        int r;

        if (process->namespace_depth == 0) {
                *ret = tid;
                return 0;
        }

        fd = open_thread(process, tid);
        if (fd < 0)
                return fd;
        r = read_status(fd, "status", &status);
        if (r < 0)
                return r;

        *ret = status.innermost_pid;
        return 0;
}

/* The monitor lies, or speaks of another process: says what there is. */
static int foreign_error(const Process *process, pid_t wanted, const pid_t *seen, size_t n_seen, Error *error) {
        char text[SEEN_MAX * sizeof ", 2147483647"] = "";
        pid_t owner = 0;
        char *p = text;

        for (size_t i = 0; i < n_seen && i < SEEN_MAX; i++)
                p += sprintf(p, "%s%d", i > 0 ? ", " : "", (int) seen[i]);
        /* In a namespace of its own a number of ours means nothing. */
        if (wanted > 0 && process->namespace_depth == 0)
                owner = process_find_owner(wanted);

        if (owner > 0 && owner != process->pid)
                return error_set(error, ERROR_BACKEND_FAILED,
                                 "Thread %d is not one of process %d, but of process %d; process %d has %s%s.",
                                 (int) wanted, (int) process->pid, (int) owner,
                                 (int) process->pid, text, n_seen > SEEN_MAX ? ", …" : "");
        return error_set(error, ERROR_BACKEND_FAILED, "Process %d has no thread %d%s, but %s%s.",
                         (int) process->pid, (int) wanted,
                         process->namespace_depth > 0 ? " in its PID namespace" : "",
                         text, n_seen > SEEN_MAX ? ", …" : "");
}

int process_find_thread(const Process *process, pid_t tid_in_its_namespace, pid_t *ret_tid, Error *error) {
        _cleanup_free_ pid_t *ids = NULL;
        size_t n_ids, n_inner = 0;
        int r;

        if (process->namespace_depth == 0) {
                _cleanup_close_ int fd = open_thread(process, tid_in_its_namespace);

                if (fd >= 0 && process_is_alive(process)) {
                        *ret_tid = tid_in_its_namespace;
                        return 0;
                }
                if (fd < 0 && !is_gone(fd))
                        return thread_error(process, tid_in_its_namespace, fd, error);
        }

        if (!process_is_alive(process))
                return error_set(error, ERROR_NOT_RUNNING, "Process %d has ended.", (int) process->pid);
        r = read_ids(process, &ids, &n_ids, error);
        if (r < 0)
                return r;

        /* The list of what we call them turns into one of what it calls them. */
        for (size_t i = 0; i < n_ids; i++) {
                pid_t tid = ids[i], inner;

                r = read_inner_id(process, tid, &inner);
                if (is_gone(r))
                        continue;
                if (r < 0)
                        return thread_error(process, tid, r, error);
                if (inner == tid_in_its_namespace) {
                        *ret_tid = tid;
                        return 0;
                }
                ids[n_inner++] = inner;
        }

        if (!process_is_alive(process))
                return error_set(error, ERROR_NOT_RUNNING, "Process %d has ended.", (int) process->pid);
        return foreign_error(process, tid_in_its_namespace, ids, n_inner, error);
}

void process_threads_clear(ProcessThreads *threads) {
        free(threads->items);
        *threads = (ProcessThreads) {};
}

static int read_thread(const Process *process, pid_t tid, ProcessThread *ret) {
        ProcessThread thread = { .tid = tid };
        _cleanup_close_ int fd = -1;
        ProcStatus status;
        ProcStat stat;
        int r;

        fd = open_thread(process, tid);
        if (fd < 0)
                return fd;
        r = read_stat(fd, &stat);
        if (r < 0)
                return r;
        thread.tid_in_its_namespace = tid;
        if (process->namespace_depth > 0) {
                r = read_status(fd, "status", &status);
                if (r < 0)
                        return r;
                thread.tid_in_its_namespace = status.innermost_pid;
        }

        thread.role = thread_role_from_comm(stat.comm, &thread.vcpu);
        memcpy(thread.comm, stat.comm, sizeof thread.comm);
        text_make_printable(thread.comm);

        *ret = thread;
        return 0;
}

int process_list_threads(const Process *process, ProcessThreads *ret, Error *error) {
        _cleanup_process_threads_ ProcessThreads threads = {};
        _cleanup_free_ pid_t *ids = NULL;
        size_t n_ids;
        int r;

        if (!process_is_alive(process))
                return error_set(error, ERROR_NOT_RUNNING, "Process %d has ended.", (int) process->pid);
        r = read_ids(process, &ids, &n_ids, error);
        if (r < 0)
                return r;
        threads.items = calloc(n_ids, sizeof *threads.items);
        if (!threads.items)
                return error_set(error, ERROR_NO_MEMORY, "No memory for the threads of process %d.", (int) process->pid);

        for (size_t i = 0; i < n_ids; i++) {
                r = read_thread(process, ids[i], threads.items + threads.n_items);
                if (is_gone(r))
                        continue;
                if (r < 0)
                        return thread_error(process, ids[i], r, error);
                threads.n_items++;
        }
        if (threads.n_items == 0)
                return thread_error(process, process->pid, -ESRCH, error);

        *ret = TAKE(threads);
        return 0;
}

const ProcessThread *process_threads_find(const ProcessThreads *threads, pid_t tid_in_its_namespace) {
        for (size_t i = 0; i < threads->n_items; i++)
                if (threads->items[i].tid_in_its_namespace == tid_in_its_namespace)
                        return threads->items + i;

        return NULL;
}
