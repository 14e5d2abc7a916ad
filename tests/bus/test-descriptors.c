/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How many descriptors the service may have: as many as it is allowed to take. */

#include "harness.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Starts with these limits; they are ours meanwhile. */
static struct rlimit limits_set(rlim_t soft, rlim_t hard) {
        struct rlimit before;

        g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &before));
        g_assert_cmpuint(before.rlim_max, >=, hard);
        g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &(struct rlimit) { soft, hard }));
        return before;
}

static void soft_limit_is_raised_to_the_hard_one(void) {
        struct rlimit before, hard;
        g_autofree char *path = NULL, *text = NULL;
        char soft_word[32], hard_word[32];
        const char *line;
        Service *service;

        g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &hard));
        g_assert_cmpuint(hard.rlim_max, >, 256);
        before = limits_set(256, hard.rlim_max);
        service = service_start(NULL, host_make(), NULL);
        g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &before));

        path = g_strdup_printf("/proc/%s/limits", g_subprocess_get_identifier(service->process));
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        line = strstr(text, "Max open files");
        g_assert_nonnull(line);
        g_assert_cmpint(sscanf(line, "Max open files %31s %31s", soft_word, hard_word), ==, 2);
        g_assert_cmpstr(soft_word, ==, hard_word);
        g_assert_cmpstr(soft_word, !=, "256");
        service_stop(service);
}

static void lower_hard(gpointer userdata) {
        const struct rlimit *limit = userdata;

        if (setrlimit(RLIMIT_NOFILE, limit) < 0)
                _exit(99);
}

/* There is no bus at this address: the service ends, after it has said this. */
static char *said_with(struct rlimit limit) {
        char *argv[] = { (char *) g_getenv("BERTHD"), (char *) "--address=unix:path=/nonexistent/bus", NULL };
        g_autoptr(GError) error = NULL;
        char *said;
        int status;

        g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, lower_hard, &limit, NULL, &said, &status, &error);
        g_assert_no_error(error);
        g_assert_false(g_spawn_check_wait_status(status, NULL));
        return said;
}

static void limit_too_low_for_many_guests_is_told_once(void) {
        g_autofree char *low = said_with((struct rlimit) { 100, 1000 });
        g_autofree char *enough = said_with((struct rlimit) { 100, 4096 });
        const char *found = strstr(low, "may have 1000 descriptors");

        g_assert_nonnull(found);
        g_assert_null(strstr(found + 1, "may have"));
        g_assert_null(strstr(enough, "descriptors"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/descriptors/soft_limit_is_raised_to_the_hard_one", soft_limit_is_raised_to_the_hard_one);
        g_test_add_func("/descriptors/limit_too_low_for_many_guests_is_told_once", limit_too_low_for_many_guests_is_told_once);
        return g_test_run();
}
