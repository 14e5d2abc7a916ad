/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the model of a guest has to tell. */

#include <glib.h>

#include "guest/domain.h"

/* What is to be told of its vCPUs by now, in letters: "0e request, 2pc guest": e(nabled),
 * p(ending), c(pus); only those of "changes" (VCPU_CHANGE_…). It is told then. Free the
 * result. */
char *told_take(Domain *domain, unsigned changes);

#define assert_told_of(domain, changes, expected)                       \
        do {                                                            \
                g_autofree char *told_ = told_take(domain, changes);    \
                                                                        \
                g_assert_cmpstr(told_, ==, expected);                   \
        } while (0)

/* The first with this code in its Warnings, or NULL. "domain" may be NULL. */
const Finding *told_finding(const Domain *domain, const char *code);
