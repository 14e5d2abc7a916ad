/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Of the words that there are, the one that was probably meant. */
typedef struct Suggestion {
        const char *word;
        const char *best; /* NULL if none is near enough */
        unsigned distance;
} Suggestion;

void suggestion_init(Suggestion *ret, const char *word);
void suggestion_offer(Suggestion *s, const char *candidate);

/* How many characters must be put in, left out, changed or swapped with the
 * next one to make @b of @a; UINT_MAX if one is longer than any name is. */
unsigned word_distance(const char *a, const char *b);
