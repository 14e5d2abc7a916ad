/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Monitors, agents and documents that mean harm, or are broken: whoever asked is answered
 * with what happened, nothing else is touched, and other guests notice nothing. */

#include "place.h"
#include "qemu.h"
#include "scripted-guest.h"

#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <unistd.h>

#define DOMAIN "org.berth1.Domain"
#define VCPUS "org.berth1.Domain.Vcpus"
#define MANAGER "org.berth1.Manager"
#define ALPHA DOMAINS "alpha"
#define BETA DOMAINS "beta"
#define ERROR(name) "org.berth1.Error." name
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"

/* Both are as short as they may be: what does not come is not waited for long. */
#define SHORT "[Guests]\nUnplugTimeoutMSec=300\nJobTimeoutSec=1\nAgentTimeoutMSec=300\n"

static const char *const no_flags[] = { NULL };
#define FLAGS(...) ((const char *[]) { __VA_ARGS__, NULL })

static Pending *begin(Place *place, const char *method, GVariant *arguments) {
        return call_begin(place, ALPHA, VCPUS, method, arguments);
}

static Pending *begin_vcpus(Place *place, const char *vcpus, gboolean enable, const char *const *flags) {
        return begin(place, "SetVcpus", g_variant_new("(sb^as)", vcpus, enable, flags));
}

static char *list(Place *place, const char *path) {
        return call_answer(call_begin(place, path, VCPUS, "ListVcpus", g_variant_new("(^as)", no_flags)));
}

static char *vcpu(Place *place, guint32 id) {
        return call_answer(begin(place, "GetVcpu", g_variant_new("(u^as)", id, no_flags)));
}

static char *warnings(Place *place, const char *path) {
        return call_answer(call_begin(place, path, "org.freedesktop.DBus.Properties", "Get", g_variant_new("(ss)", DOMAIN, "Warnings")));
}

typedef struct Subject {
        Place *place;
        ScriptedGuest *guest;
} Subject;

static Subject *subject_new(const char *config) {
        Subject *subject = g_new0(Subject, 1);

        subject->place = place_new(config);
        subject->guest = scripted_guest_new(subject->place, "alpha", 4, 8);
        scripted_guest_show(subject->guest, subject->place, "alpha");
        g_ptr_array_set_size(subject->place->signals->seen, 0);
        return subject;
}

static void subject_free(Subject *subject) {
        place_stop(subject->place);
        scripted_guest_free(subject->guest);
        place_free(subject->place);
        g_free(subject);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subject, subject_free)

/* A refusal in QEMU's words, of the third of four: the first two are taken out again. */
static char *add_all_but_the_third(QmpScript *script, const char *line, gpointer userdata);

typedef struct Refusal {
        const char *event;
        int status;
} Refusal;

static void guest_that_refuses_is_said_to(void) {
        const Refusal refusals[] = { { "DEVICE_UNPLUG_GUEST_ERROR", 0 }, { "ACPI_DEVICE_OST", 1 }, { "ACPI_DEVICE_OST", 0x80 }, { "ACPI_DEVICE_OST", 0x83 } };
        g_autoptr(Subject) subject = subject_new(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
                Pending *pending = begin_vcpus(subject->place, "3", FALSE, no_flags);

                qmp_script_wait_asked(subject->guest->qmp, "device_del", (guint) i + 1);
                scripted_guest_refuse(subject->guest, 3, refusals[i].event, refusals[i].status);
                call_fails(pending, ERROR("GuestRefused"), PARTS("vCPU 3", "refused"));
        }
        g_assert_cmpuint(scripted_guest_count(subject->guest), ==, 4);
        g_assert_cmpuint(signals_count(subject->place->signals, "'state': <'disabled'>"), ==, 0);
}

static void job_that_is_refused_says_so(void) {
        g_autoptr(Subject) subject = subject_new(NULL);
        g_autofree char *accepted = call_answer(begin_vcpus(subject->place, "2-3", FALSE, FLAGS("async")));

        g_assert_cmpstr(accepted, ==, "('2-3', 1)");
        qmp_script_wait_asked(subject->guest->qmp, "device_del", 1);
        scripted_guest_refuse(subject->guest, 3, "DEVICE_UNPLUG_GUEST_ERROR", 0);
        assert_says(signals_wait(subject->place->signals, "JobDone (1"), PARTS("'refused'", ERROR("GuestRefused"), "vCPU 3"));
}

/* Status 0 is success, 0x84 is "in progress", others are of other events. */
static void what_is_no_refusal_is_waited_over(void) {
        g_autoptr(Subject) subject = subject_new(NULL);
        Pending *pending = begin_vcpus(subject->place, "3", FALSE, no_flags);
        QmpScript *qmp = subject->guest->qmp;
        g_autofree char *answer = NULL;

        qmp_script_wait_asked(qmp, "device_del", 1);
        scripted_guest_refuse(subject->guest, 3, "ACPI_DEVICE_OST", 0x84);
        qmp_script_event_data(qmp, "ACPI_DEVICE_OST", "{\"info\": {\"device\": \"cpu3\", \"slot\": \"3\", \"slot-type\": \"CPU\", \"source\": 1, \"status\": 1}}");
        qmp_script_event_data(qmp, "ACPI_DEVICE_OST", "{\"info\": {\"device\": \"cpu2\", \"slot\": \"2\", \"slot-type\": \"CPU\", \"source\": 3, \"status\": 1}}");
        qmp_script_event_data(qmp, "ACPI_DEVICE_OST", "{\"info\": \"cpu3\"}");
        qmp_script_event_data(qmp, "DEVICE_UNPLUG_GUEST_ERROR", "{\"path\": \"/machine/peripheral/cpu33\"}");
        qmp_script_event_data(qmp, "DEVICE_UNPLUG_GUEST_ERROR", "[\"cpu3\"]");
        qmp_script_event_data(qmp, "DEVICE_DELETED", "{\"device\": \"cpu7\", \"path\": \"/machine/peripheral/cpu7\"}");
        qmp_script_event_data(qmp, "DEVICE_DELETED", "{\"device\": \"cpu3\", \"path\": \"/machine/peripheral/cpu3\"}");
        qmp_script_wait_asked(qmp, "query-cpus-fast", qmp_script_asked(qmp, "query-cpus-fast") + 2);
        /* It said so, and yet it is there. */
        g_assert_false(call_is_over(pending));
        scripted_guest_remove(subject->guest, 3, TRUE);
        answer = call_answer(pending);
        g_assert_cmpstr(answer, ==, "('3', 0)");
        g_assert_cmpuint(signals_count(subject->place->signals, "'state': <'disabled'>"), ==, 1);
}

static void silence_times_out_and_what_goes_later_is_told_once(void) {
        g_autoptr(Subject) subject = subject_new(SHORT);
        Place *place = subject->place;
        const char *text;

        call_fails(begin_vcpus(place, "3", FALSE, no_flags), ERROR("TimedOut"), PARTS("vCPU 3", "may still"));
        /* Asked again, the guest may listen this time. */
        call_fails(begin_vcpus(place, "3", FALSE, no_flags), ERROR("TimedOut"), PARTS("vCPU 3", "may still"));
        g_ptr_array_set_size(place->signals->seen, 0);
        scripted_guest_remove(subject->guest, 3, TRUE);
        text = signals_wait(place->signals, "VcpuChanged (3");
        assert_says(text, PARTS("'state': <'disabled'>", "'guest'"));
        g_free(list(place, ALPHA));
        g_assert_cmpuint(signals_count(place->signals, "VcpuChanged"), ==, 1);
        g_assert_cmpuint(qmp_script_asked(subject->guest->qmp, "device_add"), ==, 0);
        g_assert_cmpuint(qmp_script_asked(subject->guest->qmp, "device_del"), ==, 2);
}

static void job_that_nobody_does_times_out(void) {
        g_autoptr(Subject) subject = subject_new(SHORT);

        g_free(call_answer(begin_vcpus(subject->place, "3", FALSE, FLAGS("async"))));
        assert_says(signals_wait(subject->place->signals, "JobDone (1"), PARTS("'timed-out'", ERROR("TimedOut"), "vCPU 3"));
}

static char *add_all_but_the_third(QmpScript *script, const char *line, gpointer userdata) {
        ScriptedGuest *guest = userdata;

        if (!strstr(line, "berth-vcpu-6")) {
                guint number = strstr(line, "berth-vcpu-4") ? 4 : strstr(line, "berth-vcpu-5") ? 5 : 7;

                guest->vcpus[number].id = g_strdup_printf("berth-vcpu-%u", number);
                return g_strdup("{}");
        }
        qmp_script_refuse(script, "device_add", "no socket is left");
        return g_strdup("{}");
}

/* QEMU says yes to the third, and does not have it; the fourth is never asked for. */
static void third_of_four_that_fails_takes_the_others_back(void) {
        g_autoptr(Subject) subject = subject_new(SHORT);

        subject->guest->obeys = TRUE;
        qmp_script_handle(subject->guest->qmp, "device_add", add_all_but_the_third, subject->guest);
        call_fails(begin_vcpus(subject->place, "4-7", TRUE, no_flags), ERROR("TimedOut"), PARTS("vCPU 6", "vCPUs 4-5 were unplugged again"));
        g_assert_cmpuint(scripted_guest_count(subject->guest), ==, 4);
        g_assert_cmpuint(qmp_script_asked(subject->guest->qmp, "device_add"), ==, 3);
}

static guint n_added;

static char *refuse_the_third(QmpScript *script, const char *line, gpointer userdata) {
        ScriptedGuest *guest = userdata;
        guint number = 4 + n_added++;

        guest->vcpus[number].id = g_strdup_printf("berth-vcpu-%u", number);
        if (n_added == 2)
                qmp_script_refuse(script, "device_add", "no socket is left");
        return g_strdup("{}");
}

static void what_qemu_says_of_the_third_is_in_the_error(void) {
        g_autoptr(Subject) subject = subject_new(NULL);

        n_added = 0;
        subject->guest->obeys = TRUE;
        qmp_script_handle(subject->guest->qmp, "device_add", refuse_the_third, subject->guest);
        call_fails(begin_vcpus(subject->place, "4-7", TRUE, no_flags), ERROR("BackendFailed"), PARTS("vCPU 6", "no socket is left", "vCPUs 4-5 were unplugged again"));
        g_assert_cmpuint(scripted_guest_count(subject->guest), ==, 4);
}

/* The two cannot be had back: that is said, too. */
static void what_cannot_be_undone_is_said(void) {
        g_autoptr(Subject) subject = subject_new(SHORT);

        n_added = 0;
        qmp_script_handle(subject->guest->qmp, "device_add", refuse_the_third, subject->guest);
        call_fails(begin_vcpus(subject->place, "4-7", TRUE, no_flags), ERROR("BackendFailed"), PARTS("no socket is left", "vCPU 4 could not be unplugged again", "vCPU 5 could not be unplugged again", "stays"));
}

static char *say_nothing(QmpScript *script, const char *line, gpointer userdata) {
        return NULL;
}

/* What device_add is answered with, as it stands, with the id of the question or without. */
static char *say_raw(QmpScript *script, const char *line, gpointer userdata) {
        qmp_script_say(script, userdata);
        return NULL;
}

static void answers_that_are_none_are_waited_over(void) {
        const char *const says[] = {
                "{\"return\": {}, \"id\": 999999999}\r\n",
                "{\"return\": {}}\r\n",
                "{\"return\": {}, \"id\": \"berth\"}\r\n",
                "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not yours\"}, \"id\": -1}\r\n",
                "{\"error\": \"what\", \"id\": 18446744073709551615}\r\n",
                "{\"QMP\": {}}\r\n",
                "{\"event\": 7}\r\n",
                "{}\r\n",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(says); i++) {
                g_autoptr(Subject) subject = subject_new(SHORT);
                g_autofree char *shown = NULL;

                g_test_message("%s", says[i]);
                qmp_script_handle(subject->guest->qmp, "device_add", say_raw, (gpointer) says[i]);
                call_fails(begin_vcpus(subject->place, "4", TRUE, no_flags), ERROR("TimedOut"), PARTS("vCPU 4", "QEMU"));
                shown = vcpu(subject->place, 4);
                assert_says(shown, PARTS("'state': <'disabled'>", "'pending': <'plug'>"));
        }
}

/* Lines that no monitor sends: it is dropped, and whoever waits is told at once. */
static void garbage_in_a_change_ends_the_connection(void) {
        g_autofree char *deep = g_strnfill(100, '['), *deep_line = g_strconcat("{\"return\": ", deep, "\r\n", NULL), *endless = g_strnfill(300 * 1024, 'x');
        const char *const says[] = { "hello\r\n", "{\"return\": \xff}\r\n", "[]\r\n", "{\"return\": NaN}\r\n", deep_line, endless };

        for (size_t i = 0; i < G_N_ELEMENTS(says); i++) {
                g_autoptr(Subject) subject = subject_new(NULL);

                qmp_script_handle(subject->guest->qmp, "device_add", say_raw, (gpointer) says[i]);
                call_fails(begin_vcpus(subject->place, "4", TRUE, no_flags), ERROR("NotRunning"), PARTS("alpha"));
        }
}

/* A hundred thousand, while a change is under way; another guest is shown meanwhile. */
static void events_without_end_stop_nobody(void) {
        g_autoptr(Subject) subject = subject_new(NULL);
        g_autoptr(ScriptedGuest) other = scripted_guest_new(subject->place, "beta", 2, 4);
        Pending *pending, *shown;
        GString *flood = g_string_new(NULL);
        g_autofree char *text = NULL, *answer = NULL, *after = NULL;
        guint before;

        scripted_guest_show(other, subject->place, "beta");
        qmp_script_hold(subject->guest->qmp, "device_add");
        pending = begin_vcpus(subject->place, "4", TRUE, no_flags);
        qmp_script_wait_asked(subject->guest->qmp, "device_add", 1);
        before = qmp_script_asked(subject->guest->qmp, "query-cpus-fast");
        for (unsigned i = 0; i < 1000; i++)
                g_string_append(flood, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"x\", \"path\": \"/machine/x\"}}\r\n");
        for (unsigned i = 0; i < 50; i++)
                qmp_script_say(subject->guest->qmp, flood->str);
        shown = call_begin(subject->place, BETA, VCPUS, "ListVcpus", g_variant_new("(^as)", no_flags));
        for (unsigned i = 0; i < 50; i++)
                qmp_script_say(subject->guest->qmp, flood->str);
        text = call_answer(shown);
        assert_says(text, PARTS("'id': <uint32 1>, 'state': <'enabled'>"));
        g_assert_false(call_is_over(pending));
        qmp_script_release(subject->guest->qmp, "device_add");
        answer = call_answer(pending);
        g_assert_cmpstr(answer, ==, "('4', 0)");
        after = vcpu(subject->place, 4);
        assert_says(after, PARTS("'state': <'enabled'>"));
        g_assert_cmpuint(qmp_script_asked(subject->guest->qmp, "query-cpus-fast") - before, <, 1000);
        g_string_free(flood, TRUE);
}

/* Threads of this test, of others, and of nobody: nothing is pinned, and it is said why. */
static void threads_that_are_not_the_process_s_are_not_touched(void) {
        g_autoptr(Subject) subject = subject_new(NULL);
        const guint32 service = (guint32) g_ascii_strtoull(g_subprocess_get_identifier(subject->place->service->process), NULL, 10);
        const guint32 threads[] = { 1, (guint32) getppid(), service, 4194303 };

        for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
                const pid_t tid = subject->guest->vcpus[2].tid;
                g_autofree char *found = NULL, *shown = NULL, *number = g_strdup_printf("%u", threads[i]);

                g_ptr_array_set_size(subject->place->signals->seen, 0);
                subject->guest->vcpus[2].tid = (pid_t) threads[i];
                qmp_script_event(subject->guest->qmp, "DEVICE_DELETED");
                assert_says(signals_wait(subject->place->signals, "process-unknown"), PARTS(number));
                call_fails(begin(subject->place, "Pin", g_variant_new("(us^as)", 2, "0", no_flags)), ERROR("NotSupported"), PARTS("alpha"));
                call_fails(begin(subject->place, "SetScheduler", g_variant_new("(usi^as)", 0, "fifo", 1, no_flags)), ERROR("NotSupported"), PARTS("alpha"));
                shown = list(subject->place, ALPHA);
                g_assert_null(strstr(shown, "'thread'"));
                g_assert_null(strstr(shown, "effective_cpus"));

                g_ptr_array_set_size(subject->place->signals->seen, 0);
                subject->guest->vcpus[2].tid = tid;
                qmp_script_event(subject->guest->qmp, "DEVICE_DELETED");
                signals_wait(subject->place->signals, "'Warnings': <@aa{sv} []>");
        }
        g_free(call_answer(begin(subject->place, "Pin", g_variant_new("(us^as)", 2, "0", no_flags))));
}

/* The number of slots is another one in each answer: whatever is shown, a call is answered. */
static char *change_size(QmpScript *script, const char *line, gpointer userdata) {
        static unsigned n;
        GString *text = g_string_new("[");

        for (unsigned i = 4 + n++ % 4; i-- > 0;)
                g_string_append_printf(text, "%s{\"props\": {\"core-id\": 0, \"thread-id\": 0, \"socket-id\": %u}, \"vcpus-count\": 1, \"type\": \"qemu64-x86_64-cpu\"}", text->len > 1 ? ", " : "", i);
        return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static void table_that_changes_its_size_is_survived(void) {
        g_autoptr(Subject) subject = subject_new(SHORT);
        g_autofree char *shown = NULL, *outcome = NULL;

        qmp_script_handle(subject->guest->qmp, "query-hotpluggable-cpus", change_size, NULL);
        for (unsigned i = 0; i < 10; i++) {
                g_autofree char *other = NULL;

                qmp_script_event(subject->guest->qmp, "DEVICE_DELETED");
                qmp_script_wait_asked(subject->guest->qmp, "query-hotpluggable-cpus", qmp_script_asked(subject->guest->qmp, "query-hotpluggable-cpus") + 1);
                outcome = (g_free(outcome), call_outcome(begin_vcpus(subject->place, "4-6", i % 2 == 0, no_flags)));
                g_assert_cmpuint(strlen(outcome), >, 0);
                other = call_outcome(begin(subject->place, "Pin", g_variant_new("(us^as)", 7, "0", no_flags)));
        }
        shown = list(subject->place, ALPHA);
        assert_says(shown, PARTS("'id': <uint32 0>"));
}

static void four_thousand_vcpus_are_shown(void) {
        g_autoptr(Place) place = place_new(NULL);
        g_autofree char *path = monitor_path(place->folder, "alpha"), *cpus = NULL, *last = NULL, *plugged = NULL;
        g_autoptr(QmpScript) script = qmp_script_new(path);
        g_autoptr(GVariant) reply = NULL;
        GString *slots = g_string_new("[");

        for (unsigned i = 4096; i-- > 0;)
                g_string_append_printf(slots, "{\"props\":{\"core-id\":%u},\"vcpus-count\":1,\"type\":\"c\"%s}%s", i, i == 0 ? ",\"qom-path\":\"/machine/unattached/device[0]\"" : "", i == 0 ? "]" : ",");
        cpus = g_strdup_printf("[{\"thread-id\": %d, \"props\": {\"core-id\": 0}, \"qom-path\": \"/machine/unattached/device[0]\", \"cpu-index\": 0}]", getpid());
        qmp_script_answer(script, "query-uuid", "{\"UUID\": \"" SCRIPTED_UUID "\"}");
        qmp_script_answer(script, "query-status", "{\"status\": \"running\", \"running\": true}");
        qmp_script_answer(script, "query-hotpluggable-cpus", slots->str);
        qmp_script_answer(script, "query-cpus-fast", cpus);
        qmp_script_refuse(script, "device_add", "no");
        qmp_script_greet(script);
        signals_wait(place->signals, "'Maximum': <uint32 4096>");
        last = vcpu(place, 4095);
        assert_says(last, PARTS("'state': <'disabled'>"));
        call_fails(begin_vcpus(place, "1-4095", TRUE, no_flags), ERROR("BackendFailed"), PARTS("vCPU 1", "no"));
        reply = g_variant_parse(G_VARIANT_TYPE("(aa{sv})"), plugged = list(place, ALPHA), NULL, NULL, NULL);
        g_assert_cmpuint(g_variant_n_children(g_variant_get_child_value(reply, 0)), ==, 4096);
        g_string_free(slots, TRUE);
}

/* A monitor that does not answer, to a question that a call has. */
static void monitor_that_says_no_more_delays_only_its_own(void) {
        g_autoptr(Subject) subject = subject_new(SHORT);
        g_autoptr(ScriptedGuest) other = scripted_guest_new(subject->place, "beta", 2, 4);
        g_autofree char *shown = NULL;
        Pending *pending;

        scripted_guest_show(other, subject->place, "beta");
        qmp_script_handle(subject->guest->qmp, "query-iothreads", say_nothing, NULL);
        pending = begin(subject->place, "ListThreads", g_variant_new("(^as)", no_flags));
        qmp_script_wait_asked(subject->guest->qmp, "query-iothreads", 1);
        shown = call_answer(call_begin(subject->place, BETA, VCPUS, "ListThreads", g_variant_new("(^as)", no_flags)));
        assert_says(shown, PARTS("'vcpu'"));
        g_assert_false(call_is_over(pending));
        scripted_guest_hang_up(subject->guest);
        call_fails(pending, ERROR("NotRunning"), PARTS("alpha"));
}

/* What listens where an agent should: says one thing to everybody, again and again. */
typedef struct Agent {
        GSocketService *service;
        const char *says;               /* NULL: answers well */
        gboolean endless;
        GPtrArray *connections;
} Agent;

static void on_agent_line(GObject *source, GAsyncResult *result, gpointer userdata) {
        GDataInputStream *input = G_DATA_INPUT_STREAM(source);
        gsize length;
        g_autofree char *line = g_data_input_stream_read_line_finish(input, result, &length, NULL);
        GIOStream *connection = userdata;
        const char *object = line ? memchr(line, '{', length) : NULL;
        g_autofree char *reply = NULL;

        if (!object)
                return;
        if (strstr(object, "guest-sync-delimited")) {
                const char *id = strstr(object, "\"id\":");

                reply = g_strdup_printf("\xff{\"return\": %" G_GUINT64_FORMAT "}\n", g_ascii_strtoull(id + strlen("\"id\":") + strspn(id + strlen("\"id\":"), " "), NULL, 10));
        } else
                reply = g_strdup("{\"return\": [{\"logical-id\": 0, \"online\": true, \"can-offline\": false}, {\"logical-id\": 1, \"online\": true, \"can-offline\": true}]}\n");
        (void) g_output_stream_write_all(g_io_stream_get_output_stream(connection), reply, strlen(reply), NULL, NULL, NULL);
        g_data_input_stream_read_line_async(input, G_PRIORITY_DEFAULT, NULL, on_agent_line, connection);
}

static void on_said(GObject *source, GAsyncResult *result, gpointer userdata) {
        Agent *agent = userdata;

        if (g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, NULL, NULL) && agent->endless)
                g_output_stream_write_all_async(G_OUTPUT_STREAM(source), agent->says, strlen(agent->says), G_PRIORITY_LOW, NULL, on_said, agent);
}

static gboolean on_agent(GSocketService *service, GSocketConnection *connection, GObject *source, gpointer userdata) {
        Agent *agent = userdata;

        g_ptr_array_add(agent->connections, g_object_ref(connection));
        if (agent->says)
                g_output_stream_write_all_async(g_io_stream_get_output_stream(G_IO_STREAM(connection)), agent->says, strlen(agent->says), G_PRIORITY_LOW, NULL, on_said, agent);
        else {
                GDataInputStream *input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));

                g_object_set_data_full(G_OBJECT(connection), "input", input, g_object_unref);
                g_data_input_stream_read_line_async(input, G_PRIORITY_DEFAULT, NULL, on_agent_line, connection);
        }
        return TRUE;
}

static Agent *agent_new(const Place *place, const char *name, const char *says, gboolean endless) {
        g_autofree char *monitor = monitor_path(place->folder, name), *guest = g_path_get_dirname(monitor), *path = g_build_filename(guest, "qga.sock", NULL);
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
        g_autoptr(GError) error = NULL;
        Agent *agent = g_new0(Agent, 1);

        agent->service = g_socket_service_new();
        agent->says = says;
        agent->endless = endless;
        agent->connections = g_ptr_array_new_with_free_func(g_object_unref);
        g_socket_listener_add_address(G_SOCKET_LISTENER(agent->service), address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
        g_assert_no_error(error);
        g_signal_connect(agent->service, "incoming", G_CALLBACK(on_agent), agent);
        return agent;
}

static void agent_free(Agent *agent) {
        g_socket_service_stop(agent->service);
        g_socket_listener_close(G_SOCKET_LISTENER(agent->service));
        for (guint i = 0; i < agent->connections->len; i++)
                g_io_stream_close(agent->connections->pdata[i], NULL, NULL);
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_ptr_array_unref(agent->connections);
        g_object_unref(agent->service);
        g_free(agent);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Agent, agent_free)

static void agent_that_means_harm_delays_nobody_else(void) {
        g_autofree char *endless = g_strnfill(64 * 1024, 'x');
        const struct { const char *label; const char *says; gboolean endless; } rows[] = {
                { "silent", "", FALSE },
                { "garbage", "\xff{]\n\xff{\"return\": \"what\"}\nhello\n", FALSE },
                { "stray answers", "\xff{\"return\": 1}\n", TRUE },
                { "a line without an end", endless, TRUE },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Place) place = place_new(SHORT);
                g_autoptr(Agent) hostile = agent_new(place, "alpha", rows[i].says, rows[i].endless), good = agent_new(place, "beta", NULL, FALSE);
                g_autoptr(ScriptedGuest) alpha = scripted_guest_new(place, "alpha", 2, 4), beta = scripted_guest_new(place, "beta", 2, 4);
                g_autofree char *found = NULL, *text = NULL;
                Pending *asked, *set, *shown;

                g_test_message("%s", rows[i].label);
                scripted_guest_show(alpha, place, "alpha");
                scripted_guest_show(beta, place, "beta");
                asked = call_begin(place, ALPHA, VCPUS, "ListVcpus", g_variant_new("(^as)", FLAGS("guest")));
                set = begin_vcpus(place, "1", FALSE, FLAGS("guest"));
                shown = call_begin(place, BETA, VCPUS, "ListVcpus", g_variant_new("(^as)", FLAGS("guest")));
                text = call_answer(shown);
                assert_says(text, PARTS("'guest_online': <true>"));
                call_fails(asked, ERROR("GuestAgentUnavailable"), PARTS("alpha"));
                call_fails(set, ERROR("GuestAgentUnavailable"), PARTS("alpha"));
                found = warnings(place, ALPHA);
                assert_says(found, PARTS("agent-unavailable"));
                place_stop(place);
        }
}

static void define_refused(Place *place, const char *name, const char *xml, const char *const *parts) {
        call_fails(call_begin(place, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", name, xml, no_flags)), INVALID_ARGS, parts);
}

static char *managed_objects(Place *place) {
        return call_answer(call_begin(place, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL));
}

static void documents_that_mean_harm_are_refused(void) {
        g_autoptr(Place) place = place_new(NULL);
        g_autofree char *secret = g_build_filename(place->folder, "secret", NULL), *external = NULL, *large = NULL, *filler = g_strnfill(1024 * 1024, ' ');
        g_autofree char *objects = NULL, *depth = NULL, *stored = NULL;
        GString *deep = g_string_new("<domain>"), *laughs = g_string_new("<!DOCTYPE domain [<!ENTITY l0 'ha'>");

        host_write(place->folder, "secret", "31");
        external = g_strdup_printf("<!DOCTYPE domain [<!ENTITY x SYSTEM 'file://%s'>]><domain><vcpu>&x;</vcpu></domain>", secret);
        large = g_strconcat("<domain>", filler, "<vcpu>4</vcpu></domain>", NULL);
        for (unsigned i = 0; i < 5000; i++)
                g_string_append(deep, "<a>");
        for (unsigned i = 0; i < 5000; i++)
                g_string_append(deep, "</a>");
        g_string_append(deep, "<vcpu>4</vcpu></domain>");
        for (unsigned i = 1; i < 12; i++)
                g_string_append_printf(laughs, "<!ENTITY l%u '&l%u;&l%u;&l%u;&l%u;&l%u;&l%u;&l%u;&l%u;&l%u;&l%u;'>", i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        g_string_append(laughs, "]><domain><vcpu>4</vcpu><name>&l11;</name></domain>");

        define_refused(place, "alpha", external, NULL);
        define_refused(place, "alpha", laughs->str, NULL);
        define_refused(place, "alpha", large, PARTS("1048576"));
        define_refused(place, "alpha", deep->str, NULL);
        define_refused(place, "alpha", "<domain xmlns:xi='http://www.w3.org/2001/XInclude'><vcpu><xi:include href='/etc/hostname' parse='text'/></vcpu></domain>", NULL);
        define_refused(place, "alpha", "<domain><vcpu>4</vcpu></domain><domain/>", NULL);
        define_refused(place, "alpha", "<domain><vcpu>4</vcpu><vcpu>5</vcpu></domain>", NULL);
        define_refused(place, "alpha", "<domain><vcpu>-1</vcpu></domain>", PARTS("-1"));
        define_refused(place, "alpha", "<domain><vcpu>99999999999999999999</vcpu></domain>", PARTS("99999999999999999999"));
        define_refused(place, "alpha", "<domain><vcpu>4</vcpu><cputune><vcpupin vcpu='0' cpuset='0-99999999'/></cputune></domain>", PARTS("0-99999999"));
        objects = managed_objects(place);
        g_assert_null(strstr(objects, ALPHA));
        stored = place_read(place, "state/domains/alpha.xml");
        g_assert_cmpstr(stored, ==, "");
        g_string_free(deep, TRUE);
        g_string_free(laughs, TRUE);
}

static void names_that_mean_harm_are_refused(void) {
        g_autoptr(Place) place = place_new(NULL);
        g_autofree char *long_name = g_strnfill(300, 'n'), *just_too_long = g_strnfill(241, 'n'), *objects = NULL;
        const char *const names[] = { "", ".", "..", ".hidden", "a/b", "../../etc/cron.d/x", "a\nb", "a\rb", "a\tb", "\x1b[2J", "\x7f", "a\xc2\x85" "b", long_name, just_too_long };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_test_message("%zu", i);
                define_refused(place, names[i], "<domain><vcpu>4</vcpu></domain>", NULL);
        }
        objects = managed_objects(place);
        g_assert_null(strstr(objects, DOMAINS));
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/guest-hostile/guest-that-refuses-is-said-to", guest_that_refuses_is_said_to },
                { "/guest-hostile/job-that-is-refused-says-so", job_that_is_refused_says_so },
                { "/guest-hostile/what-is-no-refusal-is-waited-over", what_is_no_refusal_is_waited_over },
                { "/guest-hostile/silence-times-out-and-what-goes-later-is-told-once", silence_times_out_and_what_goes_later_is_told_once },
                { "/guest-hostile/job-that-nobody-does-times-out", job_that_nobody_does_times_out },
                { "/guest-hostile/third-of-four-that-fails-takes-the-others-back", third_of_four_that_fails_takes_the_others_back },
                { "/guest-hostile/what-qemu-says-of-the-third-is-in-the-error", what_qemu_says_of_the_third_is_in_the_error },
                { "/guest-hostile/what-cannot-be-undone-is-said", what_cannot_be_undone_is_said },
                { "/guest-hostile/answers-that-are-none-are-waited-over", answers_that_are_none_are_waited_over },
                { "/guest-hostile/garbage-in-a-change-ends-the-connection", garbage_in_a_change_ends_the_connection },
                { "/guest-hostile/events-without-end-stop-nobody", events_without_end_stop_nobody },
                { "/guest-hostile/threads-that-are-not-the-process-s-are-not-touched", threads_that_are_not_the_process_s_are_not_touched },
                { "/guest-hostile/table-that-changes-its-size-is-survived", table_that_changes_its_size_is_survived },
                { "/guest-hostile/four-thousand-vcpus-are-shown", four_thousand_vcpus_are_shown },
                { "/guest-hostile/monitor-that-says-no-more-delays-only-its-own", monitor_that_says_no_more_delays_only_its_own },
                { "/guest-hostile/agent-that-means-harm-delays-nobody-else", agent_that_means_harm_delays_nobody_else },
                { "/guest-hostile/documents-that-mean-harm-are-refused", documents_that_mean_harm_are_refused },
                { "/guest-hostile/names-that-mean-harm-are-refused", names_that_mean_harm_are_refused },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
