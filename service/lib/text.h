/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Puts "?" for each byte that is no part of a character of UTF-8, or would do
 * something to a terminal. What we tell may quote a file, or a caller's word that was
 * cut short; and a bus does not carry other text than UTF-8. */
void text_make_printable(char *text);

/* How many of the "n" bytes at "text" the first character of UTF-8 has; 0 if there is
 * none, or one that would do something to a terminal. */
size_t text_character_length(const char *text, size_t n);

/* Reads decimal digits and nothing else, and moves "*text" behind them.
 * Returns -EINVAL if there is none, -ERANGE above "max". */
int text_take_number(const char **text, uint64_t max, uint64_t *ret);
