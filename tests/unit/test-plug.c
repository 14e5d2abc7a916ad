/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A change of several units as one: in order, undone in reverse, and what is said of it;
 * with a hypervisor that does each step when the test says so. And what follows from
 * each new table: causes, what is pending, who is told. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "guest/plug.h"
#include "told.h"

#define SEC UINT64_C(1000000)
#define MAXIMUM 8u

typedef struct Subject {
        sd_event *event;
        Guests *guests;
        Domain *domain;
        unsigned threads;               /* of a unit */
        gboolean enabled[MAXIMUM];
        GString *calls;                 /* "+2 -3": what was asked of the hypervisor */
        /* The step that it is doing. */
        BackendDone done;
        void *userdata;
        uint32_t vcpu;
        gboolean enable;
        uint64_t timeout_usec;
        const char *refusal;            /* the next is refused at once */
        /* The answer of the whole. */
        unsigned n_done;
        int result;
        ErrorCode code;
        char *message;
} Subject;

static Subject *subject;

static int set_unit(Domain *domain, uint32_t vcpu, bool enable, uint64_t timeout_usec,
                    BackendDone done, void *userdata, Error *error) {
        g_assert_null(subject->done);
        g_string_append_printf(subject->calls, "%s%c%u", subject->calls->len > 0 ? " " : "", enable ? '+' : '-', vcpu);
        if (subject->refusal)
                return error_set(error, ERROR_BUSY, "%s", g_steal_pointer(&subject->refusal));
        subject->done = done;
        subject->userdata = userdata;
        subject->vcpu = vcpu;
        subject->enable = enable;
        subject->timeout_usec = timeout_usec;
        return 0;
}

static const Backend backend = { .name = "test", .set_unit = set_unit };

static VcpuTable *make_table(void) {
        VcpuTable *table = NULL;
        uint32_t order = 0;

        g_assert_cmpint(vcpu_table_new(MAXIMUM / subject->threads, MAXIMUM, NULL, &table), ==, 0);
        for (uint32_t id = 0; id < MAXIMUM; id += subject->threads) {
                PlugUnit *unit = vcpu_table_add_unit(table, subject->threads, id / 4, NULL);

                unit->plugged = subject->enabled[id];
                unit->order = unit->plugged ? ++order : 0;
                unit->removable = id > 0 || !unit->plugged;
                for (uint32_t n = 0; unit->plugged && n < subject->threads; n++)
                        vcpu_table_enable(table, id + n, 1000 + id + n);
        }
        g_assert_cmpint(vcpu_table_finish(table), ==, 0);
        return table;
}

static void take_table(void) {
        domain_take_vcpus(subject->domain, make_table());
}

static void on_added(Domain *domain, void *userdata) {
}

static void on_removed(Domain *domain, void *userdata) {
}

static void on_changed(Domain *domain, unsigned change, void *userdata) {
}

static const GuestsListener listener = { on_added, on_removed, on_changed };

#define assert_told(expected) assert_told_of(subject->domain, UINT_MAX, expected)

static void start_subject(unsigned threads, unsigned n_enabled) {
        subject = g_new0(Subject, 1);
        subject->threads = threads;
        subject->calls = g_string_new(NULL);
        g_assert_cmpint(sd_event_new(&subject->event), >=, 0);
        g_assert_cmpint(guests_new(subject->event, NULL, &subject->guests), ==, 0);
        guests_listen(subject->guests, &listener, NULL);
        g_assert_cmpint(domain_new(subject->guests, &backend, "web", &subject->domain), ==, 0);
        subject->domain->run = subject;
        for (unsigned id = 0; id < n_enabled; id++)
                subject->enabled[id] = TRUE;
        take_table();
        domain_announce(subject->domain);
        assert_told("");
}

static void end_subject(void) {
        guests_free(subject->guests);
        sd_event_unref(subject->event);
        g_string_free(subject->calls, TRUE);
        g_free(subject->message);
        g_clear_pointer(&subject, g_free);
}

static void on_done(int result, const Error *error, void *userdata) {
        g_assert_true(userdata == subject);
        g_assert_null(subject->domain->plug);
        subject->n_done++;
        subject->result = result;
        subject->code = error ? error->code : ERROR_NONE;
        g_free(subject->message);
        subject->message = g_strdup(error ? error->message : NULL);
}

static int start_choice(const VcpuChoice *choice, uint64_t timeout_usec, Error *error) {
        int r = plug_check(subject->domain, choice, error);

        return r < 0 ? r : plug_start(subject->domain, choice, timeout_usec, on_done, subject, error);
}

static void start_count(uint32_t count) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};

        g_assert_cmpint(vcpu_table_choose_count(subject->domain->vcpus, count, NULL, &choice), ==, 0);
        g_assert_cmpint(start_choice(&choice, 9 * SEC, NULL), ==, 0);
        g_assert_cmpuint(subject->n_done, ==, 0);
}

static void answer(int result, const Error *error) {
        BackendDone done = g_steal_pointer(&subject->done);

        g_assert_nonnull(done);
        done(result, error, subject->userdata);
}

/* The hypervisor has done the step. */
static void step_done(void) {
        for (unsigned n = 0; n < subject->threads; n++)
                subject->enabled[subject->vcpu + n] = subject->enable;
        take_table();
        answer(0, NULL);
}

static void step_failed(ErrorCode code, const char *text) {
        _cleanup_error_ Error error = {};
        int r = error_set(&error, code, "%s", text);

        answer(r, &error);
}

static void assert_answer(ErrorCode code, const char *message) {
        g_assert_cmpuint(subject->n_done, ==, 1);
        g_assert_cmpint(subject->code, ==, code);
        g_assert_true(code == ERROR_NONE ? subject->result == 0 : subject->result < 0);
        g_assert_cmpstr(subject->message, ==, message);
        g_assert_null(subject->done);
}

static void test_units_are_changed_one_after_the_other(void) {
        start_subject(1, 2);
        start_count(5);
        g_assert_cmpstr(subject->calls->str, ==, "+2");
        step_done();
        step_done();
        g_assert_cmpstr(subject->calls->str, ==, "+2 +3 +4");
        step_done();
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpuint(subject->domain->vcpus->current, ==, 5);
        end_subject();
}

static void test_what_was_plugged_is_unplugged_again_in_reverse(void) {
        start_subject(1, 2);
        start_count(6);
        step_done();
        step_done();
        step_failed(ERROR_BACKEND_FAILED, "QEMU refused to plug vCPU 4: no");
        g_assert_cmpstr(subject->calls->str, ==, "+2 +3 +4 -3");
        step_done();
        step_done();
        g_assert_cmpstr(subject->calls->str, ==, "+2 +3 +4 -3 -2");
        assert_answer(ERROR_BACKEND_FAILED, "QEMU refused to plug vCPU 4: no; vCPUs 2-3 were unplugged again");
        end_subject();
}

static void test_what_was_unplugged_is_plugged_again(void) {
        start_subject(1, 8);
        start_count(5);
        step_done();
        step_failed(ERROR_GUEST_REFUSED, "the guest refused to give vCPU 6 back");
        step_done();
        g_assert_cmpstr(subject->calls->str, ==, "-7 -6 +7");
        assert_answer(ERROR_GUEST_REFUSED, "the guest refused to give vCPU 6 back; vCPU 7 was plugged again");
        end_subject();
}

static void test_what_cannot_be_undone_is_named(void) {
        start_subject(1, 2);
        start_count(6);
        step_done();
        step_done();
        step_failed(ERROR_BACKEND_FAILED, "no");
        step_failed(ERROR_TIMED_OUT, "late");
        step_done();
        assert_answer(ERROR_BACKEND_FAILED, "no; vCPU 2 was unplugged again; vCPU 3 could not be unplugged again: late, and stays");
        end_subject();
}

static void test_cores_are_named_whole(void) {
        start_subject(2, 2);
        start_count(8);
        step_done();
        step_failed(ERROR_BACKEND_FAILED, "no");
        step_failed(ERROR_GUEST_REFUSED, "never");
        g_assert_cmpstr(subject->calls->str, ==, "+2 +4 -2");
        assert_answer(ERROR_BACKEND_FAILED, "no; vCPUs 2-3 could not be unplugged again: never, and stay");
        end_subject();
}

/* The backend may say no without taking a step; undoing goes on with the next. */
static void test_a_step_that_is_refused_at_once_is_undone_too(void) {
        start_subject(1, 2);
        start_count(5);
        step_done();
        step_done();
        subject->refusal = "just changed";
        step_failed(ERROR_BACKEND_FAILED, "no");
        step_done();
        g_assert_cmpstr(subject->calls->str, ==, "+2 +3 +4 -3 -2");
        assert_answer(ERROR_BACKEND_FAILED, "no; vCPU 2 was unplugged again; vCPU 3 could not be unplugged again: just changed, and stays");
        end_subject();
}

static void test_first_step_that_is_refused_is_returned(void) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        _cleanup_error_ Error error = {};

        start_subject(1, 2);
        g_assert_cmpint(vcpu_table_choose_count(subject->domain->vcpus, 5, NULL, &choice), ==, 0);
        subject->refusal = "just changed";
        g_assert_cmpint(start_choice(&choice, SEC, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        g_assert_null(subject->domain->plug);
        g_assert_cmpuint(subject->n_done, ==, 0);
        end_subject();
}

static void test_time_is_kept_for_undoing(void) {
        start_subject(1, 2);
        start_count(6);
        g_assert_cmpuint(subject->timeout_usec, <=, 6 * SEC);
        g_assert_cmpuint(subject->timeout_usec, >, 0);
        step_done();
        step_done();
        step_failed(ERROR_TIMED_OUT, "late");
        /* Two to be undone: each has its half. */
        g_assert_cmpuint(subject->timeout_usec, <=, 9 * SEC / 2);
        step_done();
        g_assert_cmpuint(subject->timeout_usec, >, 0);
        step_done();
        assert_answer(ERROR_TIMED_OUT, "late; vCPUs 2-3 were unplugged again");
        end_subject();
}

static void test_without_time_nothing_is_tried(void) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        _cleanup_error_ Error error = {};

        start_subject(1, 2);
        g_assert_cmpint(vcpu_table_choose_count(subject->domain->vcpus, 3, NULL, &choice), ==, 0);
        g_assert_cmpint(start_choice(&choice, 0, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_TIMED_OUT);
        g_assert_cmpstr(error.message, ==, "no time was left to plug vCPU 2");
        g_assert_cmpstr(subject->calls->str, ==, "");
        end_subject();
}

static void test_one_alone_has_all_the_time(void) {
        start_subject(1, 2);
        start_count(3);
        g_assert_cmpuint(subject->timeout_usec, >, 6 * SEC);
        step_done();
        assert_answer(ERROR_NONE, NULL);
        end_subject();
}

static void test_nothing_to_do_is_done_later(void) {
        start_subject(1, 2);
        start_count(2);
        while (subject->n_done == 0)
                g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpstr(subject->calls->str, ==, "");
        end_subject();
}

static void test_end_of_the_guest_is_not_undone(void) {
        start_subject(1, 2);
        start_count(5);
        step_done();
        step_failed(ERROR_NOT_RUNNING, "the guest web ended meanwhile");
        g_assert_cmpstr(subject->calls->str, ==, "+2 +3");
        assert_answer(ERROR_NOT_RUNNING, "the guest web ended meanwhile");
        end_subject();
}

static void test_end_while_undoing_is_told(void) {
        start_subject(1, 8);
        start_count(4);
        step_done();
        step_done();
        step_failed(ERROR_GUEST_REFUSED, "never");
        step_failed(ERROR_NOT_RUNNING, "the guest web ended meanwhile");
        g_assert_cmpstr(subject->calls->str, ==, "-7 -6 -5 +6");
        assert_answer(ERROR_NOT_RUNNING, "never; then the guest web ended meanwhile");
        end_subject();
}

static void test_stopped_is_answered_once(void) {
        start_subject(1, 2);
        start_count(5);
        subject->done = NULL;
        plug_stopped(subject->domain);
        assert_answer(ERROR_NOT_RUNNING, "the guest web ended meanwhile");
        plug_stopped(subject->domain);
        g_assert_cmpuint(subject->n_done, ==, 1);
        end_subject();
}

static void test_one_change_at_a_time(void) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        _cleanup_error_ Error error = {};

        start_subject(1, 2);
        start_count(3);
        g_assert_cmpint(vcpu_table_choose_count(subject->domain->vcpus, 5, NULL, &choice), ==, 0);
        g_assert_cmpint(plug_check(subject->domain, &choice, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        g_assert_cmpint(plug_start(subject->domain, &choice, SEC, on_done, subject, NULL), <, 0);
        g_assert_cmpstr(subject->calls->str, ==, "+2");
        step_done();
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpint(plug_check(subject->domain, &choice, NULL), ==, 0);
        end_subject();
}

static int check_ids(const char *list, bool enable, Error *error) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        _cleanup_cpuset_ CpuSet ids = {};

        g_assert_cmpint(cpuset_parse_list(list, &ids), ==, 0);
        g_assert_cmpint(vcpu_table_choose_set(subject->domain->vcpus, &ids, enable, true, NULL, &choice), ==, 0);
        return plug_check(subject->domain, &choice, error);
}

static int check_count(uint32_t cell, uint32_t count, Error *error) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        int r = cell == ID_NONE ? vcpu_table_choose_count(subject->domain->vcpus, count, NULL, &choice) :
                                  vcpu_table_choose_cell(subject->domain->vcpus, cell, count, NULL, &choice);

        g_assert_cmpint(r, ==, 0);
        return plug_check(subject->domain, &choice, error);
}

static void test_units_that_qemu_has_yet_to_plug_are_left_alone(void) {
        _cleanup_error_ Error error = {}, count_error = {};

        start_subject(1, 3);
        g_assert_cmpint(cpuset_add(&subject->domain->pending_plug, 3), ==, 0);
        g_assert_cmpint(check_ids("3", true, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        g_assert_cmpstr(error.message, ==, "vCPU 3 was asked for earlier to be plugged, and QEMU has not done so yet");
        g_assert_cmpint(check_ids("2", false, NULL), ==, 0);
        g_assert_cmpint(check_ids("4-5", true, NULL), ==, 0);

        /* A count would be another as soon as QEMU does it. */
        g_assert_cmpint(check_count(ID_NONE, 2, &count_error), <, 0);
        g_assert_cmpint(count_error.code, ==, ERROR_BUSY);
        g_assert_nonnull(strstr(count_error.message, "vCPU 3 "));
        g_assert_cmpint(check_count(ID_NONE, 5, NULL), <, 0);
        g_assert_cmpint(check_count(0, 2, NULL), <, 0);
        g_assert_cmpint(check_count(1, 2, NULL), ==, 0);
        end_subject();
}

static void test_guest_can_be_asked_again_for_what_it_keeps(void) {
        start_subject(1, 4);
        g_assert_cmpint(cpuset_add(&subject->domain->pending_unplug, 3), ==, 0);
        g_assert_cmpint(check_ids("3", false, NULL), ==, 0);
        g_assert_cmpint(check_ids("2", false, NULL), ==, 0);
        g_assert_cmpint(check_count(ID_NONE, 5, NULL), ==, 0);
        g_assert_cmpint(check_count(0, 3, NULL), ==, 0);
        start_count(3);
        g_assert_cmpstr(subject->calls->str, ==, "-3");
        step_done();
        assert_answer(ERROR_NONE, NULL);
        end_subject();
}

/* Tables, without a plug. */

static void pend(CpuSet *pending, uint32_t id) {
        g_assert_cmpint(cpuset_add(pending, id), ==, 0);
}

static void test_causes(void) {
        start_subject(1, 3);
        start_count(4);
        pend(&subject->domain->pending_plug, 3);
        subject->enabled[3] = TRUE;
        take_table();
        g_assert_false(cpuset_contains(&subject->domain->pending_plug, 3));
        assert_told("3epc request");

        /* Not the one that somebody waits for. */
        subject->enabled[5] = TRUE;
        take_table();
        assert_told("5ec backend");
        subject->enabled[5] = FALSE;
        take_table();
        assert_told("5ec guest");
        answer(0, NULL);
        end_subject();

        start_subject(1, 4);
        pend(&subject->domain->pending_unplug, 3);
        subject->enabled[3] = FALSE;
        take_table();
        g_assert_true(cpuset_is_empty(&subject->domain->pending_unplug));
        assert_told("3epc guest");
        end_subject();
}

static void test_a_late_unit_is_the_guests_while_another_is_asked_for(void) {
        start_subject(1, 4);
        pend(&subject->domain->pending_unplug, 3);
        {
                _cleanup_vcpu_choice_ VcpuChoice choice = {};
                _cleanup_cpuset_ CpuSet ids = {};

                g_assert_cmpint(cpuset_add(&ids, 2), ==, 0);
                g_assert_cmpint(vcpu_table_choose_set(subject->domain->vcpus, &ids, false, true, NULL, &choice), ==, 0);
                g_assert_cmpint(start_choice(&choice, SEC, NULL), ==, 0);
        }
        subject->enabled[3] = FALSE;
        take_table();
        assert_told("3epc guest");
        step_done();
        assert_told("2ec request");
        end_subject();
}

static void test_order_of_others_has_the_cause_of_the_one(void) {
        start_subject(1, 4);
        subject->enabled[1] = FALSE;
        take_table();
        assert_told("1ec guest, 2 guest, 3 guest");
        end_subject();
}

static void test_same_table_says_nothing(void) {
        start_subject(1, 4);
        pend(&subject->domain->pending_unplug, 3);
        take_table();
        assert_told("");
        g_assert_true(cpuset_contains(&subject->domain->pending_unplug, 3));
        end_subject();
}

/* What was shown of one that was off was what is stored. */
static void test_first_table_of_a_run_is_nobodys_request(void) {
        start_subject(1, 4);
        subject->domain->vcpus_of_run = false;
        subject->enabled[3] = FALSE;
        subject->enabled[4] = TRUE;
        take_table();
        assert_told("3ec backend, 4ec backend");
        g_assert_true(subject->domain->vcpus_of_run);
        end_subject();
}

static void test_marks_are_merged_until_they_are_taken(void) {
        start_subject(1, 4);
        domain_mark_vcpu(subject->domain, 3, VCPU_CHANGE_PENDING, VCPU_CAUSE_REQUEST);
        domain_mark_vcpu(subject->domain, 1, VCPU_CHANGE_PIN, VCPU_CAUSE_HOST);
        domain_mark_vcpu(subject->domain, 3, VCPU_CHANGE_ENABLED, VCPU_CAUSE_GUEST);
        assert_told("1c host, 3ep request");
        domain_mark_vcpu(subject->domain, 0, 0, VCPU_CAUSE_GUEST);
        assert_told("");
        end_subject();
}

static void test_pending_is_taken_out_one_by_one(void) {
        _cleanup_cpuset_ CpuSet pending = {};

        g_assert_cmpint(cpuset_add_range(&pending, 8, 15), ==, 0);
        g_assert_true(domain_pending_remove(&pending, 9));
        g_assert_false(domain_pending_remove(&pending, 9));
        g_assert_false(domain_pending_remove(&pending, 16));
        g_assert_cmpuint(cpuset_count(&pending), ==, 7);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/plug/units_are_changed_one_after_the_other", test_units_are_changed_one_after_the_other);
        g_test_add_func("/plug/what_was_plugged_is_unplugged_again_in_reverse", test_what_was_plugged_is_unplugged_again_in_reverse);
        g_test_add_func("/plug/what_was_unplugged_is_plugged_again", test_what_was_unplugged_is_plugged_again);
        g_test_add_func("/plug/what_cannot_be_undone_is_named", test_what_cannot_be_undone_is_named);
        g_test_add_func("/plug/cores_are_named_whole", test_cores_are_named_whole);
        g_test_add_func("/plug/a_step_that_is_refused_at_once_is_undone_too", test_a_step_that_is_refused_at_once_is_undone_too);
        g_test_add_func("/plug/first_step_that_is_refused_is_returned", test_first_step_that_is_refused_is_returned);
        g_test_add_func("/plug/time_is_kept_for_undoing", test_time_is_kept_for_undoing);
        g_test_add_func("/plug/without_time_nothing_is_tried", test_without_time_nothing_is_tried);
        g_test_add_func("/plug/one_alone_has_all_the_time", test_one_alone_has_all_the_time);
        g_test_add_func("/plug/nothing_to_do_is_done_later", test_nothing_to_do_is_done_later);
        g_test_add_func("/plug/end_of_the_guest_is_not_undone", test_end_of_the_guest_is_not_undone);
        g_test_add_func("/plug/end_while_undoing_is_told", test_end_while_undoing_is_told);
        g_test_add_func("/plug/stopped_is_answered_once", test_stopped_is_answered_once);
        g_test_add_func("/plug/one_change_at_a_time", test_one_change_at_a_time);
        g_test_add_func("/plug/units_that_qemu_has_yet_to_plug_are_left_alone", test_units_that_qemu_has_yet_to_plug_are_left_alone);
        g_test_add_func("/plug/guest_can_be_asked_again_for_what_it_keeps", test_guest_can_be_asked_again_for_what_it_keeps);
        g_test_add_func("/domain-vcpus/causes", test_causes);
        g_test_add_func("/domain-vcpus/a_late_unit_is_the_guests_while_another_is_asked_for", test_a_late_unit_is_the_guests_while_another_is_asked_for);
        g_test_add_func("/domain-vcpus/order_of_others_has_the_cause_of_the_one", test_order_of_others_has_the_cause_of_the_one);
        g_test_add_func("/domain-vcpus/same_table_says_nothing", test_same_table_says_nothing);
        g_test_add_func("/domain-vcpus/first_table_of_a_run_is_nobodys_request", test_first_table_of_a_run_is_nobodys_request);
        g_test_add_func("/domain-vcpus/marks_are_merged_until_they_are_taken", test_marks_are_merged_until_they_are_taken);
        g_test_add_func("/domain-vcpus/pending_is_taken_out_one_by_one", test_pending_is_taken_out_one_by_one);

        return g_test_run();
}
