/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "help.h"

int verb_help(Ctl *ctl) {
        if (ctl->n_arguments == 0) {
                help_all(ctl);
                return CTL_DONE;
        }
        const Verb *verb = verb_find(ctl->arguments[0]);
        if (!verb)
                return fail_unknown_verb(ctl, ctl->arguments[0]);
        help_verb(ctl, verb);
        return CTL_DONE;
}
