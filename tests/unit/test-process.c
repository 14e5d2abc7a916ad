/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who is who in the live /proc: processes that end, threads of others, and what a
 * monitor in a PID namespace of its own names. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "child.h"
#include "guest/process.h"
#include "lib/sysfs.h"

/* What follows the state in stat, up to field 38, of a process that started at 4242. */
#define REST " 1 2 3 -1 5 6 7 8 9 10 140 15 16 17 -20 19 2 0 4242 23 24 18446744073709551615 26 27 28 29 30 31 32 33 34 35 36 37 38"

typedef struct StatRow {
        const char *text;
        int result;
        const char *comm;
        uint32_t last_cpu;
} StatRow;

static const StatRow stat_rows[] = {
        { "12 (cat) S" REST " 3 40 41\n", 0, "cat", 3 },
        { "12 (cat) S" REST " 3", 0, "cat", 3 },
        { "12 (cat) S" REST " 0\n", 0, "cat", 0 },
        { "12 (cat) S" REST " 4294967295 0", 0, "cat", UINT32_MAX },
        { "2147483647 () Z" REST " 1 ", 0, "", 1 },
        { "12 (CPU 0/KVM) R" REST " 1 ", 0, "CPU 0/KVM", 1 },
        { "12 (a) b) S" REST " 1 ", 0, "a) b", 1 },
        { "12 (() S" REST " 1 ", 0, "(", 1 },
        { "12 ()) S" REST " 1 ", 0, ")", 1 },
        { "12 () S 0 0 0 0) S" REST " 1 ", 0, ") S 0 0 0 0", 1 },
        { "12 (a\n1 (b) S) S" REST " 1 ", 0, "a\n1 (b) S", 1 },
        { "12 (\xff\xfe) S" REST " 1 ", 0, "\xff\xfe", 1 },
        { "12 (kworker/0:1-a-name-of-63-bytes-that-the-kernel-has-for-its-own) I" REST " 1 ", 0,
          "kworker/0:1-a-name-of-63-bytes-that-the-kernel-has-for-its-own", 1 },
        { "12 (kworker/0:1-a-name-of-64-bytes-that-the-kernel-has-for-its-owned) I" REST " 1 ", -EINVAL, NULL, 0 },
        { "", -EINVAL, NULL, 0 },
        { "\n", -EINVAL, NULL, 0 },
        { "12", -EINVAL, NULL, 0 },
        { "12 ", -EINVAL, NULL, 0 },
        { "12 (cat", -EINVAL, NULL, 0 },
        { "12 (cat)", -EINVAL, NULL, 0 },
        { "12 (cat) ", -EINVAL, NULL, 0 },
        { "12 (cat) S", -EINVAL, NULL, 0 },
        { "12 (cat) S ", -EINVAL, NULL, 0 },
        { "12 (cat) S" REST, -EINVAL, NULL, 0 },
        { "12 (cat) S" REST " ", -EINVAL, NULL, 0 },
        { "12 (cat) 7" REST " 1", -EINVAL, NULL, 0 },
        { "12 (cat)S" REST " 1", -EINVAL, NULL, 0 },
        { "12 (cat) SS" REST " 1", -EINVAL, NULL, 0 },
        { "12 (cat) S " REST " 1", -EINVAL, NULL, 0 },
        { "12 (cat) S" REST " -1", -EINVAL, NULL, 0 },
        { "12 (cat) S" REST " 1x", -EINVAL, NULL, 0 },
        { "12 (cat) S" REST " 4294967296", -ERANGE, NULL, 0 },
        { "12(cat) S" REST " 1", -EINVAL, NULL, 0 },
        { "12 cat S" REST " 1", -EINVAL, NULL, 0 },
        { ")12 (cat S" REST " 1", -EINVAL, NULL, 0 },
        { "12 )cat( S" REST " 1", -EINVAL, NULL, 0 },
        { "-12 (cat) S" REST " 1", -EINVAL, NULL, 0 },
        { "2147483648 (cat) S" REST " 1", -ERANGE, NULL, 0 },
        { "12 (cat) S 1 2 x -1", -EINVAL, NULL, 0 },
        { "12 (cat) S 1 2 --3 -1", -EINVAL, NULL, 0 },
        { "12 (cat) S 1 2 18446744073709551616", -ERANGE, NULL, 0 },
        { "12 (cat) S 1 2 3 -1 5 6 7 8 9 10 -140 15 16 17 -20 19 2 0 22", -EINVAL, NULL, 0 },
        { "12 (cat) S 1 2 3 -1 5 6 7 8 9 10 140 15 16 17 -20 19 2 0 -22", -EINVAL, NULL, 0 },
};

static void a_stat_is_read_and_garbage_is_refused(void) {
        for (size_t i = 0; i < ELEMENTSOF(stat_rows); i++) {
                const StatRow *row = stat_rows + i;
                ProcStat stat, untouched;

                memset(&stat, 0x77, sizeof stat);
                untouched = stat;
                g_test_message("row %zu", i);
                g_assert_cmpint(proc_stat_parse(row->text, &stat), ==, row->result);
                if (row->result < 0) {
                        g_assert_cmpmem(&stat, sizeof stat, &untouched, sizeof untouched);
                        continue;
                }
                g_assert_cmpstr(stat.comm, ==, row->comm);
                g_assert_cmpuint(stat.user_ticks, ==, 140);
                g_assert_cmpuint(stat.system_ticks, ==, 15);
                g_assert_cmpuint(stat.n_threads, ==, 2);
                g_assert_cmpuint(stat.start_ticks, ==, 4242);
                g_assert_cmpuint(stat.last_cpu, ==, row->last_cpu);
        }
}

typedef struct StatusRow {
        const char *text;
        int result;
        ProcStatus wanted;
} StatusRow;

static const StatusRow status_rows[] = {
        { "Name:\tcat\nTgid:\t12\nNgid:\t0\nPid:\t13\nPPid:\t1\nNSpid:\t13\n", 0, { 12, 13, 13, 0 } },
        { "Tgid:\t12\nPid:\t13\nNSpid:\t13\t7", 0, { 12, 13, 7, 1 } },
        { "Tgid:\t12\nPid:\t13\nNSpid:\t13\t900\t7\nNSpgid:\t1\t2\n", 0, { 12, 13, 7, 2 } },
        { "Tgid:\t12\nPid:\t13\n", 0, { 12, 13, 13, 0 } },
        { "NSpid: 13  7 \nPid: 13 \nTgid: 12", 0, { 12, 13, 7, 1 } },
        { "Name:\tTgid:\\n7\nTgid:\t12\nPid:\t12\n", 0, { 12, 12, 12, 0 } },
        { "Tgid:\t2147483647\nPid:\t1\n", 0, { INT_MAX, 1, 1, 0 } },
        { "", -EINVAL, {} },
        { "\n\n\n", -EINVAL, {} },
        { "Tgid:\t12\n", -EINVAL, {} },
        { "Pid:\t12\n", -EINVAL, {} },
        { "PPid:\t12\nTgid:\t12\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t12\nNSpid:\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t12\nNSpid:\tx\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t12\nNSpid:\t12 7x\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t12\nNSpid:\t12,7\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t-12\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t0x12\n", -EINVAL, {} },
        { "Tgid:\t12 13\nPid:\t12\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t12 13\n", -EINVAL, {} },
        { "Tgid:\t12\nTgid:\t13\nPid:\t12\n", -EINVAL, {} },
        { "Tgid:\t12\nPid:\t12\nNSpid:\t12\nNSpid:\t13\n", -EINVAL, {} },
        { "Tgid:\t2147483648\nPid:\t1\n", -ERANGE, {} },
        { "Tgid:\t99999999999999999999999\nPid:\t1\n", -ERANGE, {} },
        { "Tgid:\t0\nPid:\t13\n", -ESRCH, {} },
        { "Tgid:\t12\nPid:\t13\nNSpid:\t13\t0\n", -ESRCH, {} },
        { "\xff\xfe\nTgid:\xc2\xa0" "12\nPid:\t12\n", -EINVAL, {} },
};

static void a_status_is_read_and_garbage_is_refused(void) {
        for (size_t i = 0; i < ELEMENTSOF(status_rows); i++) {
                const StatusRow *row = status_rows + i;
                ProcStatus status = { -7, -7, -7, 77 };

                g_test_message("row %zu", i);
                g_assert_cmpint(proc_status_parse(row->text, &status), ==, row->result);
                if (row->result < 0) {
                        g_assert_cmpint(status.tgid, ==, -7);
                        g_assert_cmpuint(status.namespace_depth, ==, 77);
                        continue;
                }
                g_assert_cmpint(status.tgid, ==, row->wanted.tgid);
                g_assert_cmpint(status.pid, ==, row->wanted.pid);
                g_assert_cmpint(status.innermost_pid, ==, row->wanted.innermost_pid);
                g_assert_cmpuint(status.namespace_depth, ==, row->wanted.namespace_depth);
        }
}

static void a_role_is_guessed_from_the_name(void) {
        static const struct { const char *comm; ThreadRole role; uint32_t vcpu; } rows[] = {
                { "CPU 0/KVM", THREAD_ROLE_VCPU, 0 },
                { "CPU 0/TCG", THREAD_ROLE_VCPU, 0 },
                { "CPU 254/KVM", THREAD_ROLE_VCPU, 254 },
                { "CPU 1023/TCG", THREAD_ROLE_VCPU, 1023 },
                { "CPU 0/DUMMY", THREAD_ROLE_VCPU, 0 },
                { "CPU 4294967294/K", THREAD_ROLE_VCPU, 4294967294u },
                { "IO iothread0", THREAD_ROLE_IOTHREAD, ID_NONE },
                { "IO x", THREAD_ROLE_IOTHREAD, ID_NONE },
                { "vhost-123", THREAD_ROLE_VHOST, ID_NONE },
                { "qemu-system-x86", THREAD_ROLE_EMULATOR, ID_NONE },
                { "IO mon_iothread", THREAD_ROLE_EMULATOR, ID_NONE },
                { "ALL CPUs/TCG", THREAD_ROLE_EMULATOR, ID_NONE },
                { "", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU ", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 0", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 0/", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU /KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU -1/KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU +1/KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU  1/KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 1 /KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 1/kvm", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 1/KVM ", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 1/\xff", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 0x1/KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 4294967295/K", THREAD_ROLE_EMULATOR, ID_NONE },
                { "CPU 99999999999/", THREAD_ROLE_EMULATOR, ID_NONE },
                { "cpu 0/KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { " CPU 0/KVM", THREAD_ROLE_EMULATOR, ID_NONE },
                { "IO", THREAD_ROLE_EMULATOR, ID_NONE },
                { "IO ", THREAD_ROLE_EMULATOR, ID_NONE },
                { "vhost-", THREAD_ROLE_EMULATOR, ID_NONE },
                { "vhost-x", THREAD_ROLE_EMULATOR, ID_NONE },
                { "vhost-1x", THREAD_ROLE_EMULATOR, ID_NONE },
                { "vhost--1", THREAD_ROLE_EMULATOR, ID_NONE },
                { "vhost-2147483648", THREAD_ROLE_EMULATOR, ID_NONE },
        };
        static const char *const words[] = { "emulator", "vcpu", "iothread", "vhost" };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint32_t vcpu = 77;

                g_test_message("row %zu", i);
                g_assert_cmpint(thread_role_from_comm(rows[i].comm, &vcpu), ==, rows[i].role);
                g_assert_cmpuint(vcpu, ==, rows[i].vcpu);
        }

        g_assert_cmpuint(ELEMENTSOF(words), ==, _THREAD_ROLE_MAX);
        for (ThreadRole role = 0; role < _THREAD_ROLE_MAX; role++)
                g_assert_cmpstr(thread_role_to_string(role), ==, words[role]);
}

static Process *open_process(pid_t pid) {
        _cleanup_error_ Error error = {};
        Process *process = NULL;
        int r;

        r = process_open(pid, &process, &error);
        if (r < 0)
                g_error("%s", error.message);
        return process;
}

/* As on a kernel that has none. */
static void forget_pidfd(Process *process) {
        closep(&process->pidfd);
        process->pidfd = -1;
}

static void refuse_thread(const Process *process, pid_t tid, ErrorCode code, const char *part) {
        _cleanup_error_ Error error = {};
        pid_t found = -7;

        g_assert_cmpint(process_find_thread(process, tid, &found, &error), <, 0);
        g_test_message("%s", error.message);
        g_assert_cmpint(error.code, ==, code);
        g_assert_nonnull(strstr(error.message, part));
        g_assert_cmpint(found, ==, -7);
        /* An error is not asked for by all. */
        g_assert_cmpint(process_find_thread(process, tid, &found, NULL), <, 0);
}

static void refuse_process(pid_t pid, ErrorCode code, const char *part) {
        _cleanup_error_ Error error = {};
        Process *process = NULL;

        g_assert_cmpint(process_open(pid, &process, &error), <, 0);
        g_test_message("%s", error.message);
        g_assert_cmpint(error.code, ==, code);
        g_assert_nonnull(strstr(error.message, part));
        g_assert_null(process);
}

static void a_process_is_opened_and_named(void) {
        _cleanup_(process_freep) Process *process = open_process(getpid());
        _cleanup_(process_freep) Process *again = open_process(getpid());

        g_assert_cmpint(process->pid, ==, getpid());
        g_assert_cmpuint(process->namespace_depth, ==, 0);
        g_assert_cmpuint(process->start_ticks, >, 0);
        g_assert_cmpuint(process->start_ticks, ==, again->start_ticks);
        g_assert_true(process_is_alive(process));
        forget_pidfd(process);
        g_assert_true(process_is_alive(process));
        g_assert_null(process_free(NULL));
}

static void what_is_no_process_is_refused(void) {
        g_autoptr(Child) child = child_new(2);

        refuse_process(0, ERROR_INVALID_ARGS, "0 is no id");
        refuse_process(-1, ERROR_INVALID_ARGS, "-1 is no id");
        refuse_process(INT_MIN, ERROR_INVALID_ARGS, "is no id");
        refuse_process(INT_MAX, ERROR_NOT_RUNNING, "no process 2147483647");
        refuse_process(child->tids[1], ERROR_INVALID_ARGS, "is a thread of process");
        child_end(child);
        refuse_process(child->pid, ERROR_NOT_RUNNING, "no process");
}

static void threads_of_a_process_are_found(void) {
        g_autoptr(Child) child = child_new(4);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        _cleanup_process_threads_ ProcessThreads threads = {};

        g_assert_cmpint(child->tids[0], ==, child->pid);
        for (unsigned i = 0; i < child->n_tids; i++) {
                pid_t tid;

                g_assert_cmpint(process_find_thread(process, child->tids[i], &tid, NULL), ==, 0);
                g_assert_cmpint(tid, ==, child->tids[i]);
        }

        g_assert_cmpint(process_list_threads(process, &threads, NULL), ==, 0);
        for (unsigned i = 0; i < child->n_tids; i++) {
                const ProcessThread *thread = process_threads_find(&threads, child->tids[i]);

                g_assert_nonnull(thread);
                g_assert_cmpint(thread->tid, ==, child->tids[i]);
                g_assert_cmpint(thread->role, ==, THREAD_ROLE_EMULATOR);
        }
        for (size_t i = 1; i < threads.n_items; i++)
                g_assert_cmpint(threads.items[i - 1].tid, <, threads.items[i].tid);
        g_assert_null(process_threads_find(&threads, getpid()));
}

static void a_thread_of_another_is_refused(void) {
        g_autoptr(Child) child = child_new(2), other = child_new(2);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        _cleanup_error_ Error error = {};
        g_autofree char *owner = g_strdup_printf("but of process %d", other->pid);
        g_autofree char *seen = g_strdup_printf("has %d, %d", child->tids[0], child->tids[1]);

        refuse_thread(process, other->tids[1], ERROR_BACKEND_FAILED, owner);
        refuse_thread(process, other->tids[0], ERROR_BACKEND_FAILED, owner);
        refuse_thread(process, getpid(), ERROR_BACKEND_FAILED, "but of process");
        refuse_thread(process, 1, ERROR_BACKEND_FAILED, "1 is not one of process");
        refuse_thread(process, 0, ERROR_BACKEND_FAILED, "no thread 0");
        refuse_thread(process, -1, ERROR_BACKEND_FAILED, "no thread -1");
        refuse_thread(process, INT_MIN, ERROR_BACKEND_FAILED, "no thread -2147483648");
        refuse_thread(process, INT_MAX, ERROR_BACKEND_FAILED, "no thread 2147483647");

        /* It tells what it saw; under valgrind a program has threads of its own. */
        if (process->pidfd >= 0)
                refuse_thread(process, other->tids[1], ERROR_BACKEND_FAILED, seen);

        g_assert_cmpint(process_open_thread(process, other->tids[1], &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
        g_assert_nonnull(strstr(error.message, owner));
}

/* 1, 2 and 3 in there; what is 1, 2 and 3 here is never meant. */
static void a_namespace_is_translated(void) {
        g_autoptr(Child) child = child_new_in_namespace(3);
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_process_threads_ ProcessThreads threads = {};
        pid_t main_tid, tid;

        if (!child) {
                g_test_skip("no PID namespaces here");
                return;
        }
        process = open_process(child->pid);
        g_assert_cmpuint(process->namespace_depth, ==, 1);
        g_assert_cmpint(child->tids[0], ==, 1);
        g_assert_cmpint(process_find_thread(process, 1, &main_tid, NULL), ==, 0);
        g_assert_cmpint(main_tid, ==, child->pid);

        g_assert_cmpint(process_list_threads(process, &threads, NULL), ==, 0);
        for (unsigned i = 0; i < child->n_tids; i++) {
                const ProcessThread *thread = process_threads_find(&threads, child->tids[i]);
                _cleanup_close_ int fd = -1;

                g_assert_cmpint(process_find_thread(process, child->tids[i], &tid, NULL), ==, 0);
                g_assert_nonnull(thread);
                g_assert_cmpint(thread->tid, ==, tid);
                /* It is the child's by our number, too. */
                fd = process_open_thread(process, tid, NULL);
                g_assert_cmpint(fd, >=, 0);
                g_assert_cmpint(kill(tid, 0), ==, 0);
                g_assert_true(tid == child->pid || tid > (pid_t) child->n_tids);
        }

        /* Nobody in there knows our numbers. */
        if (child->pid > 1000)
                refuse_thread(process, child->pid, ERROR_BACKEND_FAILED, "in its PID namespace, but 1, ");
        refuse_thread(process, INT_MAX, ERROR_BACKEND_FAILED, "in its PID namespace");
        refuse_thread(process, 0, ERROR_BACKEND_FAILED, "no thread 0");
        refuse_thread(process, -1, ERROR_BACKEND_FAILED, "no thread -1");

        forget_pidfd(process);
        g_assert_true(process_is_alive(process));
        child_end(child);
        g_assert_false(process_is_alive(process));
        refuse_thread(process, 1, ERROR_NOT_RUNNING, "has ended");
}

static void expect_ended(const Process *process, const Child *child) {
        _cleanup_process_threads_ ProcessThreads threads = {};
        _cleanup_error_ Error error = {}, list_error = {};

        g_assert_false(process_is_alive(process));
        refuse_thread(process, child->tids[0], ERROR_NOT_RUNNING, "has ended");
        refuse_thread(process, child->tids[1], ERROR_NOT_RUNNING, "has ended");
        refuse_thread(process, getpid(), ERROR_NOT_RUNNING, "has ended");

        g_assert_cmpint(process_list_threads(process, &threads, &list_error), <, 0);
        g_assert_cmpint(list_error.code, ==, ERROR_NOT_RUNNING);
        g_assert_cmpuint(threads.n_items, ==, 0);

        g_assert_cmpint(process_open_thread(process, child->tids[1], &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_NOT_RUNNING);
}

static void a_process_that_ended_is_known(void) {
        for (unsigned without = 0; without < 2; without++) {
                g_autoptr(Child) child = child_new(2);
                _cleanup_(process_freep) Process *process = open_process(child->pid);

                if (without)
                        forget_pidfd(process);
                g_assert_true(process_is_alive(process));

                /* Its parent has not looked yet; its number is still its own. */
                child_end_unnoticed(child);
                expect_ended(process, child);
                refuse_process(child->pid, ERROR_NOT_RUNNING, "has ended");

                child_end(child);
                expect_ended(process, child);
        }
}

/* The number would be right, the process is another. */
/* Connected to a socket that a child made listen, which has ended; "*ret_pid" was its number. */
static int connect_to_ended(pid_t *ret_pid) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t length = sizeof address;
        _cleanup_close_ int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t pid;

        /* The kernel finds a name. */
        g_assert_no_errno(bind(listening, (struct sockaddr *) &address, sizeof(sa_family_t)));
        g_assert_no_errno(getsockname(listening, (struct sockaddr *) &address, &length));
        pid = fork();
        g_assert_no_errno(pid);
        if (pid == 0)
                _exit(listen(listening, 1) < 0);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        g_assert_no_errno(connect(fd, (struct sockaddr *) &address, length));
        *ret_pid = pid;
        return fd;
}

static void refuse_peer(int fd, ErrorCode code, const char *part) {
        _cleanup_error_ Error error = {};
        Process *process = NULL;

        g_assert_cmpint(process_open_peer(fd, &process, &error), <, 0);
        g_test_message("%s", error.message);
        g_assert_cmpint(error.code, ==, code);
        g_assert_nonnull(strstr(error.message, part));
        g_assert_null(process);
        g_assert_cmpint(process_open_peer(fd, &process, NULL), <, 0);
}

static void the_process_behind_a_socket_is_found_until_it_ends(void) {
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_close_ int file = open("/dev/null", O_RDONLY | O_CLOEXEC), ended = -1;
        int pair[2];
        pid_t pid;

        g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        g_assert_cmpint(process_open_peer(pair[0], &process, NULL), ==, 0);
        g_assert_cmpint(process->pid, ==, getpid());
        (void) close(pair[0]);
        (void) close(pair[1]);

        ended = connect_to_ended(&pid);
        refuse_peer(ended, ERROR_NOT_RUNNING, "rocess");
        refuse_peer(file, ERROR_BACKEND_FAILED, "socket");
}

static void a_process_of_another_user_than_its_socket_is_refused(void) {
        _cleanup_(process_freep) Process *process = NULL;
        int pair[2], of_root[2];

        if (geteuid() != 0) {
                g_test_skip("only root can be two users");
                return;
        }
        g_assert_no_errno(seteuid(4711));
        g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        g_assert_no_errno(seteuid(0));
        refuse_peer(pair[0], ERROR_BACKEND_FAILED, "user 4711");

        /* What root began, and goes on as somebody else. */
        g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, of_root));
        g_assert_no_errno(seteuid(4711));
        g_assert_cmpint(process_open_peer(of_root[0], &process, NULL), ==, 0);
        g_assert_no_errno(seteuid(0));
        for (size_t i = 0; i < 2; i++) {
                (void) close(pair[i]);
                (void) close(of_root[i]);
        }
}

/* A child with this number, or 0. Somebody else may be given it first. */
static pid_t fork_with_pid(pid_t wanted, uid_t uid) {
        for (unsigned i = 0; i < 20; i++) {
                g_autofree char *text = g_strdup_printf("%d", (int) wanted - 1);
                _cleanup_close_ int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
                int status;
                pid_t pid;

                g_assert_no_errno(fd);
                g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
                pid = fork();
                g_assert_no_errno(pid);
                if (pid == 0) {
                        if (setresuid(uid, uid, uid) < 0)
                                _exit(1);
                        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                        (void) raise(SIGSTOP);
                        _exit(1);
                }
                g_assert_cmpint(waitpid(pid, &status, WUNTRACED), ==, pid);
                g_assert_true(WIFSTOPPED(status));
                if (pid == wanted)
                        return pid;
                g_assert_no_errno(kill(pid, SIGKILL));
                g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        }
        return 0;
}

static bool kernel_knows_peers(void) {
        int pair[2], pidfd = -1;
        socklen_t length = sizeof pidfd;
        bool knows;

        g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        knows = getsockopt(pair[0], SOL_SOCKET, 77, &pidfd, &length) == 0;
        if (knows)
                (void) close(pidfd);
        (void) close(pair[0]);
        (void) close(pair[1]);
        return knows;
}

static void refuse_stranger(uid_t uid) {
        pid_t pid, stranger = 0;
        Process *process = NULL;
        int fd = -1;

        while (stranger == 0) {
                if (fd >= 0)
                        (void) close(fd);
                g_assert_no_errno(seteuid(4711));
                fd = connect_to_ended(&pid);
                g_assert_no_errno(seteuid(0));
                stranger = fork_with_pid(pid, uid);
        }
        g_assert_cmpint(process_open_peer(fd, &process, NULL), <, 0);
        g_assert_null(process);
        g_assert_no_errno(kill(stranger, SIGKILL));
        g_assert_cmpint(waitpid(stranger, NULL, 0), ==, stranger);
        (void) close(fd);
}

static void a_stranger_with_the_number_is_not_the_peer(void) {
        if (geteuid() != 0) {
                g_test_skip("only root can choose numbers of processes");
                return;
        }
        refuse_stranger(4712);
        /* Before Linux 6.5 the user was all there was. */
        if (kernel_knows_peers())
                refuse_stranger(4711);
}

static void a_start_time_tells_two_runs_apart(void) {
        g_autoptr(Child) child = child_new(1);
        _cleanup_(process_freep) Process *process = open_process(child->pid);

        forget_pidfd(process);
        g_assert_true(process_is_alive(process));
        process->start_ticks++;
        g_assert_false(process_is_alive(process));
        refuse_thread(process, child->tids[0], ERROR_NOT_RUNNING, "has ended");
}

static void a_process_outlives_its_main_thread(void) {
        g_autoptr(Child) child = child_new(2);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        pid_t tid;

        child_end_main(child);
        g_assert_true(process_is_alive(process));
        forget_pidfd(process);
        g_assert_true(process_is_alive(process));
        g_assert_cmpint(process_find_thread(process, child->tids[1], &tid, NULL), ==, 0);
}

/* Another program in the same process: its threads are gone, and it is still it. */
static void threads_that_ended_are_not_found(void) {
        g_autoptr(Child) child = child_new(3);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        _cleanup_process_threads_ ProcessThreads threads = {};
        _cleanup_close_ int fd = -1;
        _cleanup_error_ Error error = {};

        fd = process_open_thread(process, child->tids[1], NULL);
        g_assert_cmpint(fd, >=, 0);
        child_exec(child);

        g_assert_true(process_is_alive(process));
        refuse_thread(process, child->tids[1], ERROR_BACKEND_FAILED, "no thread");
        g_assert_cmpint(process_open_thread(process, child->tids[1], &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_NOT_RUNNING);
        /* Nor does a descriptor keep anything of it. */
        g_assert_cmpint(faccessat(fd, "stat", F_OK, 0), <, 0);

        g_assert_cmpint(process_list_threads(process, &threads, NULL), ==, 0);
        g_assert_cmpuint(threads.n_items, ==, 1);
        g_assert_cmpint(threads.items[0].tid, ==, child->pid);
        g_assert_cmpstr(threads.items[0].comm, ==, "cat");
}

typedef struct Named {
        const char *name;
        pid_t tid;
        pthread_barrier_t *named, *seen;
} Named;

static void *named_run(void *data) {
        Named *named = data;

        g_assert_no_errno(prctl(PR_SET_NAME, named->name));
        named->tid = gettid();
        pthread_barrier_wait(named->named);
        pthread_barrier_wait(named->seen);
        return NULL;
}

static void threads_are_listed_with_what_their_names_say(void) {
        static const struct { const char *name, *shown; ThreadRole role; uint32_t vcpu; } rows[] = {
                { "CPU 0/KVM", "CPU 0/KVM", THREAD_ROLE_VCPU, 0 },
                { "CPU 17/TCG", "CPU 17/TCG", THREAD_ROLE_VCPU, 17 },
                { "IO iothread0", "IO iothread0", THREAD_ROLE_IOTHREAD, ID_NONE },
                { "vhost-123", "vhost-123", THREAD_ROLE_VHOST, ID_NONE },
                { "a) R (1 2 3", "a) R (1 2 3", THREAD_ROLE_EMULATOR, ID_NONE },
                { "b\n\x1b[31m\xff", "b??[31m?", THREAD_ROLE_EMULATOR, ID_NONE },
        };
        _cleanup_(process_freep) Process *process = open_process(getpid());
        _cleanup_process_threads_ ProcessThreads threads = {};
        pthread_barrier_t named, seen;
        pthread_t ids[ELEMENTSOF(rows)];
        Named data[ELEMENTSOF(rows)];

        pthread_barrier_init(&named, NULL, ELEMENTSOF(rows) + 1);
        pthread_barrier_init(&seen, NULL, ELEMENTSOF(rows) + 1);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                data[i] = (Named) { .name = rows[i].name, .named = &named, .seen = &seen };
                g_assert_cmpint(pthread_create(ids + i, NULL, named_run, data + i), ==, 0);
        }
        pthread_barrier_wait(&named);

        g_assert_cmpint(process_list_threads(process, &threads, NULL), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const ProcessThread *thread = process_threads_find(&threads, data[i].tid);

                g_test_message("row %zu", i);
                g_assert_nonnull(thread);
                g_assert_cmpstr(thread->comm, ==, rows[i].shown);
                g_assert_cmpint(thread->role, ==, rows[i].role);
                g_assert_cmpuint(thread->vcpu, ==, rows[i].vcpu);
        }

        pthread_barrier_wait(&seen);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                pthread_join(ids[i], NULL);
        pthread_barrier_destroy(&named);
        pthread_barrier_destroy(&seen);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/process/a-stat-is-read-and-garbage-is-refused", a_stat_is_read_and_garbage_is_refused);
        g_test_add_func("/process/a-status-is-read-and-garbage-is-refused", a_status_is_read_and_garbage_is_refused);
        g_test_add_func("/process/a-role-is-guessed-from-the-name", a_role_is_guessed_from_the_name);
        g_test_add_func("/process/a-process-is-opened-and-named", a_process_is_opened_and_named);
        g_test_add_func("/process/what-is-no-process-is-refused", what_is_no_process_is_refused);
        g_test_add_func("/process/threads-of-a-process-are-found", threads_of_a_process_are_found);
        g_test_add_func("/process/a-thread-of-another-is-refused", a_thread_of_another_is_refused);
        g_test_add_func("/process/a-namespace-is-translated", a_namespace_is_translated);
        g_test_add_func("/process/a-process-that-ended-is-known", a_process_that_ended_is_known);
        g_test_add_func("/process/the-process-behind-a-socket-is-found-until-it-ends", the_process_behind_a_socket_is_found_until_it_ends);
        g_test_add_func("/process/a-process-of-another-user-than-its-socket-is-refused", a_process_of_another_user_than_its_socket_is_refused);
        g_test_add_func("/process/a-stranger-with-the-number-is-not-the-peer", a_stranger_with_the_number_is_not_the_peer);
        g_test_add_func("/process/a-start-time-tells-two-runs-apart", a_start_time_tells_two_runs_apart);
        g_test_add_func("/process/a-process-outlives-its-main-thread", a_process_outlives_its_main_thread);
        g_test_add_func("/process/threads-that-ended-are-not-found", threads_that_ended_are_not_found);
        g_test_add_func("/process/threads-are-listed-with-what-their-names-say", threads_are_listed_with_what_their_names_say);
        return g_test_run();
}
