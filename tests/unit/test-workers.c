/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pool of threads. Every test waits for the pool's descriptor, as a loop
 * does; jobs that must meet wait for each other, so that a pool which does not
 * run them side by side never ends (and is ended by the time limit). */

#include <unistd.h>
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "lib/workers.h"

typedef struct Job {
        unsigned *n_done;
        unsigned place;         /* in the order of done; 0 as long as it is not */
        pthread_t runner;
        bool ran;
        bool cancelled;
        bool done;
        pthread_barrier_t *meet;
} Job;

static void run(void *data) {
        Job *job = data;

        g_assert_false(job->done);
        if (job->meet)
                pthread_barrier_wait(job->meet);
        job->runner = pthread_self();
        job->ran = true;
}

static void done(void *data, bool cancelled) {
        Job *job = data;

        g_assert_false(job->done);
        job->done = true;
        job->cancelled = cancelled;
        job->place = ++*job->n_done;
}

static void wait_for(Workers *workers, const unsigned *n_done, unsigned n) {
        while (*n_done < n) {
                struct pollfd fd = { .fd = workers_fd(workers), .events = POLLIN };

                g_assert_cmpint(poll(&fd, 1, -1), ==, 1);
                workers_dispatch(workers);
        }
}

static bool is_readable(Workers *workers) {
        struct pollfd fd = { .fd = workers_fd(workers), .events = POLLIN };

        return poll(&fd, 1, 0) == 1;
}

static void a_job_runs_elsewhere_and_is_done_here(void) {
        _cleanup_(workers_freep) Workers *workers = NULL;
        unsigned n_done = 0;
        Job job = { .n_done = &n_done };

        g_assert_cmpint(workers_new(&workers), ==, 0);
        g_assert_false(is_readable(workers));
        g_assert_cmpint(workers_submit(workers, run, done, &job), ==, 0);
        wait_for(workers, &n_done, 1);
        g_assert_true(job.ran);
        g_assert_false(job.cancelled);
        g_assert_false(pthread_equal(job.runner, pthread_self()));
        /* Nothing is left that would wake a loop again. */
        g_assert_false(is_readable(workers));
        workers_dispatch(workers);
        g_assert_cmpuint(n_done, ==, 1);
}

static void two_jobs_run_side_by_side(void) {
        _cleanup_(workers_freep) Workers *workers = NULL;
        pthread_barrier_t meet;
        unsigned n_done = 0;
        Job a = { .n_done = &n_done, .meet = &meet }, b = a;

        pthread_barrier_init(&meet, NULL, 2);
        g_assert_cmpint(workers_new(&workers), ==, 0);
        g_assert_cmpint(workers_submit(workers, run, done, &a), ==, 0);
        g_assert_cmpint(workers_submit(workers, run, done, &b), ==, 0);
        wait_for(workers, &n_done, 2);
        g_assert_false(pthread_equal(a.runner, b.runner));
        pthread_barrier_destroy(&meet);
}

/* One thread sleeps when two jobs come at once: it takes one, and has not woken
 * yet when the other is counted. That one needs a thread of its own. */
static void two_jobs_run_side_by_side_after_a_first(void) {
        for (unsigned round = 0; round < 100; round++) {
                _cleanup_(workers_freep) Workers *workers = NULL;
                pthread_barrier_t meet;
                unsigned n_done = 0;
                Job first = { .n_done = &n_done }, a = { .n_done = &n_done, .meet = &meet }, b = a;

                pthread_barrier_init(&meet, NULL, 2);
                g_assert_cmpint(workers_new(&workers), ==, 0);
                g_assert_cmpint(workers_submit(workers, run, done, &first), ==, 0);
                wait_for(workers, &n_done, 1);
                g_assert_cmpint(workers_submit(workers, run, done, &a), ==, 0);
                g_assert_cmpint(workers_submit(workers, run, done, &b), ==, 0);
                wait_for(workers, &n_done, 3);
                pthread_barrier_destroy(&meet);
        }
}

static void many_jobs_are_each_done_once(void) {
        _cleanup_(workers_freep) Workers *workers = NULL;
        enum { N = 2000 };
        g_autofree Job *jobs = g_new0(Job, N);
        unsigned n_done = 0;

        g_assert_cmpint(workers_new(&workers), ==, 0);
        for (unsigned i = 0; i < N; i++) {
                jobs[i].n_done = &n_done;
                g_assert_cmpint(workers_submit(workers, run, done, jobs + i), ==, 0);
        }
        wait_for(workers, &n_done, N);
        for (unsigned i = 0; i < N; i++) {
                g_assert_true(jobs[i].ran);
                g_assert_false(jobs[i].cancelled);
        }
        g_assert_cmpuint(n_done, ==, N);
}

/* With one of two threads held, the other takes jobs in the order in which they
 * came, and they are done in the order in which they ended. */
static void jobs_are_done_in_the_order_of_their_end(void) {
        _cleanup_(workers_freep) Workers *workers = NULL;
        pthread_barrier_t meet;
        unsigned n_done = 0;
        Job held = { .n_done = &n_done, .meet = &meet };
        Job jobs[8];

        pthread_barrier_init(&meet, NULL, 2);
        g_assert_cmpint(workers_new(&workers), ==, 0);
        g_assert_cmpint(workers_submit(workers, run, done, &held), ==, 0);
        for (unsigned i = 0; i < ELEMENTSOF(jobs); i++) {
                jobs[i] = (Job) { .n_done = &n_done };
                g_assert_cmpint(workers_submit(workers, run, done, jobs + i), ==, 0);
        }
        wait_for(workers, &n_done, ELEMENTSOF(jobs));
        g_assert_false(held.done);
        for (unsigned i = 0; i < ELEMENTSOF(jobs); i++)
                g_assert_cmpuint(jobs[i].place, ==, i + 1);
        pthread_barrier_wait(&meet);
        wait_for(workers, &n_done, ELEMENTSOF(jobs) + 1);
        pthread_barrier_destroy(&meet);
}

/* Both threads are held when the pool is freed: the two that run are waited for
 * and done, the others cancelled, and each is told. */
typedef struct Held {
        Job job;
        pthread_barrier_t *started, *go;
} Held;

static void run_held(void *data) {
        Held *held = data;

        pthread_barrier_wait(held->started);
        pthread_barrier_wait(held->go);
        held->job.ran = true;
}

static void *release(void *data) {
        pthread_barrier_wait(data);
        return NULL;
}

/* Returns how many were cancelled: none if they were let go before the pool was
 * told to stop, which is not ours to say. */
static unsigned free_with_jobs(void) {
        pthread_barrier_t started, go;
        Workers *workers = NULL;
        unsigned n_done = 0, n_cancelled = 0;
        Held running[WORKERS_MAX];
        Job waiting[5];
        GThread *thread;

        pthread_barrier_init(&started, NULL, WORKERS_MAX + 1);
        pthread_barrier_init(&go, NULL, WORKERS_MAX + 1);
        g_assert_cmpint(workers_new(&workers), ==, 0);
        for (unsigned i = 0; i < ELEMENTSOF(running); i++) {
                running[i] = (Held) { .job = { .n_done = &n_done }, .started = &started, .go = &go };
                g_assert_cmpint(workers_submit(workers, run_held, done, running + i), ==, 0);
        }
        for (unsigned i = 0; i < ELEMENTSOF(waiting); i++) {
                waiting[i] = (Job) { .n_done = &n_done };
                g_assert_cmpint(workers_submit(workers, run, done, waiting + i), ==, 0);
        }
        pthread_barrier_wait(&started);
        thread = g_thread_new("release", release, &go);
        g_assert_null(workers_free(workers));
        g_thread_join(thread);

        g_assert_cmpuint(n_done, ==, ELEMENTSOF(running) + ELEMENTSOF(waiting));
        for (unsigned i = 0; i < ELEMENTSOF(running); i++) {
                g_assert_true(running[i].job.ran);
                g_assert_false(running[i].job.cancelled);
        }
        for (unsigned i = 0; i < ELEMENTSOF(waiting); i++) {
                g_assert_cmpint(waiting[i].cancelled, ==, !waiting[i].ran);
                n_cancelled += waiting[i].cancelled;
        }
        pthread_barrier_destroy(&started);
        pthread_barrier_destroy(&go);
        return n_cancelled;
}

static void freeing_waits_for_what_runs_and_cancels_the_rest(void) {
        unsigned n_cancelled = 0;

        for (unsigned round = 0; round < 1000 && n_cancelled == 0; round++)
                n_cancelled = free_with_jobs();
        g_assert_cmpuint(n_cancelled, >, 0);
}

typedef struct Chain {
        Workers *workers;
        unsigned left;
        unsigned n_done;
} Chain;

static void chain_run(void *data) {
}

static void chain_done(void *data, bool cancelled) {
        Chain *chain = data;

        chain->n_done++;
        if (chain->left > 0) {
                chain->left--;
                g_assert_cmpint(workers_submit(chain->workers, chain_run, chain_done, chain), ==, 0);
        }
}

static void a_job_may_submit_the_next_when_done(void) {
        _cleanup_(workers_freep) Workers *workers = NULL;
        Chain chain = { .left = 50 };

        g_assert_cmpint(workers_new(&workers), ==, 0);
        chain.workers = workers;
        g_assert_cmpint(workers_submit(workers, chain_run, chain_done, &chain), ==, 0);
        wait_for(workers, &chain.n_done, 51);
        g_assert_cmpuint(chain.left, ==, 0);
}

/* A signal to the process must find the loop's thread. */
static void look_at_signals(void *data) {
        sigset_t blocked;

        pthread_sigmask(SIG_SETMASK, NULL, &blocked);
        ((Job *) data)->ran = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGHUP) == 1 &&
                sigismember(&blocked, SIGCHLD) == 1;
}

static void threads_take_no_signals(void) {
        _cleanup_(workers_freep) Workers *workers = NULL;
        unsigned n_done = 0;
        Job job = { .n_done = &n_done };
        sigset_t blocked;

        g_assert_cmpint(workers_new(&workers), ==, 0);
        g_assert_cmpint(workers_submit(workers, look_at_signals, done, &job), ==, 0);
        wait_for(workers, &n_done, 1);
        g_assert_true(job.ran);
        pthread_sigmask(SIG_SETMASK, NULL, &blocked);
        g_assert_cmpint(sigismember(&blocked, SIGTERM), ==, 0);
}

typedef struct Reader {
        pthread_barrier_t started;
        int fd;
        int error;
} Reader;

static void read_for_ever(void *data) {
        Reader *reader = data;
        char byte;

        pthread_barrier_wait(&reader->started);
        reader->error = read(reader->fd, &byte, 1) < 0 ? errno : 0;
}

static void nothing(void *data, bool cancelled) {
}

/* As in the kernel's search for huge pages. */
static void freeing_ends_a_long_system_call(void) {
        Reader reader = {};
        Workers *workers;
        int fds[2];

        g_assert_cmpint(pipe(fds), ==, 0);
        reader.fd = fds[0];
        pthread_barrier_init(&reader.started, NULL, 2);
        g_assert_cmpint(workers_new(&workers), ==, 0);
        g_assert_cmpint(workers_submit(workers, read_for_ever, nothing, &reader), ==, 0);
        pthread_barrier_wait(&reader.started);
        workers_free(workers);
        g_assert_cmpint(reader.error, ==, EINTR);
        pthread_barrier_destroy(&reader.started);
        (void) close(fds[0]);
        (void) close(fds[1]);
}

static void an_idle_pool_has_no_threads(void) {
        g_autoptr(GDir) dir = NULL;
        _cleanup_(workers_freep) Workers *workers = NULL;
        unsigned n_before = 0, n_after = 0;

        dir = g_dir_open("/proc/self/task", 0, NULL);
        while (g_dir_read_name(dir))
                n_before++;
        g_assert_cmpint(workers_new(&workers), ==, 0);
        g_dir_rewind(dir);
        while (g_dir_read_name(dir))
                n_after++;
        g_assert_cmpuint(n_before, ==, n_after);
        g_assert_null(workers_free(NULL));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/workers/an-idle-pool-has-no-threads", an_idle_pool_has_no_threads);
        g_test_add_func("/workers/a-job-runs-elsewhere-and-is-done-here", a_job_runs_elsewhere_and_is_done_here);
        g_test_add_func("/workers/two-jobs-run-side-by-side", two_jobs_run_side_by_side);
        g_test_add_func("/workers/two-jobs-run-side-by-side-after-a-first", two_jobs_run_side_by_side_after_a_first);
        g_test_add_func("/workers/many-jobs-are-each-done-once", many_jobs_are_each_done_once);
        g_test_add_func("/workers/jobs-are-done-in-the-order-of-their-end", jobs_are_done_in_the_order_of_their_end);
        g_test_add_func("/workers/freeing-waits-for-what-runs-and-cancels-the-rest", freeing_waits_for_what_runs_and_cancels_the_rest);
        g_test_add_func("/workers/a-job-may-submit-the-next-when-done", a_job_may_submit_the_next_when_done);
        g_test_add_func("/workers/freeing-ends-a-long-system-call", freeing_ends_a_long_system_call);
        g_test_add_func("/workers/threads-take-no-signals", threads_take_no_signals);
        return g_test_run();
}
