/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is stored meets the guest that runs. It gets its definition once in each run: not
 * again when this service restarts, since somebody may have changed live what the definition
 * says. So which run has had it, and what was asked of it since, is kept in the runtime folder,
 * which goes with the host's boot as runs do.
 *
 * A run is named by the process's id, its start time, and the boot of the kernel. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "guest/definitions-state.h"
#include "guest/plug.h"
#include "guest/tune.h"
#include "lib/log.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* Ends with the process whose run is kept in a file. */
struct RunEnd {
        RunEnd *next;
        Definitions *definitions;
        char *name;
        pid_t pid;
        uint64_t start_ticks;
        int fd;
        sd_event_source *source;
};

static RunEnd *run_end_free(RunEnd *end) {
        (void) sd_event_source_disable_unref(end->source);
        if (end->fd >= 0)
                (void) close(end->fd);
        free(end->name);
        free(end);
        return NULL;
}

/* What is kept under this name; -ENOENT if nothing is. */
static int read_run(const Definitions *definitions, const char *name, Definition **ret) {
        _cleanup_error_ Error error = {};
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r;

        if (!definitions->runs)
                return -ENOENT;
        r = store_read(definitions->runs, name, DEFINITION_MAX, &text, &length);
        if (r >= 0)
                r = definition_parse(text, length, &error, ret);
        if (r < 0 && r != -ENOENT)
                log_warning("What was kept of the run of %s cannot be read: %s", name, error.message ?: strerror(-r));
        return r;
}

static bool is_of_run(const Definitions *definitions, const Definition *kept, pid_t pid, uint64_t start_ticks) {
        return kept->run_pid == pid && kept->run_start_ticks == start_ticks && strcmp(kept->run_boot, definitions->boot) == 0;
}

static int on_process_end(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        RunEnd *end = userdata;
        Definitions *definitions = end->definitions;
        _cleanup_(definition_freep) Definition *kept = NULL;

        if (read_run(definitions, end->name, &kept) >= 0 && is_of_run(definitions, kept, end->pid, end->start_ticks))
                (void) store_remove(definitions->runs, end->name, false);
        for (RunEnd **at = &definitions->run_ends; *at; at = &(*at)->next)
                if (*at == end) {
                        *at = end->next;
                        break;
                }
        run_end_free(end);
        return 0;
}

/* Without a way to hear of it the file is found to be stale at the next start. */
static void follow_process(Definitions *definitions, const Domain *domain) {
        const Process *process = domain->process;
        RunEnd *end;

        if (process->pidfd < 0)
                return;
        for (end = definitions->run_ends; end; end = end->next)
                if (end->pid == process->pid && end->start_ticks == process->start_ticks && strcmp(end->name, domain->name) == 0)
                        return;
        end = calloc(1, sizeof *end);
        if (!end)
                return;
        end->definitions = definitions;
        end->name = strdup(domain->name);
        end->pid = process->pid;
        end->start_ticks = process->start_ticks;
        end->fd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 0);
        if (!end->name || end->fd < 0 ||
            sd_event_add_io(guests_event(definitions->guests), &end->source, end->fd, POLLIN, on_process_end, end) < 0) {
                run_end_free(end);
                return;
        }
        end->next = definitions->run_ends;
        definitions->run_ends = end;
}

static int run_to_text(const Definitions *definitions, const Domain *domain, char **ret) {
        _cleanup_(definition_freep) Definition *kept = NULL;
        int r;

        r = definition_new(domain->name, domain->uuid, &kept);
        if (r >= 0)
                r = tuning_copy(&domain->live, &kept->tuning);
        if (r >= 0)
                r = cpuset_copy(&domain->base_cpus, &kept->run_base_cpus);
        if (r < 0)
                return r;
        kept->run_pid = domain->process->pid;
        kept->run_start_ticks = domain->process->start_ticks;
        memcpy(kept->run_boot, definitions->boot, sizeof kept->run_boot);
        return definition_to_xml(kept, ret);
}

void definitions_keep_run(Domain *domain) {
        Definitions *definitions = guests_definitions(domain->guests);
        _cleanup_free_ char *text = NULL;
        int r;

        if (!definitions || !definitions->runs || !domain_is_running(domain) || !domain->process)
                return;
        r = run_to_text(definitions, domain, &text);
        if (r >= 0)
                r = store_write(definitions->runs, domain->name, text, strlen(text), false);
        if (r < 0) {
                log_warning("What was asked of the run of %s is not kept for a restart of this service: %s", domain->name, strerror(-r));
                return;
        }
        follow_process(definitions, domain);
}

void definitions_run_over(Domain *domain) {
        static const char *const codes[] = { "config-not-met", NULL };
        Findings none = {};

        definitions_replace_findings(domain, codes, &none);
}

static void add_not_met(Domain *domain, Findings *findings, const char *message) {
        findings_add(findings, "config-not-met", SEVERITY_WARNS, "change what is stored, or the guest", domain->name, "%s", message);
}

/* One more of them. */
static void tell_not_met(Domain *domain, const char *message) {
        static const char *const none[] = { NULL };
        Findings findings = {};

        add_not_met(domain, &findings, message);
        definitions_replace_findings(domain, none, &findings);
}

/* The definition is another guest's: it goes to an object of its own. */
static void part(Definitions *definitions, Domain *domain) {
        Domain *off;

        if (domain_new(domain->guests, definitions->backend, domain->name, &off) < 0)
                return;
        snprintf(off->uuid, sizeof off->uuid, "%s", domain->definition->uuid);
        off->state = DOMAIN_SHUTOFF;
        definitions_move(definitions, domain, off);
        (void) definitions_show_stored(off);
        domain_announce(off);
        definitions_tell(definitions, off);
        log_info("The guest %s that runs has another UUID than the one that is defined: the two are apart", domain->name);
}

/* It was defined after it had begun to run, and before it told who it is. */
static void adopt(Definitions *definitions, Domain *domain) {
        for (Domain *off = guests_first(domain->guests); off; off = off->next)
                if (off != domain && !domain_is_running(off) && off->definition &&
                    strcmp(off->name, domain->name) == 0 && strcmp(off->definition->uuid, domain->uuid) == 0) {
                        definitions_move(definitions, off, domain);
                        if (!definitions_are_changing(off))
                                domain_free(off);
                        return;
                }
}

/* Whose definition it is, and whether this run has had it. */
static void meet_run(Definitions *definitions, Domain *domain) {
        _cleanup_(definition_freep) Definition *kept = NULL;
        int r;

        if (domain->definition && strcmp(domain->definition->uuid, domain->uuid) != 0)
                part(definitions, domain);
        else if (!domain->definition)
                adopt(definitions, domain);
        definitions_run_over(domain);
        definitions_tell(definitions, domain);
        domain->meeting = DOMAIN_MEETING_NEW;

        r = read_run(definitions, domain->name, &kept);
        if (r == -ENOENT)
                return;
        if (r < 0 || !domain->process || !is_of_run(definitions, kept, domain->process->pid, domain->process->start_ticks)) {
                (void) store_remove(definitions->runs, domain->name, false);
                return;
        }
        tuning_clear(&domain->live);
        domain->live = TAKE(kept->tuning);
        cpuset_clear(&domain->base_cpus);
        domain->base_cpus = TAKE(kept->run_base_cpus);
        follow_process(definitions, domain);
        domain->meeting = DOMAIN_MEETING_KEPT;
}

/* What the definition asks of threads that there are, and will be. */
static void meet_threads(Domain *domain) {
        _cleanup_tuning_ Tuning tuning = {};

        domain->meeting = DOMAIN_MEETING_TUNED;
        if (!domain->definition)
                return;
        if (tuning_copy(&domain->definition->tuning, &tuning) < 0) {
                tell_not_met(domain, "pins and schedulers are not set: there is not enough memory");
                return;
        }
        tuning_clear(&domain->live);
        domain->live = TAKE(tuning);
        tune_all(domain);
        definitions_keep_run(domain);
}

static void on_plugged(int result, const Error *error, void *userdata) {
        Domain *domain = userdata;
        _cleanup_free_ char *message = NULL;

        /* A guest that has gone lacks nothing. */
        if (result >= 0 || result == -ENOTCONN)
                return;
        if (asprintf(&message, "vCPUs that are stored as enabled could not be plugged: %s",
                     error && error->message ? error->message : strerror(-result)) < 0) {
                message = NULL;
                return;
        }
        tell_not_met(domain, message);
}

static void plug_missing(Domain *domain, const CpuSet *missing) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        _cleanup_error_ Error error = {};
        int r;

        r = vcpu_table_choose_set(domain->vcpus, missing, true, true, &error, &choice);
        if (r >= 0)
                r = plug_check(domain, &choice, &error);
        if (r >= 0)
                r = plug_start(domain, &choice, guests_settings(domain->guests)->job_timeout_usec, on_plugged, domain, &error);
        if (r < 0)
                on_plugged(r, &error, domain);
}

/* Goes through what is wanted and is not there, or the other way round. */
static int tell_vcpus(Domain *domain, const CpuSet *ids, const char *what) {
        _cleanup_free_ char *list = NULL, *message = NULL;

        if (cpuset_is_empty(ids))
                return 0;
        list = cpuset_to_list(ids);
        if (!list || asprintf(&message, "vCPUs %s %s", list, what) < 0) {
                message = NULL;
                return -ENOMEM;
        }
        tell_not_met(domain, message);
        return 0;
}

/* A guest is not asked to give vCPUs back that it has just started with. */
static void meet_vcpus(Domain *domain) {
        _cleanup_cpuset_ CpuSet enabled = {}, possible = {}, wanted = {}, missing = {}, beyond = {}, extra = {};
        const Definition *definition = domain->definition;
        const VcpuTable *table = domain->vcpus;
        int r;

        domain->meeting = DOMAIN_MEETING_OVER;
        if (!definition || !definition->chosen || table->maximum == 0)
                return;
        r = vcpu_table_enabled(table, &enabled);
        if (r >= 0)
                r = cpuset_add_range(&possible, 0, table->maximum - 1);
        if (r >= 0)
                r = cpuset_and(&definition->enabled, &possible, &wanted);
        if (r >= 0)
                r = cpuset_and_not(&definition->enabled, &possible, &beyond);
        if (r >= 0)
                r = cpuset_and_not(&wanted, &enabled, &missing);
        if (r >= 0)
                r = cpuset_and_not(&enabled, &definition->enabled, &extra);
        if (r >= 0)
                r = tell_vcpus(domain, &beyond, "are stored as enabled, and the guest has not so many");
        if (r >= 0)
                r = tell_vcpus(domain, &extra, "are stored as disabled, and the guest has started with them; they can be unplugged when it is up");
        if (r < 0) {
                tell_not_met(domain, "vCPUs are as the guest has started with: there is not enough memory");
                return;
        }
        if (!cpuset_is_empty(&missing))
                plug_missing(domain, &missing);
}

void definitions_meet(Domain *domain) {
        Definitions *definitions = guests_definitions(domain->guests);

        if (!definitions || domain->meeting == DOMAIN_MEETING_OVER || !domain_is_running(domain) || domain->state == DOMAIN_UNKNOWN)
                return;
        if (domain->meeting == DOMAIN_MEETING_BEFORE)
                meet_run(definitions, domain);
        if (!domain->vcpus || !domain->vcpus_of_run)
                return;
        if (domain->meeting == DOMAIN_MEETING_KEPT) {
                domain->meeting = DOMAIN_MEETING_OVER;
                tune_host_changed(domain);
        }
        if (domain->meeting == DOMAIN_MEETING_NEW)
                meet_threads(domain);
        if (domain->meeting == DOMAIN_MEETING_TUNED && domain->vcpus->settled)
                meet_vcpus(domain);
}

/* Whether the process of a run that was kept still runs. */
static bool run_lives(const Definitions *definitions, const Definition *kept) {
        _cleanup_(process_freep) Process *process = NULL;

        return process_open(kept->run_pid, &process, NULL) >= 0 && is_of_run(definitions, kept, process->pid, process->start_ticks);
}

typedef struct Stale {
        Definitions *definitions;
        char **names;
        size_t n;
} Stale;

static void stale_clear(Stale *stale) {
        for (size_t i = 0; i < stale->n; i++)
                free(stale->names[i]);
        free(stale->names);
}

static int visit_run(const char *name, const char *file, void *userdata) {
        _cleanup_(definition_freep) Definition *kept = NULL;
        Stale *stale = userdata;
        char **names;

        if (file)
                return 0;
        if (read_run(stale->definitions, name, &kept) >= 0 && run_lives(stale->definitions, kept))
                return 0;
        names = reallocarray(stale->names, stale->n + 1, sizeof *names);
        if (!names)
                return -ENOMEM;
        stale->names = names;
        names[stale->n] = strdup(name);
        if (!names[stale->n])
                return -ENOMEM;
        stale->n++;
        return 0;
}

static int read_boot(char ret[static 37]) {
        _cleanup_close_ int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
        char text[37];

        if (fd < 0)
                return -errno;
        if (read(fd, text, 36) != 36)
                return -EIO;
        text[36] = 0;
        memcpy(ret, text, sizeof text);
        return 0;
}

int definitions_open_runs(Definitions *definitions, const char *runtime_dir) {
        _cleanup_(stale_clear) Stale stale = { .definitions = definitions };
        int r;

        r = read_boot(definitions->boot);
        if (r >= 0)
                r = store_open(runtime_dir, "runs", &definitions->runs);
        if (r >= 0)
                r = store_list(definitions->runs, visit_run, &stale);
        for (size_t i = 0; i < stale.n && r >= 0; i++)
                (void) store_remove(definitions->runs, stale.names[i], false);
        return r;
}

void definitions_close_runs(Definitions *definitions) {
        for (RunEnd *end = definitions->run_ends, *next; end; end = next) {
                next = end->next;
                run_end_free(end);
        }
        definitions->run_ends = NULL;
        definitions->runs = store_free(definitions->runs);
}
