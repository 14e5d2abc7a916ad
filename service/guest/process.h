/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The process of a VMM and its threads, in the live /proc: who is who. What is
 * done with a thread stands in threads.h. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/proc.h"
#include "lib/cleanup.h"
#include "lib/error.h"

/* As many threads of one process as are looked at. A QEMU with 1,024 vCPUs and a
 * full pool of workers has less; whoever has more wants to hold us up. */
#define PROCESS_THREADS_MAX 8192u

typedef struct Process {
        pid_t pid;                      /* as we see it */
        int fd;                         /* /proc/PID */
        int pidfd;                      /* readable when it ends; -1 where the kernel has none */
        uint64_t start_ticks;           /* since the boot of the host: with "pid", a name for this run */
        unsigned namespace_depth;       /* PID namespaces between us and it; 0 if it lives in ours */
} Process;

/* Opens a process by its id in our own PID namespace.
 * Source: /proc/PID/{stat,status}, pidfd_open(2).
 * Errors: InvalidArgs for what is no process's id (a thread's, too), NotRunning if
 * there is none or it has ended. */
int process_open(pid_t pid, Process **ret, Error *error);
Process *process_free(Process *process);
DEFINE_CLEANUP(Process *, process_free)

/* Opens the process at the other end of a connected socket: who connected, or who made it
 * listen. A stranger who got the number of one that has ended is not opened.
 * Source: SO_PEERCRED, SO_PEERPIDFD in unix(7), Uid in /proc/PID/status.
 * Errors: those of process_open(); BackendFailed if it is another user's than the socket. */
int process_open_peer(int socket_fd, Process **ret, Error *error);

/* Whether it still runs. One that has ended and waits for its parent does not. */
bool process_is_alive(const Process *process);

/* The user that it runs as (its effective one).
 * Source: Uid in /proc/PID/status.
 * Returns a negative errno if it cannot be read. */
int process_owner(const Process *process, uid_t *ret_uid);

/* Finds a thread by the id that it has in the process's own PID namespace, which is
 * what a monitor tells: "*ret_tid" is its id in ours.
 * Source: /proc/PID/task, NSpid in /proc/PID/task/TID/status.
 * Errors: BackendFailed with what was seen if this process has no such thread,
 * NotRunning if the process has ended. */
int process_find_thread(const Process *process, pid_t tid_in_its_namespace, pid_t *ret_tid, Error *error);

/* Opens /proc/PID/task/TID, which is there if and only if the thread is this
 * process's. Returns the descriptor.
 * Errors: NotRunning if process or thread have ended, BackendFailed if the id is
 * that of another process's thread. */
int process_open_thread(const Process *process, pid_t tid, Error *error);

/* Which process a thread belongs to, both by our ids; 0 if there is none.
 * Source: Tgid in /proc/TID/status. */
pid_t process_find_owner(pid_t tid);

typedef struct ProcessThread {
        pid_t tid;                      /* as we see it */
        pid_t tid_in_its_namespace;     /* as its monitor names it */
        ThreadRole role;                /* a hint */
        uint32_t vcpu;                  /* a hint; ID_NONE if it is no vCPU's */
        char comm[COMM_MAX];            /* printable */
} ProcessThread;

typedef struct ProcessThreads {
        ProcessThread *items;           /* by "tid" */
        size_t n_items;
} ProcessThreads;

void process_threads_clear(ProcessThreads *threads);
#define _cleanup_process_threads_ _cleanup_(process_threads_clear)

/* All threads of the process; those that end meanwhile are left out.
 *
 * Role and vCPU come from the thread's name, which every process may choose for
 * itself, and which QEMU gives only with "-name …,debug-threads=on": they are for
 * people to read. What is to be pinned is asked of the monitor.
 * Errors: NotRunning, ResourceExhausted above PROCESS_THREADS_MAX. */
int process_list_threads(const Process *process, ProcessThreads *ret, Error *error);

/* The one that the monitor calls so, or NULL. */
const ProcessThread *process_threads_find(const ProcessThreads *threads, pid_t tid_in_its_namespace);
