/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>

/* Interrupts what a worker is at; it does nothing else. */
#define WAKE_SIGNAL SIGUSR1

static void on_wake(int signal) {
}

typedef struct Job Job;

struct Job {
        Job *next;
        void (*run)(void *);
        void (*done)(void *, bool);
        void *data;
};

typedef struct JobQueue {
        Job *first;
        Job **last;
} JobQueue;

struct Workers {
        pthread_mutex_t lock;
        pthread_cond_t wake;
        pthread_t threads[WORKERS_MAX];
        size_t n_threads;
        size_t n_idle;
        size_t n_waiting;       /* jobs, some of which an idle thread may be about to take */
        bool stop;
        JobQueue waiting;
        JobQueue ended;
        int event_fd;
};

static void queue_push(JobQueue *queue, Job *job) {
        job->next = NULL;
        if (!queue->first)
                queue->last = &queue->first;
        *queue->last = job;
        queue->last = &job->next;
}

static Job *queue_pop(JobQueue *queue) {
        Job *job = queue->first;

        if (job)
                queue->first = job->next;
        return job;
}

static void *worker_main(void *data) {
        Workers *workers = data;

        pthread_mutex_lock(&workers->lock);
        for (;;) {
                Job *job;

                while (!workers->stop && !workers->waiting.first) {
                        workers->n_idle++;
                        pthread_cond_wait(&workers->wake, &workers->lock);
                        workers->n_idle--;
                }
                if (workers->stop)
                        break;

                job = queue_pop(&workers->waiting);
                workers->n_waiting--;
                pthread_mutex_unlock(&workers->lock);
                job->run(job->data);
                pthread_mutex_lock(&workers->lock);
                queue_push(&workers->ended, job);
                (void) eventfd_write(workers->event_fd, 1);
        }
        pthread_mutex_unlock(&workers->lock);

        return NULL;
}

int workers_new(Workers **ret) {
        Workers *workers;

        workers = calloc(1, sizeof *workers);
        if (!workers)
                return -ENOMEM;
        workers->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (workers->event_fd < 0) {
                int r = -errno;

                free(workers);
                return r;
        }
        pthread_mutex_init(&workers->lock, NULL);
        pthread_cond_init(&workers->wake, NULL);
        (void) sigaction(WAKE_SIGNAL, &(struct sigaction) { .sa_handler = on_wake }, NULL);

        *ret = workers;
        return 0;
}

/* A job may be in a system call that takes long, and some end early at a signal: the
 * kernel's search for huge pages does. One that comes just before the call is lost,
 * so it is sent again. */
static void worker_join(pthread_t thread) {
        for (;;) {
                struct timespec until;

                (void) pthread_kill(thread, WAKE_SIGNAL);
                (void) clock_gettime(CLOCK_REALTIME, &until);
                until.tv_nsec += 100 * 1000 * 1000;
                until.tv_sec += until.tv_nsec / 1000000000;
                until.tv_nsec %= 1000000000;
                if (pthread_timedjoin_np(thread, NULL, &until) != ETIMEDOUT)
                        return;
        }
}

void workers_stop(Workers *workers) {
        Job *job;

        if (!workers)
                return;

        pthread_mutex_lock(&workers->lock);
        workers->stop = true;
        pthread_cond_broadcast(&workers->wake);
        pthread_mutex_unlock(&workers->lock);
        for (size_t i = 0; i < workers->n_threads; i++)
                worker_join(workers->threads[i]);
        workers->n_threads = 0;

        workers_dispatch(workers);
        while ((job = queue_pop(&workers->waiting))) {
                job->done(job->data, true);
                free(job);
        }
}

Workers *workers_free(Workers *workers) {
        if (!workers)
                return NULL;

        workers_stop(workers);
        pthread_cond_destroy(&workers->wake);
        pthread_mutex_destroy(&workers->lock);
        (void) close(workers->event_fd);
        free(workers);
        return NULL;
}

bool workers_are_stopping(Workers *workers) {
        bool stop;

        pthread_mutex_lock(&workers->lock);
        stop = workers->stop;
        pthread_mutex_unlock(&workers->lock);
        return stop;
}

int workers_fd(const Workers *workers) {
        return workers->event_fd;
}

void workers_dispatch(Workers *workers) {
        eventfd_t count;

        (void) eventfd_read(workers->event_fd, &count);
        for (;;) {
                Job *job;

                pthread_mutex_lock(&workers->lock);
                job = queue_pop(&workers->ended);
                pthread_mutex_unlock(&workers->lock);
                if (!job)
                        break;
                job->done(job->data, false);
                free(job);
        }
}

/* Signals are the loop's: a thread of ours takes none but the one that is for it. Its stack is small: a job
 * calls little, and what it reads is on the heap. */
static int workers_add_thread(Workers *workers) {
        sigset_t all, before;
        pthread_attr_t attr;
        int r;

        pthread_attr_init(&attr);
        (void) pthread_attr_setstacksize(&attr, 256 * 1024);
        sigfillset(&all);
        sigdelset(&all, WAKE_SIGNAL);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(workers->threads + workers->n_threads, &attr, worker_main, workers);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        if (r == 0)
                workers->n_threads++;

        return -r;
}

int workers_submit(Workers *workers, void (*run)(void *), void (*done)(void *, bool), void *data) {
        Job *job;
        int r = 0;

        if (workers_are_stopping(workers))
                return -ECANCELED;
        job = malloc(sizeof *job);
        if (!job)
                return -ENOMEM;
        *job = (Job) { .run = run, .done = done, .data = data };

        pthread_mutex_lock(&workers->lock);
        /* A thread that was woken for the job before counts as idle until it runs. */
        if (workers->n_idle <= workers->n_waiting && workers->n_threads < WORKERS_MAX)
                r = workers_add_thread(workers);
        if (r < 0 && workers->n_threads == 0) {
                pthread_mutex_unlock(&workers->lock);
                free(job);
                return r;
        }
        queue_push(&workers->waiting, job);
        workers->n_waiting++;
        pthread_cond_signal(&workers->wake);
        pthread_mutex_unlock(&workers->lock);

        return 0;
}
