/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "told.h"

#include <string.h>

char *told_take(Domain *domain, unsigned changes) {
        GString *text = g_string_new(NULL);
        VcpuCause cause;
        unsigned change;
        uint32_t id;

        while (domain_take_vcpu_mark(domain, &id, &change, &cause)) {
                change &= changes;
                g_string_append_printf(text, "%s%u%s%s%s %s", text->len > 0 ? ", " : "", id,
                                       change & VCPU_CHANGE_ENABLED ? "e" : "", change & VCPU_CHANGE_PENDING ? "p" : "",
                                       change & VCPU_CHANGE_PIN ? "c" : "", vcpu_cause_to_string(cause));
        }
        return g_string_free(text, FALSE);
}

const Finding *told_finding(const Domain *domain, const char *code) {
        for (size_t i = 0; domain && i < domain->findings.n_items; i++)
                if (strcmp(domain->findings.items[i].code, code) == 0)
                        return domain->findings.items + i;
        return NULL;
}
