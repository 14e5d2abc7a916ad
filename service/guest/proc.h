/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel writes about a process or a thread, each read by a function of a text
 * alone. Where these texts come from stands in process.h. */

#include <stdint.h>
#include <sys/types.h>

/* A comm is 16 bytes with its end; kernel workers show more in their stat. */
#define COMM_MAX 64u

/* Source: proc_pid_stat(5), fields 1 to 39. */
typedef struct ProcStat {
        char comm[COMM_MAX];            /* as it is: white space, parentheses, any bytes */
        char state;
        uint64_t user_ticks;            /* 14 */
        uint64_t system_ticks;          /* 15 */
        uint64_t n_threads;             /* 20 */
        uint64_t start_ticks;           /* 22 */
        uint32_t last_cpu;              /* 39 */
} ProcStat;

/* Returns -EINVAL for what is no such text, -ERANGE for a number too large. */
int proc_stat_parse(const char *text, ProcStat *ret);

/* Source: proc_pid_status(5). */
typedef struct ProcStatus {
        pid_t tgid;
        pid_t pid;
        pid_t innermost_pid;            /* the last of NSpid */
        unsigned namespace_depth;       /* how many more than one NSpid has */
} ProcStatus;

/* Returns -EINVAL for what is no such text, -ESRCH for an id of 0, which the kernel
 * writes for who went away meanwhile. A kernel without PID namespaces has no NSpid. */
int proc_status_parse(const char *text, ProcStatus *ret);

/* What a thread is there for, by its name. */
typedef enum ThreadRole {
        THREAD_ROLE_EMULATOR,           /* everything that is none of the others */
        THREAD_ROLE_VCPU,
        THREAD_ROLE_IOTHREAD,
        THREAD_ROLE_VHOST,
        _THREAD_ROLE_MAX,
} ThreadRole;

const char *thread_role_to_string(ThreadRole role);

/* "CPU 0/KVM", "CPU 0/TCG", "IO iothread0", "vhost-123"; "*ret_vcpu" may be ID_NONE. */
ThreadRole thread_role_from_comm(const char *comm, uint32_t *ret_vcpu);
