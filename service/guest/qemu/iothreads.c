/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/qemu/iothreads.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "guest/qemu/guest.h"

/* As long as any other query may take. */
#define QUERY_TIMEOUT_USEC (10 * UINT64_C(1000000))

void iothreads_free(Iothread *iothreads, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(iothreads[i].name);
        free(iothreads);
}

typedef struct IothreadList {
        Iothread *items;
        size_t n_items;
        uint32_t *taken;                /* ids that names have, in order */
        size_t n_taken;
} IothreadList;

static void list_clear(IothreadList *list) {
        iothreads_free(list->items, list->n_items);
        free(list->taken);
        *list = (IothreadList) {};
}

/* N of "iothreadN"; ID_NONE for any other name, one with leading zeroes included. */
static uint32_t id_of_name(const char *name) {
        static const char prefix[] = "iothread";
        uint64_t id = 0;

        if (strncmp(name, prefix, sizeof prefix - 1) != 0)
                return ID_NONE;
        name += sizeof prefix - 1;
        if (!*name || (name[0] == '0' && name[1]))
                return ID_NONE;
        for (; *name; name++) {
                if (!isdigit((unsigned char) *name))
                        return ID_NONE;
                id = id * 10 + (uint64_t) (*name - '0');
                if (id >= ID_NONE)
                        return ID_NONE;
        }
        return (uint32_t) id;
}

static int compare_ids(const void *a, const void *b) {
        uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

        return left < right ? -1 : left > right;
}

static int read_iothread(IothreadList *list, size_t i, JsonObject *entry, Error *error) {
        Iothread *iothread = list->items + list->n_items;
        const char *name;
        int64_t thread;

        if (!json_object_is_type(entry, json_type_object) || json_get_string(entry, "id", &name) < 0 ||
            json_get_i64(entry, "thread-id", &thread) < 0)
                return error_set(error, ERROR_BACKEND_FAILED, "query-iothreads: entry %zu has no id or no thread-id", i);
        if (thread < 1 || thread > INT_MAX)
                return error_set(error, ERROR_BACKEND_FAILED, "query-iothreads: entry %zu names %lld, which is no thread's id",
                                 i, (long long) thread);

        iothread->thread = (uint32_t) thread;
        iothread->id = id_of_name(name);
        iothread->name = strdup(name);
        if (!iothread->name)
                return error_set(error, ERROR_NO_MEMORY, "No memory for the iothreads.");
        list->n_items++;
        if (iothread->id != ID_NONE)
                list->taken[list->n_taken++] = iothread->id;
        return 0;
}

int iothreads_parse(JsonObject *value, Error *error, Iothread **ret, size_t *ret_n) {
        _cleanup_(list_clear) IothreadList list = {};
        uint32_t next = 1;
        size_t n, at = 0;
        int r;

        if (!value || !json_object_is_type(value, json_type_array))
                return error_set(error, ERROR_BACKEND_FAILED, "query-iothreads: the answer is no array");
        n = json_object_array_length(value);
        if (n > PROCESS_THREADS_MAX)
                return error_set(error, ERROR_BACKEND_FAILED, "query-iothreads: %zu iothreads; no more than %u are believed",
                                 n, PROCESS_THREADS_MAX);
        list.items = calloc(n + 1, sizeof *list.items);
        list.taken = calloc(n + 1, sizeof *list.taken);
        if (!list.items || !list.taken)
                return error_set(error, ERROR_NO_MEMORY, "No memory for the iothreads.");

        for (size_t i = 0; i < n; i++) {
                r = read_iothread(&list, i, json_object_array_get_idx(value, i), error);
                if (r < 0)
                        return r;
        }
        qsort(list.taken, list.n_taken, sizeof *list.taken, compare_ids);
        for (size_t i = 1; i < list.n_taken; i++)
                if (list.taken[i] == list.taken[i - 1])
                        return error_set(error, ERROR_BACKEND_FAILED, "query-iothreads: two are called iothread%u", list.taken[i]);
        for (size_t i = 0; i < list.n_items; i++) {
                if (list.items[i].id != ID_NONE)
                        continue;
                for (; at < list.n_taken && list.taken[at] <= next; at++)
                        if (list.taken[at] == next)
                                next++;
                list.items[i].id = next++;
        }

        *ret = TAKE_PTR(list.items);
        *ret_n = list.n_items;
        list.n_items = 0;
        return 0;
}

typedef struct IothreadsCall {
        struct IothreadsCall *next;
        IothreadsDone done;
        void *userdata;
} IothreadsCall;

/* Whoever asks while a question is on its way shares it: anybody may ask, and a QEMU
 * that is stuck must not be sent more than it can keep. */
struct QemuIothreads {
        QemuGuest *guest;
        IothreadsCall *first, **last;
        size_t n;
};

static QemuIothreads *question_free(QemuIothreads *question) {
        IothreadsCall *call;

        if (!question)
                return NULL;
        while ((call = question->first)) {
                question->first = call->next;
                free(call);
        }
        free(question);
        return NULL;
}
DEFINE_CLEANUP(QemuIothreads *, question_free)

static int question_add(QemuIothreads *question, IothreadsDone done, void *userdata) {
        IothreadsCall *call = calloc(1, sizeof *call);

        if (!call)
                return -ENOMEM;
        call->done = done;
        call->userdata = userdata;
        *question->last = call;
        question->last = &call->next;
        question->n++;
        return 0;
}

static int take_answer(const Domain *domain, const QmpResult *result, Error *error, Iothread **ret, size_t *ret_n) {
        switch (result->error) {
        case 0:
                return iothreads_parse(result->value, error, ret, ret_n);
        case -ECONNRESET:
                return error_set(error, ERROR_NOT_RUNNING, "the guest %s ended meanwhile", domain->name);
        case -ETIMEDOUT:
                return error_set(error, ERROR_TIMED_OUT, "the monitor of %s did not answer query-iothreads: %s", domain->name, result->description);
        }
        return error_set(error, ERROR_BACKEND_FAILED, "query-iothreads: %.200s", result->description);
}

/* Those who are told may ask again, or do away with the guest. */
static void on_answer(const QmpResult *result, void *userdata) {
        _cleanup_(question_freep) QemuIothreads *question = userdata;
        _cleanup_error_ Error error = {};
        Iothread *iothreads = NULL;
        size_t n = 0;
        int r;

        *qemu_guest_iothreads(question->guest) = NULL;
        r = take_answer(qemu_guest_domain(question->guest), result, &error, &iothreads, &n);
        for (const IothreadsCall *call = question->first; call; call = call->next)
                call->done(r, r < 0 ? &error : NULL, iothreads, n, call->userdata);
        iothreads_free(iothreads, n);
}

static int question_ask(QemuGuest *guest, IothreadsDone done, void *userdata, QemuIothreads **ret) {
        _cleanup_(question_freep) QemuIothreads *question = NULL;
        int r;

        question = calloc(1, sizeof *question);
        if (!question)
                return -ENOMEM;
        question->guest = guest;
        question->last = &question->first;
        r = question_add(question, done, userdata);
        if (r >= 0)
                r = qmp_execute(qemu_guest_qmp(guest), "query-iothreads", NULL, QUERY_TIMEOUT_USEC, on_answer, question, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(question);
        return 0;
}

int qemu_list_iothreads(Domain *domain, IothreadsDone done, void *userdata, Error *error) {
        QemuGuest *guest = qemu_guest_of(domain);
        QemuIothreads *question;
        int r;

        if (!guest)
                return error_set(error, ERROR_NOT_RUNNING, "%s does not run.", domain->name);
        question = *qemu_guest_iothreads(guest);
        if (question && question->n >= QEMU_IOTHREADS_CALLERS_MAX)
                return error_set(error, ERROR_BUSY, "Too many wait for what the monitor of %s says of its threads already; try again later.", domain->name);
        if (question)
                r = question_add(question, done, userdata);
        else
                r = question_ask(guest, done, userdata, qemu_guest_iothreads(guest));
        if (r == -ENOMEM)
                return error_set(error, ERROR_NO_MEMORY, "No memory for the iothreads.");
        if (r < 0)
                return error_set(error, ERROR_NOT_RUNNING, "The monitor of %s cannot be reached.", domain->name);
        return 0;
}
