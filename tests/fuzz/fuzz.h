/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One function for each target; what it finds wrong aborts, also where assert() is
 * left out. Linked with libFuzzer, or with run-seeds.c, which feeds it files. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(what)                                                             \
        do                                                                      \
                if (!(what)) {                                                  \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
                        abort();                                                \
                }                                                               \
        while (0)

/* A copy of exactly this length with a NUL behind it, so that a sanitizer sees who
 * reads on. */
static inline char *text_of(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1);

        HOLDS(text);
        if (size > 0)
                memcpy(text, data, size);
        text[size] = 0;
        return text;
}
