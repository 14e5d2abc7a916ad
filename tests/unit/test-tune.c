/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pins and schedulers of a guest, put on the threads of a real child process: which of
 * them are vCPUs and iothreads says a backend made here, and what is stored is stored by a
 * function made here. Where the threads run in truth, the C library tells. */

#include <glib.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

#include "child.h"
#include "guest/definition.h"
#include "guest/definitions.h"
#include "guest/tune.h"

/* The CPUs that this program has: the first, the last, and all; as lists. */
static char *low, *high, *all;

/* The guest's main thread, three vCPUs (the third is off at first), an iothread, and a
 * worker. */
enum { MAIN, VCPU_0, VCPU_1, VCPU_2, IOTHREAD, WORKER, N_THREADS };

static struct {
        Child *child;
        sd_event *event;
        Guests *guests;
        Domain *domain;
        unsigned n_kept;                        /* definitions_keep_run() */
        unsigned n_done;
        int result;
        ErrorCode code;
        char *message;
        unsigned n_removed;

        IothreadsDone iothreads_done;           /* asked, and not answered yet */
        void *iothreads_userdata;

        DefinitionEdit edit;                    /* the same of a change of what is stored */
        BackendDone stored;
        void *stored_userdata;
        int refuse;
        Definition definition;
} guest;

int definitions_change(Domain *domain, DefinitionEdit edit, BackendDone done, void *userdata, Error *error) {
        g_assert_true(domain == guest.domain);
        g_assert_null(guest.stored);
        if (guest.refuse)
                return error_set(error, ERROR_BUSY, "not now");
        guest.edit = edit;
        guest.stored = done;
        guest.stored_userdata = userdata;
        return 0;
}

bool definitions_are_changing(const Domain *domain) {
        return false;
}

void definitions_keep_run(Domain *domain) {
        g_assert_true(domain == guest.domain);
        guest.n_kept++;
}

void definitions_meet(Domain *domain) {
}

void definitions_run_over(Domain *domain) {
}

bool definitions_can_store(const Definitions *definitions) {
        return false;
}

Domain *definitions_find_off(Guests *guests, const char *name) {
        return NULL;
}

/* What is stored is written, or is not. */
static void answer_store(bool well) {
        BackendDone done = TAKE_PTR(guest.stored);
        _cleanup_error_ Error error = {};
        int r;

        g_assert_nonnull(done);
        r = guest.edit(&guest.definition, guest.stored_userdata, NULL);
        g_assert_cmpint(r, ==, 0);
        if (!well)
                r = error_set(&error, ERROR_ACCESS_DENIED, "the disk is full of sand");
        done(r, r < 0 ? &error : NULL, guest.stored_userdata);
}

static int list_iothreads(Domain *domain, IothreadsDone done, void *userdata, Error *error) {
        g_assert_true(domain == guest.domain);
        g_assert_null(guest.iothreads_done);
        guest.iothreads_done = done;
        guest.iothreads_userdata = userdata;
        return 0;
}

static const Backend backend = { .name = "made", .list_iothreads = list_iothreads };
static const Backend backend_without = { .name = "made" };

/* The iothread is the one called 4. */
static void answer_iothreads(void) {
        Iothread iothread = { .id = 4, .thread = (uint32_t) guest.child->tids[IOTHREAD], .name = (char *) "iothread4" };
        IothreadsDone done = TAKE_PTR(guest.iothreads_done);

        g_assert_nonnull(done);
        done(0, NULL, &iothread, 1, guest.iothreads_userdata);
}

static void fail_iothreads(ErrorCode code) {
        IothreadsDone done = TAKE_PTR(guest.iothreads_done);
        _cleanup_error_ Error error = {};
        int r = error_set(&error, code, "no iothreads today");

        g_assert_nonnull(done);
        done(r, &error, NULL, 0, guest.iothreads_userdata);
}

static void on_done(int result, const Error *error, void *userdata) {
        g_assert_true(userdata == &guest);
        guest.n_done++;
        guest.result = result;
        guest.code = error ? error->code : ERROR_NONE;
        g_free(guest.message);
        guest.message = g_strdup(error ? error->message : NULL);
}

static void assert_done(ErrorCode code) {
        g_assert_cmpuint(guest.n_done, ==, 1);
        g_assert_cmpint(guest.code, ==, code);
        g_assert_cmpint(guest.result < 0, ==, code != ERROR_NONE);
        guest.n_done = 0;
}

static CpuSet set_of(const char *list) {
        CpuSet set = {};

        g_assert_cmpint(cpuset_parse_list(list, &set), ==, 0);
        return set;
}

static char *affinity_of(unsigned thread) {
        _cleanup_cpuset_ CpuSet set = {};
        size_t size = CPU_ALLOC_SIZE(8192);
        cpu_set_t *mask = CPU_ALLOC(8192);

        g_assert_no_errno(sched_getaffinity(guest.child->tids[thread], size, mask));
        for (uint32_t cpu = 0; cpu < 8192; cpu++)
                if (CPU_ISSET_S(cpu, size, mask))
                        g_assert_cmpint(cpuset_add(&set, cpu), ==, 0);
        CPU_FREE(mask);
        return cpuset_to_list(&set);
}

/* By somebody else's hand: a kernel that narrows, or an administrator. */
static void move_thread(unsigned thread, const char *list) {
        _cleanup_cpuset_ CpuSet set = set_of(list);
        size_t size = CPU_ALLOC_SIZE(8192);
        cpu_set_t *mask = CPU_ALLOC(8192);

        CPU_ZERO_S(size, mask);
        CPUSET_FOREACH(cpu, &set)
                CPU_SET_S(cpu, size, mask);
        g_assert_no_errno(sched_setaffinity(guest.child->tids[thread], size, mask));
        CPU_FREE(mask);
}

static void assert_runs(unsigned thread, const char *wanted) {
        _cleanup_free_ char *list = affinity_of(thread);

        g_assert_cmpstr(list, ==, wanted);
}

/* All of them, in the order of the enum. */
static void assert_all_run(const char *main, const char *vcpu_0, const char *vcpu_1, const char *vcpu_2,
                           const char *iothread, const char *worker) {
        assert_runs(MAIN, main);
        assert_runs(VCPU_0, vcpu_0);
        assert_runs(VCPU_1, vcpu_1);
        assert_runs(VCPU_2, vcpu_2);
        assert_runs(IOTHREAD, iothread);
        assert_runs(WORKER, worker);
}

static void set_host(const char *online, const char *present, bool live) {
        _cleanup_cpuset_ CpuSet online_set = set_of(online), present_set = set_of(present);

        g_assert_cmpint(guests_set_host_cpus(guest.guests, &online_set, &present_set, live), ==, 0);
}

/* The hypervisor tells its vCPUs anew; 0 is one that is off, -1 one without a thread. */
static void take_vcpus(pid_t first, pid_t second, pid_t third) {
        const pid_t threads[] = { first, second, third };
        VcpuTable *table = NULL;

        g_assert_cmpint(vcpu_table_new(3, 3, NULL, &table), ==, 0);
        for (uint32_t id = 0; id < 3; id++) {
                PlugUnit *unit = vcpu_table_add_unit(table, 1, ID_NONE, NULL);

                g_assert_nonnull(unit);
                unit->plugged = threads[id] != 0;
        }
        for (uint32_t id = 0; id < 3; id++)
                if (threads[id] != 0)
                        vcpu_table_enable(table, id, threads[id] > 0 ? (uint32_t) threads[id] : 0);
        g_assert_cmpint(vcpu_table_finish(table), ==, 0);
        domain_take_vcpus(guest.domain, table);
}

static void vcpu_2_comes(void) {
        take_vcpus(guest.child->tids[VCPU_0], guest.child->tids[VCPU_1], guest.child->tids[VCPU_2]);
}

static void vcpu_2_goes(void) {
        take_vcpus(guest.child->tids[VCPU_0], guest.child->tids[VCPU_1], 0);
}

static void on_added(Domain *domain, void *userdata) {
}

static void on_removed(Domain *domain, void *userdata) {
        guest.n_removed++;
}

static void on_changed(Domain *domain, unsigned change, void *userdata) {
}

/* "1:pin/request ", and so on. */
static char *take_marks(void) {
        GString *text = g_string_new(NULL);
        unsigned change = 0;
        VcpuCause cause;
        uint32_t id;

        while (domain_take_vcpu_mark(guest.domain, &id, &change, &cause)) {
                g_string_append_printf(text, "%u:", id);
                if (change & VCPU_CHANGE_PIN)
                        g_string_append(text, "pin");
                if (change & VCPU_CHANGE_SCHEDULER)
                        g_string_append(text, "sched");
                g_string_append_printf(text, "/%s ", vcpu_cause_to_string(cause));
        }
        return g_string_free(text, FALSE);
}

static void assert_marks(const char *wanted) {
        g_autofree char *marks = take_marks();

        g_assert_cmpstr(marks, ==, wanted);
}

/* The subjects, and with the last one something that its message has. */
static void assert_warnings(const char *subjects, const char *part) {
        const Findings *findings = &guest.domain->findings;
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < findings->n_items; i++) {
                g_assert_true(strcmp(findings->items[i].code, "pin-not-met") == 0 || strcmp(findings->items[i].code, "scheduler-not-met") == 0);
                g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", findings->items[i].subject);
        }
        g_assert_cmpstr(text->str, ==, subjects);
        if (part)
                g_assert_nonnull(strstr(findings->items[findings->n_items - 1].message, part));
}

static void set_up_child(Child *child) {
        static const GuestsListener listener = { on_added, on_removed, on_changed };
        static int run;

        memset(&guest, 0, sizeof guest);
        guest.child = child;
        g_assert_cmpint(sd_event_new(&guest.event), ==, 0);
        g_assert_cmpint(guests_new(guest.event, NULL, &guest.guests), ==, 0);
        guests_set_definitions(guest.guests, (Definitions *) &guest);
        set_host(all, all, true);
        guests_listen(guest.guests, &listener, NULL);
        g_assert_cmpint(domain_new(guest.guests, &backend, "made", &guest.domain), ==, 0);
        guest.domain->run = &run;
        guest.domain->pid = child->pid;
        g_assert_cmpint(process_open(child->pid, &guest.domain->process, NULL), ==, 0);
        vcpu_2_goes();
        domain_announce(guest.domain);
        assert_marks("");
}

static void set_up(void) {
        set_up_child(child_new(N_THREADS));
}

static void tear_down(void) {
        g_assert_null(guest.iothreads_done);
        g_assert_null(guest.stored);
        g_assert_cmpuint(guest.n_done, ==, 0);
        guest.domain = NULL;
        guests_free(guest.guests);
        (void) sd_event_unref(guest.event);
        tuning_clear(&guest.definition.tuning);
        g_free(guest.message);
        child_free(guest.child);
}

static TuneChange pin_of(ThreadRole role, uint32_t id, const char *list) {
        return (TuneChange) { .role = role, .id = id, .pin = true, .cpus = set_of(list) };
}

static TuneChange schedule_of(uint32_t id, SchedulerPolicy policy, int priority) {
        return (TuneChange) { .role = THREAD_ROLE_VCPU, .id = id, .policy = policy, .priority = priority };
}

/* Consumes the changes. */
static int try(TuneChange *changes, size_t n, bool live, bool config, Error *error) {
        int r = tune(guest.domain, changes, n, live, config, on_done, &guest, error);

        for (size_t i = 0; i < n; i++)
                cpuset_clear(&changes[i].cpus);
        return r;
}

static void ask(TuneChange change, bool config) {
        _cleanup_error_ Error error = {};
        int r = try(&change, 1, true, config, &error);

        g_assert_cmpstr(error.message, ==, NULL);
        g_assert_cmpint(r, ==, 0);
}

static void pin(uint32_t id, const char *list) {
        ask(pin_of(THREAD_ROLE_VCPU, id, list), false);
        assert_done(ERROR_NONE);
}

static void pin_emulator(const char *list) {
        ask(pin_of(THREAD_ROLE_EMULATOR, 0, list), false);
        answer_iothreads();
        assert_done(ERROR_NONE);
}

static void pin_moves_one_thread(void) {
        set_up();
        pin(1, high);
        assert_all_run(all, all, high, all, all, all);
        assert_marks("1:pin/request ");
        assert_warnings("", NULL);
        g_assert_cmpuint(guest.n_kept, ==, 1);
        g_assert_true(tuning_find(&guest.domain->live, THREAD_ROLE_VCPU, 1)->pinned);

        /* Nothing is told of what was so already. */
        pin(1, high);
        assert_marks("");
        pin(1, low);
        assert_all_run(all, all, low, all, all, all);
        assert_marks("1:pin/request ");
        tear_down();
}

static void threads_in_a_namespace_are_found(void) {
        Child *child = child_new_in_namespace(N_THREADS);
        TuneChange pins[2];
        char *list[2];

        g_assert_nonnull(child);
        set_up_child(child);
        g_assert_cmpuint(guest.domain->process->namespace_depth, >, 0);
        pins[0] = pin_of(THREAD_ROLE_VCPU, 0, high);
        pins[1] = pin_of(THREAD_ROLE_VCPU, 1, low);
        g_assert_cmpint(try(pins, 2, true, false, NULL), ==, 0);
        assert_done(ERROR_NONE);
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_cpuset_ CpuSet set = {};
                pid_t tid;

                g_assert_cmpint(process_find_thread(guest.domain->process, child->tids[VCPU_0 + i], &tid, NULL), ==, 0);
                g_assert_cmpint(thread_get_affinity(guest.domain->process, tid, &set, NULL), ==, 0);
                list[i] = cpuset_to_list(&set);
        }
        g_assert_cmpstr(list[0], ==, high);
        g_assert_cmpstr(list[1], ==, low);
        free(list[0]);
        free(list[1]);
        tear_down();
}

static void unpinned_threads_are_where_they_would_be(void) {
        /* Anywhere. */
        set_up();
        pin(0, high);
        pin(0, "");
        assert_all_run(all, all, all, all, all, all);
        g_assert_null(tuning_find(&guest.domain->live, THREAD_ROLE_VCPU, 0));
        g_assert_true(cpuset_is_empty(&guest.domain->base_cpus));
        tear_down();

        /* Where somebody started the guest. */
        set_up();
        for (unsigned i = 0; i < N_THREADS; i++)
                move_thread(i, low);
        pin(0, high);
        pin_emulator(high);
        pin(0, "");
        assert_all_run(high, low, low, high, low, high);
        pin_emulator("");
        assert_all_run(low, low, low, low, low, low);
        tear_down();

        /* Where the guest's vCPUs are pinned that have no pin of their own. */
        set_up();
        guest.domain->live.default_cpus = set_of(low);
        pin(0, high);
        pin(0, "");
        assert_all_run(all, low, all, all, all, all);
        tear_down();
}

static void pin_of_an_off_vcpu_holds_when_it_comes(void) {
        set_up();
        pin(2, high);
        assert_all_run(all, all, all, all, all, all);
        assert_marks("2:pin/request ");
        assert_warnings("", NULL);
        ask(schedule_of(2, SCHEDULER_BATCH, 0), false);
        assert_done(ERROR_NONE);
        vcpu_2_comes();
        assert_all_run(all, all, all, high, all, all);
        g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_2]), ==, SCHED_BATCH);
        g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_1]), ==, SCHED_OTHER);
        tear_down();
}

static void the_default_holds_for_vcpus_that_come(void) {
        set_up();
        guest.domain->live.default_cpus = set_of(low);
        vcpu_2_comes();
        assert_all_run(all, all, all, low, all, all);
        tear_down();
}

static void vcpu_that_comes_is_not_where_the_emulator_is(void) {
        set_up();
        pin_emulator(high);
        assert_all_run(high, all, all, high, all, high);
        vcpu_2_comes();
        assert_all_run(high, all, all, all, all, high);
        tear_down();

        set_up();
        for (unsigned i = 0; i < N_THREADS; i++)
                move_thread(i, low);
        pin_emulator(high);
        vcpu_2_comes();
        assert_all_run(high, low, low, low, low, high);
        tear_down();

        /* Without any pin it is nobody's business. */
        set_up();
        move_thread(VCPU_2, high);
        vcpu_2_comes();
        assert_runs(VCPU_2, high);
        tear_down();
}

static void arrival_of_others_threads_is_a_warning(void) {
        set_up();
        pin(2, high);
        take_vcpus(guest.child->tids[VCPU_0], guest.child->tids[VCPU_1], getpid());
        assert_warnings("vCPU 2", "of process");
        vcpu_2_goes();
        assert_warnings("", NULL);
        take_vcpus(guest.child->tids[VCPU_0], guest.child->tids[VCPU_1], -1);
        tune_host_changed(guest.domain);
        assert_warnings("", NULL);
        tear_down();
}

static void all_are_pinned_or_none(void) {
        Child *ended = child_new(2);
        pid_t gone = ended->tids[1];

        child_free(ended);
        for (unsigned row = 0; row < 3; row++) {
                _cleanup_error_ Error error = {};
                TuneChange changes[4];

                g_test_message("row %u", row);
                set_up();
                /* Another's thread, one that has ended, CPUs that the kernel does not have. */
                if (row < 2)
                        take_vcpus(guest.child->tids[VCPU_0], row == 0 ? getpid() : gone, 0);
                else
                        set_host("0-8191", "0-8191", true);
                pin(0, low);
                g_free(take_marks());
                changes[0] = schedule_of(0, SCHEDULER_BATCH, 0);
                changes[1] = pin_of(THREAD_ROLE_VCPU, 0, high);
                changes[2] = pin_of(THREAD_ROLE_VCPU, 2, high);
                changes[3] = pin_of(THREAD_ROLE_VCPU, 1, row < 2 ? high : "8190");
                g_assert_cmpint(try(changes, 4, true, true, &error), <, 0);
                g_assert_cmpint(error.code, ==, row < 2 ? ERROR_BACKEND_FAILED : ERROR_INVALID_ARGS);
                g_assert_cmpuint(guest.n_done, ==, 0);

                assert_all_run(all, low, all, all, all, all);
                g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_0]), ==, SCHED_OTHER);
                g_assert_null(tuning_find(&guest.domain->live, THREAD_ROLE_VCPU, 1));
                g_assert_null(tuning_find(&guest.domain->live, THREAD_ROLE_VCPU, 2));
                g_assert_false(tuning_find(&guest.domain->live, THREAD_ROLE_VCPU, 0)->scheduled);
                g_assert_true(tuning_find(&guest.domain->live, THREAD_ROLE_VCPU, 0)->pinned);
                assert_marks("");
                assert_warnings("", NULL);
                g_assert_cmpuint(guest.n_kept, ==, 1);
                tear_down();
        }
}

/* What cannot be asked for is named, and nothing is changed. */
static void nonsense_is_refused(void) {
        static const struct {
                struct { ThreadRole role; uint32_t id; const char *cpus; SchedulerPolicy policy; int priority; } changes[3];
                size_t n;
                ErrorCode code;
                const char *part;
        } rows[] = {
                { {}, 0, ERROR_INVALID_ARGS, "at least one" },
                { { { THREAD_ROLE_VCPU, 0, "L", 0, 0 }, { THREAD_ROLE_VCPU, 1, "L", 0, 0 }, { THREAD_ROLE_VCPU, 0, "H", 0, 0 } }, 3, ERROR_INVALID_ARGS, "vCPU 0 comes twice" },
                { { { THREAD_ROLE_VCPU, 1, NULL, 0, 0 }, { THREAD_ROLE_VCPU, 1, NULL, 0, 0 } }, 2, ERROR_INVALID_ARGS, "vCPU 1 comes twice" },
                { { { THREAD_ROLE_EMULATOR, 0, "L", 0, 0 }, { THREAD_ROLE_EMULATOR, 0, "L", 0, 0 } }, 2, ERROR_INVALID_ARGS, "emulator comes twice" },
                { { { THREAD_ROLE_VCPU, 3, "L", 0, 0 } }, 1, ERROR_NO_SUCH_VCPU, "no vCPU 3; made can have 0-2" },
                { { { THREAD_ROLE_VCPU, ID_NONE, "", 0, 0 } }, 1, ERROR_NO_SUCH_VCPU, "can have 0-2" },
                { { { THREAD_ROLE_VCPU, 0, "L", 0, 0 }, { THREAD_ROLE_VCPU, 3, NULL, 0, 0 } }, 2, ERROR_NO_SUCH_VCPU, "no vCPU 3" },
                /* There, but offline; not there. */
                { { { THREAD_ROLE_VCPU, 0, "9000", 0, 0 } }, 1, ERROR_NO_SUCH_CPU, "Not online: CPU 9000" },
                { { { THREAD_ROLE_VCPU, 0, "9001", 0, 0 } }, 1, ERROR_NO_SUCH_CPU, "Not present: CPU 9001" },
                { { { THREAD_ROLE_VCPU, 2, "9000", 0, 0 } }, 1, ERROR_NO_SUCH_CPU, "Not online: CPU 9000" },
                { { { THREAD_ROLE_EMULATOR, 0, "9000", 0, 0 } }, 1, ERROR_NO_SUCH_CPU, "Not online: CPU 9000" },
                { { { THREAD_ROLE_VCPU, 0, NULL, SCHEDULER_FIFO, 0 } }, 1, ERROR_INVALID_ARGS, "1 to 99" },
                { { { THREAD_ROLE_VCPU, 0, NULL, SCHEDULER_OTHER, 1 } }, 1, ERROR_INVALID_ARGS, "has only 0" },
                { { { THREAD_ROLE_VCPU, 0, NULL, SCHEDULER_DEADLINE, 0 } }, 1, ERROR_NOT_SUPPORTED, "deadline" },
                { { { THREAD_ROLE_EMULATOR, 0, NULL, SCHEDULER_BATCH, 0 } }, 1, ERROR_NOT_SUPPORTED, "Only vCPUs" },
                { { { THREAD_ROLE_IOTHREAD, 4, NULL, SCHEDULER_BATCH, 0 } }, 1, ERROR_NOT_SUPPORTED, "Only vCPUs" },
                { { { THREAD_ROLE_EMULATOR, 1, "L", 0, 0 } }, 1, ERROR_NOT_SUPPORTED, "Only vCPUs" },
                { { { THREAD_ROLE_VHOST, 0, "L", 0, 0 } }, 1, ERROR_NOT_SUPPORTED, "Only vCPUs" },
        };
        g_autofree char *present = g_strdup_printf("%s,9000", all);

        set_up();
        set_host(all, present, true);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                for (unsigned where = 1; where <= 3; where++) {
                        _cleanup_error_ Error error = {};
                        TuneChange changes[3] = {};

                        g_test_message("row %zu, %u", i, where);
                        for (size_t j = 0; j < rows[i].n; j++) {
                                const char *cpus = rows[i].changes[j].cpus;

                                changes[j].role = rows[i].changes[j].role;
                                changes[j].id = rows[i].changes[j].id;
                                changes[j].pin = cpus;
                                if (cpus)
                                        changes[j].cpus = set_of(strcmp(cpus, "L") == 0 ? low : strcmp(cpus, "H") == 0 ? high : cpus);
                                changes[j].policy = rows[i].changes[j].policy;
                                changes[j].priority = rows[i].changes[j].priority;
                        }
                        g_assert_cmpint(tune_check(guest.domain, changes, rows[i].n, where & 1, where & 2, NULL), <, 0);
                        g_assert_cmpint(try(changes, rows[i].n, where & 1, where & 2, &error), <, 0);
                        g_assert_cmpint(error.code, ==, rows[i].code);
                        g_assert_nonnull(strstr(error.message, rows[i].part));
                }
        assert_all_run(all, all, all, all, all, all);
        g_assert_cmpuint(guest.domain->live.n_items, ==, 0);
        g_assert_cmpuint(guest.n_kept, ==, 0);
        tear_down();
}

static void assert_refused(TuneChange change, bool live, bool config, ErrorCode code, const char *part) {
        _cleanup_error_ Error error = {};

        g_assert_cmpint(try(&change, 1, live, config, &error), <, 0);
        g_assert_cmpint(error.code, ==, code);
        g_assert_nonnull(strstr(error.message, part));
        g_assert_cmpuint(guest.domain->live.n_items, ==, 0);
}

static void guests_that_cannot_be_pinned_say_why(void) {
        Process *process;

        set_up();
        guests_set_definitions(guest.guests, NULL);
        assert_refused(pin_of(THREAD_ROLE_VCPU, 0, low), false, true, ERROR_NOT_SUPPORTED, "stored");
        guest.domain->backend = &backend_without;
        assert_refused(pin_of(THREAD_ROLE_EMULATOR, 0, low), true, false, ERROR_NOT_SUPPORTED, "iothreads");
        assert_refused(pin_of(THREAD_ROLE_IOTHREAD, 4, low), true, false, ERROR_NOT_SUPPORTED, "iothreads");

        process = TAKE_PTR(guest.domain->process);
        assert_refused(pin_of(THREAD_ROLE_VCPU, 0, low), true, false, ERROR_NOT_SUPPORTED, "cannot be looked at");
        guest.domain->pid = 0;
        assert_refused(schedule_of(0, SCHEDULER_BATCH, 0), true, false, ERROR_NOT_SUPPORTED, "is not known");
        guest.domain->process = process;

        take_vcpus(guest.child->tids[VCPU_0], guest.child->tids[VCPU_0], 0);
        assert_refused(pin_of(THREAD_ROLE_VCPU, 0, low), true, false, ERROR_NOT_SUPPORTED, "thread=single");
        assert_refused(schedule_of(0, SCHEDULER_BATCH, 0), true, false, ERROR_NOT_SUPPORTED, "one thread");
        assert_runs(VCPU_0, all);

        guest.domain->run = NULL;
        assert_refused(pin_of(THREAD_ROLE_VCPU, 0, low), true, false, ERROR_NOT_RUNNING, "made");
        guest.domain->vcpus = vcpu_table_free(guest.domain->vcpus);
        guests_set_definitions(guest.guests, (Definitions *) &guest);
        assert_refused(pin_of(THREAD_ROLE_VCPU, 0, low), false, true, ERROR_INVALID_ARGS, "no vCPUs");
        tear_down();
}

static void schedulers_are_set(void) {
        struct sched_param param = {};
        gboolean may;

        set_up();
        /* Root may in general, and in some containers not. */
        may = sched_setscheduler(guest.child->tids[WORKER], SCHED_FIFO, &(struct sched_param) { .sched_priority = 7 }) == 0;
        if (may) {
                ask(schedule_of(1, SCHEDULER_FIFO, 7), false);
                assert_done(ERROR_NONE);
                g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_1]), ==, SCHED_FIFO);
                g_assert_no_errno(sched_getparam(guest.child->tids[VCPU_1], &param));
                g_assert_cmpint(param.sched_priority, ==, 7);
        } else {
                assert_refused(schedule_of(1, SCHEDULER_FIFO, 7), true, false, ERROR_ACCESS_DENIED, "CAP_SYS_NICE");
                ask(schedule_of(1, SCHEDULER_BATCH, 0), false);
                assert_done(ERROR_NONE);
        }
        g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_0]), ==, SCHED_OTHER);
        assert_marks("1:sched/request ");
        ask(schedule_of(1, SCHEDULER_OTHER, 0), false);
        assert_done(ERROR_NONE);
        g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_1]), ==, SCHED_OTHER);
        assert_marks("1:sched/request ");
        ask(schedule_of(1, SCHEDULER_OTHER, 0), false);
        assert_done(ERROR_NONE);
        assert_marks("");
        tear_down();
}

static void emulator_is_what_is_nothing_else(void) {
        set_up();
        vcpu_2_comes();
        g_free(take_marks());
        ask(pin_of(THREAD_ROLE_EMULATOR, 0, high), false);
        g_assert_cmpuint(guest.n_done, ==, 0);
        answer_iothreads();
        assert_done(ERROR_NONE);
        assert_all_run(high, all, all, all, all, high);
        assert_marks("");
        g_assert_cmpuint(guest.n_kept, ==, 1);
        pin_emulator("");
        assert_all_run(all, all, all, all, all, all);

        ask(pin_of(THREAD_ROLE_EMULATOR, 0, high), false);
        fail_iothreads(ERROR_TIMED_OUT);
        assert_done(ERROR_TIMED_OUT);
        assert_all_run(all, all, all, all, all, all);
        tear_down();
}

static void emulator_is_not_guessed(void) {
        VcpuTable *table;

        set_up();
        table = guest.domain->vcpus;
        table->vcpus[1].thread = 0;
        ask(pin_of(THREAD_ROLE_EMULATOR, 0, high), false);
        answer_iothreads();
        assert_done(ERROR_NOT_SUPPORTED);
        guest.domain->vcpus = NULL;
        ask(pin_of(THREAD_ROLE_EMULATOR, 0, high), false);
        answer_iothreads();
        assert_done(ERROR_NOT_SUPPORTED);
        guest.domain->vcpus = table;
        assert_all_run(all, all, all, all, all, all);
        tear_down();
}

static void iothreads_are_pinned_by_number(void) {
        set_up();
        ask(pin_of(THREAD_ROLE_IOTHREAD, 4, high), false);
        answer_iothreads();
        assert_done(ERROR_NONE);
        assert_all_run(all, all, all, all, high, all);

        ask(pin_of(THREAD_ROLE_IOTHREAD, 3, low), false);
        answer_iothreads();
        assert_done(ERROR_INVALID_ARGS);
        g_assert_nonnull(strstr(guest.message, "no iothread 3; it has 4."));
        assert_all_run(all, all, all, all, high, all);
        tear_down();
}

/* The CPUs of the host go while iothreads are asked for. */
static void what_changed_meanwhile_is_checked_again(void) {
        set_up();
        ask(pin_of(THREAD_ROLE_EMULATOR, 0, high), false);
        set_host(low, all, true);
        answer_iothreads();
        assert_done(ERROR_NO_SUCH_CPU);
        assert_all_run(all, all, all, all, all, all);

        set_host(all, all, true);
        ask(pin_of(THREAD_ROLE_EMULATOR, 0, high), false);
        guest.domain->run = NULL;
        answer_iothreads();
        assert_done(ERROR_NOT_RUNNING);
        assert_all_run(all, all, all, all, all, all);
        tear_down();
}

static void pins_are_put_right_when_cpus_come_back(void) {
        g_autofree char *both = g_strdup_printf(strcmp(all, "0-1") == 0 ? "0-1" : "%s,%s", low, high);

        set_up();
        pin(0, both);
        pin(1, high);
        pin_emulator(high);
        g_free(take_marks());

        /* As the kernel does it: one is narrowed, the others are sent elsewhere. */
        move_thread(VCPU_0, low);
        move_thread(VCPU_1, low);
        move_thread(MAIN, low);
        set_host(low, all, true);
        answer_iothreads();
        assert_all_run(low, low, low, high, all, high);
        assert_marks("0:pin/host 1:pin/host ");
        assert_warnings("emulator, vCPU 0, vCPU 1", "vCPU 1 shall run on CPU");

        set_host(all, all, true);
        answer_iothreads();
        assert_runs(VCPU_0, both);
        assert_runs(VCPU_1, high);
        assert_runs(MAIN, high);
        assert_marks("0:pin/host 1:pin/host ");
        assert_warnings("", NULL);
        tear_down();
}

static void threads_without_a_pin_are_left_alone(void) {
        set_up();
        pin(0, low);
        g_free(take_marks());
        move_thread(VCPU_1, high);
        move_thread(MAIN, high);
        set_host(low, all, true);
        set_host(all, all, true);
        assert_all_run(high, low, high, all, all, all);
        assert_marks("");
        tear_down();
}

/* CPUs of a host that is only in files: what this kernel does not have is cut. */
static void captured_hosts_have_cpus_that_the_kernel_has_not(void) {
        g_autofree char *some = g_strdup_printf("%s,4000,8190", high);
        TuneChange pins[2];

        set_up();
        set_host("0-8191", "0-8191", false);
        pin(0, some);
        assert_all_run(all, high, all, all, all, all);
        assert_warnings("vCPU 0", "4000,8190");
        pins[0] = pin_of(THREAD_ROLE_VCPU, 1, "4000-8000");
        pins[1] = pin_of(THREAD_ROLE_VCPU, 0, low);
        g_assert_cmpint(try(pins, 2, true, false, NULL), ==, 0);
        assert_done(ERROR_NONE);
        assert_all_run(all, low, all, all, all, all);
        assert_warnings("vCPU 1", "4000-8000");
        assert_marks("0:pin/request 1:pin/request ");
        pin(1, "");
        assert_all_run(all, low, all, all, all, all);
        assert_warnings("", NULL);
        tear_down();
}

static void both_live_and_stored(void) {
        set_up();
        ask(pin_of(THREAD_ROLE_VCPU, 0, high), true);
        assert_runs(VCPU_0, high);
        g_assert_cmpuint(guest.n_done, ==, 0);
        answer_store(true);
        assert_done(ERROR_NONE);
        g_assert_true(tuning_equal(&guest.domain->live, &guest.definition.tuning));
        g_assert_cmpuint(guest.n_kept, ==, 1);
        assert_marks("0:pin/request ");
        tear_down();

        /* What is stored alone moves nothing, not even what cannot be moved. */
        set_up();
        take_vcpus(guest.child->tids[VCPU_0], guest.child->tids[VCPU_0], 0);
        g_free(take_marks());
        {
                TuneChange change = pin_of(THREAD_ROLE_VCPU, 0, high);

                g_assert_cmpint(try(&change, 1, false, true, NULL), ==, 0);
        }
        answer_store(true);
        assert_done(ERROR_NONE);
        assert_runs(VCPU_0, all);
        g_assert_cmpuint(guest.domain->live.n_items, ==, 0);
        g_assert_cmpuint(guest.definition.tuning.n_items, ==, 1);
        assert_marks("");
        tear_down();
}

static void what_cannot_be_stored_does_not_hold(void) {
        for (unsigned row = 0; row < 2; row++) {
                TuneChange changes[4];

                g_test_message("row %u", row);
                set_up();
                pin(0, low);
                g_free(take_marks());
                changes[0] = pin_of(THREAD_ROLE_VCPU, 0, high);
                changes[1] = pin_of(THREAD_ROLE_VCPU, 1, high);
                changes[2] = schedule_of(1, SCHEDULER_BATCH, 0);
                changes[3] = pin_of(THREAD_ROLE_EMULATOR, 0, high);
                guest.refuse = row == 1;
                g_assert_cmpint(try(changes, 4, true, true, NULL), ==, 0);
                answer_iothreads();
                if (row == 0) {
                        assert_all_run(high, high, high, high, all, high);
                        answer_store(false);
                        assert_done(ERROR_ACCESS_DENIED);
                        g_assert_nonnull(strstr(guest.message, "sand"));
                } else
                        assert_done(ERROR_BUSY);
                assert_all_run(all, low, all, all, all, all);
                g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_1]), ==, SCHED_OTHER);
                g_assert_cmpuint(guest.domain->live.n_items, ==, 1);
                assert_marks("");
                assert_warnings("", NULL);
                g_assert_cmpuint(guest.n_kept, ==, 1);
                tear_down();
        }
}

/* Taking back does not take back what others have asked for since. */
static void what_was_asked_later_stays(void) {
        set_up();
        ask(pin_of(THREAD_ROLE_VCPU, 0, high), true);
        pin(0, low);
        answer_store(false);
        assert_done(ERROR_ACCESS_DENIED);
        assert_runs(VCPU_0, low);
        g_assert_true(tuning_find(&guest.domain->live, THREAD_ROLE_VCPU, 0)->pinned);
        tear_down();
}

static void vcpu_that_came_meanwhile_is_taken_back_too(void) {
        set_up();
        ask(pin_of(THREAD_ROLE_VCPU, 2, high), true);
        vcpu_2_comes();
        assert_runs(VCPU_2, high);
        answer_store(false);
        assert_done(ERROR_ACCESS_DENIED);
        assert_runs(VCPU_2, all);
        g_assert_cmpuint(guest.domain->live.n_items, ==, 0);
        tear_down();
}

/* The guest ends, and the next run has the same domain, while something is written. */
static void another_run_is_not_touched(void) {
        for (unsigned row = 0; row < 2; row++) {
                Child *next = child_new(N_THREADS), *ended;

                set_up();
                ask(pin_of(THREAD_ROLE_VCPU, 0, high), true);
                ended = guest.child;
                guest.child = next;
                process_free(TAKE_PTR(guest.domain->process));
                tuning_clear(&guest.domain->live);
                guest.domain->pid = next->pid;
                g_assert_cmpint(process_open(next->pid, &guest.domain->process, NULL), ==, 0);
                move_thread(VCPU_0, low);
                vcpu_2_goes();
                g_free(take_marks());
                answer_store(row == 0);
                assert_done(row == 0 ? ERROR_NONE : ERROR_ACCESS_DENIED);
                assert_runs(VCPU_0, low);
                g_assert_cmpuint(guest.domain->live.n_items, ==, 0);
                assert_marks("");
                child_free(ended);
                tear_down();
        }
}

static void domain_that_goes_is_answered_first(void) {
        set_up();
        ask(pin_of(THREAD_ROLE_VCPU, 0, high), true);
        guest.domain->run = NULL;
        guest.domain->process = process_free(guest.domain->process);
        answer_store(false);
        domain_stopped(guest.domain);
        assert_done(ERROR_ACCESS_DENIED);
        g_assert_cmpuint(guest.n_removed, ==, 1);
        assert_runs(VCPU_0, high);
        tear_down();
}

static void pin_asked(ThreadRole role, uint32_t id, const char *list) {
        _cleanup_cpuset_ CpuSet set = set_of(list);

        g_assert_cmpint(tuning_pin(&guest.domain->live, role, id, &set), ==, 0);
}

static void what_is_new_to_a_guest_is_put_on_all(void) {
        g_autofree char *some = g_strdup_printf("%s,9000", high);

        set_up();
        for (unsigned i = 0; i < N_THREADS; i++)
                move_thread(i, low);
        guest.domain->live.default_cpus = set_of(all);
        pin_asked(THREAD_ROLE_VCPU, 0, some);
        pin_asked(THREAD_ROLE_VCPU, 2, high);
        pin_asked(THREAD_ROLE_EMULATOR, 0, high);
        pin_asked(THREAD_ROLE_IOTHREAD, 4, all);
        pin_asked(THREAD_ROLE_IOTHREAD, 5, all);
        g_assert_cmpint(tuning_schedule(&guest.domain->live, THREAD_ROLE_VCPU, 1, SCHEDULER_BATCH, 0), ==, 0);
        tune_all(guest.domain);
        assert_all_run(low, high, all, low, low, low);
        g_assert_cmpint(sched_getscheduler(guest.child->tids[VCPU_1]), ==, SCHED_BATCH);
        assert_marks("0:pin/request 1:pinsched/request ");
        assert_warnings("vCPU 0", "9000");
        answer_iothreads();
        assert_all_run(high, high, all, high, all, high);
        assert_warnings("vCPU 0, iothread 5", "no iothread 5");

        /* What is not there any more leaves its place to the others. */
        pin(0, "");
        assert_runs(VCPU_0, all);
        ask(pin_of(THREAD_ROLE_EMULATOR, 0, ""), false);
        answer_iothreads();
        assert_done(ERROR_NONE);
        assert_runs(MAIN, low);
        tear_down();
}

static void what_a_start_cannot_have_is_a_warning(void) {
        set_up();
        pin_asked(THREAD_ROLE_VCPU, 0, "9000");
        pin_asked(THREAD_ROLE_VCPU, 1, high);
        tune_all(guest.domain);
        assert_all_run(all, all, high, all, all, all);
        assert_warnings("vCPU 0", "online");
        tear_down();

        set_up();
        take_vcpus(guest.child->tids[VCPU_0], guest.child->tids[VCPU_0], 0);
        pin_asked(THREAD_ROLE_VCPU, 1, high);
        g_assert_cmpint(tuning_schedule(&guest.domain->live, THREAD_ROLE_VCPU, 0, SCHEDULER_BATCH, 0), ==, 0);
        tune_all(guest.domain);
        assert_runs(VCPU_0, all);
        assert_warnings("vCPU 0, vCPU 1", "thread=single");
        tear_down();

        set_up();
        pin_asked(THREAD_ROLE_EMULATOR, 0, high);
        tune_all(guest.domain);
        fail_iothreads(ERROR_BACKEND_FAILED);
        assert_all_run(all, all, all, all, all, all);
        assert_warnings("emulator", "no iothreads today");
        tear_down();
}

static GuestThread *listed;
static size_t n_listed;

static void on_listed(int result, const Error *error, const GuestThread *threads, size_t n, void *userdata) {
        on_done(result, error, userdata);
        g_free(listed);
        listed = g_memdup2(threads, n * sizeof *threads);
        n_listed = n;
}

static void threads_are_listed_with_their_roles(void) {
        static const struct { ThreadRole role; uint32_t id; } wanted[N_THREADS] = {
                [MAIN] = { THREAD_ROLE_EMULATOR, ID_NONE },
                [VCPU_0] = { THREAD_ROLE_VCPU, 0 },
                [VCPU_1] = { THREAD_ROLE_VCPU, 1 },
                [VCPU_2] = { THREAD_ROLE_EMULATOR, ID_NONE },
                [IOTHREAD] = { THREAD_ROLE_IOTHREAD, 4 },
                [WORKER] = { THREAD_ROLE_EMULATOR, ID_NONE },
        };
        _cleanup_error_ Error error = {};
        char name[16];

        /* The child is called as we are. */
        g_assert_no_errno(prctl(PR_GET_NAME, name));
        set_up();
        g_assert_cmpint(tune_list_threads(guest.domain, on_listed, &guest, NULL), ==, 0);
        answer_iothreads();
        assert_done(ERROR_NONE);
        g_assert_cmpuint(n_listed, ==, N_THREADS);
        for (size_t i = 0; i < n_listed; i++) {
                size_t at = 0;

                while (at < N_THREADS && guest.child->tids[at] != listed[i].tid)
                        at++;
                g_assert_cmpuint(at, <, N_THREADS);
                g_test_message("thread %zu", at);
                g_assert_cmpint(listed[i].role, ==, wanted[at].role);
                g_assert_cmpuint(listed[i].id, ==, wanted[at].id);
                g_assert_cmpstr(listed[i].comm, ==, name);
        }

        g_assert_cmpint(tune_list_threads(guest.domain, on_listed, &guest, NULL), ==, 0);
        fail_iothreads(ERROR_TIMED_OUT);
        assert_done(ERROR_TIMED_OUT);
        g_assert_cmpint(tune_list_threads(guest.domain, on_listed, &guest, NULL), ==, 0);
        child_end_unnoticed(guest.child);
        answer_iothreads();
        assert_done(ERROR_NOT_RUNNING);
        guest.domain->run = NULL;
        g_assert_cmpint(tune_list_threads(guest.domain, on_listed, &guest, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_NOT_RUNNING);
        g_clear_pointer(&listed, g_free);
        tear_down();
}

static void find_own_cpus(void) {
        _cleanup_cpuset_ CpuSet set = {};
        Process *process = NULL;

        g_assert_cmpint(process_open(getpid(), &process, NULL), ==, 0);
        g_assert_cmpint(thread_get_affinity(process, getpid(), &set, NULL), ==, 0);
        process_free(process);
        /* With one CPU alone there is nothing to be shown. */
        g_assert_cmpuint(cpuset_count(&set), >=, 2);
        low = g_strdup_printf("%u", set.ranges[0].first);
        high = g_strdup_printf("%u", set.ranges[set.n_ranges - 1].last);
        all = cpuset_to_list(&set);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        find_own_cpus();
        g_test_add_func("/tune/pin-moves-one-thread", pin_moves_one_thread);
        g_test_add_func("/tune/threads-in-a-namespace-are-found", threads_in_a_namespace_are_found);
        g_test_add_func("/tune/unpinned-threads-are-where-they-would-be", unpinned_threads_are_where_they_would_be);
        g_test_add_func("/tune/pin-of-an-off-vcpu-holds-when-it-comes", pin_of_an_off_vcpu_holds_when_it_comes);
        g_test_add_func("/tune/the-default-holds-for-vcpus-that-come", the_default_holds_for_vcpus_that_come);
        g_test_add_func("/tune/vcpu-that-comes-is-not-where-the-emulator-is", vcpu_that_comes_is_not_where_the_emulator_is);
        g_test_add_func("/tune/arrival-of-others-threads-is-a-warning", arrival_of_others_threads_is_a_warning);
        g_test_add_func("/tune/all-are-pinned-or-none", all_are_pinned_or_none);
        g_test_add_func("/tune/nonsense-is-refused", nonsense_is_refused);
        g_test_add_func("/tune/guests-that-cannot-be-pinned-say-why", guests_that_cannot_be_pinned_say_why);
        g_test_add_func("/tune/schedulers-are-set", schedulers_are_set);
        g_test_add_func("/tune/emulator-is-what-is-nothing-else", emulator_is_what_is_nothing_else);
        g_test_add_func("/tune/emulator-is-not-guessed", emulator_is_not_guessed);
        g_test_add_func("/tune/iothreads-are-pinned-by-number", iothreads_are_pinned_by_number);
        g_test_add_func("/tune/what-changed-meanwhile-is-checked-again", what_changed_meanwhile_is_checked_again);
        g_test_add_func("/tune/pins-are-put-right-when-cpus-come-back", pins_are_put_right_when_cpus_come_back);
        g_test_add_func("/tune/threads-without-a-pin-are-left-alone", threads_without_a_pin_are_left_alone);
        g_test_add_func("/tune/captured-hosts-have-cpus-that-the-kernel-has-not", captured_hosts_have_cpus_that_the_kernel_has_not);
        g_test_add_func("/tune/both-live-and-stored", both_live_and_stored);
        g_test_add_func("/tune/what-cannot-be-stored-does-not-hold", what_cannot_be_stored_does_not_hold);
        g_test_add_func("/tune/what-was-asked-later-stays", what_was_asked_later_stays);
        g_test_add_func("/tune/vcpu-that-came-meanwhile-is-taken-back-too", vcpu_that_came_meanwhile_is_taken_back_too);
        g_test_add_func("/tune/another-run-is-not-touched", another_run_is_not_touched);
        g_test_add_func("/tune/domain-that-goes-is-answered-first", domain_that_goes_is_answered_first);
        g_test_add_func("/tune/what-is-new-to-a-guest-is-put-on-all", what_is_new_to_a_guest_is_put_on_all);
        g_test_add_func("/tune/what-a-start-cannot-have-is-a-warning", what_a_start_cannot_have_is_a_warning);
        g_test_add_func("/tune/threads-are-listed-with-their-roles", threads_are_listed_with_their_roles);
        r = g_test_run();
        free(low);
        free(high);
        free(all);
        return r;
}
