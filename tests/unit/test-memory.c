/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where a guest's memory lies: texts of numa_maps, folders that stand for a process's in
 * /proc, and children with memory of a size that is known. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/memory.h"

#define MIB (UINT64_C(1) << 20)

/* "0=4096 1=…" */
static char *cells_text(const CellMemory *cells, size_t n) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%" PRIu32 "=%" PRIu64, i > 0 ? " " : "", cells[i].cell, cells[i].bytes);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

#define LONG64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct Row {
        const char *text;
        int result;
        const char *cells;
} rows[] = {
        { "", 0, "" },
        { "7f00 default\n", 0, "" },
        { "7f00 default anon=3 dirty=3 N0=3 kernelpagesize_kB=4\n", 0, "0=12288" },
        { "7f00 default kernelpagesize_kB=4 N0=3\n", 0, "0=12288" },
        { "7f00 bind:0-1 file=/dev/shm/ram huge dirty=5 N0=3 N1=2 kernelpagesize_kB=2048\n", 0, "0=6291456 1=4194304" },
        { "7f00 default N0=1 kernelpagesize_kB=4\n8000 default N0=1 kernelpagesize_kB=1048576\n", 0, "0=1073745920" },
        { "7f00 default N1=1 kernelpagesize_kB=4\n8000 default N0=2 kernelpagesize_kB=4\n", 0, "0=8192 1=4096" },
        { "7f00 default N2=1 N10=1 kernelpagesize_kB=4\n8000 default N3=1 kernelpagesize_kB=4\n", 0, "2=4096 3=4096 10=4096" },
        { "7f00 default N0=0 kernelpagesize_kB=4\n", 0, "0=0" },
        { "7f00 default N65535=1 kernelpagesize_kB=64\n", 0, "65535=65536" },
        { "7f00 default N0=4503599627370495 kernelpagesize_kB=4\n", 0, "0=18446744073709547520" },
        /* A policy of two words. */
        { "7f00 prefer (many):0-1 N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        { "7f00 bind=static:0 N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        { "7f00 N0=5 N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        /* Names, as the kernel escapes them. */
        { "7f00 default file=/tmp/N0\\0755\\040N1\\0757 mapped=1 N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        { "7f00 default file=/tmp/a\\040kernelpagesize_kB\\0759 N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        { "7f00 default file=/a\\012N0\\0755\\040(deleted) N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        { "7f00 default file=/tmp/a\vN0\r\fN1\xff N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        { "7f00 default file=/" LONG64 "N0=5 N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },
        { "7f00 default heap other=N0=1 kernelpagesize_MB=1 N0=1 kernelpagesize_kB=4\n", 0, "0=4096" },

        { "\n", -EINVAL, NULL },
        { " \n", -EINVAL, NULL },
        { "7f00\n", -EINVAL, NULL },
        { "7f00 \n", -EINVAL, NULL },
        { "7f00  default\n", -EINVAL, NULL },
        { "7f00 default \n", -EINVAL, NULL },
        { "7f00 default", -EINVAL, NULL },
        { "7f00 default N0=1 kernelpagesize_kB=4", -EINVAL, NULL },
        { "7f00 default\n7", -EINVAL, NULL },
        { "default N0=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "xyz default N0=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "00007f0012345678f default\n", -EINVAL, NULL },
        { "7f00 default N0=1\n", -EINVAL, NULL },
        { "7f00 default N0=1\n8000 default kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0=1 kernelpagesize_kB=\n", -EINVAL, NULL },
        { "7f00 default N0=1 kernelpagesize_kB=0\n", -EINVAL, NULL },
        { "7f00 default N0=1 kernelpagesize_kB=4k\n", -EINVAL, NULL },
        { "7f00 default N0=1 kernelpagesize_kB=-4\n", -EINVAL, NULL },
        { "7f00 default N0=1 kernelpagesize_kB=4 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N-1=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0= kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0=-1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0=+1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0=0x1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0=1,N1=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0=1\r kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default Nodes=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N0=1 N0=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        { "7f00 default N1=1 N0=1 kernelpagesize_kB=4\n", -EINVAL, NULL },
        /* Longer than any word that counts, and cut in its zeroes. */
        { "7f00 default N0=0" LONG64 " kernelpagesize_kB=4\n", -EINVAL, NULL },

        { "7f00 default N65536=1 kernelpagesize_kB=4\n", -ERANGE, NULL },
        { "7f00 default N4294967296=1 kernelpagesize_kB=4\n", -ERANGE, NULL },
        { "7f00 default N0=18446744073709551616 kernelpagesize_kB=4\n", -ERANGE, NULL },
        { "7f00 default N0=1 kernelpagesize_kB=18014398509481984\n", -ERANGE, NULL },
        { "7f00 default N0=4503599627370496 kernelpagesize_kB=4\n", -ERANGE, NULL },
        { "7f00 default N0=18446744073709551615 kernelpagesize_kB=18014398509481983\n", -ERANGE, NULL },
        { "7f00 default N0=4503599627370495 kernelpagesize_kB=4\n8000 default N0=1 kernelpagesize_kB=4\n", -ERANGE, NULL },
};

static void a_text_is_added_up_and_garbage_is_refused(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                CellMemory *cells = (void *) 7;
                size_t n = 77;
                int r;

                g_test_message("row %zu", i);
                r = numa_maps_parse(rows[i].text, strlen(rows[i].text), &cells, &n);
                g_assert_cmpint(r, ==, rows[i].result);
                if (r < 0) {
                        g_assert_true(cells == (void *) 7);
                        g_assert_cmpuint(n, ==, 77);
                } else {
                        g_autofree char *text = cells_text(cells, n);

                        g_assert_cmpstr(text, ==, rows[i].cells);
                        free(cells);
                }
        }
}

static void a_nul_byte_ends_no_number(void) {
        static const char texts[][48] = {
                "7f00 default N0\0=1 kernelpagesize_kB=4\n",
                "7f00 default N0=1\0 kernelpagesize_kB=4\n",
                "7f00 default N0=1 kernelpagesize_kB=4\0\n",
                "7f\0 default N0=1 kernelpagesize_kB=4\n",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                const char *end = memrchr(texts[i], '\n', sizeof texts[i]);
                CellMemory *cells;
                size_t n;

                g_test_message("row %zu", i);
                g_assert_cmpint(numa_maps_parse(texts[i], (size_t) (end - texts[i]) + 1, &cells, &n), ==, -EINVAL);
        }
}

/* Cut in two at each byte, and into bytes. */
static void pieces_give_what_the_whole_gives(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                size_t length = strlen(rows[i].text);

                for (size_t cut = 0; cut <= length + 1; cut++) {
                        _cleanup_numa_maps_ NumaMaps maps = {};
                        _cleanup_free_ CellMemory *cells = NULL;
                        size_t n = 0;
                        int r = 0;

                        if (cut <= length) {
                                r = numa_maps_feed(&maps, rows[i].text, cut);
                                if (r >= 0)
                                        r = numa_maps_feed(&maps, rows[i].text + cut, length - cut);
                        } else
                                for (size_t j = 0; r >= 0 && j < length; j++)
                                        r = numa_maps_feed(&maps, rows[i].text + j, 1);
                        if (r >= 0)
                                r = numa_maps_finish(&maps, &cells, &n);
                        if (r != rows[i].result)
                                g_error("row %zu cut at %zu: %i", i, cut, r);
                        if (r >= 0) {
                                g_autofree char *text = cells_text(cells, n);

                                g_assert_cmpstr(text, ==, rows[i].cells);
                        }
                }
        }
}

/* A guest whose process is a folder, or a child. */

typedef struct Fixture {
        sd_event *event;
        Workers *workers;
        Guests *guests;
        pthread_barrier_t release;
        unsigned n_held, n_released;
} Fixture;

typedef struct Answer {
        unsigned n;
        int result;
        ErrorCode code;
        char *message;
        char *cells;
        uint64_t bytes;
        Domain *again;          /* asked from within the answer … */
        int again_result;       /* … and what that returned */
        struct Answer *next;
} Answer;

static void answer_clear(Answer *answer) {
        g_free(answer->message);
        g_free(answer->cells);
        *answer = (Answer) {};
}

static void on_answer(int result, const Error *error, const CellMemory *cells, size_t n, void *userdata) {
        Answer *answer = userdata;

        answer->n++;
        answer->result = result;
        g_assert_cmpint(result < 0, ==, error != NULL);
        answer->code = error ? error->code : ERROR_NONE;
        answer->message = g_strdup(error ? error->message : NULL);
        answer->cells = cells_text(cells, n);
        for (size_t i = 0; i < n; i++)
                answer->bytes += cells[i].bytes;
        if (answer->again)
                answer->again_result = memory_by_cell(answer->again, on_answer, answer->next, NULL);
}

static void fixture_setup(Fixture *f, gconstpointer data) {
        g_assert_cmpint(sd_event_new(&f->event), >=, 0);
        g_assert_cmpint(workers_new(&f->workers), ==, 0);
        g_assert_cmpint(guests_new(f->event, f->workers, &f->guests), ==, 0);
        pthread_barrier_init(&f->release, NULL, WORKERS_MAX + 1);
}

static void fixture_teardown(Fixture *f, gconstpointer data) {
        f->workers = workers_free(f->workers);
        guests_free(f->guests);
        sd_event_unref(f->event);
        pthread_barrier_destroy(&f->release);
}

static void dispatch(Fixture *f) {
        struct pollfd fd = { .fd = workers_fd(f->workers), .events = POLLIN };

        g_assert_cmpint(poll(&fd, 1, -1), ==, 1);
        workers_dispatch(f->workers);
}

static void wait_for(Fixture *f, const Answer *answer) {
        while (answer->n == 0)
                dispatch(f);
}

/* Keeps the pool busy, so that a walk waits in its queue until it is let go. */
static void hold_run(void *data) {
        Fixture *f = data;

        pthread_barrier_wait(&f->release);
}

static void hold_done(void *data, bool cancelled) {
        Fixture *f = data;

        f->n_released++;
}

static void hold_pool(Fixture *f) {
        for (f->n_held = 0; f->n_held < WORKERS_MAX; f->n_held++)
                g_assert_cmpint(workers_submit(f->workers, hold_run, hold_done, f), ==, 0);
}

static void release_pool(Fixture *f) {
        pthread_barrier_wait(&f->release);
        while (f->n_released < f->n_held)
                dispatch(f);
}

static const Backend no_backend = { .name = "none" };

static Domain *guest_new(Fixture *f, Process *process) {
        Domain *domain;

        g_assert_cmpint(domain_new(f->guests, &no_backend, "vm1", &domain), ==, 0);
        domain->run = f;
        domain->process = process;
        domain->pid = process ? process->pid : 0;
        domain_announce(domain);
        return domain;
}

/* A folder that stands for /proc/PID, with these files; NULL is none. */
static char *folder_new(const char *stat_text, const char *numa_maps) {
        const struct { const char *name, *text; } files[] = { { "stat", stat_text }, { "numa_maps", numa_maps } };
        g_autoptr(GError) error = NULL;
        char *folder = g_dir_make_tmp("berth-process-XXXXXX", &error);

        g_assert_no_error(error);
        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_build_filename(folder, files[i].name, NULL);

                if (!files[i].text)
                        continue;
                g_file_set_contents(path, files[i].text, -1, &error);
                g_assert_no_error(error);
        }
        return folder;
}

static Domain *guest_in_folder(Fixture *f, const char *folder) {
        Process *process = calloc(1, sizeof *process);

        g_assert_nonnull(process);
        *process = (Process) { .pid = 4711, .pidfd = -1, .fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
        g_assert_no_errno(process->fd);
        return guest_new(f, process);
}

static void folder_remove(char *folder) {
        static const char *const names[] = { "stat", "numa_maps" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_build_filename(folder, names[i], NULL);

                if (g_file_test(path, G_FILE_TEST_EXISTS))
                        g_assert_no_errno(g_remove(path));
        }
        g_assert_no_errno(g_rmdir(folder));
        g_free(folder);
}

static void what_the_file_says_is_the_answer(Fixture *f, gconstpointer data) {
        static const struct { const char *stat, *numa_maps; ErrorCode code; const char *says; } files[] = {
                { NULL, "7f00 default N0=1 N1=2 kernelpagesize_kB=4\n", ERROR_NONE, "0=4096 1=8192" },
                { NULL, "7f00 default\n", ERROR_NONE, "" },
                { "4711 (qemu) S", NULL, ERROR_NOT_SUPPORTED, "no NUMA" },
                { NULL, NULL, ERROR_NOT_RUNNING, "\"vm1\" is not running" },
                /* No process is without mappings until it has given them up. */
                { "4711 (qemu) S", "", ERROR_NOT_RUNNING, "\"vm1\" is not running" },
                { NULL, "nonsense\n", ERROR_BACKEND_FAILED, "/proc/4711/numa_maps is not understood" },
                { NULL, "7f00 default N0=1 kernelpagesize_kB=4\n7f01 def", ERROR_BACKEND_FAILED, "/proc/4711/numa_maps is not understood" },
                { NULL, "7f00 default N0=99999999999999999999 kernelpagesize_kB=4\n", ERROR_BACKEND_FAILED, "not understood" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                char *folder = folder_new(files[i].stat, files[i].numa_maps);
                Domain *domain = guest_in_folder(f, folder);
                Answer answer = {};

                g_test_message("row %zu", i);
                g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, NULL), ==, 0);
                g_assert_cmpuint(answer.n, ==, 0);
                wait_for(f, &answer);
                g_assert_cmpuint(answer.n, ==, 1);
                g_assert_cmpint(answer.code, ==, files[i].code);
                if (answer.code == ERROR_NONE)
                        g_assert_cmpstr(answer.cells, ==, files[i].says);
                else
                        g_assert_nonnull(strstr(answer.message, files[i].says));
                answer_clear(&answer);
                domain_free(domain);
                folder_remove(folder);
        }
}

/* As long as a VMM's can be, and in pieces that cut lines. */
static void a_long_file_is_read_to_its_end(Fixture *f, gconstpointer data) {
        g_autoptr(GString) text = g_string_new(NULL);
        Answer answer = {};
        Domain *domain;
        char *folder;

        for (unsigned i = 0; i < 50000; i++)
                g_string_append_printf(text, "%x bind:0-1 file=/dev/shm/%u anon=3 dirty=3 N0=1 N1=2 kernelpagesize_kB=4\n", 0x7f00 + i, i);
        folder = folder_new(NULL, text->str);
        domain = guest_in_folder(f, folder);
        g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, NULL), ==, 0);
        wait_for(f, &answer);
        g_assert_cmpstr(answer.cells, ==, "0=204800000 1=409600000");
        answer_clear(&answer);
        domain_free(domain);
        folder_remove(folder);
}

static void what_cannot_be_read_is_told_with_the_reason(Fixture *f, gconstpointer data) {
        char *folder = folder_new("", NULL);
        g_autofree char *path = g_build_filename(folder, "numa_maps", NULL);
        Domain *domain = guest_in_folder(f, folder);
        Answer answer = {};

        g_assert_no_errno(g_mkdir(path, 0700));
        g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, NULL), ==, 0);
        wait_for(f, &answer);
        g_assert_cmpint(answer.code, ==, ERROR_BACKEND_FAILED);
        g_assert_nonnull(strstr(answer.message, "/proc/4711/numa_maps cannot be read: "));
        g_assert_nonnull(strstr(answer.message, g_strerror(EISDIR)));
        answer_clear(&answer);
        domain_free(domain);
        folder_remove(folder);
}

static void a_guest_without_a_process_is_refused_at_once(Fixture *f, gconstpointer data) {
        Domain *domain = guest_new(f, NULL);
        Answer answer = {};
        Error error = {};

        g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
        g_assert_nonnull(strstr(error.message, "\"vm1\""));
        error_clear(&error);

        domain->run = NULL;
        g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_NOT_RUNNING);
        error_clear(&error);
        g_assert_cmpuint(answer.n, ==, 0);
        domain_free(domain);
}

/* The file changes after the first answer: whoever shared that walk cannot know. */
static void who_asks_meanwhile_shares_the_walk(Fixture *f, gconstpointer data) {
        char *folder = folder_new(NULL, "7f00 default N0=1 kernelpagesize_kB=4\n");
        g_autofree char *path = g_build_filename(folder, "numa_maps", NULL);
        Domain *domain = guest_in_folder(f, folder);
        Answer answers[5] = {};

        hold_pool(f);
        for (unsigned i = 0; i < 3; i++)
                g_assert_cmpint(memory_by_cell(domain, on_answer, answers + i, NULL), ==, 0);
        /* Once the walk has ended, the next question is a walk of its own. */
        answers[2].again = domain;
        answers[2].next = answers + 3;
        g_assert_cmpuint(answers[0].n, ==, 0);
        release_pool(f);
        wait_for(f, answers + 2);
        for (unsigned i = 0; i < 3; i++) {
                g_assert_cmpuint(answers[i].n, ==, 1);
                g_assert_cmpstr(answers[i].cells, ==, "0=4096");
        }
        g_assert_cmpint(answers[2].again_result, ==, 0);
        wait_for(f, answers + 3);
        g_assert_cmpstr(answers[3].cells, ==, "0=4096");

        g_assert_true(g_file_set_contents(path, "7f00 default N0=2 kernelpagesize_kB=4\n", -1, NULL));
        g_assert_cmpint(memory_by_cell(domain, on_answer, answers + 4, NULL), ==, 0);
        wait_for(f, answers + 4);
        g_assert_cmpstr(answers[4].cells, ==, "0=8192");

        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
                g_assert_cmpuint(answers[i].n, ==, 1);
                answer_clear(answers + i);
        }
        domain_free(domain);
        folder_remove(folder);
}

/* Were each question a walk, the pool would have 1,000 jobs before this one. */
static void a_thousand_questions_are_one_walk(Fixture *f, gconstpointer data) {
        char *folder = folder_new(NULL, NULL);
        g_autofree char *path = g_build_filename(folder, "numa_maps", NULL);
        Domain *domain = guest_in_folder(f, folder);
        Answer answers[MEMORY_WAITERS_MAX] = {};
        _cleanup_error_ Error error = {};
        int fd;

        /* A walk opens the pipe once; a second one would wait for a writer for ever. */
        g_assert_no_errno(mkfifo(path, 0600));
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++)
                g_assert_cmpint(memory_by_cell(domain, on_answer, answers + i, NULL), ==, 0);
        g_assert_cmpint(memory_by_cell(domain, on_answer, answers, &error), ==, -EBUSY);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        g_assert_no_errno(fd);
        g_assert_cmpint(write(fd, "nonsense\n", 9), ==, 9);
        g_assert_no_errno(close(fd));
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
                wait_for(f, answers + i);
                g_assert_cmpuint(answers[i].n, ==, 1);
                g_assert_cmpint(answers[i].code, ==, ERROR_BACKEND_FAILED);
                answer_clear(answers + i);
        }
        domain_free(domain);
        folder_remove(folder);
}

/* The worker is in a read when the guest is freed, and when it comes back. */
static void a_guest_that_goes_ends_the_question_at_once(Fixture *f, gconstpointer data) {
        char *folder = folder_new(NULL, NULL);
        g_autofree char *path = g_build_filename(folder, "numa_maps", NULL);
        Domain *domain = guest_in_folder(f, folder);
        Answer answers[2] = {}, after = {};
        char *other_folder;
        Domain *other;
        int fd;

        g_assert_no_errno(mkfifo(path, 0600));
        for (unsigned i = 0; i < 2; i++)
                g_assert_cmpint(memory_by_cell(domain, on_answer, answers + i, NULL), ==, 0);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        g_assert_no_errno(fd);
        g_assert_cmpint(write(fd, "7f00 default N0=", 16), ==, 16);

        /* Who asks again from within the answer is told at once. */
        answers[1].again = domain;
        answers[1].next = &after;
        domain_free(domain);
        for (unsigned i = 0; i < 2; i++) {
                g_assert_cmpuint(answers[i].n, ==, 1);
                g_assert_cmpint(answers[i].code, ==, ERROR_NOT_RUNNING);
                g_assert_nonnull(strstr(answers[i].message, "\"vm1\""));
                g_assert_cmpstr(answers[i].cells, ==, "");
        }
        g_assert_cmpint(answers[1].again_result, ==, -ENOTCONN);

        /* The pool has it until the read ends; then two walks more are done with both
         * threads, and nobody is told twice. */
        g_assert_no_errno(close(fd));
        other_folder = folder_new(NULL, "7f00 default N0=1 kernelpagesize_kB=4\n");
        other = guest_in_folder(f, other_folder);
        hold_pool(f);
        release_pool(f);
        g_assert_cmpint(memory_by_cell(other, on_answer, &after, NULL), ==, 0);
        wait_for(f, &after);
        g_assert_cmpstr(after.cells, ==, "0=4096");
        for (unsigned i = 0; i < 2; i++) {
                g_assert_cmpuint(answers[i].n, ==, 1);
                answer_clear(answers + i);
        }
        answer_clear(&after);
        domain_free(other);
        folder_remove(folder);
        folder_remove(other_folder);
}

static void nothing_to_do(void *data) {
}

/* The first walk is in a read, and the others are not with the pool. */
static void walks_leave_a_worker_for_others(Fixture *f, gconstpointer data) {
        static const char line[] = "7f00 default N0=1 kernelpagesize_kB=4\n";
        char *folder = folder_new(NULL, NULL), *others[3];
        g_autofree char *path = g_build_filename(folder, "numa_maps", NULL);
        Domain *domain = guest_in_folder(f, folder), *other[3];
        Answer answer = {}, answers[3] = {};
        int fd;

        g_assert_no_errno(mkfifo(path, 0600));
        g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, NULL), ==, 0);
        for (unsigned i = 0; i < 3; i++) {
                others[i] = folder_new(NULL, line);
                other[i] = guest_in_folder(f, others[i]);
                g_assert_cmpint(memory_by_cell(other[i], on_answer, answers + i, NULL), ==, 0);
        }
        g_assert_cmpint(workers_submit(f->workers, nothing_to_do, hold_done, f), ==, 0);
        while (f->n_released == 0)
                dispatch(f);
        for (unsigned i = 0; i < 3; i++)
                g_assert_cmpuint(answers[i].n, ==, 0);

        /* One that goes is told at once, and the rest goes on without it. */
        domain_free(other[1]);
        g_assert_cmpuint(answers[1].n, ==, 1);
        g_assert_cmpint(answers[1].code, ==, ERROR_NOT_RUNNING);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        g_assert_no_errno(fd);
        g_assert_cmpint(write(fd, "nonsense\n", 9), ==, 9);
        g_assert_no_errno(close(fd));
        wait_for(f, &answer);
        wait_for(f, answers);
        wait_for(f, answers + 2);
        g_assert_cmpint(answer.code, ==, ERROR_BACKEND_FAILED);
        g_assert_cmpstr(answers[0].cells, ==, "0=4096");
        g_assert_cmpstr(answers[2].cells, ==, "0=4096");
        domain_free(domain);
        folder_remove(folder);
        answer_clear(&answer);
        for (unsigned i = 0; i < 3; i++) {
                if (i != 1)
                        domain_free(other[i]);
                folder_remove(others[i]);
                answer_clear(answers + i);
        }
}

/* One walk is in a system call, two wait in the queue or for a pipe, too. */
static void a_service_that_stops_answers_all(Fixture *f, gconstpointer data) {
        Domain *domains[3];
        char *folders[3];
        Answer answers[3] = {};

        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *path = NULL;

                folders[i] = folder_new(NULL, NULL);
                path = g_build_filename(folders[i], "numa_maps", NULL);
                g_assert_no_errno(mkfifo(path, 0600));
                domains[i] = guest_in_folder(f, folders[i]);
                g_assert_cmpint(memory_by_cell(domains[i], on_answer, answers + i, NULL), ==, 0);
        }
        f->workers = workers_free(f->workers);
        for (unsigned i = 0; i < 3; i++) {
                g_assert_cmpuint(answers[i].n, ==, 1);
                g_assert_cmpint(answers[i].code, ==, ERROR_BACKEND_FAILED);
                g_assert_nonnull(strstr(answers[i].message, "The service stops"));
                answer_clear(answers + i);
                domain_free(domains[i]);
                folder_remove(folders[i]);
        }
}

/* No read of it is ever interrupted, since there is always more. */
static void a_walk_without_end_stops_with_the_service(Fixture *f, gconstpointer data) {
        char *folder = folder_new(NULL, NULL);
        g_autofree char *path = g_build_filename(folder, "numa_maps", NULL);
        Answer answer = {};
        Domain *domain;
        pid_t writer;
        int fd;

        g_assert_no_errno(mkfifo(path, 0600));
        domain = guest_in_folder(f, folder);
        g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, NULL), ==, 0);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        g_assert_no_errno(fd);
        writer = fork();
        g_assert_no_errno(writer);
        if (writer == 0) {
                static const char line[] = "7f00 default\n";

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                while (write(fd, line, sizeof line - 1) > 0)
                        ;
                _exit(0);
        }
        g_assert_no_errno(close(fd));
        f->workers = workers_free(f->workers);
        g_assert_cmpuint(answer.n, ==, 1);
        g_assert_nonnull(strstr(answer.message, "The service stops"));
        /* It has the reading end as well, as it was when it was made. */
        g_assert_no_errno(kill(writer, SIGKILL));
        g_assert_cmpint(waitpid(writer, NULL, 0), ==, writer);
        answer_clear(&answer);
        domain_free(domain);
        folder_remove(folder);
}

/* A child with so many mappings of 1 MiB each, all of it written to. */
static pid_t child_with_memory(unsigned n_mappings) {
        int ready[2];
        char byte;
        pid_t pid;

        g_assert_no_errno(pipe2(ready, O_CLOEXEC));
        pid = fork();
        g_assert_no_errno(pid);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (unsigned i = 0; i < n_mappings; i++) {
                        /* With different rights, so that neighbours do not become one. */
                        void *memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE | (i % 2 ? PROT_EXEC : 0),
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                        if (memory == MAP_FAILED)
                                _exit(1);
                        memset(memory, 0xa5, MIB);
                }
                if (write(ready[1], "r", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        g_assert_no_errno(close(ready[1]));
        g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
        g_assert_no_errno(close(ready[0]));
        return pid;
}

static Process *open_process(pid_t pid) {
        Process *process;

        g_assert_cmpint(process_open(pid, &process, NULL), ==, 0);
        return process;
}

static void memory_of_a_process_is_found(Fixture *f, gconstpointer data) {
        pid_t small = child_with_memory(0), large = child_with_memory(64);
        pid_t pids[2] = { small, large };
        Answer answers[2] = {};

        for (unsigned i = 0; i < 2; i++) {
                Domain *domain = guest_new(f, open_process(pids[i]));

                g_assert_cmpint(memory_by_cell(domain, on_answer, answers + i, NULL), ==, 0);
                wait_for(f, answers + i);
                g_assert_cmpint(answers[i].result, ==, 0);
                domain_free(domain);
                g_assert_no_errno(kill(pids[i], SIGKILL));
                g_assert_cmpint(waitpid(pids[i], NULL, 0), ==, pids[i]);
        }
        /* Both have the rest, libraries and the like, alike. */
        g_assert_cmpuint(answers[1].bytes, >=, answers[0].bytes + 63 * MIB);
        g_assert_cmpuint(answers[1].bytes, <=, answers[0].bytes + 66 * MIB);
        for (unsigned i = 0; i < 2; i++)
                answer_clear(answers + i);
}

static void a_process_that_has_ended_is_not_running(Fixture *f, gconstpointer data) {
        /* Ended, and not yet noticed by anyone; or gone. */
        for (unsigned reaped = 0; reaped < 2; reaped++) {
                pid_t pid = child_with_memory(1);
                Domain *domain = guest_new(f, open_process(pid));
                Answer answer = {};
                siginfo_t info;

                hold_pool(f);
                f->n_released = 0;
                g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, NULL), ==, 0);
                g_assert_no_errno(kill(pid, SIGKILL));
                g_assert_no_errno(waitid(P_PID, (id_t) pid, &info, WEXITED | (reaped ? 0 : WNOWAIT)));
                release_pool(f);
                wait_for(f, &answer);
                g_assert_cmpint(answer.code, ==, ERROR_NOT_RUNNING);
                answer_clear(&answer);
                domain_free(domain);
                if (!reaped)
                        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        }
}

/* However the two meet: all of its memory, or none. */
static void a_process_that_ends_in_the_middle_is_never_half_seen(Fixture *f, gconstpointer data) {
        for (unsigned round = 0; round < 40; round++) {
                pid_t pid = child_with_memory(16);
                Domain *domain = guest_new(f, open_process(pid));
                Answer answer = {};

                g_assert_cmpint(memory_by_cell(domain, on_answer, &answer, NULL), ==, 0);
                g_assert_no_errno(kill(pid, SIGKILL));
                wait_for(f, &answer);
                if (answer.result < 0)
                        g_assert_cmpint(answer.code, ==, ERROR_NOT_RUNNING);
                else
                        g_assert_cmpuint(answer.bytes, >=, 16 * MIB);
                g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
                answer_clear(&answer);
                domain_free(domain);
        }
}

#define ADD(test) g_test_add("/memory/" #test, Fixture, NULL, fixture_setup, test, fixture_teardown)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/memory/a_text_is_added_up_and_garbage_is_refused", a_text_is_added_up_and_garbage_is_refused);
        g_test_add_func("/memory/a_nul_byte_ends_no_number", a_nul_byte_ends_no_number);
        g_test_add_func("/memory/pieces_give_what_the_whole_gives", pieces_give_what_the_whole_gives);
        ADD(what_the_file_says_is_the_answer);
        ADD(a_long_file_is_read_to_its_end);
        ADD(what_cannot_be_read_is_told_with_the_reason);
        ADD(a_guest_without_a_process_is_refused_at_once);
        ADD(who_asks_meanwhile_shares_the_walk);
        ADD(a_thousand_questions_are_one_walk);
        ADD(a_guest_that_goes_ends_the_question_at_once);
        ADD(walks_leave_a_worker_for_others);
        ADD(a_service_that_stops_answers_all);
        ADD(a_walk_without_end_stops_with_the_service);
        ADD(memory_of_a_process_is_found);
        ADD(a_process_that_has_ended_is_not_running);
        ADD(a_process_that_ends_in_the_middle_is_never_half_seen);
        return g_test_run();
}
