/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether this host can sleep, and why not: what the kernel offers, what a hibernation
 * needs, and what others say: logind, those who hold up a sleep, guests. The last come as
 * plain data from whoever can ask them, since nothing here knows a bus or a guest. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "host/host.h"
#include "lib/error.h"
#include "lib/finding.h"
#include "xml/writer.h"

typedef enum SleepTarget {
        SLEEP_MEM,              /* S3: the word "deep" of mem_sleep, or "mem" where there is no choice */
        SLEEP_IDLE,             /* s2idle: "freeze" */
        SLEEP_DISK,             /* S4 */
        SLEEP_HYBRID,           /* the image is written, and memory stays on */
        SLEEP_THEN_DISK,        /* first the one, after a while the other */
        _SLEEP_TARGET_MAX,
} SleepTarget;

/* "suspend_mem" and so on. */
const char *sleep_target_to_string(SleepTarget target);
int sleep_target_from_string(const char *word, SleepTarget *ret);

typedef enum SleepAnswer {
        SLEEP_NO,
        SLEEP_BLOCKED,          /* it can, but something forbids it now */
        SLEEP_YES,
} SleepAnswer;

const char *sleep_answer_to_string(SleepAnswer answer);

/* logind's answer to CanSuspend and its kin. */
typedef enum ManagerAnswer {
        MANAGER_UNKNOWN,        /* not asked yet, or it knows no such sleep */
        MANAGER_NA,             /* "na": this machine cannot */
        MANAGER_NO,             /* "no": nobody may */
        MANAGER_CHALLENGE,
        MANAGER_YES,
        MANAGER_INHIBITED,      /* the newer "inhibited", "inhibitor-blocked", "challenge-inhibitor-blocked": of this moment */
} ManagerAnswer;

typedef struct SleepInhibitor {
        char *what;             /* words with ":" between: "sleep:shutdown" */
        char *who;
        char *why;
        bool block;             /* else it delays */
        uint32_t uid;
        uint32_t pid;
} SleepInhibitor;

/* All that logind says. */
typedef struct SleepManager {
        bool present;
        bool preparing;                                 /* it is about to sleep */
        ManagerAnswer answers[_SLEEP_TARGET_MAX];       /* SLEEP_MEM and SLEEP_IDLE have one: CanSuspend */
        SleepInhibitor *inhibitors;
        size_t n_inhibitors;
} SleepManager;

void sleep_manager_clear(SleepManager *manager);
int sleep_manager_copy(const SleepManager *manager, SleepManager *ret);
bool sleep_manager_equal(const SleepManager *a, const SleepManager *b);

/* A guest that cannot take a sleep. */
typedef struct SleepGuest {
        char *name;
        char *reason;           /* "its policy is to block", "PCI device 0000:3b:00.0 is passed through to it" */
} SleepGuest;

typedef struct Power Power;

typedef enum PowerChange {
        POWER_CHANGE_ANSWERS = 1 << 0,          /* which: see power_changed_target() */
        POWER_CHANGE_PREPARING = 1 << 1,
        POWER_CHANGE_ALARM = 1 << 2,            /* the clock's alarm is another, whoever set it */
        POWER_CHANGE_TARGETS = 1 << 8,          /* shifted by each target whose answer is another */
} PowerChange;

static inline bool power_changed_target(unsigned change, SleepTarget target) {
        return change & (unsigned) POWER_CHANGE_TARGETS << target;
}

/* Reads what the host offers, and follows it as far as the kernel tells: EPOLLPRI on /proc/swaps,
 * inotify on /sys/power, where the host is the running one. "changed" is called with
 * bits of PowerChange. The host must outlive it, and has it as host->power as long as it is there. */
int power_new(Host *host, sd_event *event, void (*changed)(unsigned change, void *userdata), void *userdata, Power **ret);
Power *power_free(Power *power);
DEFINE_CLEANUP(Power *, power_free)

/* What others say, replaced whole: copied. */
int power_set_manager(Power *power, const SleepManager *manager);
int power_set_guests(Power *power, const SleepGuest *guests, size_t n);
const SleepManager *power_manager(const Power *power);

/* Looks at the files again at once, so that what is told next is of now: memory in use, and what
 * swap is free, change without anybody telling. Some 20 small files. */
void power_look(Power *power);

/* The same, and has a worker look at what can wake the host: after a sleep, or when
 * told to. */
void power_refresh(Power *power);

/* Whether a worker is still at it. For tests. */
bool power_is_refreshing(const Power *power);

SleepAnswer power_answer(const Power *power, SleepTarget target);

/* The target that "suspend" means here: what mem_sleep has chosen. */
SleepTarget power_default_target(const Power *power);

/* Everything that forbids a target or is worth knowing, each with a remedy; the codes
 * stand in the interface's documentation of Check. Returns the host's answer, which is that of the last
 * look: see power_look(). */
SleepAnswer power_check(const Power *power, SleepTarget target, Findings *ret);

/* <power_management>: as a document, and as a part of one. */
int power_to_xml(const Power *power, char **ret);
void power_write_xml(const Power *power, XmlWriter *writer);
