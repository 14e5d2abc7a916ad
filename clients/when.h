/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* A time as people write it, in seconds since 1970; @now_sec is the time that it is:
 *
 *     07:30, 07:30:15         the next time that a clock here shows it
 *     2026-12-01 07:30        that day; "T" may stand between, and seconds at the end
 *     8h, +8h, 1h30min        so long from now: w, d, h, min or m, s, the larger first
 *     @1796110200             seconds since 1970
 *
 * -EINVAL if it is none of these, -ENOENT if there is no such day or hour here, -ERANGE
 * if it is after the year 9999. */
int when_parse(const char *text, uint64_t now_sec, uint64_t *ret_sec);

/* "tomorrow, Tue 2026-12-01 at 07:30 CET, in 8 h 12 min": to be freed; NULL if there is no memory. */
char *when_format(uint64_t at_sec, uint64_t now_sec);
