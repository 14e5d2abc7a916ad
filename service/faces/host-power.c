/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Host.Power: what can be asked about sleep, and the alarm. */

#include "host-power.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/authorize.h"
#include "bus/call.h"
#include "dictionary.h"
#include "host-power.gen.h"
#include "host/alarm.h"
#include "host/power.h"
#include "host/wake.h"
#include "lib/log.h"

#define SEC UINT64_C(1000000)

/* An alarm is at least so far away, and at most. */
#define ALARM_MIN_SEC UINT64_C(60)
#define ALARM_MAX_SEC (UINT64_C(366) * 24 * 3600)

static int append_answer(const Power *power, SleepTarget target, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', sleep_answer_to_string(power_answer(power, target)));
}

int host_power_get_can_suspend_mem(const HostPower *host_power, sd_bus_message *reply) {
        return append_answer(host_power->power, SLEEP_MEM, reply);
}

int host_power_get_can_suspend_idle(const HostPower *host_power, sd_bus_message *reply) {
        return append_answer(host_power->power, SLEEP_IDLE, reply);
}

int host_power_get_can_suspend_disk(const HostPower *host_power, sd_bus_message *reply) {
        return append_answer(host_power->power, SLEEP_DISK, reply);
}

int host_power_get_can_suspend_hybrid(const HostPower *host_power, sd_bus_message *reply) {
        return append_answer(host_power->power, SLEEP_HYBRID, reply);
}

int host_power_get_can_suspend_then_disk(const HostPower *host_power, sd_bus_message *reply) {
        return append_answer(host_power->power, SLEEP_THEN_DISK, reply);
}

int host_power_get_wake_alarm(const HostPower *host_power, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "t", alarm_sec(host_power->alarm) * SEC);
}

int host_power_get_preparing_for_sleep(const HostPower *host_power, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "b", (int) power_manager(host_power->power)->preparing);
}

static int find_target(const Power *power, const char *word, SleepTarget *ret, Error *error) {
        if (strcmp(word, "suspend") == 0) {
                *ret = power_default_target(power);
                return 0;
        }
        if (sleep_target_from_string(word, ret) < 0)
                return error_set(error, ERROR_INVALID_ARGS,
                                 "\"%.64s\" is no target; there are suspend, suspend_mem, suspend_idle, suspend_disk, suspend_hybrid and suspend_then_disk", word);
        return 0;
}

/* What the caller may is one part of the answer, what the host can is the other. The
 * target is read again from the call, for polkit takes its time. */
static void answer_check(sd_bus_message *call, const char *allowed, void *model) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_findings_ Findings findings = {};
        const HostPower *host_power = model;
        const Power *power = host_power->power;
        SleepTarget target;
        const char *word;
        int r;

        r = sd_bus_message_rewind(call, true);
        if (r >= 0)
                r = sd_bus_message_read(call, "s", &word);
        if (r >= 0)
                r = find_target(power, word, &target, NULL);
        power_look(host_power->power);
        if (r >= 0)
                r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", power_check(power, target, &findings) == SLEEP_YES ? allowed : "no");
        if (r >= 0)
                r = message_append_findings(reply, &findings);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        if (r < 0)
                (void) sd_bus_reply_method_errno(call, r, NULL);
}

/* Sleeping is an action of logind's, and its administrator's rules hold here. */
static const char *action_of(SleepTarget target) {
        switch (target) {
        case SLEEP_MEM:
        case SLEEP_IDLE:
                return "org.freedesktop.login1.suspend";
        case SLEEP_DISK:
        case SLEEP_HYBRID:
        case SLEEP_THEN_DISK:
                return "org.freedesktop.login1.hibernate";
        case _SLEEP_TARGET_MAX:
                break;
        }
        return NULL;
}

int host_power_check(HostPower *host_power, const HostPowerCheckArgs *args, const Request *request, Error *error) {
        Tree *tree = object_tree(request->object);
        SleepTarget target;
        int r;

        r = find_target(host_power->power, args->target, &target, error);
        if (r < 0)
                return r;
        return authorizer_ask_verdict(tree_authorizer(tree), action_of(target), "Check", object_face(request->object, host_power_interface.name),
                                      request->message, answer_check, error);
}

static int append_inhibitor(sd_bus_message *message, size_t i, const void *userdata) {
        const SleepInhibitor *inhibitor = ((const SleepManager *) userdata)->inhibitors + i;

        return sd_bus_message_append(message, "{sv}{sv}{sv}{sv}{sv}{sv}",
                                     "what", "s", inhibitor->what, "who", "s", inhibitor->who, "why", "s", inhibitor->why,
                                     "mode", "s", inhibitor->block ? "block" : "delay",
                                     "uid", "u", inhibitor->uid, "pid", "u", inhibitor->pid);
}

static int append_inhibitors(sd_bus_message *reply, const void *userdata) {
        const SleepManager *manager = power_manager(((const HostPower *) userdata)->power);

        return message_append_dictionaries(reply, manager->n_inhibitors, append_inhibitor, manager);
}

int host_power_list_inhibitors(HostPower *host_power, const Request *request, Error *error) {
        return reply_filled(request->message, append_inhibitors, host_power);
}

static int append_source(sd_bus_message *message, size_t i, const void *userdata) {
        const WakeSource *source = ((const WakeSources *) userdata)->items + i;
        int r;

        r = sd_bus_message_append(message, "{sv}{sv}{sv}", "device", "s", source->device, "kind", "s", source->kind, "enabled", "b", (int) source->enabled);
        if (r >= 0)
                r = dictionary_add_optional_string(message, "mac", source->mac);
        return r;
}

/* A walk through all devices, on a worker. */
typedef struct Looking {
        Call *call;
        int root_fd;
        int result;
        WakeSources sources;
} Looking;

static void looking_free(Looking *looking) {
        if (looking->root_fd >= 0)
                (void) close(looking->root_fd);
        wake_sources_clear(&looking->sources);
        free(looking);
}

DEFINE_CLEANUP(Looking *, looking_free)

static void look(void *job) {
        Looking *looking = job;

        looking->result = wake_sources_read(looking->root_fd, &looking->sources);
}

static void on_looked(void *job, bool cancelled) {
        _cleanup_(looking_freep) Looking *looking = job;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = cancelled ? -ECANCELED : looking->result;

        if (r >= 0)
                r = call_new_reply(looking->call, &reply);
        if (r >= 0)
                r = message_append_dictionaries(reply, looking->sources.n_items, append_source, &looking->sources);
        if (r < 0)
                call_fail(looking->call, r, NULL);
        else
                call_answer_with(looking->call, reply);
}

int host_power_list_wake_sources(HostPower *host_power, const Request *request, Error *error) {
        _cleanup_(looking_freep) Looking *looking = NULL;
        int r;

        looking = calloc(1, sizeof *looking);
        if (!looking)
                return -ENOMEM;
        looking->root_fd = fcntl(host_power->host->root_fd, F_DUPFD_CLOEXEC, 3);
        if (looking->root_fd < 0)
                return -errno;
        r = call_new(request, CALL_TIMEOUT_USEC, "the devices of this host are still being looked at", &looking->call);
        if (r < 0)
                return r;
        r = workers_submit(host_power->host->workers, look, on_looked, looking);
        if (r < 0) {
                call_drop(looking->call);
                return r;
        }
        (void) TAKE_PTR(looking);
        return 0;
}

int host_power_set_wake_alarm_check(HostPower *host_power, const HostPowerSetWakeAlarmArgs *args, Error *error) {
        uint64_t now = (uint64_t) time(NULL), wake = args->wake_usec / SEC;

        if (wake < now + ALARM_MIN_SEC)
                return error_set(error, ERROR_INVALID_ARGS, "an alarm at %" PRIu64 " s is past or too near; it is %" PRIu64 " s now, and the least is %" PRIu64 " s from it",
                                 wake, now, ALARM_MIN_SEC);
        if (wake > now + ALARM_MAX_SEC)
                return error_set(error, ERROR_INVALID_ARGS, "an alarm at %" PRIu64 " s is more than a year away; it is %" PRIu64 " s now", wake, now);
        return alarm_check(host_power->alarm, wake, args->flags & HOST_POWER_SET_WAKE_ALARM_REPLACE, error);
}

int host_power_set_wake_alarm(HostPower *host_power, const HostPowerSetWakeAlarmArgs *args, const Request *request, Error *error) {
        int r;

        if (!(args->flags & HOST_POWER_SET_WAKE_ALARM_DRY_RUN)) {
                r = alarm_set(host_power->alarm, args->wake_usec / SEC, args->flags & HOST_POWER_SET_WAKE_ALARM_REPLACE, error);
                if (r < 0)
                        return r;
                tree_flush(object_tree(request->object));
        }
        return sd_bus_reply_method_return(request->message, "");
}

int host_power_clear_wake_alarm_check(HostPower *host_power, const HostPowerClearWakeAlarmArgs *args, Error *error) {
        return 0;
}

int host_power_clear_wake_alarm(HostPower *host_power, const HostPowerClearWakeAlarmArgs *args, const Request *request, Error *error) {
        int r;

        if (!(args->flags & HOST_POWER_CLEAR_WAKE_ALARM_DRY_RUN) && alarm_sec(host_power->alarm) != 0) {
                r = alarm_set(host_power->alarm, 0, false, error);
                if (r < 0)
                        return r;
                tree_flush(object_tree(request->object));
        }
        return sd_bus_reply_method_return(request->message, "");
}

int host_power_get_xml(HostPower *host_power, const Request *request, Error *error) {
        _cleanup_free_ char *xml = NULL;
        int r;

        r = power_to_xml(host_power->power, &xml);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(request->message, "s", xml);
}

#define HOST_PATH "/org/berth1/host"

/* A face of the host's object, which others make: see host.c. */
int host_power_show(HostPower *host_power, Tree *tree, Object *object) {
        int r;

        r = tree_add_interface(tree, HOST_PATH, &host_power_interface);
        if (r < 0)
                return r;
        host_power->object = object;
        return object_add_face(object, &host_power_interface, host_power);
}

void host_power_changed(HostPower *host_power, unsigned change) {
        static const struct { SleepTarget target; unsigned property; } answers[] = {
                { SLEEP_MEM, HOST_POWER_CAN_SUSPEND_MEM },
                { SLEEP_IDLE, HOST_POWER_CAN_SUSPEND_IDLE },
                { SLEEP_DISK, HOST_POWER_CAN_SUSPEND_DISK },
                { SLEEP_HYBRID, HOST_POWER_CAN_SUSPEND_HYBRID },
                { SLEEP_THEN_DISK, HOST_POWER_CAN_SUSPEND_THEN_DISK },
        };

        for (size_t i = 0; host_power->object && i < ELEMENTSOF(answers); i++)
                if (power_changed_target(change, answers[i].target))
                        object_mark(host_power->object, &host_power_interface, answers[i].property);
        if (host_power->object && (change & POWER_CHANGE_PREPARING))
                object_mark(host_power->object, &host_power_interface, HOST_POWER_PREPARING_FOR_SLEEP);
}

void host_power_alarm_changed(HostPower *host_power) {
        if (host_power->object)
                object_mark(host_power->object, &host_power_interface, HOST_POWER_WAKE_ALARM);
}

void host_power_tell_sleep(HostPower *host_power, bool start) {
        Tree *tree = object_tree(host_power->object);

        tree_flush(tree);
        (void) sd_bus_emit_signal(tree_bus(tree), HOST_PATH, host_power_interface.name, HOST_POWER_PREPARE_FOR_SLEEP, "bs", (int) start, "");
}

/* The words that logind has for it. */
static ManagerAnswer manager_answer(const char *word) {
        static const struct { const char *word; ManagerAnswer answer; } words[] = {
                { "na", MANAGER_NA },
                { "no", MANAGER_NO },
                { "challenge", MANAGER_CHALLENGE },
                { "yes", MANAGER_YES },
                { "inhibited", MANAGER_INHIBITED },
                { "inhibitor-blocked", MANAGER_INHIBITED },
                { "challenge-inhibitor-blocked", MANAGER_INHIBITED },
        };

        for (size_t i = 0; word && i < ELEMENTSOF(words); i++)
                if (strcmp(words[i].word, word) == 0)
                        return words[i].answer;
        return MANAGER_UNKNOWN;
}

int host_power_take_logind(HostPower *host_power, const LogindState *state) {
        _cleanup_free_ SleepInhibitor *inhibitors = NULL;
        SleepManager manager = { .present = state->present, .preparing = state->preparing, .n_inhibitors = state->n_inhibitors };

        inhibitors = calloc(state->n_inhibitors + 1, sizeof *inhibitors);
        if (!inhibitors)
                return -ENOMEM;
        for (size_t i = 0; i < state->n_inhibitors; i++) {
                const LogindInhibitor *inhibitor = state->inhibitors + i;

                inhibitors[i] = (SleepInhibitor) {
                        .what = inhibitor->what,
                        .who = inhibitor->who,
                        .why = inhibitor->why,
                        .block = strcmp(inhibitor->mode, "delay") != 0,
                        .uid = inhibitor->uid,
                        .pid = inhibitor->pid,
                };
        }
        manager.inhibitors = inhibitors;
        manager.answers[SLEEP_MEM] = manager.answers[SLEEP_IDLE] = manager_answer(state->can[LOGIND_SUSPEND]);
        manager.answers[SLEEP_DISK] = manager_answer(state->can[LOGIND_HIBERNATE]);
        manager.answers[SLEEP_HYBRID] = manager_answer(state->can[LOGIND_HYBRID_SLEEP]);
        manager.answers[SLEEP_THEN_DISK] = manager_answer(state->can[LOGIND_SUSPEND_THEN_HIBERNATE]);
        return power_set_manager(host_power->power, &manager);
}
