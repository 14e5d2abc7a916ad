/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests with a Linux in them: seen over the bus, and their agents asked by the part of
 * the service that does, in a loop of the test's own. */

#include "guest.h"
#include "harness.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest/agent-vcpus.h"
#include "guest/qemu/backend.h"

#define VCPUS "org.berth1.Domain.Vcpus"
#define DOMAINS ROOT_PATH "/domains/"

/* For an answer that comes, however busy this machine is, and for one that does not. */
#define LONG_USEC (UINT64_C(12) * 1000000)
#define SHORT_USEC UINT64_C(50000)

static void guest_appears_with_its_vcpus(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autofree char *runtime_dir = g_build_filename(service->folder, "run", NULL), *vcpus = NULL;
        g_autoptr(BootedGuest) guest = booted_guest_start(runtime_dir, "alpha", 3, 6, FALSE);
        g_autofree char *pid = g_strdup_printf("'Pid': <uint32 %s>", g_subprocess_get_identifier(guest->process));
        g_autoptr(GVariant) reply = NULL;

        assert_says(signals_wait(signals, "InterfacesAdded"),
                    PARTS("'" DOMAINS "alpha'", "'State': <'running'>", pid, "'Maximum': <uint32 6>", "'Current': <uint32 3>"));
        reply = call(service->bus, DOMAINS "alpha", VCPUS, "ListVcpus", g_variant_new("(^as)", (const char *[]) { NULL }), "(aa{sv})");
        vcpus = g_variant_print(reply, FALSE);
        assert_says(vcpus, PARTS("{'id': <uint32 2>, 'state': <'enabled'>", "{'id': <uint32 3>, 'state': <'disabled'>, 'hotpluggable': <true>", "'cell': <uint32 1>", "'thread'"));
}

/* The guests of a folder of their own, without a service. */
typedef struct Subject {
        char *runtime_dir;
        sd_event *event;
        Guests *guests;
        QemuBackend *backend;
        BootedGuest *guest;
        Domain *domain;
        gboolean ended;
        ErrorCode code;
        char *text;                     /* what was told: of vCPUs, of a change, or of an error */
} Subject;

/* Until the question has ended, and the line is left. */
static void wait_ended(Subject *subject) {
        while (!subject->ended)
                g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
        while (sd_event_run(subject->event, 0) > 0)
                ;
}

static void set_timeout(Subject *subject, uint64_t usec) {
        GuestSettings settings = *guests_settings(subject->guests);

        settings.agent_timeout_usec = usec;
        guests_set_settings(subject->guests, &settings);
}

static Subject *subject_new(unsigned n_vcpus, unsigned maximum) {
        Subject *subject = g_new0(Subject, 1);
        g_autoptr(GError) error = NULL;

        subject->runtime_dir = g_dir_make_tmp("berth-guests-XXXXXX", &error);
        g_assert_no_error(error);
        subject->guest = booted_guest_start(subject->runtime_dir, "alpha", n_vcpus, maximum, FALSE);
        g_assert_cmpint(sd_event_new(&subject->event), >=, 0);
        g_assert_cmpint(guests_new(subject->event, NULL, &subject->guests), ==, 0);
        set_timeout(subject, LONG_USEC);
        g_assert_cmpint(qemu_backend_new(subject->event, subject->guests, subject->runtime_dir, &subject->backend), ==, 0);
        while (!(subject->domain = guests_find(subject->guests, "alpha")) || subject->domain->state != DOMAIN_RUNNING)
                g_assert_cmpint(sd_event_run(subject->event, UINT64_MAX), >=, 0);
        g_assert_true(subject->domain->has_agent);
        return subject;
}

static void subject_free(Subject *subject) {
        qemu_backend_free(subject->backend);
        guests_free(subject->guests);
        sd_event_unref(subject->event);
        booted_guest_free(subject->guest);
        host_remove(subject->runtime_dir, "");
        g_free(subject->runtime_dir);
        g_free(subject->text);
        g_free(subject);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subject, subject_free)

static void take_outcome(Subject *subject, const Error *error, char *text) {
        subject->ended = TRUE;
        subject->code = error ? error->code : ERROR_NONE;
        g_free(subject->text);
        subject->text = error ? g_strdup(error->message) : g_strdup(text);
        g_free(text);
}

static void on_vcpus(int result, const Error *error, const AgentVcpu *vcpus, size_t n, void *userdata) {
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%u%s%s", i == 0 ? "" : " ", vcpus[i].id, vcpus[i].online ? "+" : "-", vcpus[i].can_offline ? "" : "!");
        take_outcome(userdata, error, g_string_free(text, FALSE));
}

static void on_changed(int result, const Error *error, const CpuSet *changed, void *userdata) {
        _cleanup_free_ char *list = changed ? cpuset_to_list(changed) : NULL;

        take_outcome(userdata, error, g_strdup(list));
}

static const char *ask_once(Subject *subject) {
        _cleanup_error_ Error error = {};

        subject->ended = FALSE;
        g_assert_cmpint(subject->domain->backend->agent_get_vcpus(subject->domain, on_vcpus, subject, &error), ==, 0);
        wait_ended(subject);
        return subject->text;
}

/* Asks what the guest uses: "0+! 1+ 2-", online, offline; cannot be taken offline. An
 * emulated guest that stalls is asked again, as a person would. */
static const char *ask(Subject *subject) {
        do
                (void) ask_once(subject);
        while (subject->code == ERROR_GUEST_AGENT_UNAVAILABLE);
        return subject->text;
}

/* A change whose answer is lost is not known to have been made: it is waited for. */
static const char *change(Subject *subject, const AgentVcpusRequest *request) {
        _cleanup_error_ Error error = {};

        subject->ended = FALSE;
        set_timeout(subject, 5 * LONG_USEC);
        g_assert_cmpint(agent_vcpus_set(subject->domain, request, on_changed, subject, &error), ==, 0);
        wait_ended(subject);
        set_timeout(subject, LONG_USEC);
        return subject->text;
}

static const char *set_vcpu(Subject *subject, uint32_t id, bool enable) {
        _cleanup_cpuset_ CpuSet ids = {};

        g_assert_cmpint(cpuset_add(&ids, id), ==, 0);
        return change(subject, &(AgentVcpusRequest) { .ids = &ids, .enable = enable });
}

static void agent_takes_vcpus_offline_and_online(void) {
        g_autoptr(Subject) subject = subject_new(4, 4);

        g_assert_cmpstr(ask(subject), ==, "0+! 1+ 2+ 3+");
        g_assert_cmpstr(set_vcpu(subject, 1, false), ==, "1");
        g_assert_cmpstr(ask(subject), ==, "0+! 1- 2+ 3+");
        g_assert_cmpstr(set_vcpu(subject, 1, false), ==, "");
        g_assert_cmpstr(change(subject, &(AgentVcpusRequest) { .count = 1 }), ==, "2-3");
        g_assert_cmpstr(ask(subject), ==, "0+! 1- 2- 3-");
        g_assert_cmpstr(change(subject, &(AgentVcpusRequest) { .count = 3, .dry_run = true }), ==, "1-2");
        g_assert_cmpstr(change(subject, &(AgentVcpusRequest) { .count = 3 }), ==, "1-2");
        g_assert_cmpstr(ask(subject), ==, "0+! 1+ 2+ 3-");

        assert_says(set_vcpu(subject, 0, false), PARTS("vCPU 0 can't be taken offline"));
        g_assert_cmpint(subject->code, ==, ERROR_NOT_SUPPORTED);
        assert_says(set_vcpu(subject, 7, true), PARTS("no vCPU 7; it sees 0-3"));
        g_assert_cmpint(subject->code, ==, ERROR_NO_SUCH_VCPU);
        /* The hypervisor has them all. */
        g_assert_cmpuint(subject->domain->vcpus->current, ==, 4);
}

static void on_set(int result, const Error *error, void *userdata) {
        take_outcome(userdata, error, g_strdup_printf("%i", result));
}

static const char *set_vcpus(Subject *subject, const AgentVcpu *vcpus, size_t n) {
        _cleanup_error_ Error error = {};

        subject->ended = FALSE;
        g_assert_cmpint(subject->domain->backend->agent_set_vcpus(subject->domain, vcpus, n, on_set, subject, &error), ==, 0);
        wait_ended(subject);
        return subject->text;
}

static void agent_stops_at_what_it_cannot_do(void) {
        static const AgentVcpu vcpus[] = { { .id = 1, .online = false }, { .id = 9, .online = false }, { .id = 2, .online = false } };
        g_autoptr(Subject) subject = subject_new(3, 3);

        g_assert_cmpstr(set_vcpus(subject, vcpus, 3), ==, "1");
        g_assert_cmpint(subject->code, ==, ERROR_NONE);
        assert_says(set_vcpus(subject, vcpus + 1, 2), PARTS("alpha refused", "cpu9"));
        g_assert_cmpint(subject->code, ==, ERROR_GUEST_REFUSED);
        g_assert_cmpstr(ask(subject), ==, "0+! 1- 2+");
}

/* Somebody else's connection to the agent. */
static int connect_agent(const Subject *subject) {
        g_autofree char *path = g_build_filename(subject->guest->folder, "qga.sock", NULL);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_assert_cmpint(fd, >=, 0);
        g_strlcpy(address.sun_path, path, sizeof address.sun_path);
        g_assert_cmpint(connect(fd, (const struct sockaddr *) &address, sizeof address), ==, 0);
        return fd;
}

static void say(int fd, const char *text) {
        g_assert_cmpint(write(fd, text, strlen(text)), ==, (gssize) strlen(text));
}

static void what_others_left_on_the_line_does_no_harm(void) {
        static const char *const left[] = {
                "{\"execute\": \"guest-get-vcpus\"}\n",
                "{\"execute\": \"guest-get-vcpus\", \"argu",
                "{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": 1}}\n{\"execute\": \"guest-info\"}\n",
                "\xff\xff}}}}\"",
        };
        g_autoptr(Subject) subject = subject_new(2, 2);

        for (size_t i = 0; i < G_N_ELEMENTS(left); i++) {
                int fd = connect_agent(subject);

                g_test_message("row %zu", i);
                say(fd, left[i]);
                g_assert_cmpint(close(fd), ==, 0);
                g_assert_cmpstr(ask(subject), ==, "0+! 1+");
        }
}

static void agent_that_cannot_answer_is_a_warning_until_it_does(void) {
        g_autoptr(Subject) subject = subject_new(2, 2);
        int fd;

        booted_guest_control(subject->guest, "stop", NULL);
        set_timeout(subject, SHORT_USEC);
        assert_says(ask_once(subject), PARTS("it is silent"));
        g_assert_cmpint(subject->code, ==, ERROR_GUEST_AGENT_UNAVAILABLE);
        g_assert_cmpuint(subject->domain->findings.n_items, ==, 1);
        g_assert_cmpstr(subject->domain->findings.items[0].code, ==, "agent-unavailable");

        /* What was asked meanwhile is answered now, to nobody. */
        set_timeout(subject, LONG_USEC);
        booted_guest_control(subject->guest, "cont", NULL);
        g_assert_cmpstr(ask(subject), ==, "0+! 1+");
        g_assert_cmpuint(subject->domain->findings.n_items, ==, 0);

        fd = connect_agent(subject);
        set_timeout(subject, SHORT_USEC);
        assert_says(ask_once(subject), PARTS("somebody else is connected"));
        g_assert_cmpint(close(fd), ==, 0);
        set_timeout(subject, LONG_USEC);
        g_assert_cmpstr(ask(subject), ==, "0+! 1+");
}

static void plugged_vcpu_is_used_by_the_guest(void) {
        g_autoptr(Subject) subject = subject_new(2, 4);

        booted_guest_control(subject->guest, "device_add",
                             "{\"driver\": \"qemu64-x86_64-cpu\", \"id\": \"new\", \"socket-id\": 2, \"core-id\": 0, \"thread-id\": 0, \"node-id\": 0}");
        /* It takes a moment until it is there, and another until it is used. */
        while (strcmp(ask(subject), "0+! 1+ 2+") != 0)
                g_assert_cmpint(subject->code, ==, ERROR_NONE);
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/booted-guests/guest-appears-with-its-vcpus", guest_appears_with_its_vcpus },
                { "/booted-guests/agent-takes-vcpus-offline-and-online", agent_takes_vcpus_offline_and_online },
                { "/booted-guests/agent-stops-at-what-it-cannot-do", agent_stops_at_what_it_cannot_do },
                { "/booted-guests/what-others-left-on-the-line-does-no-harm", what_others_left_on_the_line_does_no_harm },
                { "/booted-guests/agent-that-cannot-answer-is-a-warning-until-it-does", agent_that_cannot_answer_is_a_warning_until_it_does },
                { "/booted-guests/plugged-vcpu-is-used-by-the-guest", plugged_vcpu_is_used_by_the_guest },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
