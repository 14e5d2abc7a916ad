/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fixture.h"

#include <poll.h>
#include <pthread.h>

static void write_down(Fixture *fixture, const char *word, unsigned number) {
        g_string_append_printf(fixture->heard, "%s%s %u", fixture->heard->len > 0 ? ", " : "", word, number);
}

static void on_cell_added(HostCell *cell, void *userdata) {
        write_down(userdata, "added", cell->id);
}

static void on_cell_removed(HostCell *cell, void *userdata) {
        write_down(userdata, "removed", cell->id);
}

static void on_cell_changed(HostCell *cell, unsigned change, void *userdata) {
        g_assert_cmpuint(change, !=, 0);
        /* The new snapshot stands when it is told. */
        g_assert_nonnull(host_cell_snapshot(cell));
        write_down(userdata, "cell-changed", cell->id);
}

static void on_changed(Host *host, unsigned change, void *userdata) {
        g_assert_cmpuint(change, !=, 0);
        write_down(userdata, "changed", (unsigned) host->generation);
}

static const HostListener listener = {
        .cell_added = on_cell_added,
        .cell_removed = on_cell_removed,
        .cell_changed = on_cell_changed,
        .changed = on_changed,
};

static int on_job(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        workers_dispatch(userdata);
        return 0;
}

Fixture *fixture_new(Tree *tree) {
        Fixture *fixture = g_new0(Fixture, 1);
        _cleanup_error_ Error error = {};

        if (!tree) {
                tree = tree_new();
                machine_write(tree, (Shape) { .sockets = 2, .cores = 2, .threads = 1, .cells = TRUE });
        }
        fixture->tree = tree;
        fixture->heard = g_string_new(NULL);
        g_assert_cmpint(sd_event_new(&fixture->event), >=, 0);
        g_assert_cmpint(workers_new(&fixture->workers), ==, 0);
        g_assert_cmpint(sd_event_add_io(fixture->event, NULL, workers_fd(fixture->workers), POLLIN, on_job, fixture->workers), >=, 0);
        g_assert_cmpint(host_new(fixture->event, fixture->workers, tree->root, 1000, &error, &fixture->host), ==, 0);
        return fixture;
}

Fixture *fixture_free(Fixture *fixture) {
        /* The workers first: their jobs come back to the host. */
        workers_free(fixture->workers);
        host_free(fixture->host);
        sd_event_unref(fixture->event);
        tree_free(fixture->tree);
        g_string_free(fixture->heard, TRUE);
        g_free(fixture);
        return NULL;
}

void fixture_listen(Fixture *fixture) {
        g_assert_cmpint(host_listen(fixture->host, &listener, fixture), ==, 0);
}

char *fixture_heard(Fixture *fixture) {
        char *heard = g_strdup(fixture->heard->str);

        g_string_truncate(fixture->heard, 0);
        return heard;
}

void fixture_settle(Fixture *fixture) {
        while (host_is_refreshing(fixture->host))
                g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >=, 0);
}

/* The jobs meet the test twice: when they run, and when they may end. */
struct Hold {
        pthread_barrier_t meet;
        unsigned n_left;
};

static void hold_run(void *data) {
        Hold *hold = data;

        pthread_barrier_wait(&hold->meet);
        pthread_barrier_wait(&hold->meet);
}

static void hold_done(void *data, bool cancelled) {
        Hold *hold = data;

        if (--hold->n_left > 0)
                return;
        pthread_barrier_destroy(&hold->meet);
        g_free(hold);
}

Hold *fixture_hold(Fixture *fixture) {
        Hold *hold = g_new0(Hold, 1);

        pthread_barrier_init(&hold->meet, NULL, WORKERS_MAX + 1);
        for (hold->n_left = 0; hold->n_left < WORKERS_MAX; hold->n_left++)
                g_assert_cmpint(workers_submit(fixture->workers, hold_run, hold_done, hold), ==, 0);
        pthread_barrier_wait(&hold->meet);
        return hold;
}

void fixture_let_go(Hold *hold) {
        pthread_barrier_wait(&hold->meet);
}
