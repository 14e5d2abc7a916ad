/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* The longest name of a guest, in bytes: that of its folder, and with an ending that
 * of its files. */
#define GUEST_NAME_MAX 240u

/* Whether a guest may have this name: 1 to GUEST_NAME_MAX bytes of printable UTF-8, no
 * "/", no "." at its start. */
bool guest_name_is_valid(const char *name);
