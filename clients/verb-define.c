/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a guest is to have, before there is one: libvirt's XML, handed on as it is.
 * Only what could not be sent at all is found here. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "show.h"
#include "units.h"

enum { DOCUMENT_MAX = 1024 * 1024 };

/* To be freed. */
static ExitCode document_read(const Ctl *ctl, const char *file, char **ret) {
        bool is_stdin = strcmp(file, "-") == 0;
        const char *called = is_stdin ? "standard input" : file;
        _cleanup_free_ char *text = malloc(DOCUMENT_MAX + 1);
        _cleanup_close_ int opened = -1;
        size_t length = 0;
        ssize_t n;
        uint32_t c;

        if (!text)
                return fail_no_memory(ctl);
        if (!is_stdin) {
                opened = open(file, O_RDONLY | O_CLOEXEC);
                if (opened < 0)
                        return ctl_fail(ctl, CTL_FAILED, "Cannot open %s: %m.", file);
        }
        do {
                n = read(is_stdin ? STDIN_FILENO : opened, text + length, DOCUMENT_MAX + 1 - length);
                if (n < 0 && errno != EINTR)
                        return ctl_fail(ctl, CTL_FAILED, "Cannot read %s: %m.", called);
                length += n > 0 ? n : 0;
                if (length > DOCUMENT_MAX)
                        return ctl_fail(ctl, CTL_FAILED, "%s is longer than the 1 MiB that a guest's document may have.", called);
        } while (n != 0);
        if (length == 0)
                return ctl_fail(ctl, CTL_FAILED, "%s is empty: it is to have a guest's XML.", called);
        if (memchr(text, 0, length))
                return ctl_fail(ctl, CTL_FAILED, "%s is no XML: it has a zero byte in it.", called);
        text[length] = '\0';
        for (size_t at = 0, step; (step = text_next(text + at, &c)) > 0; at += step)
                if (step == 1 && c == 0xfffd)
                        return ctl_fail(ctl, CTL_FAILED, "%s is not UTF-8, which a document for a guest is to be in.", called);
        *ret = TAKE(text);
        return CTL_DONE;
}

/* What of the document is not kept stands among the guest's warnings. */
static ExitCode show_findings(Ctl *ctl, const char *name) {
        _cleanup_json_ json_object *warnings = json_object_new_array();
        _cleanup_guest_ Guest guest = {};
        ExitCode e;

        e = guest_open(ctl, name, &guest);
        if (e != CTL_DONE)
                return e;
        guest_add_warnings(guest.domain, warnings);
        show_warnings(&ctl->terminal, warnings, SIZE_MAX);
        return CTL_DONE;
}

int verb_define(Ctl *ctl) {
        static const Call call = { BERTH_PATH, BERTH_MANAGER, "DefineDomain", "o", true, NULL, NULL };
        const char *name = ctl->arguments[0];
        bool dry_run = ctl_option(ctl, OPTION_DRY_RUN);
        _cleanup_json_ json_object *path = NULL;
        _cleanup_free_ char *document = NULL;
        ExitCode e;

        e = guest_name_check(ctl, name);
        if (e == CTL_DONE)
                e = document_read(ctl, ctl->arguments[1], &document);
        if (e != CTL_DONE)
                return e;
        e = dry_run ? bus_call(ctl, &call, &path, "ssas", name, document, 1, "dry-run")
                    : bus_call(ctl, &call, &path, "ssas", name, document, 0);
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *object = json_object_new_object();
                json_object_object_add(object, "domain", json_object_get(path));
                return ctl_print_json(ctl, object);
        }
        terminal_printf(&ctl->terminal, dry_run ? "%s: would be defined.\n" : "%s: is defined.\n", name);
        if (dry_run)
                return CTL_DONE;
        hint(ctl, "'berthctl vcpus %s --config' shows what it is to have.", name);
        return show_findings(ctl, name);
}
