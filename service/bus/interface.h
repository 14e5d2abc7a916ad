/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the generator makes of an interface file: tables that the rest of bus/
 * works from, so that what holds for every method is written once. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "lib/error.h"

typedef struct MethodArg {
        const char *name;
        const char *signature;
        size_t offset;          /* of its field in the struct of arguments */
        bool basic;             /* otherwise the handler reads it from the message */
} MethodArg;

/* A call on its way to its handler. */
typedef struct Request {
        sd_bus_message *message;
        struct Object *object;
        uint32_t uid;           /* whose word was asked of polkit; UINT32_MAX if nobody's had to be */
} Request;

typedef struct Method {
        const char *name;
        const char *action;     /* the polkit action; NULL if it is free for everybody */
        const char *(*choose_action)(void *model, const void *args);    /* if it has several */

        const MethodArg *args;
        size_t n_args;
        size_t args_size;
        const char *const *flags;       /* the legal words: word i is bit i */
        const uint32_t *exclusive;      /* sets of which only one may be given; 0 at the end */

        /* The call stands at its first argument. */
        int (*check)(void *model, const void *args, sd_bus_message *call, Error *error);
        int (*run)(void *model, const void *args, const Request *request, Error *error);
} Method;

typedef struct Interface {
        const char *name;
        const sd_bus_vtable *vtable;
        const char *const *properties;  /* by their number in the generated enum */
        const Method *const *methods;
        uint64_t constants;             /* properties that never change */
} Interface;
