/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The monitor of a QEMU that is a test's own, beside the service's: control.sock in the
 * guest's folder. */

/* Has QEMU do something; "arguments" is JSON, or NULL. The test fails if QEMU refuses. */
void control_send(const char *folder, const char *command, const char *arguments);
