/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vCPUs changed in a running guest and in what is stored for it, both or none. The
 * hypervisor does its part when the test says so. */

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>

#include "guest/change.h"
#include "guest/definition.h"
#include "guest/definitions.h"
#include "guest/tune.h"
#include "tree.h"

#define UUID "12345678-1234-1234-1234-00000000000a"
#define OTHER_UUID "12345678-1234-1234-1234-00000000000b"

/* What the hypervisor was asked, and has not answered. */
static struct {
        BackendDone done;
        void *userdata;
        uint32_t vcpu;
} asked;

static int set_unit(Domain *domain, uint32_t vcpu, bool enable, uint64_t timeout_usec, BackendDone done, void *userdata, Error *error) {
        g_assert_null(asked.done);
        asked.done = done;
        asked.userdata = userdata;
        asked.vcpu = vcpu;
        return 0;
}

static const Backend backend = { .name = "qemu", .set_unit = set_unit };

static void fail_asked(ErrorCode code) {
        BackendDone done = asked.done;
        _cleanup_error_ Error error = {};
        int r = error_set(&error, code, "the hypervisor has failed");

        asked.done = NULL;
        done(r, &error, asked.userdata);
}

typedef struct Rig {
        sd_event *event;
        Workers *workers;
        Guests *guests;
        Definitions *definitions;
        Domain *domain;
} Rig;

static int on_workers(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        workers_dispatch(userdata);
        return 0;
}

/* A guest that runs, with vCPUs 0 and 1 of 4. */
static void rig_start(Rig *rig, const Tree *tree) {
        g_autofree char *runtime = tree_path(tree, "run"), *state = tree_path(tree, "state");
        VcpuTable *table = NULL;

        g_assert_cmpint(sd_event_new(&rig->event), >=, 0);
        g_assert_cmpint(workers_new(&rig->workers), ==, 0);
        g_assert_cmpint(sd_event_add_io(rig->event, NULL, workers_fd(rig->workers), POLLIN, on_workers, rig->workers), >=, 0);
        g_assert_cmpint(guests_new(rig->event, rig->workers, &rig->guests), ==, 0);
        g_assert_cmpint(definitions_new(rig->guests, &backend, runtime, state, &rig->definitions), ==, 0);

        g_assert_cmpint(domain_new(rig->guests, &backend, "web", &rig->domain), ==, 0);
        rig->domain->run = rig->domain;
        rig->domain->state = DOMAIN_RUNNING;
        strcpy(rig->domain->uuid, UUID);
        domain_announce(rig->domain);
        g_assert_cmpint(vcpu_table_new(4, 4, NULL, &table), ==, 0);
        for (uint32_t id = 0; id < 4; id++) {
                PlugUnit *unit = vcpu_table_add_unit(table, 1, ID_NONE, NULL);

                unit->removable = true;
                if (id < 2) {
                        unit->plugged = true;
                        unit->order = id + 1;
                        vcpu_table_enable(table, id, 0);
                }
        }
        g_assert_cmpint(vcpu_table_finish(table), ==, 0);
        domain_take_vcpus(rig->domain, table);
}

static void rig_stop(Rig *rig) {
        workers_stop(rig->workers);
        if (asked.done)
                fail_asked(ERROR_NOT_RUNNING);
        if (rig->domain)
                domain_stopped(rig->domain);
        definitions_free(rig->definitions);
        guests_free(rig->guests);
        workers_free(rig->workers);
        sd_event_unref(rig->event);
        *rig = (Rig) {};
}

typedef struct Answer {
        unsigned n;
        int result;
} Answer;

static void on_changed(int result, const Error *error, const CpuSet *changed, void *userdata) {
        Answer *answer = userdata;

        answer->n++;
        answer->result = result;
        if (error && error->message)
                g_test_message("%s", error->message);
}

static void change(Rig *rig, uint32_t vcpu, bool enable, bool live, Answer *answer) {
        _cleanup_vcpu_request_ VcpuRequest request = { .enable = enable, .cell = ID_NONE, .live = live, .config = true };

        g_assert_cmpint(cpuset_add(&request.ids, vcpu), ==, 0);
        g_assert_cmpint(vcpu_change(rig->domain, &request, 10 * 1000 * 1000, false, on_changed, answer, NULL), ==, 0);
}

static void wait_answer(Rig *rig, const Answer *answer) {
        while (answer->n == 0)
                g_assert_cmpint(sd_event_run(rig->event, UINT64_MAX), >=, 0);
        g_assert_cmpuint(answer->n, ==, 1);
}

static void wait_asked(Rig *rig) {
        while (!asked.done)
                g_assert_cmpint(sd_event_run(rig->event, UINT64_MAX), >=, 0);
}

static void check_stored(const Rig *rig, const char *list) {
        _cleanup_free_ char *text = NULL;

        g_assert_nonnull(rig->domain->definition);
        g_assert_true(rig->domain->definition->chosen);
        text = cpuset_to_list(&rig->domain->definition->enabled);
        g_assert_cmpstr(text, ==, list);
}

static void what_fails_leaves_nothing_stored(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *file = tree_path(tree, "state/domains/web.xml");
        Answer answer = {};
        Rig rig = {};

        rig_start(&rig, tree);
        change(&rig, 2, true, true, &answer);
        wait_asked(&rig);
        g_assert_cmpuint(asked.vcpu, ==, 2);
        check_stored(&rig, "0-2");
        fail_asked(ERROR_BACKEND_FAILED);
        wait_answer(&rig, &answer);
        g_assert_cmpint(answer.result, ==, -EIO);
        g_assert_null(rig.domain->definition);
        g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
        rig_stop(&rig);
}

static void what_was_stored_meanwhile_stays(void) {
        g_autoptr(Tree) tree = tree_new();
        Answer answer = {}, other = {};
        Rig rig = {};

        rig_start(&rig, tree);
        change(&rig, 2, true, true, &answer);
        wait_asked(&rig);
        change(&rig, 1, false, false, &other);
        wait_answer(&rig, &other);
        g_assert_cmpint(other.result, ==, 0);
        check_stored(&rig, "0,2");
        fail_asked(ERROR_TIMED_OUT);
        wait_answer(&rig, &answer);
        g_assert_cmpint(answer.result, ==, -ETIMEDOUT);
        check_stored(&rig, "0");
        rig_stop(&rig);
}

static void on_pinned(int result, const Error *error, void *userdata) {
        on_changed(result, error, NULL, userdata);
}

/* What is stored goes to an object of its own; that of the run is there as long as somebody
 * waits. */
static void guest_of_another_uuid_goes_while_something_is_stored(void) {
        g_autoptr(Tree) tree = tree_new();
        TuneChange pin = { .role = THREAD_ROLE_VCPU, .id = 2, .pin = true };
        Answer answer = {};
        Domain *off;
        Rig rig = {};

        rig_start(&rig, tree);
        rig.domain->meeting = DOMAIN_MEETING_BEFORE;
        g_assert_cmpint(definition_new("web", UUID, &rig.domain->definition), ==, 0);
        rig.domain->definition->maximum = 4;
        g_assert_cmpint(cpuset_add(&pin.cpus, 0), ==, 0);
        g_assert_cmpint(guests_set_host_cpus(rig.guests, &pin.cpus, &pin.cpus, false), ==, 0);
        g_assert_cmpint(tune(rig.domain, &pin, 1, false, true, on_pinned, &answer, NULL), ==, 0);

        strcpy(rig.domain->uuid, OTHER_UUID);
        definitions_meet(rig.domain);
        g_assert_null(rig.domain->definition);
        domain_stopped(rig.domain);
        rig.domain = NULL;
        wait_answer(&rig, &answer);
        g_assert_cmpint(answer.result, ==, 0);
        off = guests_first(rig.guests);
        g_assert_null(off->next);
        g_assert_cmpstr(off->uuid, ==, UUID);
        g_assert_nonnull(tuning_cpus(&off->definition->tuning, THREAD_ROLE_VCPU, 2));
        cpuset_clear(&pin.cpus);
        rig_stop(&rig);
}

static void another_guest_does_not_get_the_live_part(void) {
        g_autoptr(Tree) tree = tree_new();
        Answer answer = {};
        Domain *off;
        Rig rig = {};

        rig_start(&rig, tree);
        rig.domain->meeting = DOMAIN_MEETING_BEFORE;
        g_assert_cmpint(definition_new("web", UUID, &rig.domain->definition), ==, 0);
        rig.domain->definition->maximum = 4;
        change(&rig, 2, true, true, &answer);
        strcpy(rig.domain->uuid, OTHER_UUID);
        definitions_meet(rig.domain);
        wait_answer(&rig, &answer);
        g_assert_cmpint(answer.result, ==, -ENOTCONN);
        g_assert_null(asked.done);
        g_assert_null(rig.domain->definition);
        off = definitions_find_off(rig.guests, "web");
        g_assert_cmpstr(off->uuid, ==, UUID);
        g_assert_true(cpuset_contains(&off->definition->enabled, 2));
        rig_stop(&rig);
}

/* Jobs are ended first; then guests, whose changes have something to take back. */
static void service_that_stops_ends_what_waits(void) {
        g_autoptr(Tree) tree = tree_new();
        Answer answer = {};
        Rig rig = {};

        rig_start(&rig, tree);
        change(&rig, 2, true, true, &answer);
        wait_asked(&rig);
        rig_stop(&rig);
        g_assert_cmpuint(answer.n, ==, 1);
        g_assert_cmpint(answer.result, ==, -ENOTCONN);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/change/what-fails-leaves-nothing-stored", what_fails_leaves_nothing_stored);
        g_test_add_func("/change/what-was-stored-meanwhile-stays", what_was_stored_meanwhile_stays);
        g_test_add_func("/change/guest-of-another-uuid-goes-while-something-is-stored", guest_of_another_uuid_goes_while_something_is_stored);
        g_test_add_func("/change/another-guest-does-not-get-the-live-part", another_guest_does_not_get_the_live_part);
        g_test_add_func("/change/service-that-stops-ends-what-waits", service_that_stops_ends_what_waits);
        return g_test_run();
}
