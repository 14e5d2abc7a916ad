/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void put_id(int fd, pid_t id) {
        if (write(fd, &id, sizeof id) != sizeof id)
                _exit(1);
}

static pid_t get_id(int fd) {
        pid_t id = 0;
        ssize_t n;

        do
                n = read(fd, &id, sizeof id);
        while (n < 0 && errno == EINTR);
        g_assert_true(n == 0 || n == sizeof id);
        return n == 0 ? 0 : id;
}

static pthread_t main_thread;

static void *thread_run(void *data) {
        put_id(GPOINTER_TO_INT(data), gettid());
        for (;;)
                pause();
        return NULL;
}

static void *thread_outlive(void *data) {
        pthread_join(main_thread, NULL);
        put_id(GPOINTER_TO_INT(data), gettid());
        for (;;)
                pause();
        return NULL;
}

static void run(unsigned n_threads, int commands, int answers) {
        pthread_t thread;
        char command;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        put_id(answers, gettid());
        for (unsigned i = 1; i < n_threads; i++)
                if (pthread_create(&thread, NULL, thread_run, GINT_TO_POINTER(answers)) != 0)
                        _exit(1);

        while (read(commands, &command, 1) == 1)
                switch (command) {
                case 'x':
                        (void) dup2(commands, STDIN_FILENO);
                        execlp("cat", "cat", NULL);
                        _exit(1);
                case 'm':
                        main_thread = pthread_self();
                        if (pthread_create(&thread, NULL, thread_outlive, GINT_TO_POINTER(answers)) != 0)
                                _exit(1);
                        pthread_exit(NULL);
                default:
                        _exit(1);
                }
        _exit(0);
}

static Child *new(unsigned n_threads, gboolean in_namespace) {
        int commands[2], answers[2], number[2];
        g_autoptr(Child) child = g_new0(Child, 1);

        g_assert_cmpuint(n_threads, <=, CHILD_THREADS_MAX);
        g_assert_no_errno(pipe2(commands, O_CLOEXEC));
        g_assert_no_errno(pipe2(answers, O_CLOEXEC));
        g_assert_no_errno(pipe2(number, O_CLOEXEC));

        child->waiter = fork();
        g_assert_no_errno(child->waiter);
        if (child->waiter == 0) {
                pid_t pid = 0;

                (void) close(commands[1]);
                (void) close(answers[0]);
                (void) close(number[0]);
                if (!in_namespace)
                        run(n_threads, commands[0], answers[1]);

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0)
                        pid = fork();
                /* The new one is 1 there; where no namespace is to be had, nobody is. */
                if (pid == 0 && getpid() == 1)
                        run(n_threads, commands[0], answers[1]);
                if (pid <= 0)
                        _exit(1);
                put_id(number[1], pid);
                (void) close(answers[1]);
                (void) waitpid(pid, NULL, 0);
                _exit(0);
        }
        (void) close(commands[0]);
        (void) close(answers[1]);
        (void) close(number[1]);
        child->commands = commands[1];
        child->answers = answers[0];

        child->pid = in_namespace ? get_id(number[0]) : child->waiter;
        (void) close(number[0]);
        if (child->pid == 0)
                return NULL;
        while (child->n_tids < n_threads) {
                child->tids[child->n_tids] = get_id(child->answers);
                g_assert_cmpint(child->tids[child->n_tids++], >, 0);
        }

        return g_steal_pointer(&child);
}

Child *child_new(unsigned n_threads) {
        return new(n_threads, FALSE);
}

Child *child_new_in_namespace(unsigned n_threads) {
        return new(n_threads, TRUE);
}

void child_end_unnoticed(Child *child) {
        siginfo_t info;

        g_assert_cmpint(child->pid, ==, child->waiter);
        g_assert_no_errno(kill(child->pid, SIGKILL));
        g_assert_no_errno(waitid(P_PID, (id_t) child->pid, &info, WEXITED | WNOWAIT));
}

void child_end(Child *child) {
        if (child->waiter == 0)
                return;
        /* In a namespace, it is the waiter who takes notice, and then ends itself: by now, if
         * the child has seen that nobody commands it any more. */
        if (child->pid > 0 && kill(child->pid, SIGKILL) < 0)
                g_assert_true(errno == ESRCH && child->pid != child->waiter);
        g_assert_cmpint(waitpid(child->waiter, NULL, 0), ==, child->waiter);
        child->waiter = 0;
}

void child_exec(Child *child) {
        g_assert_cmpint(write(child->commands, "x", 1), ==, 1);
        /* The end of the pipe is closed by the kernel after it has ended the threads. */
        g_assert_cmpint(get_id(child->answers), ==, 0);
}

void child_end_main(Child *child) {
        g_assert_cmpint(write(child->commands, "m", 1), ==, 1);
        g_assert_cmpint(get_id(child->answers), >, 0);
}

Child *child_free(Child *child) {
        if (!child)
                return NULL;
        if (child->commands > 0)
                (void) close(child->commands);
        if (child->answers > 0)
                (void) close(child->answers);
        child_end(child);
        g_free(child);
        return NULL;
}
