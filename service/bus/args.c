/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Words and paths of callers appear in messages; nobody needs ten megabytes of
 * one there. */
#define SHOWN "%.64s"

static char *join(const char *const *words, const char *separator) {
        char *text = NULL;
        size_t size;
        FILE *stream;

        stream = open_memstream(&text, &size);
        if (!stream)
                return NULL;
        for (size_t i = 0; words[i]; i++)
                fprintf(stream, "%s%s", i > 0 ? separator : "", words[i]);
        if (fclose(stream) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int read_flags(const Method *method, sd_bus_message *call, uint32_t *ret_flags, Error *error) {
        uint32_t flags = 0;
        const char *word;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(call, "s", &word)) > 0) {
                size_t i;

                for (i = 0; method->flags[i] && strcmp(method->flags[i], word) != 0; i++)
                        ;
                if (!method->flags[i]) {
                        _cleanup_free_ char *legal = join(method->flags, ", ");

                        if (!legal)
                                return -ENOMEM;
                        return error_set(error, ERROR_INVALID_ARGS, "%s knows no flag \"" SHOWN "\"; it knows %s", method->name, word, legal);
                }
                if (flags & UINT32_C(1) << i)
                        return error_set(error, ERROR_INVALID_ARGS, "the flag \"%s\" of %s is given twice", method->flags[i], method->name);
                flags |= UINT32_C(1) << i;
        }
        if (r < 0)
                return r;

        for (const uint32_t *group = method->exclusive; group && *group; group++) {
                const char *both[3] = {};
                size_t n = 0;

                for (size_t i = 0; method->flags[i] && n < 2; i++)
                        if (flags & *group & UINT32_C(1) << i)
                                both[n++] = method->flags[i];
                if (n == 2)
                        return error_set(error, ERROR_INVALID_ARGS, "the flags \"%s\" and \"%s\" of %s exclude each other", both[0], both[1], method->name);
        }

        *ret_flags = flags;
        return sd_bus_message_exit_container(call);
}

int args_read(const Method *method, sd_bus_message *call, void *args, Error *error) {
        bool rewind = false;
        int r;

        for (size_t i = 0; i < method->n_args; i++) {
                const MethodArg *arg = method->args + i;

                if (arg->basic)
                        r = sd_bus_message_read_basic(call, arg->signature[0], (char *) args + arg->offset);
                else if (method->flags && i + 1 == method->n_args)
                        r = read_flags(method, call, (uint32_t *) ((char *) args + arg->offset), error);
                else {
                        r = sd_bus_message_skip(call, arg->signature);
                        rewind = true;
                }
                if (r < 0)
                        return r;
        }

        /* The handler reads its containers from the start. */
        return rewind ? sd_bus_message_rewind(call, true) : 0;
}

static int read_named_arg(const Method *method, const MethodArg *arg, const char *name, sd_bus_message *call, void *args, Error *error) {
        bool is_flags = method->flags && arg == method->args + method->n_args - 1;
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(call, &type, &contents);
        if (r < 0)
                return r;
        if (strcmp(contents, arg->signature) != 0)
                return error_set(error, ERROR_INVALID_ARGS, "argument \"" SHOWN "\" of %s is of type %s, not %s", name, method->name, arg->signature, contents);

        if (!arg->basic && !is_flags)
                return sd_bus_message_skip(call, "v");
        r = sd_bus_message_enter_container(call, 'v', contents);
        if (r < 0)
                return r;
        if (is_flags)
                r = read_flags(method, call, (uint32_t *) ((char *) args + arg->offset), error);
        else
                r = sd_bus_message_read_basic(call, arg->signature[0], (char *) args + arg->offset);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(call);
}

int args_read_named(const Method *method, sd_bus_message *call, void *args, uint32_t *ret_given, Error *error) {
        uint32_t given = 0;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                const char *name;
                size_t i = 0;

                r = sd_bus_message_read(call, "s", &name);
                if (r < 0)
                        return r;
                while (i < method->n_args && strcmp(method->args[i].name, name) != 0)
                        i++;
                if (i == method->n_args)
                        return error_set(error, ERROR_INVALID_ARGS, "%s has no argument \"" SHOWN "\"", method->name, name);
                if (given & UINT32_C(1) << i)
                        return error_set(error, ERROR_INVALID_ARGS, "the argument \"%s\" of %s is given twice", method->args[i].name, method->name);
                given |= UINT32_C(1) << i;
                r = read_named_arg(method, method->args + i, name, call, args, error);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(call);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(call);
        if (r < 0)
                return r;
        *ret_given = given;
        return 0;
}

static int describe_flags(const Method *method, uint32_t flags, int (*add)(void *, const char *, const char *), void *userdata) {
        const char *words[33] = {};
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        for (size_t i = 0; method->flags[i]; i++)
                if (flags & UINT32_C(1) << i)
                        words[n++] = method->flags[i];
        if (n == 0)
                return 0;
        text = join(words, " ");
        return text ? add(userdata, "flags", text) : -ENOMEM;
}

int args_describe(const Method *method, const void *args, uint32_t given, int (*add)(void *, const char *, const char *), void *userdata) {
        for (size_t i = 0; i < method->n_args; i++) {
                const MethodArg *arg = method->args + i;
                const void *field = (const char *) args + arg->offset;
                char text[32];
                int r;

                if (!(given & UINT32_C(1) << i))
                        continue;
                if (method->flags && i + 1 == method->n_args) {
                        r = describe_flags(method, *(const uint32_t *) field, add, userdata);
                        if (r < 0)
                                return r;
                        continue;
                }

                /* Strings are the caller's: what they may say is for checks to
                 * decide, and none of it is for a password dialogue. */
                switch (arg->basic ? arg->signature[0] : 0) {
                case 'u':
                        snprintf(text, sizeof text, "%" PRIu32, *(const uint32_t *) field);
                        break;
                case 'i':
                        snprintf(text, sizeof text, "%" PRIi32, *(const int32_t *) field);
                        break;
                case 't':
                        snprintf(text, sizeof text, "%" PRIu64, *(const uint64_t *) field);
                        break;
                case 'b':
                        snprintf(text, sizeof text, "%s", *(const int *) field ? "true" : "false");
                        break;
                default:
                        continue;
                }
                r = add(userdata, arg->name, text);
                if (r < 0)
                        return r;
        }
        return 0;
}
