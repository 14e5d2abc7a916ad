/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "libxml2.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

Libxml2 libxml2;

int libxml2_open(void) {
        void *handle;

        if (libxml2.handle)
                return 0;

        /* Never closed: its own threads' data and ICU's tables do not survive that. */
        handle = dlopen(LIBXML2_SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (!handle)
                return -ELIBACC;
#define LIBXML2_FIND(name)                                              \
        libxml2.name = (typeof(libxml2.name)) dlsym(handle, #name);     \
        if (!libxml2.name)                                              \
                return -ELIBACC;
        LIBXML2_FUNCTIONS(LIBXML2_FIND)
#undef LIBXML2_FIND

        libxml2.handle = handle;
        return 0;
}
