/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "call.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "bus-error.h"

struct Call {
        Tree *tree;
        sd_bus_message *message;        /* NULL when it was answered */
        sd_event_source *timer;
        char *late;
};

void call_drop(Call *call) {
        (void) sd_event_source_disable_unref(call->timer);
        (void) sd_bus_message_unref(call->message);
        free(call->late);
        free(call);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        Call *call = userdata;

        tree_flush(call->tree);
        (void) sd_bus_reply_method_errorf(call->message, error_code_to_name(ERROR_TIMED_OUT), "%s", call->late);
        call->message = sd_bus_message_unref(call->message);
        return 0;
}

int call_new(const Request *request, uint64_t timeout_usec, const char *late, Call **ret) {
        Tree *tree = object_tree(request->object);
        Call *call;
        int r;

        call = calloc(1, sizeof *call);
        if (!call)
                return -ENOMEM;
        call->tree = tree;
        call->message = sd_bus_message_ref(request->message);
        call->late = strdup(late);
        r = call->late ? sd_event_add_time_relative(sd_bus_get_event(tree_bus(tree)), &call->timer, CLOCK_MONOTONIC, timeout_usec, 0, on_late, call) : -ENOMEM;
        if (r < 0) {
                call_drop(call);
                return r;
        }

        *ret = call;
        return 0;
}

void call_answer(Call *call, const char *types, ...) {
        if (call->message) {
                va_list ap;

                tree_flush(call->tree);
                va_start(ap, types);
                (void) sd_bus_reply_method_returnv(call->message, types, ap);
                va_end(ap);
        }
        call_drop(call);
}

/* One whose time is over has nobody to answer; its reply is thrown away. */
int call_new_reply(Call *call, sd_bus_message **ret) {
        return call->message ? sd_bus_message_new_method_return(call->message, ret) : -ESTALE;
}

void call_answer_with(Call *call, sd_bus_message *reply) {
        if (call->message) {
                tree_flush(call->tree);
                (void) sd_bus_message_send(reply);
        }
        call_drop(call);
}

void call_fail(Call *call, int result, const Error *error) {
        if (call->message) {
                _cleanup_(sd_bus_error_free) sd_bus_error bus_error = SD_BUS_ERROR_NULL;

                tree_flush(call->tree);
                (void) bus_error_finish(result, error, &bus_error);
                (void) sd_bus_reply_method_error(call->message, &bus_error);
        }
        call_drop(call);
}
