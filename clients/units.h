/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "cleanup.h"

enum { UNIT_TEXT_MAX = 32 };

/* "13.8 MiB": to one digit after the point, none if it is 0. Returns @buffer. */
const char *bytes_format(char buffer[static UNIT_TEXT_MAX], uint64_t bytes);

/* "3.2 GHz", "800 MHz". Returns @buffer. */
const char *khz_format(char buffer[static UNIT_TEXT_MAX], uint64_t khz);

/* "12 ms", "3.2 s", "5 min 7 s", "2 h 14 min", "3 d 4 h": rounded down. Returns @buffer. */
const char *usec_format(char buffer[static UNIT_TEXT_MAX], uint64_t usec);

/* A size as people write it: digits and K, M, G, T, P or E, with "iB" or "B" after
 * it if they like, in powers of 1024. -EINVAL if it is none, -ERANGE if it is more
 * than 64 bits hold. */
int bytes_parse(const char *text, uint64_t *ret_bytes);

/* "1 cell", "2 cells": to be freed; NULL if there is no memory. */
char *count_format(uint64_t n, const char *one);

/* As asprintf(), but NULL if there is no memory: to be freed. */
char *text_format(const char *format, ...) _printf_(1, 2);
