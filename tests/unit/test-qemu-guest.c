/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A running QEMU, played by a script: a machine whose CPUs come and go as its monitor is
 * asked, and that can be told to refuse, to say nothing, and to end at any command. Its
 * process is this program, so that the threads it names are there. */

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/definition.h"
#include "guest/definitions.h"
#include "guest/plug.h"
#include "guest/qemu/backend.h"
#include "guest/qemu/guest.h"
#include "guest/qemu/iothreads.h"
#include "line-peer.h"
#include "told.h"

#define GREETING "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"\"},\"capabilities\":[\"oob\"]}}\n"
#define UUID "c7a5fdbd-cdaf-9455-926a-d65c16db1809"
#define SEC UINT64_C(1000000)
#define LONG_USEC (3600 * SEC)
#define SHORT_USEC UINT64_C(1000)
#define UNITS 8u

typedef struct Machine {
        Peer *peer;
        Guests *guests;
        QemuGuest *guest;
        Domain *domain;                 /* as long as the guest runs */
        unsigned threads;               /* of a unit */
        char *ids[UNITS];               /* of the devices; NULL: not plugged; "": from the start */
        unsigned thread;                /* that all vCPUs have */
        unsigned foreign;               /* a unit with a thread of another process; 0: none */
        const char *uuid;
        GString *commands;              /* "add berth-vcpu-3", … */
        unsigned n_looks, n_slots_told;
        /* What it does otherwise than asked. */
        const char *hang_up_at;         /* a command */
        const char *mute_at;            /* a command that it does not answer */
        int64_t muted_id;
        unsigned n_muted;
        unsigned refuse_add;            /* this one from now, from 1 */
        const char *taken_id;           /* by another device */
        const char *refuse_del;
        unsigned refuse_looks;
        gboolean gives_back;            /* the guest, at once and without a word */
        /* What we were told. */
        unsigned n_ended, n_done;
        int result;
        ErrorCode code;
        char *message;
} Machine;

static Machine *machine;

static void on_added(Domain *domain, void *userdata) {
        machine->domain = domain;
}

static void on_removed(Domain *domain, void *userdata) {
        machine->domain = NULL;
}

static void on_changed(Domain *domain, unsigned change, void *userdata) {
}

static const GuestsListener listener = { on_added, on_removed, on_changed };

static void on_ended(QemuGuest *guest, const char *reason, void *userdata) {
        machine->n_ended++;
        g_assert_true(guest == machine->guest);
        machine->guest = qemu_guest_free(guest);
}

_printf_(1, 2)
static void say(const char *format, ...) {
        g_autofree char *text = NULL;
        va_list arguments;

        va_start(arguments, format);
        text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        g_strdelimit(text, "'", '"');
        peer_send(machine->peer, text);
        peer_send(machine->peer, "\n");
}

static void answer(int64_t id, const char *value) {
        say("{'return':%s,'id':%" PRId64 "}", value, id);
}

static void refuse(int64_t id, const char *text) {
        g_autofree char *line = g_strdup_printf("{\"error\":{\"class\":\"GenericError\",\"desc\":\"%s\"},\"id\":%" PRId64 "}\n", text, id);

        peer_send(machine->peer, line);
}

static char *path_of(unsigned unit) {
        return *machine->ids[unit] ? g_strdup_printf("/machine/peripheral/%s", machine->ids[unit]) :
                                     g_strdup_printf("/machine/unattached/device[%u]", unit);
}

static void answer_hotpluggable(int64_t id) {
        g_autoptr(GString) text = g_string_new("[");

        machine->n_slots_told++;
        for (unsigned unit = 0; unit < UNITS; unit++) {
                g_autofree char *path = machine->ids[unit] ? path_of(unit) : NULL;

                g_string_append_printf(text, "%s{'type':'x-cpu','vcpus-count':%u,'props':{'core-id':%u}", unit > 0 ? "," : "",
                                       machine->threads, unit * machine->threads);
                if (path)
                        g_string_append_printf(text, ",'qom-path':'%s'", path);
                g_string_append(text, "}");
        }
        g_string_append(text, "]");
        answer(id, text->str);
}

static void answer_cpus(int64_t id) {
        g_autoptr(GString) text = g_string_new("[");

        machine->n_looks++;
        if (machine->refuse_looks > 0) {
                machine->refuse_looks--;
                refuse(id, "not now");
                return;
        }
        for (unsigned unit = 0; unit < UNITS; unit++) {
                g_autofree char *path = machine->ids[unit] ? path_of(unit) : NULL;

                for (unsigned n = 0; path && n < machine->threads; n++) {
                        g_string_append_printf(text, "%s{'cpu-index':%u,'thread-id':%u,'target':'x','props':{'core-id':%u},'qom-path':'%s",
                                               text->len > 1 ? "," : "", unit * machine->threads + n, machine->foreign > 0 && unit == machine->foreign ? 1 : machine->thread,
                                               unit * machine->threads, path);
                        if (machine->threads > 1)
                                g_string_append_printf(text, "/thread[%u]", n);
                        g_string_append(text, "'}");
                }
        }
        g_string_append(text, "]");
        answer(id, text->str);
}

static unsigned find_unit(const char *id) {
        for (unsigned unit = 0; unit < UNITS; unit++)
                if (g_strcmp0(machine->ids[unit], id) == 0)
                        return unit;
        return UNITS;
}

static void remove_unit(unsigned unit) {
        g_assert_nonnull(machine->ids[unit]);
        g_clear_pointer(&machine->ids[unit], g_free);
}

static void add_device(int64_t id, JsonObject *arguments) {
        const char *name;
        uint32_t core;

        g_assert_cmpint(json_get_string(arguments, "id", &name), ==, 0);
        g_assert_cmpint(json_get_u32(arguments, "core-id", &core), ==, 0);
        g_string_append_printf(machine->commands, "%sadd %s", machine->commands->len > 0 ? ", " : "", name);
        if (machine->refuse_add > 0 && --machine->refuse_add == 0) {
                refuse(id, "no room");
                return;
        }
        if (g_strcmp0(name, machine->taken_id) == 0 || find_unit(name) < UNITS) {
                g_autofree char *text = g_strdup_printf("Duplicate device ID '%s'", name);

                refuse(id, text);
                return;
        }
        g_assert_null(machine->ids[core / machine->threads]);
        machine->ids[core / machine->threads] = g_strdup(name);
        answer(id, "{}");
}

static void delete_device(int64_t id, JsonObject *arguments) {
        const char *name;
        unsigned unit;

        g_assert_cmpint(json_get_string(arguments, "id", &name), ==, 0);
        g_string_append_printf(machine->commands, "%sdel %s", machine->commands->len > 0 ? ", " : "", name);
        unit = find_unit(name);
        g_assert_cmpuint(unit, <, UNITS);
        if (machine->refuse_del) {
                refuse(id, machine->refuse_del);
                return;
        }
        if (machine->gives_back)
                remove_unit(unit);
        answer(id, "{}");
}

static void obey(const char *line) {
        _cleanup_json_ JsonObject *object = json_read(line);
        JsonObject *arguments = NULL;
        const char *command;
        int64_t id;

        g_assert_cmpint(json_get_string(object, "execute", &command), ==, 0);
        g_assert_cmpint(json_get_i64(object, "id", &id), ==, 0);
        (void) json_get_object(object, "arguments", &arguments);
        if (g_strcmp0(command, machine->hang_up_at) == 0) {
                peer_hang_up(machine->peer);
                return;
        }
        if (g_strcmp0(command, machine->mute_at) == 0) {
                machine->muted_id = id;
                machine->n_muted++;
                return;
        }
        if (strcmp(command, "qmp_capabilities") == 0)
                answer(id, "{}");
        else if (strcmp(command, "query-uuid") == 0) {
                g_autofree char *value = g_strdup_printf("{'UUID':'%s'}", machine->uuid);

                answer(id, value);
        } else if (strcmp(command, "query-status") == 0)
                answer(id, "{'status':'running','running':true}");
        else if (strcmp(command, "query-hotpluggable-cpus") == 0)
                answer_hotpluggable(id);
        else if (strcmp(command, "query-cpus-fast") == 0)
                answer_cpus(id);
        else if (strcmp(command, "device_add") == 0)
                add_device(id, arguments);
        else if (strcmp(command, "device_del") == 0)
                delete_device(id, arguments);
        else
                g_error("%s was not expected", line);
}

/* One turn of the loop. */
static void turn(void) {
        const char *end;

        g_assert_cmpint(sd_event_run(machine->peer->event, UINT64_MAX), >=, 0);
        while (machine->peer->fd >= 0 && (end = strchr(machine->peer->input->str, '\n'))) {
                g_autofree char *line = g_strndup(machine->peer->input->str, (gsize) (end - machine->peer->input->str));

                g_string_erase(machine->peer->input, 0, end - machine->peer->input->str + 1);
                obey(line);
        }
}

#define turn_until(condition)                                   \
        do {                                                    \
                while (!(condition))                            \
                        turn();                                 \
        } while (0)

/* Until it is as good as it gets, after all that was said. */
static void look_again(void) {
        unsigned n = machine->n_looks;

        say("{'event':'ACPI_DEVICE_OST','data':{'info':{'slot':'0','slot-type':'CPU','source':1,'status':0}},'timestamp':{'seconds':1,'microseconds':1}}");
        turn_until(machine->n_looks > n);
        n = machine->n_looks;
        say("{'event':'DEVICE_DELETED','data':{'path':'/machine/peripheral/disk'},'timestamp':{'seconds':1,'microseconds':1}}");
        turn_until(machine->n_looks > n);
        peer_settle(machine->peer);
}

static void connect_machine(void) {
        Process *process = NULL;

        g_assert_cmpint(process_open(getpid(), &process, NULL), ==, 0);
        g_assert_cmpint(qemu_guest_new(machine->guests, "web", peer_take_fd(machine->peer), getpid(), process, NULL,
                                       on_ended, machine, &machine->guest), ==, 0);
        peer_send(machine->peer, GREETING);
}

/* "n" units, those but the first with the ids "cpu1", … */
static void make_machine(unsigned threads, unsigned n) {
        machine = g_new0(Machine, 1);
        machine->peer = peer_new(NULL);
        machine->threads = threads;
        machine->thread = (unsigned) getpid();
        machine->uuid = UUID;
        machine->commands = g_string_new(NULL);
        for (unsigned unit = 0; unit < n; unit++)
                machine->ids[unit] = unit > 0 ? g_strdup_printf("cpu%u", unit) : g_strdup("");
        g_assert_cmpint(guests_new(machine->peer->event, NULL, &machine->guests), ==, 0);
        guests_listen(machine->guests, &listener, NULL);
}

static void start_machine(unsigned threads, unsigned n) {
        make_machine(threads, n);
        connect_machine();
        turn_until(machine->domain && machine->domain->vcpus);
        g_assert_cmpuint(machine->domain->vcpus->current, ==, n * threads);
}

static void end_machine(void) {
        machine->guest = qemu_guest_free(machine->guest);
        guests_free(machine->guests);
        peer_free(machine->peer);
        g_string_free(machine->commands, TRUE);
        for (unsigned unit = 0; unit < UNITS; unit++)
                g_free(machine->ids[unit]);
        g_free(machine->message);
        g_clear_pointer(&machine, g_free);
}

static void on_done(int result, const Error *error, void *userdata) {
        machine->n_done++;
        machine->result = result;
        machine->code = error ? error->code : ERROR_NONE;
        g_free(machine->message);
        machine->message = g_strdup(error ? error->message : NULL);
        g_assert_true((result < 0) == (machine->code != ERROR_NONE));
}

static int set_unit(uint32_t vcpu, bool enable, uint64_t timeout_usec, Error *error) {
        return machine->domain->backend->set_unit(machine->domain, vcpu, enable, timeout_usec, on_done, machine, error);
}

static void ask(uint32_t vcpu, bool enable, uint64_t timeout_usec) {
        unsigned n = machine->n_done;
        int r = set_unit(vcpu, enable, timeout_usec, NULL);

        g_assert_cmpint(r, ==, 0);
        g_assert_cmpuint(machine->n_done, ==, n);
}

static int choose_and_start(uint32_t count, uint64_t timeout_usec) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};

        g_assert_cmpint(vcpu_table_choose_count(machine->domain->vcpus, count, NULL, &choice), ==, 0);
        return plug_start(machine->domain, &choice, timeout_usec, on_done, machine, NULL);
}

static void set_count(uint32_t count) {
        g_assert_cmpint(choose_and_start(count, LONG_USEC), ==, 0);
        g_assert_cmpuint(machine->n_done, ==, 0);
        turn_until(machine->n_done > 0);
        peer_settle(machine->peer);
}

static void assert_answer(ErrorCode code, const char *message) {
        g_assert_cmpuint(machine->n_done, ==, 1);
        g_assert_cmpint(machine->code, ==, code);
        g_assert_cmpstr(machine->message, ==, message);
}

static bool is_enabled(uint32_t id) {
        return vcpu_table_find(machine->domain->vcpus, id)->enabled;
}

static void assert_nothing_pending(void) {
        g_assert_true(cpuset_is_empty(&machine->domain->pending_plug));
        g_assert_true(cpuset_is_empty(&machine->domain->pending_unplug));
}

#define assert_told(expected) assert_told_of(machine->domain, VCPU_CHANGE_ENABLED | VCPU_CHANGE_PENDING, expected)

static bool has_feature(const char *word) {
        const char *features[DOMAIN_FEATURES_MAX];

        domain_features(machine->domain, features);
        for (size_t i = 0; features[i]; i++)
                if (strcmp(features[i], word) == 0)
                        return true;
        return false;
}

/* Who it is. */

static void test_guest_is_known_by_its_monitor(void) {
        start_machine(1, 1);
        g_assert_cmpstr(machine->domain->uuid, ==, UUID);
        turn_until(machine->domain->state == DOMAIN_RUNNING);
        g_assert_cmpint(machine->domain->pid, ==, getpid());
        g_assert_nonnull(machine->domain->process);
        g_assert_true(has_feature("pin"));
        g_assert_cmpuint(machine->domain->findings.n_items, ==, 0);
        g_assert_true(qemu_guest_of(machine->domain) == machine->guest);
        end_machine();
}

static void test_owner_is_known_before_the_threads(void) {
        make_machine(1, 1);
        machine->mute_at = "query-cpus-fast";
        connect_machine();
        turn_until(machine->domain && machine->n_muted > 0);
        g_assert_null(machine->domain->process);
        g_assert_true(machine->domain->has_owner);
        g_assert_cmpuint(machine->domain->owner, ==, geteuid());
        end_machine();
}

static void test_threads_of_others_are_not_used(void) {
        make_machine(1, 1);
        machine->thread = 1;
        connect_machine();
        turn_until(machine->domain && machine->domain->vcpus);
        g_assert_nonnull(told_finding(machine->domain, "process-unknown"));
        g_assert_null(machine->domain->process);
        g_assert_false(has_feature("pin"));
        g_assert_true(is_enabled(0));
        g_assert_cmpuint(vcpu_table_find(machine->domain->vcpus, 0)->thread, ==, 0);

        /* It has said the truth since. */
        machine->thread = (unsigned) getpid();
        look_again();
        g_assert_null(told_finding(machine->domain, "process-unknown"));
        g_assert_nonnull(machine->domain->process);
        g_assert_true(has_feature("pin"));
        g_assert_cmpuint(vcpu_table_find(machine->domain->vcpus, 0)->thread, ==, (unsigned) getpid());

        machine->thread = 1;
        look_again();
        g_assert_nonnull(told_finding(machine->domain, "process-unknown"));
        g_assert_null(machine->domain->process);
        end_machine();
}

/* It may have ended after the answer: that is looked at again, but not for ever. */
static void test_one_thread_of_others_is_enough(void) {
        start_machine(1, 3);
        g_assert_nonnull(machine->domain->process);
        machine->foreign = 2;
        say("{'event':'DEVICE_DELETED','data':{'path':'/machine/peripheral/disk'}}");
        turn_until(told_finding(machine->domain, "process-unknown"));
        g_assert_null(machine->domain->process);
        for (uint32_t id = 0; id < 3; id++)
                g_assert_cmpuint(vcpu_table_find(machine->domain->vcpus, id)->thread, ==, 0);
        machine->foreign = 0;
        look_again();
        g_assert_null(told_finding(machine->domain, "process-unknown"));
        g_assert_nonnull(machine->domain->process);
        end_machine();
}

static void test_uuid_of_zeroes_is_none(void) {
        make_machine(1, 1);
        machine->uuid = "00000000-0000-0000-0000-000000000000";
        connect_machine();
        turn_until(machine->domain && machine->domain->vcpus);
        g_assert_cmpstr(machine->domain->uuid, ==, "");
        end_machine();
}

/* What is stored for a guest outlives its runs, and each has the same object. */
static void test_run_of_a_stored_guest_has_its_object(void) {
        static const char xml[] = "<domain><name>web</name><uuid>" UUID "</uuid><vcpu current='2'>8</vcpu></domain>";
        g_autofree char *top = g_dir_make_tmp("berth-guest-XXXXXX", NULL);
        g_autofree char *folder = g_build_filename(top, "domains", NULL), *file = g_build_filename(folder, "web.xml", NULL);
        g_autofree char *runs = g_build_filename(top, "runs", NULL), *run = g_build_filename(runs, "web.xml", NULL);
        _cleanup_(definitions_freep) Definitions *definitions = NULL;
        Domain *stored;

        g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
        g_assert_true(g_file_set_contents(file, xml, -1, NULL));
        make_machine(1, 2);
        g_assert_cmpint(definitions_new(machine->guests, &qemu_backend_calls, top, top, &definitions), ==, 0);
        stored = machine->domain;
        g_assert_nonnull(stored);
        g_assert_false(domain_is_running(stored));

        connect_machine();
        g_assert_true(qemu_guest_domain(machine->guest) == stored);
        g_assert_true(domain_is_running(stored));
        turn_until(stored->vcpus_of_run && stored->state == DOMAIN_RUNNING);
        g_assert_true(machine->domain == stored);
        g_assert_cmpint(stored->pid, ==, getpid());

        peer_hang_up(machine->peer);
        turn_until(machine->n_ended > 0);
        g_assert_true(machine->domain == stored);
        g_assert_false(domain_is_running(stored));
        g_assert_cmpint(stored->state, ==, DOMAIN_SHUTOFF);
        g_assert_cmpint(stored->pid, ==, 0);

        (void) g_unlink(run);
        (void) g_rmdir(runs);
        g_assert_cmpint(g_unlink(file), ==, 0);
        g_assert_cmpint(g_rmdir(folder), ==, 0);
        (void) g_rmdir(top);
        definitions = definitions_free(definitions);
        end_machine();
}

static void test_end_is_told_once(void) {
        start_machine(1, 1);
        peer_hang_up(machine->peer);
        turn_until(machine->n_ended > 0);
        peer_settle(machine->peer);
        g_assert_cmpuint(machine->n_ended, ==, 1);
        g_assert_null(machine->domain);
        end_machine();
}

/* Plugging. */

static void test_plug(void) {
        start_machine(1, 2);
        set_count(4);
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpstr(machine->commands->str, ==, "add berth-vcpu-2, add berth-vcpu-3");
        g_assert_true(is_enabled(2) && is_enabled(3));
        assert_nothing_pending();
        end_machine();
}

static void test_plug_is_told_once(void) {
        g_autofree char *told = NULL;

        start_machine(1, 2);
        ask(2, true, LONG_USEC);
        g_assert_true(cpuset_contains(&machine->domain->pending_plug, 2));
        assert_told("");
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        /* One entry. Without a transaction nobody is known to have asked for the vCPU that
         * came, but if that took long it was marked as pending first, which is a request's. */
        told = told_take(machine->domain, VCPU_CHANGE_ENABLED | VCPU_CHANGE_PENDING);
        g_assert_true(g_str_equal(told, "2ep backend") || g_str_equal(told, "2ep request"));
        assert_nothing_pending();
        end_machine();
}

static void test_refused_plug_is_undone(void) {
        start_machine(1, 2);
        machine->refuse_add = 3;
        machine->gives_back = TRUE;
        set_count(6);
        assert_answer(ERROR_BACKEND_FAILED, "QEMU refused to plug vCPU 4: no room; vCPUs 2-3 were unplugged again");
        g_assert_cmpstr(machine->commands->str, ==,
                        "add berth-vcpu-2, add berth-vcpu-3, add berth-vcpu-4, del berth-vcpu-3, del berth-vcpu-2");
        g_assert_cmpuint(machine->domain->vcpus->current, ==, 2);
        assert_nothing_pending();
        end_machine();
}

static void test_taken_name_is_avoided(void) {
        start_machine(1, 2);
        machine->taken_id = "berth-vcpu-2";
        ask(2, true, LONG_USEC);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpstr(machine->commands->str, ==, "add berth-vcpu-2, add berth-vcpu-2-2");
        end_machine();

        /* One that a CPU has is not tried. */
        make_machine(1, 2);
        g_free(machine->ids[1]);
        machine->ids[1] = g_strdup("berth-vcpu-2");
        connect_machine();
        turn_until(machine->domain && machine->domain->vcpus);
        ask(2, true, LONG_USEC);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpstr(machine->commands->str, ==, "add berth-vcpu-2-2");
        end_machine();
}

static void test_cores_plug_whole(void) {
        start_machine(8, 1);
        set_count(16);
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpstr(machine->commands->str, ==, "add berth-vcpu-8");
        for (uint32_t id = 8; id < 16; id++)
                g_assert_true(is_enabled(id));
        assert_nothing_pending();

        machine->n_done = 0;
        ask(11, false, LONG_USEC);
        for (uint32_t id = 8; id < 16; id++)
                g_assert_true(cpuset_contains(&machine->domain->pending_unplug, id));
        remove_unit(1);
        say("{'event':'DEVICE_DELETED','data':{'device':'berth-vcpu-8','path':'/machine/peripheral/berth-vcpu-8'}}");
        machine->mute_at = "device_del";
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpuint(machine->domain->vcpus->current, ==, 8);
        assert_nothing_pending();
        end_machine();
}

static void test_error_of_a_look_is_survived(void) {
        start_machine(1, 2);
        machine->refuse_looks = 2;
        ask(2, true, LONG_USEC);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        g_assert_true(is_enabled(2));
        end_machine();
}

/* The one answer is kept until the other comes, and no longer: CPUs that are told once
 * more have to wait for slots that are as new. */
static void test_cpus_are_not_taken_in_without_slots(void) {
        unsigned n;

        start_machine(1, 2);
        machine->mute_at = "query-cpus-fast";
        say("{'event':'DEVICE_DELETED','data':{'path':'/machine/peripheral/disk'},'timestamp':{'seconds':1,'microseconds':1}}");
        turn_until(machine->muted_id > 0);
        n = machine->n_slots_told;
        say("{'event':'DEVICE_DELETED','data':{'path':'/machine/peripheral/disk'},'timestamp':{'seconds':1,'microseconds':1}}");
        turn_until(machine->n_slots_told > n);

        machine->mute_at = NULL;
        n = machine->n_looks;
        answer_cpus(machine->muted_id);
        turn_until(machine->n_looks > n + 1);
        machine->ids[4] = g_strdup("late");
        peer_settle(machine->peer);
        g_assert_cmpuint(machine->domain->vcpus->maximum, ==, UNITS);

        /* Which are asked for. */
        turn_until(is_enabled(4));
        g_assert_cmpuint(machine->domain->vcpus->maximum, ==, UNITS);
        end_machine();
}

static void test_stuck_plug_is_told_and_taken_in_late(void) {
        start_machine(1, 2);
        machine->mute_at = "device_add";
        ask(2, true, SHORT_USEC);
        turn_until(machine->n_done > 0);
        g_assert_cmpint(machine->code, ==, ERROR_TIMED_OUT);
        g_assert_true(cpuset_contains(&machine->domain->pending_plug, 2));
        assert_told("2p request");

        turn_until(machine->muted_id > 0);
        machine->ids[2] = g_strdup("berth-vcpu-2");
        answer(machine->muted_id, "{}");
        turn_until(is_enabled(2));
        assert_told("2ep backend");
        assert_nothing_pending();
        g_assert_cmpuint(machine->n_done, ==, 1);
        end_machine();
}

static void test_stuck_plug_may_be_refused_late(void) {
        start_machine(1, 2);
        machine->mute_at = "device_add";
        ask(2, true, SHORT_USEC);
        turn_until(machine->n_done > 0 && machine->muted_id > 0);
        assert_told("2p request");
        machine->mute_at = NULL;
        g_string_truncate(machine->commands, 0);
        /* Though this one is tried again while somebody waits. */
        refuse(machine->muted_id, "Duplicate device ID 'berth-vcpu-2'");
        turn_until(cpuset_is_empty(&machine->domain->pending_plug));
        assert_told("2p backend");
        look_again();
        g_assert_cmpstr(machine->commands->str, ==, "");
        end_machine();
}

/* Unplugging. */

static void start_unplug(uint64_t timeout_usec) {
        start_machine(1, 4);
        ask(3, false, timeout_usec);
        g_assert_true(cpuset_contains(&machine->domain->pending_unplug, 3));
        assert_told("3p request");
        turn_until(machine->commands->len > 0);
        g_assert_cmpstr(machine->commands->str, ==, "del cpu3");
}

static void test_unplug_ends_with_any_event(void) {
        static const char *const events[] = {
                "{'event':'DEVICE_DELETED','data':{'device':'cpu3','path':'/machine/peripheral/cpu3'}}",
                "{'event':'DEVICE_DELETED','data':{'path':'/machine/peripheral/cpu3/lapic'}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','slot':'3','slot-type':'CPU','source':3,'status':0}}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'slot':'3','slot-type':'CPU','source':3,'status':0}}}",
        };

        for (size_t i = 0; i < ELEMENTSOF(events); i++) {
                start_unplug(LONG_USEC);
                remove_unit(3);
                say("%s", events[i]);
                turn_until(machine->n_done > 0);
                assert_answer(ERROR_NONE, NULL);
                g_assert_false(is_enabled(3));
                assert_nothing_pending();
                assert_told("3ep guest");
                end_machine();
        }
}

static void test_unplug_without_a_word_is_seen(void) {
        start_unplug(LONG_USEC);
        peer_settle(machine->peer);
        remove_unit(3);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        end_machine();
}

static void test_guest_may_refuse(void) {
        static const struct { const char *event, *message; } rows[] = {
                { "{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{'device':'cpu3','path':'/machine/peripheral/cpu3'}}",
                  "the guest refused to give vCPU 3 back" },
                { "{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{'path':'/machine/peripheral/cpu3'}}",
                  "the guest refused to give vCPU 3 back" },
                { "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','slot':'3','slot-type':'CPU','source':3,'status':1}}}",
                  "the guest refused to give vCPU 3 back: it failed there for an unspecified reason" },
                { "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','slot':'3','slot-type':'CPU','source':3,'status':130}}}",
                  "the guest refused to give vCPU 3 back: it is busy there" },
                { "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','slot':'3','slot-type':'CPU','source':259,'status':129}}}",
                  "the guest refused to give vCPU 3 back: an application there uses it" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                start_unplug(LONG_USEC);
                say("%s", rows[i].event);
                turn_until(machine->n_done > 0);
                assert_answer(ERROR_GUEST_REFUSED, rows[i].message);
                g_assert_true(is_enabled(3));
                assert_nothing_pending();
                assert_told("3p request");
                end_machine();
        }
}

/* Of another device, of another kind, of something that is no end, or nonsense. */
static void test_what_is_no_refusal_ends_nothing(void) {
        static const char *const events[] = {
                "{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{'device':'cpu2','path':'/machine/peripheral/cpu2'}}",
                "{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{'path':'/machine/peripheral/cpu31'}}",
                "{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{'path':'/machine/peripheral/cpu'}}",
                "{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{'device':3,'path':[]}}",
                "{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{}}",
                "{'event':'DEVICE_UNPLUG_GUEST_ERROR'}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','slot-type':'CPU','source':3,'status':132}}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','slot-type':'CPU','source':3,'status':0}}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','slot-type':'CPU','source':1,'status':1}}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu2','slot-type':'CPU','source':3,'status':1}}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'slot-type':'CPU','source':3,'status':1}}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':{'device':'cpu3','source':'3','status':1}}}",
                "{'event':'ACPI_DEVICE_OST','data':{'info':[]}}",
                "{'event':'ACPI_DEVICE_OST'}",
        };

        start_unplug(LONG_USEC);
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                say("%s", events[i]);
        look_again();
        g_assert_cmpuint(machine->n_done, ==, 0);
        g_assert_true(cpuset_contains(&machine->domain->pending_unplug, 3));
        remove_unit(3);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        end_machine();
}

static void test_refusal_of_qemu_is_told_in_its_words(void) {
        start_machine(1, 4);
        machine->refuse_del = "device unplug request for not supported device type";
        ask(3, false, LONG_USEC);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_BACKEND_FAILED, "QEMU refused to unplug vCPU 3: device unplug request for not supported device type");
        assert_nothing_pending();
        end_machine();
}

static void start_silent_unplug(void) {
        start_unplug(SHORT_USEC);
        turn_until(machine->n_done > 0);
        g_assert_cmpint(machine->code, ==, ERROR_TIMED_OUT);
        g_assert_nonnull(strstr(machine->message, "vCPU 3"));
        look_again();
        g_assert_true(cpuset_contains(&machine->domain->pending_unplug, 3));
        assert_told("");
}

static void test_late_guest_is_taken_in(void) {
        start_silent_unplug();
        remove_unit(3);
        say("{'event':'DEVICE_DELETED','data':{'device':'cpu3','path':'/machine/peripheral/cpu3'}}");
        turn_until(!is_enabled(3));
        assert_told("3ep guest");
        assert_nothing_pending();
        g_assert_cmpuint(machine->n_done, ==, 1);

        /* And may be plugged again. */
        ask(3, true, LONG_USEC);
        turn_until(machine->n_done > 1);
        g_assert_cmpint(machine->code, ==, ERROR_NONE);
        end_machine();
}

static void test_late_refusal_is_taken_in(void) {
        start_silent_unplug();
        say("{'event':'DEVICE_UNPLUG_GUEST_ERROR','data':{'device':'cpu3','path':'/machine/peripheral/cpu3'}}");
        turn_until(cpuset_is_empty(&machine->domain->pending_unplug));
        assert_told("3p guest");
        g_assert_true(is_enabled(3));
        g_assert_cmpuint(machine->n_done, ==, 1);
        end_machine();
}

static void ask_silent_again(uint64_t timeout_usec) {
        start_silent_unplug();
        ask(3, false, timeout_usec);
        turn_until(strcmp(machine->commands->str, "del cpu3, del cpu3") == 0);
        assert_told("");
}

static void test_late_guest_can_be_asked_again(void) {
        ask_silent_again(LONG_USEC);
        remove_unit(3);
        turn_until(machine->n_done > 1);
        g_assert_cmpint(machine->code, ==, ERROR_NONE);
        g_assert_false(is_enabled(3));
        assert_nothing_pending();
        end_machine();
}

static void test_late_guest_that_is_silent_again_stays_pending(void) {
        ask_silent_again(SHORT_USEC);
        turn_until(machine->n_done > 1);
        g_assert_cmpint(machine->code, ==, ERROR_TIMED_OUT);
        g_assert_true(cpuset_contains(&machine->domain->pending_unplug, 3));
        /* Still the same one. */
        remove_unit(3);
        look_again();
        turn_until(!is_enabled(3));
        assert_nothing_pending();
        g_assert_cmpuint(machine->n_done, ==, 2);
        end_machine();
}

static void test_second_request_that_qemu_refuses_leaves_the_first(void) {
        start_silent_unplug();
        machine->refuse_del = "Device cpu3 is already in the process of unplug";
        ask(3, false, LONG_USEC);
        turn_until(machine->n_done > 1);
        g_assert_cmpint(machine->code, ==, ERROR_BACKEND_FAILED);
        g_assert_nonnull(strstr(machine->message, "already in the process"));
        g_assert_true(cpuset_contains(&machine->domain->pending_unplug, 3));
        assert_told("");

        remove_unit(3);
        look_again();
        turn_until(!is_enabled(3));
        assert_told("3ep guest");
        assert_nothing_pending();
        end_machine();
}

static void test_request_without_an_answer_is_not_repeated(void) {
        start_machine(1, 4);
        machine->mute_at = "device_del";
        ask(3, false, SHORT_USEC);
        turn_until(machine->n_done > 0 && machine->n_muted > 0);
        ask(3, false, LONG_USEC);
        peer_settle(machine->peer);
        g_assert_cmpuint(machine->n_muted, ==, 1);
        remove_unit(3);
        answer(machine->muted_id, "{}");
        turn_until(machine->n_done > 1);
        g_assert_cmpint(machine->code, ==, ERROR_NONE);
        assert_nothing_pending();
        end_machine();
}

static void test_pending_unit_is_not_plugged_and_others_go(void) {
        _cleanup_error_ Error error = {};

        start_silent_unplug();
        g_assert_cmpint(set_unit(3, true, LONG_USEC, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        ask(2, false, LONG_USEC);
        turn_until(strstr(machine->commands->str, "del cpu2"));
        remove_unit(2);
        turn_until(machine->n_done > 1);
        g_assert_cmpint(machine->code, ==, ERROR_NONE);
        g_assert_true(cpuset_contains(&machine->domain->pending_unplug, 3));
        end_machine();
}

static void test_one_unit_at_a_time(void) {
        _cleanup_error_ Error error = {}, unknown = {}, first = {};

        start_unplug(LONG_USEC);
        g_assert_cmpint(set_unit(2, false, LONG_USEC, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        remove_unit(3);
        turn_until(machine->n_done > 0);
        g_assert_cmpint(set_unit(8, true, LONG_USEC, &unknown), <, 0);
        g_assert_cmpint(unknown.code, ==, ERROR_NO_SUCH_VCPU);
        g_assert_cmpint(set_unit(0, false, LONG_USEC, &first), <, 0);
        g_assert_cmpint(first.code, ==, ERROR_NOT_SUPPORTED);
        end_machine();
}

static void test_what_is_so_already_is_done(void) {
        start_machine(1, 4);
        ask(3, true, LONG_USEC);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        machine->n_done = 0;
        ask(5, false, LONG_USEC);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        g_assert_cmpstr(machine->commands->str, ==, "");
        assert_told("");
        assert_nothing_pending();
        end_machine();
}

/* It went, and somebody else has plugged the next between two looks. */
static void test_one_that_was_replaced_has_gone(void) {
        start_unplug(LONG_USEC);
        remove_unit(3);
        machine->ids[3] = g_strdup("another");
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        g_assert_true(is_enabled(3));
        assert_nothing_pending();
        end_machine();
}

/* However much a monitor says, the answer comes through. */
static void test_events_without_end_hold_nothing_up(void) {
        g_autoptr(GString) text = g_string_new(NULL);
        unsigned n;

        start_unplug(LONG_USEC);
        for (unsigned i = 0; i < 20000; i++)
                g_string_append(text, "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"cpu3\",\"path\":\"/machine/peripheral/cpu3\"}}\n");
        n = machine->n_looks;
        peer_send(machine->peer, text->str);
        remove_unit(3);
        turn_until(machine->n_done > 0);
        assert_answer(ERROR_NONE, NULL);
        /* They are not answered one by one. */
        g_assert_cmpuint(machine->n_looks - n, <, 2000);
        end_machine();
}

/* It may end at any step; whoever waits is told once. */

static void assert_not_running(void) {
        turn_until(machine->n_ended > 0);
        peer_settle(machine->peer);
        g_assert_cmpuint(machine->n_done, ==, 1);
        g_assert_cmpint(machine->code, ==, ERROR_NOT_RUNNING);
        g_assert_null(machine->domain);
        end_machine();
}

static void test_end_in_each_step(void) {
        static const char *const commands[] = { "device_add", "query-hotpluggable-cpus", "query-cpus-fast" };

        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                start_machine(1, 2);
                machine->hang_up_at = commands[i];
                g_assert_cmpint(choose_and_start(4, LONG_USEC), ==, 0);
                assert_not_running();
        }

        start_machine(1, 4);
        machine->hang_up_at = "device_del";
        g_assert_cmpint(choose_and_start(2, LONG_USEC), ==, 0);
        assert_not_running();

        start_machine(1, 4);
        g_assert_cmpint(choose_and_start(2, LONG_USEC), ==, 0);
        turn_until(machine->commands->len > 0);
        peer_settle(machine->peer);
        peer_hang_up(machine->peer);
        assert_not_running();
}

static void test_end_while_undoing(void) {
        start_machine(1, 2);
        machine->refuse_add = 2;
        machine->hang_up_at = "device_del";
        g_assert_cmpint(choose_and_start(4, LONG_USEC), ==, 0);
        turn_until(machine->n_done > 0);
        g_assert_nonnull(strstr(machine->message, "no room"));
        assert_not_running();
}

static void test_freed_guest_answers(void) {
        start_machine(1, 4);
        g_assert_cmpint(choose_and_start(2, LONG_USEC), ==, 0);
        machine->guest = qemu_guest_free(machine->guest);
        g_assert_cmpuint(machine->n_done, ==, 1);
        g_assert_cmpint(machine->code, ==, ERROR_NOT_RUNNING);
        end_machine();
}

static void test_late_pending_ends_with_the_guest(void) {
        start_silent_unplug();
        peer_hang_up(machine->peer);
        turn_until(machine->n_ended > 0);
        g_assert_cmpuint(machine->n_done, ==, 1);
        end_machine();
}

/* Its vCPUs are those that are stored, until it tells its own. */
static void stored_guest_that_is_not_ready_is_asked_again(void) {
        Domain *domain;

        make_machine(1, 2);
        g_assert_cmpint(domain_new(machine->guests, &qemu_backend_calls, "web", &domain), ==, 0);
        g_assert_cmpint(definition_new("web", UUID, &domain->definition), ==, 0);
        domain->definition->maximum = UNITS;
        g_assert_cmpint(definition_to_table(domain->definition, &domain->vcpus), ==, 0);
        domain_announce(domain);
        machine->refuse_looks = 1;
        connect_machine();
        turn_until(machine->n_looks == 1);
        peer_settle(machine->peer);
        g_assert_false(domain->vcpus_of_run);

        say("{'event':'RESUME','timestamp':{'seconds':1,'microseconds':1}}");
        turn_until(domain->vcpus_of_run);
        g_assert_cmpuint(domain->vcpus->current, ==, 2);
        end_machine();
}

static void on_iothreads(int result, const Error *error, const Iothread *iothreads, size_t n, void *userdata) {
        on_done(result, error, userdata);
        g_assert_cmpuint(n, ==, result < 0 ? 0 : 1);
}

static int ask_iothreads(Error *error) {
        return machine->domain->backend->list_iothreads(machine->domain, on_iothreads, machine, error);
}

/* Anybody may ask for a guest's threads, and as often as he likes. */
static void question_for_iothreads_is_shared(void) {
        _cleanup_error_ Error error = {};

        start_machine(1, 2);
        machine->mute_at = "query-iothreads";
        for (unsigned i = 0; i < QEMU_IOTHREADS_CALLERS_MAX; i++)
                g_assert_cmpint(ask_iothreads(NULL), ==, 0);
        g_assert_cmpint(ask_iothreads(&error), ==, -EBUSY);
        turn_until(machine->n_muted > 0);
        answer(machine->muted_id, "[{'id':'iothread1','thread-id':7}]");
        turn_until(machine->n_done > 0);
        g_assert_cmpuint(machine->n_muted, ==, 1);
        g_assert_cmpuint(machine->n_done, ==, QEMU_IOTHREADS_CALLERS_MAX);
        g_assert_cmpint(machine->result, ==, 0);

        /* The next one is a question of its own. */
        g_assert_cmpint(ask_iothreads(NULL), ==, 0);
        turn_until(machine->n_muted == 2);
        machine->guest = qemu_guest_free(machine->guest);
        g_assert_cmpuint(machine->n_done, ==, QEMU_IOTHREADS_CALLERS_MAX + 1);
        g_assert_cmpint(machine->code, ==, ERROR_NOT_RUNNING);
        end_machine();
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/qemu-guest/guest_is_known_by_its_monitor", test_guest_is_known_by_its_monitor);
        g_test_add_func("/qemu-guest/owner_is_known_before_the_threads", test_owner_is_known_before_the_threads);
        g_test_add_func("/qemu-guest/threads_of_others_are_not_used", test_threads_of_others_are_not_used);
        g_test_add_func("/qemu-guest/one_thread_of_others_is_enough", test_one_thread_of_others_is_enough);
        g_test_add_func("/qemu-guest/uuid_of_zeroes_is_none", test_uuid_of_zeroes_is_none);
        g_test_add_func("/qemu-guest/run_of_a_stored_guest_has_its_object", test_run_of_a_stored_guest_has_its_object);
        g_test_add_func("/qemu-guest/end_is_told_once", test_end_is_told_once);
        g_test_add_func("/qemu-unit/plug", test_plug);
        g_test_add_func("/qemu-unit/plug_is_told_once", test_plug_is_told_once);
        g_test_add_func("/qemu-unit/refused_plug_is_undone", test_refused_plug_is_undone);
        g_test_add_func("/qemu-unit/taken_name_is_avoided", test_taken_name_is_avoided);
        g_test_add_func("/qemu-unit/cores_plug_whole", test_cores_plug_whole);
        g_test_add_func("/qemu-unit/error_of_a_look_is_survived", test_error_of_a_look_is_survived);
        g_test_add_func("/qemu-unit/cpus_are_not_taken_in_without_slots", test_cpus_are_not_taken_in_without_slots);
        g_test_add_func("/qemu-unit/stuck_plug_is_told_and_taken_in_late", test_stuck_plug_is_told_and_taken_in_late);
        g_test_add_func("/qemu-unit/stuck_plug_may_be_refused_late", test_stuck_plug_may_be_refused_late);
        g_test_add_func("/qemu-unit/unplug_ends_with_any_event", test_unplug_ends_with_any_event);
        g_test_add_func("/qemu-unit/unplug_without_a_word_is_seen", test_unplug_without_a_word_is_seen);
        g_test_add_func("/qemu-unit/guest_may_refuse", test_guest_may_refuse);
        g_test_add_func("/qemu-unit/what_is_no_refusal_ends_nothing", test_what_is_no_refusal_ends_nothing);
        g_test_add_func("/qemu-unit/refusal_of_qemu_is_told_in_its_words", test_refusal_of_qemu_is_told_in_its_words);
        g_test_add_func("/qemu-unit/late_guest_is_taken_in", test_late_guest_is_taken_in);
        g_test_add_func("/qemu-unit/late_refusal_is_taken_in", test_late_refusal_is_taken_in);
        g_test_add_func("/qemu-unit/late_guest_can_be_asked_again", test_late_guest_can_be_asked_again);
        g_test_add_func("/qemu-unit/late_guest_that_is_silent_again_stays_pending", test_late_guest_that_is_silent_again_stays_pending);
        g_test_add_func("/qemu-unit/second_request_that_qemu_refuses_leaves_the_first", test_second_request_that_qemu_refuses_leaves_the_first);
        g_test_add_func("/qemu-unit/request_without_an_answer_is_not_repeated", test_request_without_an_answer_is_not_repeated);
        g_test_add_func("/qemu-unit/pending_unit_is_not_plugged_and_others_go", test_pending_unit_is_not_plugged_and_others_go);
        g_test_add_func("/qemu-unit/one_unit_at_a_time", test_one_unit_at_a_time);
        g_test_add_func("/qemu-unit/what_is_so_already_is_done", test_what_is_so_already_is_done);
        g_test_add_func("/qemu-unit/one_that_was_replaced_has_gone", test_one_that_was_replaced_has_gone);
        g_test_add_func("/qemu-unit/events_without_end_hold_nothing_up", test_events_without_end_hold_nothing_up);
        g_test_add_func("/qemu-unit/end_in_each_step", test_end_in_each_step);
        g_test_add_func("/qemu-unit/end_while_undoing", test_end_while_undoing);
        g_test_add_func("/qemu-unit/freed_guest_answers", test_freed_guest_answers);
        g_test_add_func("/qemu-unit/late_pending_ends_with_the_guest", test_late_pending_ends_with_the_guest);

        g_test_add_func("/qemu-guest/stored-guest-that-is-not-ready-is-asked-again", stored_guest_that_is_not_ready_is_asked_again);
        g_test_add_func("/qemu-guest/question-for-iothreads-is-shared", question_for_iothreads_is_shared);
        return g_test_run();
}
