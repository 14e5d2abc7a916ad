/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "suggest.h"

enum { WORD_MAX = 40 };

unsigned word_distance(const char *a, const char *b) {
        size_t la = strlen(a), lb = strlen(b);
        unsigned d[WORD_MAX + 1][WORD_MAX + 1];

        if (la > WORD_MAX || lb > WORD_MAX)
                return UINT_MAX;
        for (size_t i = 0; i <= la; i++)
                d[i][0] = i;
        for (size_t j = 0; j <= lb; j++)
                d[0][j] = j;
        for (size_t i = 1; i <= la; i++)
                for (size_t j = 1; j <= lb; j++) {
                        unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
                        best = MIN(best, d[i - 1][j] + 1);
                        best = MIN(best, d[i][j - 1] + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                best = MIN(best, d[i - 2][j - 2] + 1);
                        d[i][j] = best;
                }
        return d[la][lb];
}

void suggestion_init(Suggestion *ret, const char *word) {
        *ret = (Suggestion) { .word = word };
}

void suggestion_offer(Suggestion *s, const char *candidate) {
        size_t length = strlen(s->word);
        unsigned distance;

        /* Who typed the beginning of a word meant it, whatever is missing. */
        if (length >= 2 && length < strlen(candidate) && strncmp(s->word, candidate, length) == 0)
                distance = 1;
        else
                distance = word_distance(s->word, candidate);
        if (distance > MAX(1u, length / 3) || (s->best && distance >= s->distance))
                return;
        s->best = candidate;
        s->distance = distance;
}
