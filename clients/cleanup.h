/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Frees at the end of a scope, and the few macros that go with it. The
 * pointers of sd-bus have their own (sd_bus_unrefp and its like). */

#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#ifndef MIN
#  define MIN(a, b) ((a) < (b) ? (a) : (b))
#  define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

#define TAKE(p)                                 \
        ({                                      \
                __typeof__(p) _taken = (p);     \
                (p) = NULL;                     \
                _taken;                         \
        })

static inline void freep(void *p) {
        free(*(void **) p);
}

static inline void json_putp(json_object **p) {
        json_object_put(*p);
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_json_ _cleanup_(json_putp)
#define _cleanup_close_ _cleanup_(closep)
