/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "method.h"

#include "args.h"
#include "authorize.h"
#include "bus-error.h"

int method_enter(const Method *method, sd_bus_message *call, Face *face, void *args, sd_bus_error *ret_error) {
        Request request = { .message = call, .object = face->object, .uid = UINT32_MAX };
        _cleanup_error_ Error error = {};
        int r;

        r = args_read(method, call, args, &error);
        if (r >= 0 && method->action) {
                r = sd_bus_message_rewind(call, true);
                if (r >= 0)
                        r = method->check(face->model, args, call, &error);
                if (r >= 0)
                        r = sd_bus_message_rewind(call, true);
                if (r >= 0) {
                        r = authorizer_ask(tree_authorizer(object_tree(face->object)), method, face, args, &request, &error);
                        /* polkit thinks about it; the call comes again. */
                        if (r == 0)
                                return 1;
                }
        }
        if (r >= 0)
                r = method->run(face->model, args, &request, &error);

        r = bus_error_finish(r, &error, ret_error);
        return r < 0 ? r : 1;
}
