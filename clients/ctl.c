/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From the command line to the exit code. */

#include <locale.h>
#include <stdarg.h>
#include <string.h>

#include "ctl.h"
#include "help.h"

ExitCode ctl_fail(const Ctl *ctl, ExitCode code, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        Terminal t;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return code;
        }
        /* A message of the service's may have brought one of its own. */
        for (size_t n = strlen(text); n > 0 && text[n - 1] == '\n';)
                text[--n] = '\0';
        /* What was shown so far comes before what went wrong with the rest. */
        fflush(stdout);
        terminal_open(&t, stderr);
        terminal_style(&t, STYLE_WARNING);
        terminal_put(&t, "berthctl: ");
        terminal_style(&t, STYLE_NORMAL);
        terminal_printf(&t, "%s\n", text);
        fflush(stderr);
        return code;
}

ExitCode ctl_print_json(const Ctl *ctl, json_object *object) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
        const char *text;

        if (ctl->json == JSON_PRETTY)
                flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
        text = json_object_to_json_string_ext(object, flags);
        if (!text)
                return ctl_fail(ctl, CTL_FAILED, "There is not enough memory.");
        fputs(text, ctl->terminal.file);
        putc('\n', ctl->terminal.file);
        return CTL_DONE;
}

ExitCode ctl_run(int argc, char *argv[]) {
        Ctl ctl = {};
        ExitCode e;

        /* Only which characters there are: numbers look the same everywhere. */
        setlocale(LC_CTYPE, "");
        terminal_open(&ctl.terminal, stdout);

        e = arguments_parse(&ctl, argc, argv);
        if (e != CTL_DONE)
                return e;
        if (ctl_option(&ctl, OPTION_VERSION))
                help_version(&ctl);
        else if (ctl_option(&ctl, OPTION_HELP) && !ctl.verb_named)
                help_all(&ctl);
        else if (ctl_option(&ctl, OPTION_HELP))
                help_verb(&ctl, ctl.verb);
        else
                e = ctl.verb->run(&ctl);

        sd_bus_flush_close_unref(ctl.bus);
        if (fflush(stdout) != 0 || ferror(stdout))
                return ctl_fail(&ctl, CTL_FAILED, "Cannot write all of the output: %m.");
        return e;
}
