/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change.h"

int verb_undefine(Ctl *ctl) {
        _cleanup_change_ Change change = CHANGE_NONE;
        ExitCode e;

        e = change_read(ctl, &change);
        if (e == CTL_DONE)
                e = change_open(ctl, &change);
        if (e == CTL_DONE)
                e = change_forget(ctl, &change, "UndefineDomain");
        if (e != CTL_DONE || ctl->json != JSON_OFF)
                return e;
        terminal_printf(&ctl->terminal, "%s: what is stored for it %s forgotten%s.\n", change.guest.name,
                        change.dry_run ? "would be" : "is", change.guest.runs ? "; it runs on" : "");
        return CTL_DONE;
}
