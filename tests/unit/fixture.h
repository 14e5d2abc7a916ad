/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A host on a tree, with the loop and the workers it needs; what it tells is
 * written down as words in the order in which it comes. */

#include "host/host.h"
#include "machine.h"

typedef struct Fixture {
        Tree *tree;
        sd_event *event;
        Workers *workers;
        Host *host;
        GString *heard;         /* "added 0, changed 1, …" */
} Fixture;

/* On a machine of two sockets of two CPUs, each socket a cell; or on one that the
 * test has written. The tree becomes the fixture's. */
Fixture *fixture_new(Tree *tree);
Fixture *fixture_free(Fixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)

/* Writes down what the host tells, from now on. */
void fixture_listen(Fixture *fixture);

/* What was heard since the last time. Free the result. */
char *fixture_heard(Fixture *fixture);

/* Runs the loop until the host has nothing to read. */
void fixture_settle(Fixture *fixture);

/* Jobs that hold all workers until they are let go. */
typedef struct Hold Hold;
Hold *fixture_hold(Fixture *fixture);
void fixture_let_go(Hold *hold);
