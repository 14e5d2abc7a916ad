/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "power.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "lib/beneath.h"
#include "lib/log.h"
#include "lib/sysfs.h"
#include "power-check.h"
#include "power-read.h"
#include "wake.h"

/* The facts are read on the loop, since they are few and of memory: the kernel has them at
 * hand. What can wake the host takes a walk through all devices, and a clock that may hang
 * on a slow bus, so a worker does that, and comes back with three words. */
typedef struct PowerWalk {
        Power *power;                   /* used on the loop only; NULL: it is gone */
        int root_fd;
        int result;
        bool device_armed;
        bool network_armed;
        WakeClock clock;
} PowerWalk;

struct Power {
        Host *host;
        void (*changed)(unsigned change, void *userdata);
        void *userdata;

        PowerFacts facts;
        bool manager_known;
        SleepManager manager;
        SleepGuest *guests;
        size_t n_guests;
        SleepAnswer answers[_SLEEP_TARGET_MAX];

        bool wake_known;
        bool device_armed;
        bool network_armed;
        WakeClock clock;
        PowerWalk *walk;                /* on its way */
        bool walk_again;

        int swaps_fd;
        sd_event_source *swaps_source;
        sd_event_source *files_source;
};

static const char *const target_names[] = {
        [SLEEP_MEM] = "suspend_mem",
        [SLEEP_IDLE] = "suspend_idle",
        [SLEEP_DISK] = "suspend_disk",
        [SLEEP_HYBRID] = "suspend_hybrid",
        [SLEEP_THEN_DISK] = "suspend_then_disk",
};

const char *sleep_target_to_string(SleepTarget target) {
        return (unsigned) target < ELEMENTSOF(target_names) ? target_names[target] : NULL;
}

int sleep_target_from_string(const char *word, SleepTarget *ret) {
        for (size_t i = 0; i < ELEMENTSOF(target_names); i++)
                if (strcmp(word, target_names[i]) == 0) {
                        *ret = (SleepTarget) i;
                        return 0;
                }
        return -EINVAL;
}

const char *sleep_answer_to_string(SleepAnswer answer) {
        switch (answer) {
        case SLEEP_NO:
                return "no";
        case SLEEP_BLOCKED:
                return "blocked";
        case SLEEP_YES:
                return "yes";
        }
        return NULL;
}

void sleep_manager_clear(SleepManager *manager) {
        for (size_t i = 0; i < manager->n_inhibitors; i++) {
                free(manager->inhibitors[i].what);
                free(manager->inhibitors[i].who);
                free(manager->inhibitors[i].why);
        }
        free(manager->inhibitors);
        *manager = (SleepManager) {};
}

int sleep_manager_copy(const SleepManager *manager, SleepManager *ret) {
        _cleanup_(sleep_manager_clear) SleepManager copy = *manager;

        copy.inhibitors = calloc(manager->n_inhibitors, sizeof *copy.inhibitors);
        copy.n_inhibitors = 0;
        if (!copy.inhibitors && manager->n_inhibitors > 0)
                return -ENOMEM;
        for (size_t i = 0; i < manager->n_inhibitors; i++) {
                const SleepInhibitor *from = manager->inhibitors + i;
                SleepInhibitor *to = copy.inhibitors + copy.n_inhibitors++;

                *to = *from;
                to->what = strdup(from->what ?: "");
                to->who = strdup(from->who ?: "");
                to->why = strdup(from->why ?: "");
                if (!to->what || !to->who || !to->why)
                        return -ENOMEM;
        }

        *ret = TAKE(copy);
        return 0;
}

static bool text_equal(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

bool sleep_manager_equal(const SleepManager *a, const SleepManager *b) {
        if (a->present != b->present || a->preparing != b->preparing || a->n_inhibitors != b->n_inhibitors ||
            memcmp(a->answers, b->answers, sizeof a->answers) != 0)
                return false;
        for (size_t i = 0; i < a->n_inhibitors; i++) {
                const SleepInhibitor *p = a->inhibitors + i, *q = b->inhibitors + i;

                if (!text_equal(p->what, q->what) || !text_equal(p->who, q->who) || !text_equal(p->why, q->why) ||
                    p->block != q->block || p->uid != q->uid || p->pid != q->pid)
                        return false;
        }
        return true;
}

static void guests_clear(SleepGuest *guests, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(guests[i].name);
                free(guests[i].reason);
        }
        free(guests);
}

static SleepAnswer check(const Power *power, SleepTarget target, Findings *findings) {
        const PowerView view = {
                .facts = &power->facts,
                .manager = power->manager_known ? &power->manager : NULL,
                .guests = power->guests,
                .n_guests = power->n_guests,
                .wake_known = power->wake_known,
                .device_armed = power->device_armed,
                .network_armed = power->network_armed,
        };

        return power_view_check(&view, target, findings);
}

/* Finds the answers anew. Returns bits of PowerChange. */
static unsigned find_answers(Power *power) {
        unsigned change = 0;

        for (SleepTarget target = 0; target < _SLEEP_TARGET_MAX; target++) {
                _cleanup_findings_ Findings findings = {};
                SleepAnswer answer = check(power, target, &findings);

                if (answer != power->answers[target])
                        change |= POWER_CHANGE_ANSWERS | (unsigned) POWER_CHANGE_TARGETS << target;
                power->answers[target] = answer;
        }
        return change;
}

static void tell(Power *power, unsigned change) {
        if (change != 0)
                power->changed(change, power->userdata);
}

int power_set_manager(Power *power, const SleepManager *manager) {
        SleepManager copy;
        unsigned change;
        int r;

        if (power->manager_known && sleep_manager_equal(&power->manager, manager))
                return 0;
        r = sleep_manager_copy(manager, &copy);
        if (r < 0)
                return r;

        change = copy.preparing != power->manager.preparing ? POWER_CHANGE_PREPARING : 0;
        sleep_manager_clear(&power->manager);
        power->manager = copy;
        power->manager_known = true;
        tell(power, change | find_answers(power));
        return 0;
}

int power_set_guests(Power *power, const SleepGuest *guests, size_t n) {
        SleepGuest *copy;

        copy = calloc(n, sizeof *copy);
        if (!copy && n > 0)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                copy[i].name = strdup(guests[i].name);
                copy[i].reason = strdup(guests[i].reason);
                if (!copy[i].name || !copy[i].reason) {
                        guests_clear(copy, i + 1);
                        return -ENOMEM;
                }
        }

        guests_clear(power->guests, power->n_guests);
        power->guests = copy;
        power->n_guests = n;
        tell(power, find_answers(power));
        return 0;
}

const SleepManager *power_manager(const Power *power) {
        return &power->manager;
}

static void walk_free(PowerWalk *walk) {
        if (walk->root_fd >= 0)
                (void) close(walk->root_fd);
        free(walk);
}

DEFINE_CLEANUP(PowerWalk *, walk_free)

static void walk_run(void *data) {
        _cleanup_wake_sources_ WakeSources sources = {};
        PowerWalk *walk = data;

        walk->result = wake_sources_read(walk->root_fd, &sources);
        for (size_t i = 0; walk->result >= 0 && i < sources.n_items; i++) {
                if (!sources.items[i].enabled)
                        continue;
                walk->device_armed = true;
                walk->network_armed = walk->network_armed || strcmp(sources.items[i].kind, "network") == 0;
        }
        /* A clock that cannot be read is as good as none. */
        (void) wake_clock_read(walk->root_fd, &walk->clock);
}

/* It is told in whole seconds, one of which may be another the next time. */
static bool alarm_differs(const WakeClock *a, const WakeClock *b) {
        return (a->alarm_sec == 0) != (b->alarm_sec == 0) || !wake_alarm_is(a->alarm_sec, b->alarm_sec);
}

static void walk_start(Power *power);

static void walk_done(void *data, bool cancelled) {
        _cleanup_(walk_freep) PowerWalk *walk = data;
        Power *power = walk->power;
        unsigned change = 0;

        if (!power)
                return;
        power->walk = NULL;
        if (cancelled)
                return;
        if (walk->result >= 0) {
                if (power->wake_known && alarm_differs(&power->clock, &walk->clock))
                        change = POWER_CHANGE_ALARM;
                power->wake_known = true;
                power->device_armed = walk->device_armed;
                power->network_armed = walk->network_armed;
                power->clock = walk->clock;
        } else
                log_info("What can wake this host cannot be read: %s", strerror(-walk->result));
        if (power->walk_again)
                walk_start(power);
        tell(power, change);
}

/* One at a time; one that is asked for meanwhile starts when it is back. */
static void walk_start(Power *power) {
        _cleanup_(walk_freep) PowerWalk *walk = NULL;

        power->walk_again = power->walk;
        if (power->walk)
                return;
        walk = calloc(1, sizeof *walk);
        if (!walk)
                return;
        walk->power = power;
        walk->root_fd = fcntl(power->host->root_fd, F_DUPFD_CLOEXEC, 3);
        if (walk->root_fd < 0 || workers_submit(power->host->workers, walk_run, walk_done, walk) < 0)
                return;
        power->walk = TAKE_PTR(walk);
}

bool power_is_refreshing(const Power *power) {
        return power->walk;
}

void power_look(Power *power) {
        power_facts_read(power->host->root_fd, &power->facts);
        tell(power, find_answers(power));
}

void power_refresh(Power *power) {
        walk_start(power);
        power_look(power);
}

/* The kernel tells that swap was switched on or off; its poll() forgets that by itself. */
static int on_swaps(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        power_look(userdata);
        return 0;
}

/* Somebody wrote to one of the files; what the kernel changes by itself it does not tell. */
static int on_file(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        static const char *const names[] = { "state", "mem_sleep", "disk", "resume", "resume_offset", "image_size" };
        bool concerned = event->len == 0;

        for (size_t i = 0; i < ELEMENTSOF(names) && !concerned; i++)
                concerned = strcmp(event->name, names[i]) == 0;
        if (concerned)
                power_look(userdata);
        return 0;
}

/* Whatever of it cannot be had: without it, a look shows it. */
static void follow(Power *power, sd_event *event) {
        _cleanup_close_ int folder_fd = -1;
        char path[32];
        int r = 0;

        power->swaps_fd = open_beneath(power->host->root_fd, "proc/swaps", O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (power->swaps_fd >= 0)
                r = sd_event_add_io(event, &power->swaps_source, power->swaps_fd, EPOLLPRI, on_swaps, power);
        if (r < 0)
                log_info("Changes of swap are not heard: %s", strerror(-r));

        folder_fd = sysfs_open_dir(power->host->root_fd, "sys/power");
        if (folder_fd < 0)
                return;
        snprintf(path, sizeof path, "/proc/self/fd/%i", folder_fd);
        r = sd_event_add_inotify(event, &power->files_source, path,
                                 IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR, on_file, power);
        if (r < 0)
                log_info("Changes of /sys/power are not heard: %s", strerror(-r));
}

int power_new(Host *host, sd_event *event, void (*changed)(unsigned change, void *userdata), void *userdata, Power **ret) {
        Power *power;

        power = malloc(sizeof *power);
        if (!power)
                return -ENOMEM;
        *power = (Power) { .host = host, .changed = changed, .userdata = userdata, .swaps_fd = -1 };
        /* First, so that what changes while the files are read is heard. */
        if (host->live)
                follow(power, event);
        power_facts_read(host->root_fd, &power->facts);
        (void) find_answers(power);
        walk_start(power);
        host->power = power;

        *ret = power;
        return 0;
}

Power *power_free(Power *power) {
        if (!power)
                return NULL;
        if (power->host->power == power)
                power->host->power = NULL;
        if (power->walk)
                power->walk->power = NULL;
        (void) sd_event_source_disable_unref(power->swaps_source);
        (void) sd_event_source_disable_unref(power->files_source);
        if (power->swaps_fd >= 0)
                (void) close(power->swaps_fd);
        sleep_manager_clear(&power->manager);
        guests_clear(power->guests, power->n_guests);
        free(power);
        return NULL;
}

SleepAnswer power_answer(const Power *power, SleepTarget target) {
        return power->answers[target];
}

SleepTarget power_default_target(const Power *power) {
        return power_view_default(&power->facts);
}

SleepAnswer power_check(const Power *power, SleepTarget target, Findings *ret) {
        return check(power, target, ret);
}

/* An empty element: it was looked at, and there is none. */
void power_write_xml(const Power *power, XmlWriter *writer) {
        static const SleepTarget targets[] = { SLEEP_MEM, SLEEP_DISK, SLEEP_HYBRID };

        xml_open(writer, "power_management");
        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                if (power->answers[targets[i]] != SLEEP_NO) {
                        xml_open(writer, target_names[targets[i]]);
                        xml_close(writer);
                }
        xml_close(writer);
}

int power_to_xml(const Power *power, char **ret) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        int r;

        r = xml_writer_new(&writer);
        if (r < 0)
                return r;
        power_write_xml(power, writer);
        return xml_writer_finish(writer, ret);
}
