/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/plug.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of the time of a whole change, this is kept to undo what was done, or a third if that
 * is less. */
#define UNDO_USEC UINT64_C(3000000)

/* Tables come and go while this lasts; the ids of a unit stay. */
typedef struct Step {
        uint32_t first, count;
} Step;

struct Plug {
        Domain *domain;
        bool enable;
        Step *steps;
        size_t n_steps;
        size_t n_done;                  /* of the steps, from the first on, less those that undoing was tried of */
        Step now;                       /* what the backend is doing; count 0: nothing */
        bool undoing;
        uint64_t deadline_usec;
        uint64_t reserve_usec;
        CpuSet undone;
        char *left;                     /* what could not be undone */
        int result;
        Error error;                    /* what failed */
        BackendDone done;
        void *userdata;
        sd_event_source *nothing;       /* answers a change of nothing */
};

static void step_to_string(const Step *step, char ret[static VCPU_UNIT_TEXT_MAX]) {
        plug_unit_to_string(&(PlugUnit) { .first = step->first, .count = step->count }, ret);
}

static const char *noun(size_t count) {
        return count == 1 ? "vCPU" : "vCPUs";
}

static Plug *plug_free(Plug *plug) {
        if (!plug)
                return NULL;
        (void) sd_event_source_disable_unref(plug->nothing);
        cpuset_clear(&plug->undone);
        error_clear(&plug->error);
        free(plug->left);
        free(plug->steps);
        free(plug);
        return NULL;
}
DEFINE_CLEANUP(Plug *, plug_free)

static uint64_t now_usec(const Plug *plug) {
        uint64_t now;

        return sd_event_now(guests_event(plug->domain->guests), CLOCK_MONOTONIC, &now) < 0 ? 0 : now;
}

/* Makes a text longer; without memory it stays as it is. */
_printf_(2, 3)
static void append(char **text, const char *format, ...) {
        _cleanup_free_ char *more = NULL;
        char *longer;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&more, format, arguments);
        va_end(arguments);
        if (n < 0) {
                more = NULL;
                return;
        }
        if (asprintf(&longer, "%s%s", *text ?: "", more) < 0)
                return;
        free(*text);
        *text = longer;
}

/* The answer, and the end of it. */
static void plug_end(Plug *ended) {
        _cleanup_(plug_freep) Plug *plug = ended;

        plug->domain->plug = NULL;
        if (!cpuset_is_empty(&plug->undone)) {
                _cleanup_free_ char *list = cpuset_to_list(&plug->undone);
                size_t n = cpuset_count(&plug->undone);

                append(&plug->error.message, "; %s %s %s %s again", noun(n), list ?: "?", n == 1 ? "was" : "were",
                       plug->enable ? "unplugged" : "plugged");
        }
        if (plug->left)
                append(&plug->error.message, "%s", plug->left);
        plug->done(plug->result, plug->error.code == ERROR_NONE ? NULL : &plug->error, plug->userdata);
}

static void on_step(int result, const Error *error, void *userdata);

/* Has the backend do one step, in this time. */
static int plug_step(Plug *plug, const Step *step, bool enable, uint64_t timeout_usec, Error *error) {
        char ids[VCPU_UNIT_TEXT_MAX];
        int r;

        if (timeout_usec == 0) {
                step_to_string(step, ids);
                return error_set(error, ERROR_TIMED_OUT, "no time was left to %s %s %s", enable ? "plug" : "unplug", noun(step->count), ids);
        }
        plug->now = *step;
        r = plug->domain->backend->set_unit(plug->domain, step->first, enable, timeout_usec, on_step, plug, error);
        if (r < 0)
                plug->now = (Step) {};
        return r;
}

/* The next of what was chosen. */
static int plug_advance(Plug *plug, Error *error) {
        uint64_t now = now_usec(plug), end = plug->deadline_usec - plug->reserve_usec;

        return plug_step(plug, plug->steps + plug->n_done, plug->enable, end > now ? end - now : 0, error);
}

/* The last of what was done. A guest may let one of them wait in vain: each gets its
 * part of the time. */
static int plug_go_back(Plug *plug, Error *error) {
        uint64_t now = now_usec(plug), left = plug->deadline_usec > now ? plug->deadline_usec - now : 0;

        return plug_step(plug, plug->steps + plug->n_done - 1, !plug->enable, left / plug->n_done, error);
}

static bool is_over(const Plug *plug, const Error *error) {
        return !domain_is_running(plug->domain) || (error && error->code == ERROR_NOT_RUNNING);
}

/* A step was done, or something was wrong with it. */
static void plug_take(Plug *plug, int result, const Error *error) {
        const char *text = error && error->message ? error->message : strerror(-result);
        const Step *step;
        char ids[VCPU_UNIT_TEXT_MAX];

        if (!plug->undoing) {
                if (result >= 0) {
                        plug->n_done++;
                        return;
                }
                plug->undoing = true;
                plug->result = result;
                (void) error_set(&plug->error, error && error->code != ERROR_NONE ? error->code : ERROR_BACKEND_FAILED, "%s", text);
                if (is_over(plug, error))
                        plug->n_done = 0;
                return;
        }

        if (result < 0 && is_over(plug, error)) {
                append(&plug->error.message, "; then %s", text);
                plug->error.code = ERROR_NOT_RUNNING;
                plug->result = result;
                plug->n_done = 0;
                return;
        }
        step = plug->steps + --plug->n_done;
        step_to_string(step, ids);
        if (result >= 0)
                (void) cpuset_add_range(&plug->undone, step->first, step->first + step->count - 1);
        else
                append(&plug->left, "; %s %s could not be %s again: %s, and %s", noun(step->count), ids,
                       plug->enable ? "unplugged" : "plugged", text,
                       plug->enable ? (step->count == 1 ? "stays" : "stay") : (step->count == 1 ? "is gone" : "are gone"));
}

/* As far as it goes without waiting. */
static void plug_continue(Plug *plug) {
        for (;;) {
                _cleanup_error_ Error error = {};
                int r;

                if (plug->undoing ? plug->n_done == 0 : plug->n_done == plug->n_steps) {
                        plug_end(plug);
                        return;
                }
                r = plug->undoing ? plug_go_back(plug, &error) : plug_advance(plug, &error);
                if (r >= 0)
                        return;
                plug_take(plug, r, &error);
        }
}

static void on_step(int result, const Error *error, void *userdata) {
        Plug *plug = userdata;

        plug->now = (Step) {};
        plug_take(plug, result, error);
        plug_continue(plug);
}

static int on_nothing(sd_event_source *source, void *userdata) {
        plug_end(userdata);
        return 0;
}

/* The first unit that QEMU was asked to plug, and has not; of those on a cell, or of all. */
static const PlugUnit *find_pending(const Domain *domain, uint32_t cell) {
        const VcpuTable *table = domain->vcpus;

        for (size_t i = 0; table && i < table->n_units; i++) {
                const PlugUnit *unit = table->units + i;

                if ((cell == ID_NONE || unit->cell == cell) && cpuset_contains(&domain->pending_plug, unit->first))
                        return unit;
        }
        return NULL;
}

static int refuse_pending(const PlugUnit *unit, const char *consequence, Error *error) {
        char ids[VCPU_UNIT_TEXT_MAX];

        plug_unit_to_string(unit, ids);
        return error_set(error, ERROR_BUSY, "%s %s %s asked for earlier to be plugged, and QEMU has not done so yet%s",
                         noun(unit->count), ids, unit->count == 1 ? "was" : "were", consequence);
}

/* Nobody waits for what is pending without a change under way. A guest may be asked again for
 * what it has not given back, which is there until it does; what QEMU is still to plug may come at
 * any time. */
int plug_check(const Domain *domain, const VcpuChoice *choice, Error *error) {
        const VcpuTable *table = domain->vcpus;
        const PlugUnit *pending;

        if (domain->plug)
                return error_set(error, ERROR_BUSY, "another change of the vCPUs of %s is under way", domain->name);
        for (size_t i = 0; i < choice->n_units; i++) {
                const PlugUnit *unit = table->units + choice->units[i];

                if (cpuset_contains(&domain->pending_plug, unit->first))
                        return refuse_pending(unit, "", error);
        }
        pending = choice->by_count ? find_pending(domain, choice->cell) : NULL;
        if (pending)
                return refuse_pending(pending, ": nobody knows which count there will be; name the vCPUs", error);
        return 0;
}

static int plug_new(Domain *domain, const VcpuChoice *choice, uint64_t timeout_usec, Plug **ret) {
        _cleanup_(plug_freep) Plug *plug = NULL;

        plug = calloc(1, sizeof *plug);
        if (!plug)
                return -ENOMEM;
        plug->domain = domain;
        plug->enable = choice->enable;
        plug->steps = calloc(choice->n_units > 0 ? choice->n_units : 1, sizeof *plug->steps);
        if (!plug->steps)
                return -ENOMEM;
        for (size_t i = 0; i < choice->n_units; i++) {
                const PlugUnit *unit = domain->vcpus->units + choice->units[i];

                plug->steps[plug->n_steps++] = (Step) { unit->first, unit->count };
        }
        plug->deadline_usec = now_usec(plug) + timeout_usec;
        /* One alone leaves nothing to be undone. */
        if (plug->n_steps > 1)
                plug->reserve_usec = timeout_usec / 3 < UNDO_USEC ? timeout_usec / 3 : UNDO_USEC;

        *ret = TAKE_PTR(plug);
        return 0;
}

int plug_start(Domain *domain, const VcpuChoice *choice, uint64_t timeout_usec,
               BackendDone done, void *userdata, Error *error) {
        _cleanup_(plug_freep) Plug *plug = NULL;
        int r;

        if (!domain_is_running(domain) || !domain->vcpus_of_run)
                return error_set(error, ERROR_NOT_RUNNING, "the guest %s does not run", domain->name);
        if (!domain->backend->set_unit)
                return error_set(error, ERROR_NOT_SUPPORTED, "vCPUs of the guest %s can't be changed", domain->name);
        r = plug_check(domain, choice, error);
        if (r < 0)
                return r;
        r = plug_new(domain, choice, timeout_usec, &plug);
        if (r < 0)
                return r;
        if (plug->n_steps == 0)
                r = sd_event_add_defer(guests_event(domain->guests), &plug->nothing, on_nothing, plug);
        else
                r = plug_advance(plug, error);
        if (r < 0)
                return r;

        plug->done = done;
        plug->userdata = userdata;
        domain->plug = TAKE_PTR(plug);
        return 0;
}

bool plug_waits_for(const Domain *domain, uint32_t id) {
        const Plug *plug = domain->plug;

        return plug && id >= plug->now.first && id - plug->now.first < plug->now.count;
}

void plug_stopped(Domain *domain) {
        Plug *plug = domain->plug;
        Error error = {};

        if (!plug)
                return;
        plug->result = error_set(&error, ERROR_NOT_RUNNING, "the guest %s ended meanwhile", domain->name);
        error_clear(&plug->error);
        plug->error = error;
        plug_end(plug);
}
