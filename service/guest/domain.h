/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A guest as clients know it, whatever hypervisor it has, and the list of all of them.
 * A backend makes domains, fills them in and says what changed; whoever shows them
 * listens.
 *
 * A domain is there while the guest runs, and while something is stored for it: then
 * it outlives each run, and the next one gets the same object. */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "guest/process.h"
#include "guest/tuning.h"
#include "guest/vcpu.h"
#include "lib/cleanup.h"
#include "lib/finding.h"
#include "lib/workers.h"

typedef enum DomainState {
        DOMAIN_UNKNOWN,
        DOMAIN_RUNNING,
        DOMAIN_PAUSED,
        DOMAIN_SUSPENDED,
        DOMAIN_SHUTOFF,
        DOMAIN_CRASHED,
} DomainState;

const char *domain_state_to_string(DomainState state);

/* What a person may set about all guests. */
typedef struct GuestSettings {
        uint64_t unplug_timeout_usec;   /* for a call that waits for a guest; at most some 12 s */
        uint64_t job_timeout_usec;      /* for one that does not ("async") */
        uint64_t agent_timeout_usec;    /* for an agent's answer */
} GuestSettings;

typedef struct Guests Guests;
typedef struct Domain Domain;
typedef struct Definition Definition;
typedef struct Definitions Definitions;
typedef struct Backend Backend;

/* Each part of what is wrong with a guest has one owner, who replaces it whole. */
typedef enum DomainFindings {
        DOMAIN_FINDINGS_BACKEND,        /* its monitor and what that tells */
        DOMAIN_FINDINGS_TUNING,         /* threads that are not where they were asked to be: tune.c */
        DOMAIN_FINDINGS_DEFINITION,     /* what is stored for it: definitions.c */
        DOMAIN_FINDINGS_AGENT,
        _DOMAIN_FINDINGS_MAX,
} DomainFindings;

/* How far a run has come with what is stored for it: definitions-run.c. */
typedef enum DomainMeeting {
        DOMAIN_MEETING_BEFORE,          /* who it is is not known */
        DOMAIN_MEETING_NEW,             /* a run that has had nothing yet */
        DOMAIN_MEETING_KEPT,            /* one that had it all before this service started */
        DOMAIN_MEETING_TUNED,           /* its vCPUs are left */
        DOMAIN_MEETING_OVER,
} DomainMeeting;

struct Domain {
        Guests *guests;
        Domain *next;
        const Backend *backend;
        void *run;                      /* the backend's own while the guest runs; NULL if it does not */
        char *name;
        char uuid[37];                  /* "" until it is known */
        DomainState state;
        pid_t pid;                      /* of the VMM; 0 if it has none or is not known */
        Process *process;               /* the same, held; NULL if it cannot be looked at */
        bool has_owner;
        uid_t owner;                    /* the user of who made the monitor, from the first moment of a run to its end */
        bool has_agent;                 /* there is a way to one; whether it answers is another question */
        struct AgentChange *agent_change;       /* what the agent is asked to change right now: agent-vcpus.c */

        VcpuTable *vcpus;               /* of the running guest, else of what is stored; NULL until they are known */
        bool vcpus_of_run;              /* which of the two */
        struct Plug *plug;              /* the change of its vCPUs that is under way: plug.c */
        struct MemoryWalk *memory;      /* the look for its memory that is under way: memory.c */
        CpuSet pending_plug;            /* ids asked for, and not there yet */
        CpuSet pending_unplug;          /* ids asked for, and not gone yet; a late guest's stay here */

        Tuning live;                    /* what was asked of its threads in this run */
        CpuSet base_cpus;               /* where its threads may run without a pin; empty if not known, or anywhere */
        struct Tuned *tuned;            /* what became of what was asked: tune-threads.c */
        Definition *definition;         /* what is stored for its next starts; NULL if nothing is */
        DomainMeeting meeting;

        Findings findings;              /* all parts; changed by domain_set_findings() only */
        Findings findings_parts[_DOMAIN_FINDINGS_MAX];
        struct VcpuMarks *marks;        /* what of which vCPU is to be told: domain-vcpus.c */
        void *published;                /* whoever shows it keeps its own here */
};

typedef enum DomainChange {
        DOMAIN_CHANGE_UUID = 1 << 0,
        DOMAIN_CHANGE_STATE = 1 << 1,
        DOMAIN_CHANGE_PID = 1 << 2,
        DOMAIN_CHANGE_VCPUS = 1 << 3,           /* Maximum, Current or Sparse */
        DOMAIN_CHANGE_FINDINGS = 1 << 4,
        DOMAIN_CHANGE_FEATURES = 1 << 5,
        DOMAIN_CHANGE_VCPU_MARKS = 1 << 6,      /* domain_take_vcpu_marks() has something */
} DomainChange;

typedef struct GuestsListener {
        void (*added)(Domain *domain, void *userdata);
        /* The domain is freed when this returns. */
        void (*removed)(Domain *domain, void *userdata);
        void (*changed)(Domain *domain, unsigned change, void *userdata);
} GuestsListener;

/* "event" is referenced; the workers must be freed first, since their jobs come back to
 * guests. */
int guests_new(sd_event *event, Workers *workers, Guests **ret);
Guests *guests_free(Guests *guests);
DEFINE_CLEANUP(Guests *, guests_free)

sd_event *guests_event(const Guests *guests);
Workers *guests_workers(const Guests *guests);
const GuestSettings *guests_settings(const Guests *guests);
void guests_set_settings(Guests *guests, const GuestSettings *settings);

/* Who wants to know where memory lies: memory.c. */
typedef struct MemoryQueue {
        struct MemoryWalk *under_way;
        struct MemoryWalk *first;       /* of those that wait */
} MemoryQueue;

MemoryQueue *guests_memory_queue(Guests *guests);

/* Where intents are stored; NULL (also before it is set) if nowhere. Not owned. */
Definitions *guests_definitions(const Guests *guests);
void guests_set_definitions(Guests *guests, Definitions *definitions);

/* The host's CPUs, for guests know nothing else of it. "live" is false for a captured
 * host, whose CPUs need not be those of the kernel that we run on. Pins that the
 * kernel narrowed are put right. Copies both sets. */
int guests_set_host_cpus(Guests *guests, const CpuSet *online, const CpuSet *present, bool live);
const CpuSet *guests_online_cpus(const Guests *guests);
const CpuSet *guests_present_cpus(const Guests *guests);
bool guests_host_is_live(const Guests *guests);

/* Calls "added" for each that is there, and all three from now on. NULL ends it. */
void guests_listen(Guests *guests, const GuestsListener *listener, void *userdata);

/* The first of all domains, and so on by ->next. */
Domain *guests_first(const Guests *guests);

/* By name, or by UUID if only one has it. NULL if there is none. */
Domain *guests_find(const Guests *guests, const char *name_or_uuid);
Domain *guests_find_by_pid(const Guests *guests, pid_t pid);

/* Makes one that nobody has heard of before domain_announce(). */
int domain_new(Guests *guests, const Backend *backend, const char *name, Domain **ret);
void domain_announce(Domain *domain);
bool domain_is_announced(const Domain *domain);
Domain *domain_free(Domain *domain);

/* The guest's run is over: what is known of it is forgotten. The domain stays, off, if
 * something is stored for it or about to be, and is freed else. What was pending ends with NotRunning
 * before that (the backend's and plug.c's own). */
void domain_stopped(Domain *domain);

static inline bool domain_is_running(const Domain *domain) {
        return domain->run;
}

/* What changed since it was announced; nothing is told before. */
void domain_changed(Domain *domain, unsigned change);

/* Replaces one part of what is wrong with it, and tells if it differs; takes the
 * findings over. */
void domain_set_findings(Domain *domain, DomainFindings part, Findings *findings);

/* What can be done with it now, as the documentation of Features lists it. Words are
 * constants; NULL is at the end. */
#define DOMAIN_FEATURES_MAX 8u
void domain_features(const Domain *domain, const char *ret[static DOMAIN_FEATURES_MAX]);

/* Why a vCPU is not as it was. The rest of this file is domain-vcpus.c's. */
typedef enum VcpuCause {
        VCPU_CAUSE_REQUEST,
        VCPU_CAUSE_GUEST,
        VCPU_CAUSE_BACKEND,
        VCPU_CAUSE_HOST,
} VcpuCause;

const char *vcpu_cause_to_string(VcpuCause cause);

/* The keys of ListVcpus that may have another value: bits of VcpuChange, and these,
 * which no table knows. */
#define VCPU_CHANGE_PENDING (1u << 8)
#define VCPU_CHANGE_PIN (1u << 9)               /* "cpus", "effective_cpus" */
#define VCPU_CHANGE_SCHEDULER (1u << 10)        /* "scheduler", "priority" */

/* Has a change of one vCPU told, with the next flush: what is told of it then is what
 * holds then. The cause that came first is told. */
void domain_mark_vcpu(Domain *domain, uint32_t id, unsigned change, VcpuCause cause);

/* Hands out what is marked, in the order of the ids, and forgets it: by whoever
 * tells it. Returns false when there is none left. */
bool domain_take_vcpu_mark(Domain *domain, uint32_t *ret_id, unsigned *ret_change, VcpuCause *ret_cause);

/* The backend has read the vCPUs anew (and takes its hands off the table). What
 * differs is marked: with the cause "request" where it was asked for and somebody waits,
 * "guest" where a vCPU went by itself or late, else "backend". Threads that are new
 * get their pin and scheduler. */
void domain_take_vcpus(Domain *domain, VcpuTable *table);

/* Takes a vCPU out of domain->pending_plug or pending_unplug; whether it was in. */
bool domain_pending_remove(CpuSet *pending, uint32_t id);

/* NULL does nothing. */
struct VcpuMarks *vcpu_marks_free(struct VcpuMarks *marks);
