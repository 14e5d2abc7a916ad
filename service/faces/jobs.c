/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "jobs.h"

#include <string.h>

#include "bus/bus-error.h"
#include "manager.gen.h"
#include "manager.h"

uint64_t job_begin(Tree *tree) {
        return tree_next_serial(tree);
}

static const char *job_result(ErrorCode code) {
        if (code == ERROR_GUEST_REFUSED)
                return "refused";
        return code == ERROR_TIMED_OUT ? "timed-out" : "failed";
}

void job_end(Tree *tree, uint64_t job, int result, const Error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error bus_error = SD_BUS_ERROR_NULL;

        tree_flush(tree);
        if (result < 0)
                (void) bus_error_finish(result, error, &bus_error);
        (void) sd_bus_emit_signal(tree_bus(tree), MANAGER_PATH, manager_interface.name, MANAGER_JOB_DONE, "tsss", job,
                                  result < 0 ? job_result(error ? error->code : ERROR_NONE) : "done",
                                  result < 0 ? bus_error.name : "", result < 0 ? bus_error.message : "");
}
