/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is allocated is given back where its name goes out of scope, on every
 * way out of a function. TAKE_PTR and TAKE_FD hand it on. */

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(text, first) __attribute__((format(printf, text, first)))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

#define TAKE_PTR(pointer)                               \
        ({                                              \
                __auto_type taken_ = (pointer);         \
                (pointer) = NULL;                       \
                taken_;                                 \
        })

#define TAKE_FD(fd)                                     \
        ({                                              \
                int taken_ = (fd);                      \
                (fd) = -1;                              \
                taken_;                                 \
        })

/* The same for a struct, whose empty state is all zeroes. */
#define TAKE(value)                                     \
        ({                                              \
                __auto_type taken_ = (value);           \
                (value) = (typeof(value)) {};           \
                taken_;                                 \
        })

#define ASSERT_PTR(pointer)                             \
        ({                                              \
                __auto_type checked_ = (pointer);       \
                assert(checked_);                       \
                checked_;                               \
        })

/* Makes function##p, for _cleanup_(), out of a function that takes a pointer
 * and does nothing for NULL. */
#define DEFINE_CLEANUP(type, function)                  \
        static inline void function##p(type *pointer) { \
                if (*pointer)                           \
                        function(*pointer);             \
        }

static inline void freep(void *pointer) {
        free(*(void **) pointer);
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
}

DEFINE_CLEANUP(DIR *, closedir)

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_closedir_ _cleanup_(closedirp)
