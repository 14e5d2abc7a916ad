/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is stored, and the guests that it is stored for: over changes, runs, restarts of
 * the service, and files that are damaged. A child stands in for the VMM. */

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "child.h"
#include "failing-sync.h"
#include "guest/definitions.h"
#include "told.h"
#include "tree.h"

#define UUID_A "12345678-1234-1234-1234-00000000000a"
#define UUID_B "12345678-1234-1234-1234-00000000000b"

/* A service, as far as it has to do with guests. */
typedef struct Rig {
        sd_event *event;
        Workers *workers;
        Guests *guests;
        Definitions *definitions;
} Rig;

static GString *plugged;

static int set_unit(Domain *domain, uint32_t vcpu, bool enable, uint64_t timeout_usec, BackendDone done, void *userdata, Error *error) {
        g_string_append_printf(plugged, "%s%u ", enable ? "+" : "-", vcpu);
        return error_set(error, ERROR_BACKEND_FAILED, "it has no hands");
}

static const Backend backend = { .name = "qemu", .set_unit = set_unit };

static int on_workers(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        workers_dispatch(userdata);
        return 0;
}

static void rig_start(Rig *rig, const Tree *tree) {
        g_autofree char *runtime = tree_path(tree, "run"), *state = tree_path(tree, "state");

        plugged = g_string_new(NULL);
        g_assert_cmpint(sd_event_new(&rig->event), >=, 0);
        g_assert_cmpint(workers_new(&rig->workers), ==, 0);
        g_assert_cmpint(sd_event_add_io(rig->event, NULL, workers_fd(rig->workers), POLLIN, on_workers, rig->workers), >=, 0);
        g_assert_cmpint(guests_new(rig->event, rig->workers, &rig->guests), ==, 0);
        g_assert_cmpint(definitions_new(rig->guests, &backend, runtime, state, &rig->definitions), ==, 0);
        g_assert_true(guests_definitions(rig->guests) == rig->definitions);
}

static void rig_stop(Rig *rig) {
        workers_free(rig->workers);
        definitions_free(rig->definitions);
        guests_free(rig->guests);
        sd_event_unref(rig->event);
        g_string_free(plugged, TRUE);
        *rig = (Rig) {};
}

typedef struct Answer {
        unsigned n;
        int result;
        ErrorCode code;
        char *message;
        unsigned place;         /* among all answers */
} Answer;

static unsigned n_answers;

static void on_done(int result, const Error *error, void *userdata) {
        Answer *answer = userdata;

        answer->n++;
        answer->result = result;
        answer->code = error ? error->code : ERROR_NONE;
        g_free(answer->message);
        answer->message = g_strdup(error ? error->message : NULL);
        answer->place = ++n_answers;
        if (result < 0)
                g_test_message("%s", answer->message);
}

static void answer_clear(Answer *answer) {
        g_free(answer->message);
}
#define _cleanup_answer_ _cleanup_(answer_clear)

static void wait_answer(Rig *rig, const Answer *answer) {
        g_assert_cmpuint(answer->n, <=, 1);
        while (answer->n == 0)
                g_assert_cmpint(sd_event_run(rig->event, UINT64_MAX), >=, 0);
        g_assert_cmpuint(answer->n, ==, 1);
}

static int start_define(Rig *rig, const char *xml, Answer *answer, Error *error) {
        Definition *definition = NULL;

        g_assert_cmpint(definition_parse(xml, strlen(xml), NULL, &definition), ==, 0);
        return definitions_define(rig->guests, definition, on_done, answer, error);
}

static Domain *define(Rig *rig, const char *xml) {
        _cleanup_answer_ Answer answer = {};
        _cleanup_error_ Error error = {};

        g_assert_cmpint(start_define(rig, xml, &answer, &error), ==, 0);
        wait_answer(rig, &answer);
        g_assert_cmpint(answer.result, ==, 0);
        return guests_find(rig->guests, "web");
}

#define WEB(uuid, rest) "<domain><name>web</name><uuid>" uuid "</uuid>" rest "</domain>"

#define OTHER(uuid) "<domain><name>other</name><uuid>" uuid "</uuid></domain>"

static VcpuTable *table_of(uint32_t maximum, uint32_t enabled) {
        VcpuTable *table = NULL;

        g_assert_cmpint(vcpu_table_new(maximum, maximum, NULL, &table), ==, 0);
        for (uint32_t id = 0; id < maximum; id++) {
                PlugUnit *unit = vcpu_table_add_unit(table, 1, ID_NONE, NULL);

                if (id < enabled) {
                        unit->plugged = true;
                        unit->order = id + 1;
                        vcpu_table_enable(table, id, 0);
                }
        }
        g_assert_cmpint(vcpu_table_finish(table), ==, 0);
        return table;
}

/* A guest starts, or is found by a service that starts. */
static Domain *run_guest(Rig *rig, const char *uuid, const Child *child) {
        Domain *domain = definitions_find_off(rig->guests, "web");
        bool found = domain;

        if (!domain)
                g_assert_cmpint(domain_new(rig->guests, &backend, "web", &domain), ==, 0);
        domain->run = domain;
        domain->state = DOMAIN_UNKNOWN;
        g_assert_cmpint(process_open(child->pid, &domain->process, NULL), ==, 0);
        domain->pid = child->pid;
        if (!found)
                domain_announce(domain);
        definitions_meet(domain);
        g_assert_cmpuint(domain->live.n_items, ==, 0);
        strcpy(domain->uuid, uuid);
        domain->state = DOMAIN_RUNNING;
        definitions_meet(domain);
        domain_take_vcpus(domain, table_of(4, 2));
        return domain;
}

static void check_pin(const Tuning *tuning, uint32_t id, const char *list) {
        const CpuSet *cpus = tuning_cpus(tuning, THREAD_ROLE_VCPU, id);
        _cleanup_free_ char *text = cpus ? cpuset_to_list(cpus) : NULL;

        g_assert_cmpstr(text, ==, list);
}

static void pin_live(Domain *domain, uint32_t id, const char *list) {
        _cleanup_cpuset_ CpuSet cpus = {};

        g_assert_cmpint(cpuset_parse_list(list, &cpus), ==, 0);
        g_assert_cmpint(tuning_pin(&domain->live, THREAD_ROLE_VCPU, id, &cpus), ==, 0);
        definitions_keep_run(domain);
}

static bool exists(const Tree *tree, const char *path) {
        g_autofree char *whole = tree_path(tree, path);

        return g_file_test(whole, G_FILE_TEST_EXISTS);
}

#define PIN_0 "<vcpu>4</vcpu><cputune><vcpupin vcpu='0' cpuset='0'/></cputune>"

static void a_definition_outlives_the_service(void) {
        g_autoptr(Tree) tree = tree_new();
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = define(&rig, WEB(UUID_A, "<vcpu current='3'>4</vcpu><devices/>"));
        g_assert_cmpint(domain->state, ==, DOMAIN_SHUTOFF);
        g_assert_cmpstr(domain->uuid, ==, UUID_A);
        g_assert_cmpuint(domain->vcpus->current, ==, 3);
        g_assert_nonnull(told_finding(domain, "config-ignored"));
        rig_stop(&rig);

        rig_start(&rig, tree);
        domain = guests_find(rig.guests, "web");
        g_assert_nonnull(domain);
        g_assert_true(domain_is_announced(domain));
        g_assert_cmpuint(domain->vcpus->current, ==, 3);
        g_assert_cmpstr(told_finding(domain, "config-ignored")->message, ==, "these parts of its document are not kept: devices");
        g_assert_true(definitions_find_off(rig.guests, "web") == domain);
        rig_stop(&rig);
}

static void a_name_belongs_to_one_uuid(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        _cleanup_error_ Error error = {}, running = {};
        _cleanup_answer_ Answer answer = {};
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        g_assert_cmpint(start_define(&rig, WEB(UUID_B, ""), &answer, &error), ==, -EEXIST);
        g_assert_cmpint(error.code, ==, ERROR_ALREADY_EXISTS);
        /* The same UUID replaces it, in the same object. */
        g_assert_true(define(&rig, WEB(UUID_A, "<vcpu>2</vcpu>")) == domain);
        g_assert_cmpuint(domain->vcpus->maximum, ==, 2);

        error_clear(&error);
        g_assert_cmpint(definitions_undefine(domain, on_done, &answer, NULL), ==, 0);
        wait_answer(&rig, &answer);
        g_assert_null(guests_find(rig.guests, "web"));
        g_assert_false(exists(tree, "state/domains/web.xml"));
        run_guest(&rig, UUID_B, child);
        g_assert_cmpint(start_define(&rig, WEB(UUID_A, ""), &answer, &running), ==, -EEXIST);
        g_assert_nonnull(strstr(running.message, UUID_B));
        rig_stop(&rig);
}

static void a_uuid_has_one_definition(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_error_ Error error = {}, at_once = {};
        _cleanup_answer_ Answer web = {}, other = {};
        Rig rig = {};

        rig_start(&rig, tree);
        /* While the first is being written, too. */
        g_assert_cmpint(start_define(&rig, WEB(UUID_A, ""), &web, NULL), ==, 0);
        g_assert_cmpint(start_define(&rig, OTHER(UUID_A), &other, &at_once), ==, -EEXIST);
        g_assert_nonnull(strstr(at_once.message, "web"));
        wait_answer(&rig, &web);
        g_assert_cmpint(web.result, ==, 0);
        g_assert_cmpint(start_define(&rig, OTHER(UUID_A), &other, &error), ==, -EEXIST);
        g_assert_cmpint(error.code, ==, ERROR_ALREADY_EXISTS);
        g_assert_nonnull(strstr(error.message, "web"));
        g_assert_nonnull(strstr(error.message, UUID_A));

        g_assert_cmpint(start_define(&rig, OTHER(UUID_B), &other, NULL), ==, 0);
        wait_answer(&rig, &other);
        g_assert_cmpint(other.result, ==, 0);
        g_assert_nonnull(guests_find(rig.guests, "other"));
        rig_stop(&rig);
}

/* Nothing tells them apart but their names. */
static void guests_without_a_uuid_are_many(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_answer_ Answer web = {}, other = {};
        Rig rig = {};

        rig_start(&rig, tree);
        g_assert_cmpint(start_define(&rig, "<domain><name>web</name></domain>", &web, NULL), ==, 0);
        g_assert_cmpint(start_define(&rig, "<domain><name>other</name></domain>", &other, NULL), ==, 0);
        wait_answer(&rig, &web);
        wait_answer(&rig, &other);
        g_assert_cmpint(web.result, ==, 0);
        g_assert_cmpint(other.result, ==, 0);
        rig_stop(&rig);
}

static void a_run_gets_its_definition_once(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        define(&rig, WEB(UUID_A, PIN_0));
        domain = run_guest(&rig, UUID_A, child);
        check_pin(&domain->live, 0, "0");
        pin_live(domain, 0, "1");
        definitions_meet(domain);
        check_pin(&domain->live, 0, "1");
        rig_stop(&rig);

        /* The service restarts: what was changed live stays so. */
        rig_start(&rig, tree);
        domain = run_guest(&rig, UUID_A, child);
        check_pin(&domain->live, 0, "1");
        check_pin(&domain->definition->tuning, 0, "0");
        rig_stop(&rig);
}

static void the_next_run_gets_it_again(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1), next = child_new(1);
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        define(&rig, WEB(UUID_A, PIN_0));
        domain = run_guest(&rig, UUID_A, child);
        pin_live(domain, 0, "1");
        domain_stopped(domain);
        g_assert_cmpint(domain->state, ==, DOMAIN_SHUTOFF);
        g_assert_true(run_guest(&rig, UUID_A, next) == domain);
        check_pin(&domain->live, 0, "0");
        rig_stop(&rig);
}

static void what_is_kept_of_a_run_goes_with_its_process(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1), other = child_new(1);
        Rig rig = {};

        rig_start(&rig, tree);
        define(&rig, WEB(UUID_A, PIN_0));
        run_guest(&rig, UUID_A, child);
        g_assert_true(exists(tree, "run/runs/web.xml"));
        child_end(child);
        /* A kernel without pidfds, as valgrind is one, says nothing. */
        while (guests_find(rig.guests, "web")->process->pidfd >= 0 && exists(tree, "run/runs/web.xml"))
                g_assert_cmpint(sd_event_run(rig.event, UINT64_MAX), >=, 0);
        domain_stopped(guests_find(rig.guests, "web"));
        run_guest(&rig, UUID_A, other);
        rig_stop(&rig);

        /* Nobody heard of this one's end. */
        g_assert_true(exists(tree, "run/runs/web.xml"));
        child_end(other);
        rig_start(&rig, tree);
        g_assert_false(exists(tree, "run/runs/web.xml"));
        rig_stop(&rig);
}

static void what_is_stored_during_a_run_is_for_the_next(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = run_guest(&rig, UUID_A, child);
        g_assert_false(exists(tree, "run/runs/web.xml"));
        g_assert_true(define(&rig, WEB(UUID_A, PIN_0)) == domain);
        check_pin(&domain->live, 0, NULL);
        rig_stop(&rig);
        rig_start(&rig, tree);
        domain = run_guest(&rig, UUID_A, child);
        check_pin(&domain->live, 0, NULL);
        check_pin(&domain->definition->tuning, 0, "0");
        rig_stop(&rig);
}

static void what_is_defined_while_the_guest_starts_is_its(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        _cleanup_answer_ Answer answer = {};
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        g_assert_cmpint(start_define(&rig, WEB(UUID_A, PIN_0), &answer, NULL), ==, 0);
        domain = run_guest(&rig, UUID_A, child);
        wait_answer(&rig, &answer);
        g_assert_cmpint(answer.result, ==, 0);
        g_assert_true(guests_first(rig.guests) == domain && !domain->next);
        check_pin(&domain->definition->tuning, 0, "0");
        /* It had begun before. */
        check_pin(&domain->live, 0, NULL);
        g_assert_true(exists(tree, "run/runs/web.xml"));
        rig_stop(&rig);
}

static void what_is_defined_while_another_starts_is_not_its(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        _cleanup_answer_ Answer answer = {};
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        g_assert_cmpint(start_define(&rig, WEB(UUID_A, PIN_0), &answer, NULL), ==, 0);
        domain = run_guest(&rig, UUID_B, child);
        wait_answer(&rig, &answer);
        g_assert_cmpint(answer.result, ==, 0);
        g_assert_null(domain->definition);
        g_assert_cmpstr(definitions_find_off(rig.guests, "web")->uuid, ==, UUID_A);
        rig_stop(&rig);
}

static void a_stranger_inherits_nothing(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        Rig rig = {};
        Domain *domain, *off;

        rig_start(&rig, tree);
        define(&rig, WEB(UUID_A, PIN_0));
        domain = run_guest(&rig, UUID_B, child);
        g_assert_null(domain->definition);
        check_pin(&domain->live, 0, NULL);
        off = definitions_find_off(rig.guests, "web");
        g_assert_true(off && off != domain);
        g_assert_cmpstr(off->uuid, ==, UUID_A);
        g_assert_cmpuint(off->vcpus->maximum, ==, 4);
        domain_stopped(domain);
        g_assert_true(guests_first(rig.guests) == off);
        rig_stop(&rig);
}

static void missing_vcpus_are_plugged_and_others_told(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        define(&rig, WEB(UUID_A, "<vcpu>6</vcpu><vcpus><vcpu id='0'/><vcpu id='3'/><vcpu id='5'/></vcpus>"));
        domain = run_guest(&rig, UUID_A, child);
        while (plugged->len == 0)
                g_assert_cmpint(sd_event_run(rig.event, UINT64_MAX), >=, 0);
        g_assert_cmpstr(plugged->str, ==, "+3 ");
        g_assert_nonnull(strstr(told_finding(domain, "config-not-met")->message, "vCPUs 5 "));
        g_assert_nonnull(strstr(told_finding(domain, "config-not-met")[1].message, "vCPUs 1 "));
        /* The next run may meet it. */
        domain_stopped(domain);
        g_assert_null(told_finding(domain, "config-not-met"));
        rig_stop(&rig);
}

typedef struct Edit {
        Answer answer;
        uint32_t expected, maximum;     /* before and after */
} Edit;

static int edit(Definition *definition, void *userdata, Error *error) {
        Edit *change = userdata;

        g_assert_cmpuint(definition->maximum, ==, change->expected);
        definition->maximum = change->maximum;
        return change->maximum == 99 ? error_set(error, ERROR_NO_SUCH_VCPU, "99 is too many") : 0;
}

static void a_stranger_does_not_change_what_is_stored(void) {
        g_autoptr(Tree) tree = tree_new();
        Edit changes[3] = { { .expected = 4, .maximum = 8 }, { .expected = 4, .maximum = 8 }, { .expected = 4, .maximum = 8 } };
        _cleanup_error_ Error silent = {}, stranger = {};
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        domain->run = domain;
        domain->state = DOMAIN_UNKNOWN;
        g_assert_cmpint(definitions_change(domain, edit, on_done, changes, &silent), ==, -EBUSY);
        domain->state = DOMAIN_RUNNING;
        strcpy(domain->uuid, UUID_B);
        g_assert_cmpint(definitions_change(domain, edit, on_done, changes + 1, &stranger), ==, -EEXIST);
        g_assert_nonnull(strstr(stranger.message, UUID_B));
        g_assert_cmpuint(domain->definition->maximum, ==, 4);

        strcpy(domain->uuid, UUID_A);
        g_assert_cmpint(definitions_change(domain, edit, on_done, changes + 2, NULL), ==, 0);
        wait_answer(&rig, &changes[2].answer);
        g_assert_cmpint(changes[2].answer.result, ==, 0);
        rig_stop(&rig);
}

static void changes_of_one_guest_follow_each_other(void) {
        g_autoptr(Tree) tree = tree_new();
        Edit edits[DEFINITIONS_CHANGES_MAX + 1] = {};
        _cleanup_error_ Error error = {};
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        n_answers = 0;
        for (unsigned i = 0; i < DEFINITIONS_CHANGES_MAX; i++) {
                /* The sixth fails, and the seventh finds what the fifth left. */
                edits[i].expected = i == 0 ? 4 : i == 6 ? 9 + 4 : 9 + i - 1;
                edits[i].maximum = i == 5 ? 99 : 9 + i;
                g_assert_cmpint(definitions_change(domain, edit, on_done, edits + i, NULL), ==, 0);
                g_assert_cmpuint(edits[i].answer.n, ==, 0);
        }
        g_assert_cmpint(definitions_change(domain, edit, on_done, edits + DEFINITIONS_CHANGES_MAX, &error), ==, -EBUSY);
        for (unsigned i = 0; i < DEFINITIONS_CHANGES_MAX; i++) {
                wait_answer(&rig, &edits[i].answer);
                g_assert_cmpint(edits[i].answer.code, ==, i == 5 ? ERROR_NO_SUCH_VCPU : ERROR_NONE);
                g_assert_cmpuint(edits[i].answer.place, ==, i + 1);
                answer_clear(&edits[i].answer);
        }
        g_assert_cmpuint(domain->vcpus->maximum, ==, 9 + DEFINITIONS_CHANGES_MAX - 1);
        rig_stop(&rig);
}

static void the_end_of_the_service_answers_every_change(void) {
        g_autoptr(Tree) tree = tree_new();
        Edit edits[3] = { { .expected = 4, .maximum = 5 }, { .expected = 5, .maximum = 6 }, { .expected = 6, .maximum = 7 } };
        bool stored;
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        for (unsigned i = 0; i < 3; i++)
                g_assert_cmpint(definitions_change(domain, edit, on_done, edits + i, NULL), ==, 0);
        rig_stop(&rig);
        for (unsigned i = 0; i < 3; i++) {
                g_assert_cmpuint(edits[i].answer.n, ==, 1);
                answer_clear(&edits[i].answer);
        }
        g_assert_cmpint(edits[1].answer.code, ==, ERROR_BACKEND_FAILED);
        g_assert_cmpint(edits[2].answer.code, ==, ERROR_BACKEND_FAILED);

        /* The first is in the file if and only if it was told so. */
        stored = edits[0].answer.result == 0;
        rig_start(&rig, tree);
        g_assert_cmpuint(guests_find(rig.guests, "web")->vcpus->maximum, ==, stored ? 5 : 4);
        rig_stop(&rig);
}

static void a_guest_that_goes_meanwhile_is_there_until_it_is_stored(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        Edit change = { .expected = 4, .maximum = 4 };
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = run_guest(&rig, UUID_A, child);
        g_assert_cmpint(definitions_change(domain, edit, on_done, &change, NULL), ==, 0);
        domain_stopped(domain);
        wait_answer(&rig, &change.answer);
        g_assert_cmpint(change.answer.result, ==, 0);
        g_assert_true(guests_find(rig.guests, "web") == domain);
        g_assert_cmpstr(domain->definition->uuid, ==, UUID_A);
        g_assert_cmpuint(domain->vcpus->maximum, ==, 4);
        answer_clear(&change.answer);
        rig_stop(&rig);
}

static void a_write_that_fails_is_told_and_changes_nothing(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *text = NULL;
        Edit change = { .expected = 4, .maximum = 5 }, again = change;
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        domain = define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        /* A folder of the name of the new file stops even root. */
        tree_folder(tree, "state/domains/.web.xml.new");
        g_assert_cmpint(definitions_change(domain, edit, on_done, &change, NULL), ==, 0);
        wait_answer(&rig, &change.answer);
        g_assert_cmpint(change.answer.code, ==, ERROR_BACKEND_FAILED);
        g_assert_cmpuint(domain->vcpus->maximum, ==, 4);
        g_assert_nonnull(told_finding(domain, "config-not-kept"));
        text = tree_read(tree, "state/domains/web.xml");
        g_assert_nonnull(strstr(text, ">4</vcpu>"));

        tree_remove(tree, "state/domains/.web.xml.new");
        g_assert_cmpint(definitions_change(domain, edit, on_done, &again, NULL), ==, 0);
        wait_answer(&rig, &again.answer);
        g_assert_cmpint(again.answer.result, ==, 0);
        g_assert_null(told_finding(domain, "config-not-kept"));
        answer_clear(&change.answer);
        rig_stop(&rig);
}

static void what_the_disk_does_not_confirm_counts(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *text = NULL;
        _cleanup_answer_ Answer answer = {};
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        folders_fail_to_sync = true;
        domain = define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        g_assert_cmpuint(domain->vcpus->maximum, ==, 4);
        text = tree_read(tree, "state/domains/web.xml");
        g_assert_nonnull(strstr(text, ">4</vcpu>"));
        g_assert_null(told_finding(domain, "config-not-kept"));
        g_assert_cmpint(definitions_undefine(domain, on_done, &answer, NULL), ==, 0);
        wait_answer(&rig, &answer);
        g_assert_cmpint(answer.result, ==, 0);
        g_assert_null(guests_find(rig.guests, "web"));
        folders_fail_to_sync = false;
        rig_stop(&rig);
}

static void count(void *userdata) {
        (*(unsigned *) userdata)++;
}

static void a_damaged_file_is_told_without_its_guest(void) {
        g_autoptr(Tree) tree = tree_new();
        const Findings *findings;
        unsigned n_told = 0;
        Rig rig = {};

        rig_start(&rig, tree);
        g_assert_cmpuint(definitions_findings(rig.definitions)->n_items, ==, 0);
        rig_stop(&rig);
        tree_write(tree, "state/domains/web.xml", "no definition");
        tree_folder(tree, "state/domains/other.xml.damaged-1");
        rig_start(&rig, tree);
        definitions_follow(rig.definitions, count, &n_told);
        findings = definitions_findings(rig.definitions);
        g_assert_cmpuint(findings->n_items, ==, 2);
        g_assert_cmpstr(findings->items[0].code, ==, "config-damaged");
        g_assert_cmpstr(findings->items[0].subject, ==, "web");
        g_assert_nonnull(strstr(findings->items[0].message, "web.xml.damaged-1"));
        g_assert_cmpstr(findings->items[1].subject, ==, "other");
        g_assert_nonnull(strstr(findings->items[1].message, "other.xml.damaged-1"));

        define(&rig, WEB(UUID_A, ""));
        g_assert_cmpuint(n_told, ==, 1);
        g_assert_cmpuint(findings->n_items, ==, 1);
        g_assert_cmpstr(findings->items[0].subject, ==, "other");
        rig_stop(&rig);
        g_assert_cmpuint(n_told, ==, 1);
}

static void a_damaged_file_is_set_aside_and_told(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        g_autofree char *first = NULL, *second = NULL;
        Rig rig = {};
        Domain *domain;

        rig_start(&rig, tree);
        define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        rig_stop(&rig);
        tree_write(tree, "state/domains/web.xml", "first");
        rig_start(&rig, tree);
        g_assert_null(guests_first(rig.guests));
        rig_stop(&rig);
        tree_write(tree, "state/domains/web.xml", "<domain><name>other</name></domain>");
        rig_start(&rig, tree);
        first = tree_read(tree, "state/domains/web.xml.damaged-1");
        g_assert_cmpstr(first, ==, "first");
        second = tree_read(tree, "state/domains/web.xml.damaged-2");
        g_assert_nonnull(strstr(second, "other"));
        g_assert_false(exists(tree, "state/domains/web.xml"));

        domain = run_guest(&rig, UUID_A, child);
        g_assert_nonnull(strstr(told_finding(domain, "config-damaged")->message, "web.xml.damaged-2"));
        define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"));
        g_assert_null(told_finding(domain, "config-damaged"));
        rig_stop(&rig);
}

static bool has_config(const Domain *domain) {
        const char *features[DOMAIN_FEATURES_MAX] = {};

        domain_features(domain, features);
        return g_strv_contains(features, "config");
}

static void without_a_folder_only_changes_are_refused(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(Child) child = child_new(1);
        _cleanup_error_ Error error = {};
        Edit change = {};
        Rig rig = {};
        Domain *domain;

        tree_write(tree, "state", "a file");
        rig_start(&rig, tree);
        domain = run_guest(&rig, UUID_A, child);
        g_assert_cmpint(definitions_change(domain, edit, on_done, &change, &error), ==, -EOPNOTSUPP);
        g_assert_cmpuint(change.answer.n, ==, 0);
        g_assert_false(has_config(domain));
        rig_stop(&rig);
        g_assert_false(definitions_can_store(NULL));
}

/* In a mount namespace of its own. */
static void on_a_read_only_disk(const Tree *tree) {
        g_autofree char *state = tree_path(tree, "state");
        Edit change = { .expected = 4, .maximum = 5 };
        Rig rig = {};
        Domain *domain;

        g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
        g_assert_cmpint(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), ==, 0);
        g_assert_cmpint(mount(state, state, "none", MS_BIND, NULL), ==, 0);
        g_assert_cmpint(mount("none", state, "none", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), ==, 0);
        rig_start(&rig, tree);
        domain = guests_find(rig.guests, "web");
        g_assert_nonnull(domain);
        g_assert_cmpuint(domain->vcpus->maximum, ==, 4);
        g_assert_false(has_config(domain));
        g_assert_cmpint(definitions_change(domain, edit, on_done, &change, NULL), ==, 0);
        wait_answer(&rig, &change.answer);
        g_assert_cmpint(change.answer.code, ==, ERROR_BACKEND_FAILED);
        g_assert_cmpuint(domain->vcpus->maximum, ==, 4);
        answer_clear(&change.answer);
        rig_stop(&rig);
}

static void what_is_on_a_read_only_disk_is_read(void) {
        /* Static: what looks for leaks in the child finds it there. */
        static Tree *tree;
        Rig rig = {};
        int status;
        pid_t pid;

        tree = tree_new();
        rig_start(&rig, tree);
        g_assert_true(has_config(define(&rig, WEB(UUID_A, "<vcpu>4</vcpu>"))));
        rig_stop(&rig);
        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                on_a_read_only_disk(tree);
                _exit(0);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
        tree_free(tree);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/definitions/" #test, test)
        ADD(a_definition_outlives_the_service);
        ADD(a_name_belongs_to_one_uuid);
        ADD(a_uuid_has_one_definition);
        ADD(guests_without_a_uuid_are_many);
        ADD(a_run_gets_its_definition_once);
        ADD(the_next_run_gets_it_again);
        ADD(what_is_kept_of_a_run_goes_with_its_process);
        ADD(what_is_stored_during_a_run_is_for_the_next);
        ADD(what_is_defined_while_the_guest_starts_is_its);
        ADD(what_is_defined_while_another_starts_is_not_its);
        ADD(a_stranger_inherits_nothing);
        ADD(missing_vcpus_are_plugged_and_others_told);
        ADD(a_stranger_does_not_change_what_is_stored);
        ADD(changes_of_one_guest_follow_each_other);
        ADD(the_end_of_the_service_answers_every_change);
        ADD(a_guest_that_goes_meanwhile_is_there_until_it_is_stored);
        ADD(a_write_that_fails_is_told_and_changes_nothing);
        ADD(what_the_disk_does_not_confirm_counts);
        ADD(a_damaged_file_is_set_aside_and_told);
        ADD(a_damaged_file_is_told_without_its_guest);
        ADD(without_a_folder_only_changes_are_refused);
        ADD(what_is_on_a_read_only_disk_is_read);
#undef ADD
        return g_test_run();
}
