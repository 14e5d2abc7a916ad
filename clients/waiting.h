/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include <systemd/sd-bus.h>

/* A call that waits for a guest to do its part. */

/* As sd_bus_call(). Meanwhile a line on standard error, if that is a terminal, says
 * @what and for how long already; NULL: none. If SIGINT or SIGTERM comes, stores its
 * number and returns -EINTR: the call may still be answered, to nobody. */
int waiting_call(sd_bus *bus, sd_bus_message *m, uint64_t timeout_usec, const char *what, int *ret_signal,
                 sd_bus_error *ret_error, sd_bus_message **ret_reply);

/* Ends this process by the signal, so that a shell sees by what it ended. */
void waiting_end_by(int signal_number);

uint64_t monotonic_usec(void);
